import { describe, expect, it } from 'vitest';
import { en } from '../../../i18n/en';
import { check, fromText, toText } from './check';
import { type Condition, complete, conditionsOf, matchOf, matcherNames, matchers, opsOf, summary } from './match';
import { doesOf, doing, findingsOf, freeName, goal } from './rule';
import { equalRule, inStep } from './twin';

const t = (key: string, values: Record<string, string> = {}): string => Object.entries(values).reduce((s, [k, v]) => s.replace(`{{${k}}}`, v), (en as Record<string, string>)[key] ?? key);

describe('conditions', () => {
  it('reads back every condition in every comparison', () => {
    for (const field of matcherNames) {
      for (const op of opsOf(field).length > 0 ? opsOf(field) : [undefined]) {
        const named = matchers[field] === 'named' || matchers[field] === 'label';
        const value = op === 'present' ? '' : matchers[field] === 'port' ? '8080' : matchers[field] === 'flag' ? 'true' : 'x';
        const c: Condition = { field, ...(named ? { name: 'n' } : {}), ...(op ? { op } : {}), value };
        expect(conditionsOf(matchOf([c]))).toEqual([c]);
        expect(complete(c)).toBe(true);
      }
    }
  });
  it('writes the kinds that Istio expects', () => {
    expect(matchOf([{ field: 'port', value: '80' }, { field: 'gateways', value: 'a, mesh' }, { field: 'ignoreUriCase', value: 'true' }, { field: 'headers', name: 'x', op: 'present', value: '' }]))
      .toEqual({ port: 80, gateways: ['a', 'mesh'], ignoreUriCase: true, headers: { x: {} } });
  });
  it('keeps fields it does not know', () => expect(matchOf([{ field: 'method', op: 'exact', value: 'GET' }], { later: 1, method: { exact: 'PUT' } })).toEqual({ later: 1, method: { exact: 'GET' } }));
  it('is not complete without its name or value', () => {
    expect(complete({ field: 'headers', op: 'exact', value: 'a' })).toBe(false);
    expect(complete({ field: 'uri', op: 'exact', value: '' })).toBe(false);
  });
});

describe('a rule in words', () => {
  const on = (...m: unknown[]) => summary(m, t);
  it('gathers methods and paths', () => {
    expect(on({ uri: { prefix: '/orders' }, method: { exact: 'GET' } }, { uri: { prefix: '/orders' }, method: { exact: 'POST' } })).toBe('GET or POST /orders…');
  });
  it('says headers and callers', () => expect(on({ uri: { exact: '/o' }, headers: { 'x-canary': { exact: 'true' } }, sourceLabels: { app: 'delivery' } })).toBe('/o, with header x-canary = true, from workload app=delivery'));
  it('says that an empty block takes everything', () => {
    expect(on({ uri: { exact: '/o' } }, {})).toBe('every request');
    expect(summary(undefined, t)).toBe('every request');
  });
});

describe('checks', () => {
  it.each([
    ['duration', '5s', null], ['duration', '1m30s', null], ['duration', '5', 'rules.check.duration'], ['percent', '0.5', null], ['percent', '101', 'rules.check.percent'],
    ['regex', '(?i)/a.*', null], ['regex', '/a(?=b)', 'rules.check.re2'], ['regex', '(a', 'rules.check.regex'], ['regex', '(a)\\1', 'rules.check.re2'], ['port', '0', 'rules.check.port'], ['status', '99', 'rules.check.status'],
    ['map', 'a: b', null], ['map', 'a', 'rules.check.map'], ['strings', 'exact: x', null], ['strings', 'is: x', 'rules.check.strings'],
  ] as const)('%s %s', (kind, value, wrong) => expect(check(kind, value)).toBe(wrong));
  it('gives back what it was given', () => {
    for (const [kind, value] of [['map', { a: 'b:c' }], ['list', ['a', 'b']], ['strings', [{ exact: 'https://a' }, { regex: '.*' }]], ['number', 3], ['select', 301], ['select', 'http']] as const) expect(fromText(kind, toText(kind, value))).toEqual(value);
    expect(fromText('text', ' ')).toBeUndefined();
  });
});

describe('rules', () => {
  const first = { host: 'order', virtualService: 'other' };
  it('does one thing at a time', () => {
    const rule = { name: 'a', match: [{}], route: [{ destination: { host: 'x' } }], timeout: '1s' };
    for (const does of ['redirect', 'directResponse', 'delegate'] as const) {
      const next = doing(rule, does, first);
      expect(doesOf(next)).toBe(does);
      expect(Object.keys(next).sort()).toEqual([does, 'match', 'name'].sort());
      expect(doing(next, 'route', first)).toEqual({ name: 'a', match: [{}], route: [{ destination: { host: 'order' } }] });
    }
  });
  it('says where requests go', () => expect(goal({ route: [{ destination: { host: 'a', subset: 's' }, weight: 90 }, { destination: { host: 'b' }, weight: 10 }] })).toBe('→ a s 90 %, b 10 %'));
  it('names a copy as no other', () => expect(freeName([{ name: 'a' }, { name: 'a-2' }], 'a')).toBe('a-3'));
  it('finds the dead one by its lines', () => {
    const object = { kind: 'VirtualService', name: 'v', namespace: 'n' };
    const finding = (line: number, severity: 'warning' | 'info', code = 'MS0501') => ({ code, severity, message: '', line, object });
    const lines = [{ index: 0, line: 10, matches: [] }, { index: 1, line: 20, matches: [] }];
    const all = [finding(12, 'info'), finding(20, 'warning'), finding(22, 'info', 'MS0705')];
    expect(findingsOf(all, lines, 0, object)).toEqual({ dead: null, others: [all[0]] });
    expect(findingsOf(all, lines, 1, object)).toEqual({ dead: all[1], others: [all[2]] });
    expect(findingsOf(all, lines, 1, { ...object, name: 'w' }).dead).toBeNull();
  });
  it('finds the equal rule of a twin', () => {
    const of = (...names: string[]) => ({ spec: { http: names.map((name) => ({ name })) } });
    expect(equalRule(of('a', 'b'), of('b', 'a'), 0)).toBe(1);
    expect(equalRule(of('a', 'a'), of('a', 'a'), 1)).toBe(1);
    expect(equalRule(of('a'), of('b'), 0)).toBe(-1);
    expect(inStep(of('a', 'b'), of('b', 'a'))).toBe(false);
  });
});
