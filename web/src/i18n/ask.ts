export const en = {
  'picture.as': 'Picture as {{format}}', 'picture.copy': 'Copy picture', 'picture.copied': 'The picture is in the clipboard.', 'picture.notCopied': 'The picture was not copied ({{why}}). Download it as PNG instead.',
  'code.cluster': 'Diff against the cluster',
  'code.leave': 'Tab indents; Escape, then Tab leaves the editor.',
  'ask.keep': 'Keep as route test', 'ask.keepFile': 'Test file', 'ask.keepName': 'Name of the test', 'ask.kept': 'Kept; `meshstorm test` holds the files against it from now on:',
} as const;

export const ko = {
  'picture.as': '{{format}} 그림으로 내려받기', 'picture.copy': '그림 복사', 'picture.copied': '그림을 클립보드에 복사했습니다.', 'picture.notCopied': '그림을 복사하지 못했습니다({{why}}). PNG로 내려받으세요.',
  'code.cluster': '클러스터와 비교',
  'code.leave': 'Tab은 들여쓰기입니다. Esc를 누른 뒤 Tab을 누르면 편집기를 벗어납니다.',
  'ask.keep': '라우트 테스트로 남기기', 'ask.keepFile': '테스트 파일', 'ask.keepName': '테스트 이름', 'ask.kept': '남겼습니다. 이제 `meshstorm test`가 파일을 이 테스트와 맞춰 봅니다:',
};
