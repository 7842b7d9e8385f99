export const en = {
  'traffic.graph': 'Traffic', 'traffic.numbers': 'Traffic in numbers', 'traffic.by.proxies': 'Last minute, by the proxies’ own counters', 'traffic.by.prometheus': 'Last minute, by Prometheus ({{name}})', 'traffic.none': 'No requests yet', 'traffic.noneHint': 'Send some with the load generator on the right, or a request on the Cluster screen. What goes from whom to whom appears here within seconds.',
  'traffic.noCluster': 'No cluster', 'traffic.toCluster': 'Go to Cluster', 'traffic.quiet': 'quiet', 'traffic.wished': 'wished {{n}} %', 'traffic.errors': 'errors', 'traffic.edge': 'From → to', 'traffic.wishedHead': 'wished', 'traffic.real': 'real', 'traffic.requests': 'requests',
  'traffic.kept': 'The last 15 minutes', 'traffic.minutes': 'The last 15 minutes, while this screen was open', 'traffic.rate': 'Requests', 'traffic.perSecond': '/s', 'traffic.top': 'highest {{top}} {{unit}}', 'traffic.chart': '{{name}}: now {{last}} {{unit}}, highest {{top}}', 'traffic.errorsLine': 'dashed: errors per second',
} as const;

export const ko = {
  'traffic.graph': '트래픽', 'traffic.numbers': '수치로 보는 트래픽', 'traffic.by.proxies': '최근 1분, 프록시의 카운터 기준', 'traffic.by.prometheus': '최근 1분, Prometheus({{name}}) 기준', 'traffic.none': '아직 요청이 없습니다', 'traffic.noneHint': '오른쪽의 부하 생성기나 클러스터 화면에서 요청을 보내 보세요. 누가 누구를 호출하는지 몇 초 안에 나타납니다.',
  'traffic.noCluster': '클러스터가 없습니다', 'traffic.toCluster': '클러스터 화면으로', 'traffic.quiet': '조용함', 'traffic.wished': '목표 {{n}} %', 'traffic.errors': '오류', 'traffic.edge': '호출', 'traffic.wishedHead': '목표', 'traffic.real': '실제', 'traffic.requests': '요청',
  'traffic.kept': '최근 15분', 'traffic.minutes': '이 화면을 연 동안의 최근 15분', 'traffic.rate': '요청', 'traffic.perSecond': '/s', 'traffic.top': '최고 {{top}} {{unit}}', 'traffic.chart': '{{name}}: 지금 {{last}} {{unit}}, 최고 {{top}}', 'traffic.errorsLine': '점선: 초당 오류',
};
