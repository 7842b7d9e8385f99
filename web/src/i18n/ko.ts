import { ko as traffic } from './traffic';
import { ko as form } from './form';
import { ko as cluster } from './cluster';
import { ko as ask } from './ask';
import type { en } from './en';
import { ko as objects } from './objects';
import { ko as rules } from './rules';

export const ko: Record<keyof typeof en, string> = {
  ...ask,
  ...traffic,
  ...form,
  ...cluster,
  ...objects,
  ...rules,
  'app.name': 'meshstorm 스튜디오',
  'app.skip': '본문으로 건너뛰기',
  'nav.workspaces': '작업 공간', 'nav.model': '모델', 'nav.code': '코드', 'nav.deploy': '배포', 'nav.screens': '화면',
  'action.undo': '실행 취소', 'action.redo': '다시 실행', 'action.close': '닫기', 'action.cancel': '취소', 'action.delete': '삭제', 'action.open': '열기',
  'action.fork': '포크', 'action.retry': '다시 시도', 'action.add': '추가', 'action.save': '저장', 'action.search': '검색과 명령',
  'theme.dark': '어두운 테마', 'theme.light': '밝은 테마', 'language.other': 'View in English',
  'save.saved': '저장됨', 'save.dirty': '아직 저장되지 않음', 'save.saving': '저장하는 중…', 'save.failed': '저장하지 못함', 'save.conflict': '다른 곳에서 변경됨', 'save.offline': '서버에 연결할 수 없음', 'save.readOnly': '읽기 전용',
  'error.unreachable': '스튜디오 서버가 응답하지 않습니다. `meshstorm studio`가 실행 중인지 확인하세요.',
  'error.session': '이 페이지에는 세션이 없습니다. `meshstorm studio --print-url`을 실행하고 출력된 주소를 여세요. 주소는 60초 동안 유효합니다.',
  'error.title': '실패했습니다', 'error.load': '작업 공간을 열 수 없습니다',
  'error.render': '이 화면이 멈췄습니다. 저장된 내용은 안전합니다. 페이지를 다시 불러오세요.',
  'home.title': '작업 공간', 'home.lead': '작업 공간은 폴더 하나입니다. 이벤트스토밍 모델과, 그 모델에서 만들어진 쿠버네티스·Istio 파일이 들어 있습니다.',
  'home.yours': '내 작업 공간', 'home.none': '아직 없습니다. 아래 예제를 열어 포크하거나, 모델 파일을 여기에 끌어다 놓거나, 빈 모델로 시작하세요.',
  'home.examples': '예제', 'home.new': '새 작업 공간', 'home.name': '이름', 'home.taken': '{{name}} 작업 공간이 이미 있습니다. 쓸 수 있는 이름:', 'home.nameHint': '폴더 이름이 됩니다. 예: my-mall',
  'home.from': '시작할 내용', 'home.fromEmpty': '빈 모델', 'home.fromUrl': '주소', 'home.url': 'MSA-Ez 모델(JSON)의 주소', 'home.create': '만들기',
  'home.drop': 'MSA-Ez 모델 파일(.json)을 여기에 끌어다 놓거나 선택하세요', 'home.dropNow': '놓으면 이 모델을 엽니다', 'home.choose': '파일 선택',
  'home.readOnly': '읽기 전용', 'home.services': '서비스 {{count}}개', 'home.openExample': '예제 열기',
  'fork.title': '이 작업 공간 포크하기', 'fork.why': '이 작업 공간은 읽기 전용입니다. 포크하면 고칠 수 있는 사본이 생기고, 팔레트도 나타납니다.', 'fork.name': '사본의 이름',
  'conflict.title': '{{what}} 파일이 다른 곳에서 변경되었습니다', 'conflict.lead': '다른 탭, 편집기, git이 그 사이에 이 파일을 바꿨습니다. 왼쪽은 상대의 것, 오른쪽은 내 것입니다. 화살표는 상대의 변경 하나를 가져오고, 오른쪽은 직접 고칠 수도 있습니다. 마지막에 오른쪽에 있는 것이 저장됩니다.', 'conflict.mine': '오른쪽을 저장', 'conflict.take': '이 변경 가져오기', 'conflict.left': '상대의 것', 'conflict.right': '내 것, 결과', 'conflict.theirs': '상대의 것 받기',
  'palette.title': '팔레트', 'palette.hint': '보드로 끌어다 놓거나, Enter를 눌러 가운데에 놓으세요.',
  'kind.context': '바운디드 컨텍스트', 'kind.aggregate': '애그리거트', 'kind.command': '커맨드', 'kind.event': '이벤트', 'kind.policy': '폴리시', 'kind.view': '리드 모델', 'kind.actor': '액터', 'kind.external': '외부 시스템', 'kind.ui': 'UI', 'kind.issue': '이슈',
  'model.board': '이벤트스토밍 보드', 'model.empty': '빈 보드', 'model.emptyHint': '바운디드 컨텍스트부터 놓으세요. 업무의 한 부분이고, 서비스 하나가 됩니다. 그 위에 일어난 일인 이벤트와, 이벤트를 일으키는 커맨드를 놓으세요.',
  'model.legend': '화살표', 'model.pubsub': 'Pub/Sub: 폴리시가 이벤트를 기다립니다', 'model.request': 'Req/Res: 응답을 기다리는 호출', 'model.trigger': '컨텍스트 안에서 일으킴',
  'model.problems': '문제 {{count}}개', 'model.fit': '화면에 맞추기', 'model.generated': '여기서 만들어진 것', 'model.renameHint': '두 번 누르거나 F2로 이름 바꾸기',
  'panel.title': '속성', 'panel.none': '스티커를 선택하면 속성이 보입니다.', 'panel.name': '이름', 'panel.label': '표시 이름', 'panel.description': '설명', 'panel.fields': '필드', 'panel.fieldName': '필드', 'panel.fieldType': '타입', 'panel.fieldKey': '키', 'panel.noFields': '아직 필드가 없습니다.', 'panel.addField': '필드 추가', 'panel.removeField': '{{name}} 필드 삭제',
  'panel.rest': 'REST', 'panel.standard': '애그리거트의 표준 경로', 'panel.method': '메서드', 'panel.path': '경로', 'panel.queryPath': '조회 경로', 'panel.connect': '연결할 대상', 'panel.connectHint': '이벤트스토밍이 허용하는 것만 나옵니다', 'panel.saga': '사가', 'panel.position': '컨텍스트', 'panel.arrow': '{{from}}에서 {{to}}로 가는 화살표',
  'refuse.title': '이런 화살표는 없습니다', 'refuse.self': '스티커는 자기 자신으로 이어질 수 없습니다.', 'refuse.twice': '이미 있는 화살표입니다.', 'refuse.context': '화살표는 바운디드 컨텍스트가 아니라 스티커 사이에 놓입니다. 한 컨텍스트의 이벤트를 다른 컨텍스트의 폴리시에 연결하세요.',
  'refuse.eventEvent': '이벤트가 스스로 이벤트를 일으키지는 않습니다. 사이에 폴리시를 놓으세요.', 'refuse.eventAggregate': '이벤트는 스스로 아무것도 바꾸지 않습니다. 애그리거트를 호출하는 폴리시를 사이에 놓으세요.', 'refuse.eventView': '리드 모델은 화살표가 아니라 생성·수정 규칙으로 이벤트를 받습니다.',
  'refuse.commandCommand': '커맨드는 커맨드를 호출하지 않습니다. 커맨드가 일으킨 이벤트를 연결하거나 폴리시를 쓰세요.', 'refuse.commandPolicy': '폴리시는 이벤트를 기다립니다. 커맨드가 일으킨 이벤트를 연결하세요.', 'refuse.policyPolicy': '폴리시는 이벤트를 기다립니다. 첫 폴리시가 일으킨 이벤트를 연결하세요.',
  'refuse.view': '리드 모델은 응답만 합니다. 애그리거트에 더 물을 수는 있습니다.', 'refuse.issue': '이슈는 메모입니다. 관련된 것 옆에 놓으세요.', 'refuse.aggregate': '애그리거트는 다른 애그리거트만 참조할 수 있습니다. 커맨드와 이벤트는 양옆에 놓습니다.', 'refuse.actor': '액터는 커맨드를 보내고, 리드 모델과 화면을 봅니다.', 'refuse.external': '외부 시스템은 커맨드를 보내거나 이벤트를 일으킵니다.', 'refuse.ui': '화면은 커맨드를 보내고 리드 모델을 보여 줍니다.',
  'code.files': '파일', 'code.choose': '왼쪽에서 파일을 고르세요. 메시는 kubernetes/template/istio.yml에 있습니다.', 'code.edited': '편집됨', 'code.generated': '생성됨', 'code.diff': '생성된 것과 비교', 'code.edit': '편집', 'code.noDiff': '생성된 그대로이며, 편집된 곳이 없습니다.', 'code.zip': 'zip으로 내려받기', 'code.findings': '검사 결과', 'code.noFindings': '지적할 것이 없습니다.', 'code.source': '출처', 'code.showSource': '보드에서 {{source}} 스티커 보기',
  'code.generate': '생성', 'code.generateHint': '모델에서 파일을 다시 만듭니다. 편집한 것은 그대로 남습니다.', 'code.upToDate': '파일이 모델과 같습니다. 생성할 것이 없습니다.', 'code.apply': '이 변경 쓰기', 'code.preview': '바뀔 내용', 'code.conflictOf': '내가 고친 값 {{yours}}, 생성된 값 {{generated}}', 'code.conflicts': '모델과 다르지만 편집이 남는 곳 {{count}}개', 'code.fix': '해결 방법', 'code.line': '{{line}}행', 'code.loading': '편집기를 불러오는 중…', 'code.noChanges': '바뀌는 파일이 없습니다.',
  'toppings.title': '토핑', 'toppings.hint': '누르면 무엇이 바뀌는지 먼저 보여 줍니다.', 'toppings.on': '{{name}} 켜기', 'toppings.off': '{{name}} 끄기',
  'deploy.graph': '배포 그래프', 'deploy.empty': '아직 배포할 것이 없습니다', 'deploy.emptyHint': '그래프는 생성된 파일에서 그려집니다. 코드 화면에서 생성하세요. 가중치와 경로에는 Istio 토핑이 필요합니다.', 'deploy.toCode': '코드로 가기', 'deploy.tidy': '정렬', 'deploy.calls': '서비스 사이의 호출', 'deploy.none': '객체를 선택하면 하는 일이 보입니다. 가중치는 간선에서 편집합니다.', 'deploy.rules': '이 순서로 적용되는 규칙', 'deploy.anything': '모든 요청', 'deploy.or': '또는', 'deploy.and': '그리고', 'deploy.sendsTo': '보내는 곳', 'deploy.weight': '{{subset}} 가중치', 'deploy.of100': '요청 100개 중 {{n}}개', 'deploy.mixed': '규칙마다 다름', 'deploy.allRules': '모든 규칙', 'deploy.even': '고르게 나누기', 'deploy.lock': '{{subset}} 고정', 'deploy.unlock': '{{subset}} 고정 풀기', 'deploy.openYaml': 'YAML에서 보기', 'deploy.openModel': '보드에서 보기', 'deploy.hosts': '호스트', 'deploy.labels': '레이블', 'deploy.replicas': '레플리카', 'deploy.image': '이미지', 'deploy.ports': '포트', 'deploy.servers': '서버', 'deploy.twin': '{{name}}의 가중치도 함께 바뀝니다', 'deploy.editWeight': '가중치 편집: {{from}}에서 {{to}}로, {{weight}}', 'deploy.retries': '재시도 {{n}}회', 'deploy.timeout': '제한 시간 {{value}}', 'deploy.gatewaysUsed': '게이트웨이', 'deploy.forkFirst': '가중치를 바꾸려면 작업 공간을 포크하세요.', 'deploy.unread': '표시되지 않음: {{what}}', 'deploy.laying': '배치하는 중…', 'deploy.routesOf': '가중치',
  'ask.title': '요청 물어보기', 'ask.method': '메서드', 'ask.url': '주소', 'ask.headers': '헤더', 'ask.headersHint': '한 줄에 하나씩, 이름: 값', 'ask.from': '보내는 곳', 'ask.gateway': '외부에서 게이트웨이로', 'ask.go': '묻기', 'ask.clear': '지우기', 'ask.goesTo': '{{vs}}의 {{rule}} 규칙이 보내는 곳', 'ask.noRoute': '이 요청을 받는 규칙이 없어 404로 응답합니다.', 'ask.answer': '서비스 없이 응답: {{outcome}}', 'ask.verdicts': '규칙별 판정', 'ask.takes': '받음', 'ask.refuses': '받지 않음',
  'spot.placeholder': '화면, 스티커, 객체, 파일로 가기…', 'spot.nothing': '찾은 것이 없습니다', 'spot.screens': '화면', 'spot.actions': '명령', 'spot.stickers': '스티커', 'spot.objects': '객체', 'spot.files': '파일',
};
