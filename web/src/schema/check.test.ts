import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { unsaid } from '../screens/code/problems';
import { kindsIn, misfits } from './check';
import type { Schema } from './model';
import { nearest } from './nearest';

const virtualService = JSON.parse(readFileSync(new URL('./testdata/VirtualService.json', import.meta.url), 'utf8')) as Schema;
/** As the server gives those of Kubernetes' own kinds. */
const deployment: Schema = {
  type: 'object', properties: {
    apiVersion: { type: 'string' }, kind: { type: 'string' },
    metadata: { type: 'object', properties: { name: { type: 'string' }, labels: { type: 'object', additionalProperties: { type: 'string' } } } },
    spec: { type: 'object', properties: {
      replicas: { type: 'integer' }, paused: { type: 'boolean' }, size: { 'x-kubernetes-int-or-string': true }, open: { 'x-kubernetes-preserve-unknown-fields': true },
      containers: { type: 'array', items: { type: 'object', properties: { image: { type: 'string' }, imagePullPolicy: { type: 'string', enum: ['Always', 'Never'] } } } },
    } },
  },
};
const schemas = (apiVersion: string, kind: string): Schema | undefined => ({ 'apps/v1 Deployment': deployment, 'networking.istio.io/v1 VirtualService': virtualService } as Record<string, Schema>)[`${apiVersion} ${kind}`];

const of = (kind: string, spec: string) => `# first\n---\napiVersion: ${kind === 'Deployment' ? 'apps/v1' : 'networking.istio.io/v1'}\nkind: ${kind}\nmetadata:\n  name: a\nspec:\n${spec}`;
/** What is marked, and why. */
const found = (text: string) => misfits(text, schemas).map((m) => [text.slice(m.from, m.to), m.why, m.value]);

it('marks unknown fields with the name that was meant', () => {
  const text = of('VirtualService', '  http:\n    - timeot: 5s\n      route:\n        - destination: {host: a, prt: {number: 1}}\n    - zzzzzz: 1\n');
  expect(found(text)).toEqual([['timeot', 'unknown', 'timeout'], ['prt', 'unknown', 'port'], ['zzzzzz', 'unknown', undefined]]);
  expect(misfits(text, schemas).map((m) => m.line)).toEqual([9, 11, 12]);
});

it.each([
  ['a number', '  replicas: two\n', [['two', 'integer', undefined]]],
  ['a whole number', '  replicas: 1.5\n', [['1.5', 'integer', undefined]]],
  ['a quoted number', '  replicas: "2"\n', [['"2"', 'integer', undefined]]],
  ['a text', '  containers: [{image: 5}]\n', [['5', 'text', undefined]]],
  ['true or false', '  paused: 1\n', [['1', 'yesno', undefined]]],
  ['a list', '  containers:\n    image: a\n', [['containers', 'list', undefined]]],
  ['fields', '  containers:\n    - a\n', [['a', 'map', undefined]]],
  ['a value of a few', '  containers:\n    - imagePullPolicy: Sometimes\n', [['Sometimes', 'choice', 'Always, Never']]],
  ['a number or a text', '  size: true\n', [['true', 'text', undefined]]],
  ['no list for a number', '  replicas:\n    - 1\n', [['replicas', 'integer', undefined]]],
])('marks what is not %s', (_, spec, want) => {
  expect(found(of('Deployment', spec))).toEqual(want);
});

it.each([
  ['what Kubernetes reads as true or false', '  paused: yes\n'],
  ['what its YAML reads as a number', '  replicas: 1_000\n'],
  ['what is not there yet', '  replicas:\n  paused: null\n  containers:\n'],
  ['fields without a schema', '  open: {a: [1], b: {c: d}}\n  size: 50%\n'],
  ['anchors and merged fields', '  containers:\n    - &a {image: b}\n    - *a\n    - <<: *a\n      imagePullPolicy: Never\n'],
  ['half a text', '  containers: [{image:\n  no: "\n'],
])('leaves %s alone', (_, spec) => {
  expect(found(of('Deployment', spec))).toEqual([]);
});

it('knows that labels are texts, and what a cluster writes', () => {
  const text = 'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  creationTimestamp: null\n  ownerReferences: []\n  lables: {}\n  labels: {a: on, b: "on", c: 1, "true": x}\nstatus: {replicas: 1}\n';
  expect(found(text)).toEqual([['lables', 'unknown', 'labels'], ['on', 'text', undefined], ['1', 'text', undefined]]);
});

it('leaves texts alone that are no objects, or of kinds without a schema', () => {
  expect(found('a: 1\nb: [')).toEqual([]);
  expect(found('apiVersion: example.com/v1\nkind: Thing\nspec: {x: 1}\n')).toEqual([]);
  expect(kindsIn('kind: Thing\n---\napiVersion: v1\nkind: "Service" # one\n---\napiVersion: v1\nkind: Service\n')).toEqual([{ apiVersion: 'v1', kind: 'Service' }]);
});

it('says nothing twice that the server says of the same field in the same line', () => {
  const text = of('VirtualService', '  http:\n    - timeot: 5s\n      name: 5\n');
  const all = misfits(text, schemas);
  expect(all.map((m) => m.name)).toEqual(['timeot', 'name']);
  const finding = { code: 'IST0106', line: 9, message: 'unknown field "spec.http[0].timeot": kubectl refuses the object' };
  expect(unsaid(all, [finding]).map((m) => m.name)).toEqual(['name']);
  expect(unsaid(all, [{ ...finding, line: 10 }]).length).toBe(2);
  expect(unsaid(all, [{ ...finding, code: 'MS0501' }]).length).toBe(2);
  expect(unsaid(all, [{ ...finding, message: 'unknown field "spec.http[0].timeout"' }]).length).toBe(2);
});

it('finds the nearest word as check does', () => {
  expect(nearest('timeot', ['retries', 'timeout'])).toBe('timeout');
  expect(nearest('Timeout', ['timeout'])).toBe('timeout');
  expect(nearest('abc', ['xyz'])).toBe('');
});
