import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { read } from '../yaml/documents';
import { setIn } from '../yaml/edit';
import { at } from '../yaml/plain';
import { type Schema, addable, blank, exclusive, fault, kindOf, leaves, schemaAt, typed } from './model';

const load = (kind: string): Schema => JSON.parse(readFileSync(new URL(`./testdata/${kind}.json`, import.meta.url), 'utf8')) as Schema;

/** What a person would type into a field. */
function example(s: Schema): string {
  switch (kindOf(s)) {
    case 'choice': return String(s.enum!.at(-1));
    case 'integer': return String(s.maximum !== undefined ? s.maximum : Math.max(s.minimum ?? 0, 7));
    case 'number': return '0.5';
    case 'yesno': return 'false';
    case 'intOrText': return '80%';
    default: return blank(s) === '1s' ? '5s' : 'yes: #1';
  }
}

describe.each(['VirtualService', 'DestinationRule', 'Gateway'])('%s', (kind) => {
  const schema = load(kind);
  const id = { kind, name: 'x', namespace: 'default' };
  const start = `# kept\napiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata:\n  name: x # kept too\n  namespace: default\nspec: {}\n`;
  const all = leaves(schema.properties!.spec!, ['spec']);

  it('has every leaf field set and read back from the YAML, one at a time and all together', () => {
    expect(all.length).toBeGreaterThan(kind === 'Gateway' ? 20 : 100);
    let together = start;
    for (const { path, schema: s } of all) {
      expect(schemaAt(schema, path)).toBe(s);
      const text = example(s);
      const value = kindOf(s) === 'yesno' ? false : kindOf(s) === 'any' ? { a: [1] } : typed(s, text);
      const alone = setIn(start, id, path, value);
      expect(at(read(alone, id), path), path.join('.')).toEqual(value);
      together = setIn(together, id, path, value);
    }
    const got = read(together, id);
    for (const { path, schema: s } of all) {
      const value = kindOf(s) === 'yesno' ? false : kindOf(s) === 'any' ? { a: [1] } : typed(s, example(s));
      expect(at(got, path), path.join('.')).toEqual(value);
    }
    expect(together.startsWith('# kept\n')).toBe(true);
    expect(together).toContain('name: x # kept too');
  }, 120_000);

  it('offers every field that is not set, and finds it by its name', () => {
    for (const { path, schema: s } of all) {
      const list = path.findLastIndex((p) => typeof p === 'number' || p === 'key');
      const base = path.slice(0, list + 1), own = path.slice(list + 1);
      if (own.length === 0) continue; // an item or a value of a map, which its list adds
      const found = addable(schemaAt(schema, base)!, {}, own.join('.'), 500);
      expect(found.some((a) => a.path.join('.') === own.join('.') && a.schema === s), path.join('.')).toBe(true);
    }
  });
});

describe('fields', () => {
  const vs = load('VirtualService');
  it('tells what does not fit', () => {
    const timeout = schemaAt(vs, ['spec', 'http', 0, 'timeout'])!;
    expect(fault(timeout, '5s')).toBeNull();
    expect(fault(timeout, '5')).toEqual({ key: 'duration' });
    const attempts = schemaAt(vs, ['spec', 'http', 0, 'retries', 'attempts'])!;
    expect(fault(attempts, typed(attempts, '2'))).toBeNull();
    expect(fault(attempts, typed(attempts, 'two'))).toEqual({ key: 'integer' });
    expect(fault({ type: 'string', pattern: '^a+$' }, 'b')).toEqual({ key: 'pattern', value: '^a+$' });
    expect(fault({ type: 'string', enum: ['A'] }, 'B')).toEqual({ key: 'choice', value: 'A' });
  });
  it('knows of which fields only one may be set', () => {
    expect(exclusive(schemaAt(vs, ['spec', 'http', 0, 'match', 0, 'uri'])!)).toEqual(['exact', 'prefix', 'regex']);
  });
  it('offers the direct fields first, and none that is set', () => {
    const rule = schemaAt(vs, ['spec', 'http', 0])!;
    const names = addable(rule, { timeout: '5s' }, '').map((a) => a.path.join('.'));
    expect(names).toContain('retries');
    expect(names).not.toContain('timeout');
    expect(addable(rule, {}, 'maxAge')[0]!.path).toEqual(['corsPolicy', 'maxAge']);
  });
});
