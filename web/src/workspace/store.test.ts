import { beforeEach, describe, expect, it } from 'vitest';
import type { Graph, StormDocument } from '../api/types';
import { edit, forgetHistory, get, nothing, parseRuleKey, receive, redo, ruleKey, undo, weightsOf } from './store';

const doc = (n: number): StormDocument => ({ elements: {}, relations: {}, n });

beforeEach(() => {
  receive({ id: 'w', ...nothing });
  forgetHistory();
});

describe('undo', () => {
  it('walks back over edits of every screen in their order', () => {
    edit({ document: doc(1) });
    edit({ weights: { 'ns/a#0': { stable: 90, canary: 10 } } });
    edit({ texts: { 'a.yml': 'x' } });
    undo();
    expect(get().texts).toEqual({});
    expect(get().weights['ns/a#0']).toEqual({ stable: 90, canary: 10 });
    undo();
    undo();
    expect([get().document, get().weights]).toEqual([null, {}]);
    redo();
    expect(get().document).toEqual(doc(1));
  });
  it('does not count what the server sent', () => {
    edit({ document: doc(1) });
    receive({ save: 'saved', findings: { revision: '1', findings: [], summary: { error: 0, warning: 0, info: 0, suppressed: 0 } } });
    undo();
    expect(get().document).toBeNull();
    expect(get().save).toBe('saved');
  });
});

it('reads the weights of a graph rule by rule', () => {
  const edge = (subset: string, weight: number) => ({ id: subset, from: 'VirtualService/ns/vsvc-a', to: `Subset/ns/d/${subset}`, kind: 'route' as const, rule: { index: 2 }, weight, subset });
  const graph: Graph = { revision: '1', checked: true, unread: [], nodes: [], edges: [edge('stable', 70), edge('canary', 30)] };
  expect(weightsOf(graph)).toEqual({ 'ns/vsvc-a#2': { stable: 70, canary: 30 } });
  expect(parseRuleKey(ruleKey('ns/vsvc-a', 2))).toEqual({ virtualService: 'ns/vsvc-a', index: 2 });
});
