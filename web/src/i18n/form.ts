export const en = {
  'form.all': 'All fields', 'form.add': 'Add a field…', 'form.addTo': 'Add a field to {{name}}', 'form.addKey': 'New key of {{name}}', 'form.key': 'New key', 'form.item': 'Add to {{name}}', 'form.remove': 'Remove {{name}}', 'form.help': 'What it means', 'form.yaml': 'as YAML',
  'form.onlyOne': 'Only one of these may be set: {{names}}', 'form.unknown': '{{name}} is no field that this kind knows; the API server refuses or drops it.',
  'form.fault.integer': 'Expected a whole number', 'form.fault.number': 'Expected a number', 'form.fault.duration': 'Expected a duration such as 5s, 250ms or 1m30s', 'form.fault.choice': 'Expected one of {{value}}', 'form.fault.pattern': 'Expected to match {{value}}', 'form.fault.least': 'At least {{value}}', 'form.fault.most': 'At most {{value}}', 'form.fault.longer': 'At least {{value}} characters', 'form.fault.shorter': 'At most {{value}} characters', 'form.fault.missing': 'Missing',
  'form.schema': 'schema', 'form.near': 'Did you mean {{near}}?', 'form.fault.text': 'Expected a text; numbers, true and false need quotes to be one', 'form.fault.yesno': 'Expected true or false', 'form.fault.list': 'Expected a list', 'form.fault.map': 'Expected fields with values',
} as const;

export const ko = {
  'form.all': '모든 필드', 'form.add': '필드 추가…', 'form.addTo': '{{name}}에 필드 추가', 'form.addKey': '{{name}}의 새 키', 'form.key': '새 키', 'form.item': '{{name}}에 추가', 'form.remove': '{{name}} 제거', 'form.help': '설명', 'form.yaml': 'YAML로',
  'form.onlyOne': '이 중 하나만 설정할 수 있습니다: {{names}}', 'form.unknown': '{{name}}은(는) 이 종류에 없는 필드입니다. API 서버가 거부하거나 버립니다.',
  'form.fault.integer': '정수를 입력하세요', 'form.fault.number': '숫자를 입력하세요', 'form.fault.duration': '5s, 250ms, 1m30s 같은 기간을 입력하세요', 'form.fault.choice': '다음 중 하나여야 합니다: {{value}}', 'form.fault.pattern': '{{value}}에 맞아야 합니다', 'form.fault.least': '{{value}} 이상이어야 합니다', 'form.fault.most': '{{value}} 이하여야 합니다', 'form.fault.longer': '{{value}}자 이상이어야 합니다', 'form.fault.shorter': '{{value}}자 이하여야 합니다', 'form.fault.missing': '빠졌습니다',
  'form.schema': '스키마', 'form.near': '혹시 {{near}}인가요?', 'form.fault.text': '텍스트여야 합니다. 숫자와 true, false는 따옴표로 묶어야 텍스트가 됩니다', 'form.fault.yesno': 'true 또는 false여야 합니다', 'form.fault.list': '목록이어야 합니다', 'form.fault.map': '값을 가진 필드들이어야 합니다',
};
