import { describe, expect, it } from 'vitest';
import { addDocument, documentText, locate, read, removeDocument, replaceDocument } from './documents';
import { insertAt, moveItem, removeAt, setIn } from './edit';
import { type Path, at, same, withValue } from './plain';

const file = `# Written by hand.
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: main-gw, namespace: default} # in one line
spec:
  selector:
    istio: ingressgateway
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
---
# routes of order
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: vsvc-order
  namespace: default
  labels:
    "app": 'order' # quoted
spec:
  hosts:
  - "*"
  gateways: [main-gw]
  http:
  # the first rule
  - name: primary   # spaces stay
    match:
    - uri:
        exact: /orders   # collection
    - uri:
        prefix: /orders/
    route:
    - destination:
        host: order
        subset: stable
      weight: 90
    - destination: &canary
        host: order
        subset: canary
      weight: 10

  # the second rule
  - name: rest
    route:
    - destination: {host: order}
`;
const vs = { kind: 'VirtualService', name: 'vsvc-order', namespace: 'default' };
const gw = { kind: 'Gateway', name: 'main-gw', namespace: 'default' };

/** What differs, line by line. */
function changed(before: string, after: string): string[] {
  const a = before.split('\n'), b = after.split('\n');
  while (a.length && b.length && a[0] === b[0]) { a.shift(); b.shift(); }
  while (a.length && b.length && a.at(-1) === b.at(-1)) { a.pop(); b.pop(); }
  return [...a.map((l) => `-${l}`), ...b.map((l) => `+${l}`)];
}

describe('editing an object in a file', () => {
  it('replaces just a scalar', () => {
    expect(changed(file, setIn(file, vs, ['spec', 'http', 0, 'route', 0, 'weight'], 70))).toEqual(['-      weight: 90', '+      weight: 70']);
    expect(changed(file, setIn(file, vs, ['spec', 'http', 0, 'match', 0, 'uri', 'exact'], '/o'))).toEqual(['-        exact: /orders   # collection', '+        exact: /o   # collection']);
    expect(changed(file, setIn(file, vs, ['spec', 'hosts', 0], 'shop.example'))).toEqual(['-  - "*"', '+  - "shop.example"']);
  });
  it('keeps strings strings', () => {
    const out = setIn(file, vs, ['metadata', 'labels', 'v'], '1.0');
    expect(changed(file, out)).toEqual(['+    v: "1.0"']);
  });
  it.each(['yes', 'no', 'on', 'off', 'y', 'True', '0777', '1:30', '0x1f', '1_000', 'null', '~'])('quotes %s, which Kubernetes would not read as a string', (value) => {
    expect(setIn(file, vs, ['spec', 'http', 0, 'match', 0, 'uri', 'exact'], value)).toContain(`exact: "${value}"`);
    expect(setIn(file, vs, ['spec', 'new'], { a: value })).toContain(`a: "${value}"`);
    expect(setIn(file, gw, ['spec', 'servers', 0, 'port', 'name'], value)).toContain(`name: "${value}"`);
  });

  it('adds fields where people expect them', () => {
    const out = setIn(file, vs, ['spec', 'http', 0, 'timeout'], '3s', ['name', 'match', 'timeout', 'route']);
    expect(changed(file, out)).toEqual(['+    timeout: 3s']);
    expect(out.indexOf('timeout')).toBeLessThan(out.indexOf('    route:'));
    expect(changed(file, setIn(file, vs, ['spec', 'http', 1, 'retries', 'attempts'], 2))).toEqual(['+    retries:', '+      attempts: 2']);
  });
  it('deletes fields and the parents that this empties', () => {
    expect(changed(file, setIn(file, vs, ['spec', 'gateways'], undefined))).toEqual(['-  gateways: [main-gw]']);
    const out = setIn(file, vs, ['metadata', 'labels', 'app'], undefined);
    expect(changed(file, out)).toEqual(['-  labels:', '-    "app": \'order\' # quoted']);
    expect(changed(file, setIn(file, vs, ['spec', 'http', 0, 'name'], undefined))).toEqual(['-  - name: primary   # spaces stay', '-    match:', '+  - match:']);
  });
  it('edits inside flow collections', () => {
    expect(changed(file, setIn(file, gw, ['spec', 'servers', 0, 'port', 'number'], 8080))).toEqual([
      '-  - port: {number: 80, name: http, protocol: HTTP}', '+  - port: {number: 8080, name: http, protocol: HTTP}']);
    expect(read(setIn(file, gw, ['spec', 'servers', 0, 'hosts', 1], 'b'), gw)).toMatchObject({ spec: { servers: [{ hosts: ['*', 'b'] }] } });
  });
  it('adds, moves and removes items of lists with their comments', () => {
    const added = insertAt(file, vs, ['spec', 'http'], 1, { name: 'new', redirect: { uri: '/' } });
    expect(changed(file, added)).toEqual(['+  - name: new', '+    redirect:', '+      uri: /']);
    expect((read(added, vs) as { spec: { http: { name: string }[] } }).spec.http.map((r) => r.name)).toEqual(['primary', 'new', 'rest']);
    const moved = moveItem(file, vs, ['spec', 'http'], 1, 0);
    expect(moved.indexOf('# the second rule')).toBeLessThan(moved.indexOf('# the first rule'));
    expect(moved).toContain('  # the second rule\n  - name: rest');
    expect(moveItem(moved, vs, ['spec', 'http'], 0, 1).replaceAll('\n\n', '\n')).toBe(file.replaceAll('\n\n', '\n'));
    const removed = removeAt(file, vs, ['spec', 'http'], 0);
    expect(removed).not.toContain('the first rule');
    expect(removed).toContain('# the second rule');
  });
  it('keeps comments of what stays when a whole value is set', () => {
    const out = setIn(file, vs, ['spec', 'http', 0, 'match'], [{ uri: { exact: '/orders' }, method: { exact: 'GET' } }]);
    expect(out).toContain('exact: /orders   # collection');
    expect(read(out, vs)).toMatchObject({ spec: { http: [{ match: [{ uri: { exact: '/orders' }, method: { exact: 'GET' } }] }, {}] } });
  });
  it('keeps Windows line ends and other documents byte for byte', () => {
    const windows = file.replaceAll('\n', '\r\n');
    const out = setIn(windows, vs, ['spec', 'http', 1, 'timeout'], '1s');
    expect(out.replaceAll('\r\n', '')).not.toContain('\n');
    expect(out.slice(0, out.indexOf('# routes of order'))).toBe(windows.slice(0, windows.indexOf('# routes of order')));
  });
  it('finds objects whose namespace is not written, and tells namespaces apart', () => {
    const two = 'kind: Service\nmetadata:\n  name: a\n  namespace: x\n---\nkind: Service\nmetadata:\n  name: a\n';
    expect(locate(two, { kind: 'Service', name: 'a', namespace: 'x' })?.line).toBe(1);
    expect(locate(two, { kind: 'Service', name: 'a', namespace: 'default' })?.line).toBe(6);
    expect(locate(two, { kind: 'Service', name: 'b' })).toBeNull();
  });
  it('adds and removes documents', () => {
    const more = addDocument(file, 'kind: ConfigMap\nmetadata:\n  name: c\n');
    expect(more).toBe(`${file}---\nkind: ConfigMap\nmetadata:\n  name: c\n`);
    expect(removeDocument(more, { kind: 'ConfigMap', name: 'c' })).toBe(file);
    expect(read(removeDocument(file, gw), vs)).toEqual(read(file, vs));
    expect(removeDocument(file, gw)).toContain('# Written by hand.');
    expect(locate(removeDocument(file, gw), gw)).toBeNull();
    const text = documentText(file, gw)!;
    expect(replaceDocument(file, gw, text)).toBe(file);
    expect(replaceDocument(file, gw, text.replace('80', '81'))).toBe(file.replace('80', '81'));
  });
});

/** A small generator, the same at every run. */
function random(seed: number): (n: number) => number {
  let s = seed * 2654435761 + 1;
  return (n) => {
    s = (s * 1103515245 + 12345) % 2147483648;
    return Math.floor((s / 2147483648) * n);
  };
}

const styles = [
  file,
  'kind: VirtualService\nmetadata:\n  name: vsvc-order\nspec:\n  http:\n    # one\n    - name: a\n      match:\n        - uri:\n            exact: /a\n    - name: b # two\n  hosts:\n    - "*"\n',
  'kind: VirtualService\nmetadata: {name: vsvc-order}\nspec: {}\n',
  'kind: VirtualService\nmetadata:\n    name: vsvc-order\nspec:\n    http:\n        -   name: a\n            timeout: 1s\n\n        # c\n        -   name: b\n            fault:\n                abort: {httpStatus: 500}\n    # end\n',
  'kind: VirtualService\nmetadata:\n  name: vsvc-order\nspec:\n  http:\n  -\n    name: a\n  - # why\n    name: b\n    text: |\n      one\n      two\n  - name: c\n    text: >-\n      folded\n      text',
  'kind: VirtualService\nmetadata:\n  name: vsvc-order\nx: &a\n  b: 1\nspec:\n  http: [{name: a}, {name: b, more: *a}]\n  empty:\n  other: *a\n',
];
const values: unknown[] = ['a', '', 'yes', '1', 1, 0.5, true, null, 'a: b', '# c', 'two\nlines', [], {}, ['x', 'y'], { a: 1, b: { c: ['d'] } }, [{ name: 'n', list: [1, 2] }]];

function paths(data: unknown, base: Path = []): Path[] {
  if (typeof data !== 'object' || data === null) return [base];
  return [base, ...Object.keys(data).flatMap((k) => paths((data as Record<string, unknown>)[k], [...base, Array.isArray(data) ? Number(k) : k]))];
}

describe('any edit of any file', () => {
  it('gives exactly the data that was asked for', () => {
    let edits = 0;
    for (let seed = 0; seed < 60; seed++) {
      const pick = random(seed);
      let text = styles[seed % styles.length]!;
      for (let n = 0; n < 6; n++) {
        const data = read(text, vs) as Record<string, unknown>;
        const all = paths(data.spec, ['spec']).filter((p) => p.length > 1);
        const path = all.length === 0 || pick(4) === 0 ? ['spec', `new${pick(3)}`] : all[pick(all.length)]!;
        const value = values[pick(values.length)];
        const next = setIn(text, vs, path, value);
        const got = read(next, vs);
        if (got === undefined) throw new Error(JSON.stringify({ text, path, value, next }, null, 1));
        if (!same(got, withValue(data, path, value))) expect({ text, path, value, next, got }).toEqual(withValue(data, path, value));
        expect(next.startsWith('# Written by hand.')).toBe(text.startsWith('# Written by hand.'));
        text = next;
        const lists = paths(got).filter((p) => p[0] === 'spec' && Array.isArray(at(got, p)));
        if (lists.length > 0) {
          const list = lists[pick(lists.length)]!;
          const items = at(got, list) as unknown[];
          const from = pick(items.length), to = pick(items.length);
          if (items.length > 1) {
            const wished = withValue(got, list, items.toSpliced(from, 1).toSpliced(to, 0, items[from]));
            const moved = moveItem(text, vs, list, from, to);
            if (!same(read(moved, vs), wished)) expect({ text, list, from, to, moved }).toEqual(wished);
            text = moved;
          }
          const wished = withValue(read(text, vs), list, (at(read(text, vs), list) as unknown[]).toSpliced(from, 0, 'new'));
          const inserted = insertAt(text, vs, list, from, 'new');
          if (!same(read(inserted, vs), wished)) expect({ text, list, from, inserted }).toEqual(wished);
          text = inserted;
        }
        edits++;
      }
    }
    expect(edits).toBe(360);
  }, 120_000);
});
