import { describe, expect, it } from 'vitest';
import type { GraphEdge, GraphNode } from '../../api/types';
import { bundles, lit, rulesOf, weightOn, weightText } from './bundle';
import { beside, boxAt, positions, shown, size, stack, strips, topology } from './layout';

const node = (kind: string, name: string, more: Partial<GraphNode> = {}): GraphNode => ({ id: `${kind}/default/${name}`, kind, layer: 'routing', name, namespace: 'default', data: {}, problems: [], ...more });
const nodes = [
  node('Gateway', 'main-gw'), node('VirtualService', 'vsvc-order'), node('DestinationRule', 'destrule-order'),
  node('Subset', 'stable', { id: 'Subset/default/destrule-order/stable', parent: 'DestinationRule/default/destrule-order', service: 'order' }), node('Subset', 'canary', { id: 'Subset/default/destrule-order/canary', parent: 'DestinationRule/default/destrule-order', service: 'order' }),
  node('Service', 'order'), node('Deployment', 'order'), node('ServiceAccount', 'order', { layer: 'configuration' }),
];
const vs = 'VirtualService/default/vsvc-order', stable = nodes[3]!.id, canary = nodes[4]!.id;
const route = (to: string, index: number, name: string, weight: number): GraphEdge => ({ id: `${to}${index}`, from: vs, to, kind: 'route', rule: { name, index }, weight, subset: to.split('/').at(-1) });
const edges: GraphEdge[] = [
  { id: 'b', from: 'Gateway/default/main-gw', to: vs, kind: 'binds' },
  route(stable, 0, 'writes', 100), route(canary, 0, 'writes', 0), route(stable, 1, 'primary', 90), route(canary, 1, 'primary', 10),
  { id: 's', from: stable, to: 'Service/default/order', kind: 'subset' },
  { id: 'r', from: stable, to: 'Deployment/default/order', kind: 'runs' },
  { id: 'x', from: 'Service/default/order', to: 'Deployment/default/order', kind: 'selects' },
];
const weights = { 'default/vsvc-order#0': { stable: 100, canary: 0 }, 'default/vsvc-order#1': { stable: 90, canary: 10 } };

describe('layout', () => {
  it('does not depend on weights', () => {
    const heavier = edges.map((e) => (e.weight === undefined ? e : { ...e, weight: 50 }));
    expect(topology(nodes, heavier)).toBe(topology(nodes, edges));
  });
  it('does not depend on the layer of calls', () => expect(topology(nodes, [...edges, { id: 'c', from: 'Service/default/order', to: 'Service/default/x', kind: 'calls' }])).toBe(topology(nodes, edges)));
  it('changes with an edge', () => expect(topology(nodes, edges.slice(1))).not.toBe(topology(nodes, edges)));
  it('keeps what was placed by hand and forgets what is gone', () => {
    const at = positions({ a: { x: 0, y: 0 }, b: { x: 5, y: 5 } }, { b: boxAt({ x: 70, y: 80 }), gone: boxAt({ x: 1, y: 1 }) });
    expect(at).toEqual({ a: { x: 0, y: 0 }, b: { x: 70, y: 80 } });
  });
  it('leaves out what has no part in traffic', () => expect(shown(nodes, edges, new Set(['routing'])).map((n) => n.kind)).toEqual(['Gateway', 'VirtualService', 'Subset', 'Subset', 'Service', 'Deployment']));
  it('shows the layers that are on, and what calls lead to', () => {
    const x = node('External', 'pay', { layer: 'external' });
    const call: GraphEdge = { id: 'c', from: 'Service/default/order', to: x.id, kind: 'calls' };
    expect(shown([...nodes, x], [...edges, call], new Set(['configuration', 'calls'])).map((n) => n.kind)).toContain('External');
    expect(shown([...nodes, x], [...edges, call], new Set(['configuration'])).map((n) => n.kind)).toEqual(['ServiceAccount']);
  });
  it('places other layers beside the routing, near what they belong to, and moves nothing', () => {
    const base = { 'Deployment/default/order': { x: 600, y: 300 }, 'Service/default/order': { x: 300, y: 0 } };
    const hpa = node('HorizontalPodAutoscaler', 'order', { layer: 'configuration' }), map = node('ConfigMap', 'c', { layer: 'configuration' });
    const at = beside(base, [map, hpa], [{ id: 'h', from: hpa.id, to: 'Deployment/default/order', kind: 'scales' }]);
    expect(at['Deployment/default/order']).toEqual({ x: 600, y: 300 });
    expect(at[hpa.id]).toEqual({ x: 880, y: 300 });
    expect(at[map.id]!.y).toBeGreaterThan(300);
    expect(beside(base, [], [])).toBe(base);
  });
});

describe('strips', () => {
  it('are what hangs together without the Gateways', () => {
    const other = node('VirtualService', 'other');
    const parts = strips([...nodes, other], [...edges, { id: 'o', from: 'Gateway/default/main-gw', to: other.id, kind: 'binds' }]);
    expect(parts.map((p) => p.length)).toEqual([5, 1, 1, 1]);
  });
  it('lie below each other, and nothing on anything else', () => {
    const a = node('Service', 'a'), b = node('Service', 'b'), c = node('Service', 'c');
    const at = stack([[a, b], [c]], [[10, 20], [0]]);
    expect(at[a.id]!.y).toBe(0);
    expect(at[b.id]!.y).toBeGreaterThanOrEqual(size.height);
    expect(at[c.id]!.y).toBeGreaterThanOrEqual(at[b.id]!.y + size.height);
    expect(at[a.id]!.x).toBe(at[c.id]!.x);
  });
});

describe('bundles', () => {
  it('draws one line for all rules', () => expect(bundles(edges).filter((b) => b.kind === 'route').map((b) => [b.to, b.edges.length])).toEqual([[stable, 2], [canary, 2]]));
  it('shows a weight only where the rules agree', () => {
    const [first] = bundles(edges).filter((b) => b.kind === 'route');
    expect(weightOn(first!, weights)).toBeNull();
    expect(weightText(first!, weights)).toBe('90–100 %');
    expect(weightOn(first!, { ...weights, 'default/vsvc-order#0': { stable: 90, canary: 10 } })).toBe(90);
  });
  it('lists the rules that share requests out', () => expect(rulesOf(vs, edges, weights).map((r) => r.name)).toEqual(['writes', 'primary']));
});

it('lights up the way of a request', () => {
  const answer = {
    outcome: 'route', winner: { virtualService: 'vsvc-order', kind: 'VirtualService', namespace: 'default', rule: 'primary' },
    destinations: [{ host: 'order.default.svc.cluster.local', subset: 'stable', share: 1, of100: 100, workloads: ['Deployment/order'] }, { host: 'order.default.svc.cluster.local', subset: 'canary', share: 0, of100: 0 }],
  };
  const on = lit(answer, nodes, edges);
  for (const id of ['Gateway/default/main-gw', vs, stable, 'Deployment/default/order']) expect(on.has(id)).toBe(true);
  expect(on.has(canary)).toBe(false);
  expect(lit(null, nodes, edges).size).toBe(0);
});
