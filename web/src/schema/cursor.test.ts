import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { cursorAt, optionsAt } from './cursor';
import type { Schema } from './model';

const schema = JSON.parse(readFileSync(new URL('./testdata/VirtualService.json', import.meta.url), 'utf8')) as Schema;
const head = 'apiVersion: v1\nkind: Service\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: a\nspec:\n';

/** What is offered at the bar in a text. */
function offered(body: string) {
  const text = head + body;
  const c = cursorAt(text.replace('|', ''), text.indexOf('|'))!;
  return { c, labels: optionsAt(schema, c).map((o) => o.label), options: optionsAt(schema, c) };
}

it('finds the path of keys in lists, indented or not, and offers what is not there yet', () => {
  const a = offered('  http:\n    - name: first\n      ti|\n      retries:\n        attempts: 2\n    - name: second\n');
  expect(a.c.path).toEqual(['spec', 'http', 0]);
  expect(a.c.kind).toBe('VirtualService');
  expect(a.labels).toContain('timeout');
  expect(a.labels).not.toContain('name');
  expect(a.labels).not.toContain('retries');
  expect(a.options.find((o) => o.label === 'timeout')?.info).toBeTruthy();
  const b = offered('  http:\n  - match:\n    - uri:\n        prefix: /\n    route:\n    - destination:\n        host: a\n      w|\n');
  expect(b.c.path).toEqual(['spec', 'http', 0, 'route', 0]);
  expect(b.labels).toContain('weight');
});

it('begins lists with a dash and objects on a line of their own', () => {
  const { options } = offered('  http:\n    - |\n');
  expect(options.find((o) => o.label === 'route')?.apply).toBe('route:\n        - ');
  expect(options.find((o) => o.label === 'retries')?.apply).toBe('retries:\n        ');
  expect(options.find((o) => o.label === 'timeout')?.apply).toBe('timeout: ');
});

it('offers values behind a colon and nothing in comments', () => {
  expect(offered('  http:\n    - match:\n        - ignoreUriCase: |\n').labels).toEqual(['true', 'false']);
  const text = `${head}  # ho`;
  expect(cursorAt(text, text.length)).toBeNull();
});
