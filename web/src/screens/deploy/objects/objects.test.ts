import { describe, expect, it } from 'vitest';
import type { GraphEdge, GraphNode } from '../../../api/types';
import { read } from '../../../yaml/documents';
import { catalogue, documentOf, freeName, nameProblem } from './catalogue';
import { copies, referrers, removal } from './files';
import { judge } from './link';

const file = 'kubernetes/own.yaml';
const node = (kind: string, name: string, more: Partial<GraphNode> = {}): GraphNode => ({ id: `${kind}/default/${name}`, kind, name, namespace: 'default', layer: 'routing', file, data: {}, problems: [], ...more });
const order = node('Deployment', 'order', { data: { labels: { app: 'order', track: 'stable', version: 'v1' } } });
const service = node('Service', 'order', { data: { host: 'order.default.svc.cluster.local', ports: [{ name: 'http', port: 8080 }] } });
const vs = node('VirtualService', 'vsvc-order', { data: { rules: [{ name: 'a', index: 0 }, { name: 'b', index: 1 }] } as unknown as GraphNode['data'] });
const rule = node('DestinationRule', 'destrule-order', { data: { host: 'order.default.svc.cluster.local' } });
const canary = node('Subset', 'canary', { id: 'Subset/default/destrule-order/canary', parent: rule.id });
const text = `kind: Deployment
metadata: {name: order, namespace: default}
spec:
  template:
    spec:
      containers:
      - name: order # kept
        image: i
        volumeMounts: [{name: d, mountPath: /data}]
---
kind: VirtualService
metadata: {name: vsvc-order, namespace: default}
spec:
  hosts: ["*"]
  http:
  - name: a
    route:
    - destination: {host: order, subset: stable}
  - name: b
    redirect: {uri: /}
---
kind: DestinationRule
metadata: {name: destrule-order, namespace: default}
spec:
  host: order
  subsets:
  - name: stable
  - name: canary
`;
const all = [order, service, vs, rule, canary];
const graph = (...more: GraphNode[]) => ({ nodes: [...all, ...more], edges: [] as GraphEdge[] });

/** The object after drawing a line in one of its ways. */
function drawn(a: GraphNode, b: GraphNode, object: GraphNode, way = 'only', start = text, edges: GraphEdge[] = []) {
  const v = judge(a, b, { ...graph(a, b), edges });
  if (!v.ok) throw new Error(v.reason);
  const out = v.ways.find((w) => w.id === way)!.changes.reduce((t, c) => c.by(t), start);
  return read(out, { kind: object.kind, name: object.name, namespace: object.namespace }) as { spec: Record<string, unknown> };
}

describe('lines between objects', () => {
  it('sets what an autoscaler scales, drawn from either end', () => {
    const hpa = node('HorizontalPodAutoscaler', 'h');
    const start = 'kind: HorizontalPodAutoscaler\nmetadata: {name: h, namespace: default}\nspec: {maxReplicas: 3}\n';
    const want = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'order' }, maxReplicas: 3 };
    expect(drawn(hpa, order, hpa, 'only', start).spec).toEqual(want);
    expect(drawn(order, hpa, hpa, 'only', start).spec).toEqual(want);
  });
  it('gives configuration as variables or as files, beside what is mounted', () => {
    const config = node('ConfigMap', 'settings'), claim = node('PersistentVolumeClaim', 'disk');
    expect(drawn(config, order, order, 'env').spec).toMatchObject({ template: { spec: { containers: [{ envFrom: [{ configMapRef: { name: 'settings' } }] }] } } });
    expect(drawn(order, config, order, 'volume').spec).toMatchObject({ template: { spec: { volumes: [{ name: 'settings', configMap: { name: 'settings' } }], containers: [{ volumeMounts: [{ mountPath: '/data' }, { name: 'settings', mountPath: '/etc/config/settings' }] }] } } });
    expect(drawn(claim, order, order, 'volume').spec).toMatchObject({ template: { spec: { volumes: [{ persistentVolumeClaim: { claimName: 'disk' } }], containers: [{ volumeMounts: [{}, { mountPath: '/data-2' }] }] } } });
  });
  it('adds a destination with no share, to rules that route', () => {
    expect(drawn(vs, canary, vs, 'all').spec.http).toEqual([
      { name: 'a', route: [{ destination: { host: 'order', subset: 'stable' }, weight: 100 }, { destination: { host: 'order', subset: 'canary' }, weight: 0 }] },
      { name: 'b', redirect: { uri: '/' } },
    ]);
    expect(drawn(vs, service, vs, 'rule0').spec.http).toMatchObject([{ route: [{ weight: 100 }, { destination: { host: 'order' }, weight: 0 }] }, {}]);
  });
  it('keeps a VirtualService inside the mesh when a Gateway takes it, too', () => {
    expect(drawn(node('Gateway', 'g'), vs, vs).spec.gateways).toEqual(['mesh', 'g']);
    expect(drawn(node('Gateway', 'g', { namespace: 'edge' }), vs, vs).spec.gateways).toEqual(['mesh', 'edge/g']);
  });
  it('selects by app, and subsets by track', () => {
    const policy = node('AuthorizationPolicy', 'p');
    expect(drawn(policy, order, policy, 'only', 'kind: AuthorizationPolicy\nmetadata: {name: p}\nspec: {}\n').spec).toEqual({ selector: { matchLabels: { app: 'order' } } });
    expect(drawn(canary, order, rule).spec.subsets).toEqual([{ name: 'stable' }, { name: 'canary', labels: { track: 'stable' } }]);
  });
  it('leads an Ingress to a Service by a path that is free', () => {
    const ingress = node('Ingress', 'i');
    const start = 'kind: Ingress\nmetadata: {name: i}\nspec:\n  rules:\n  - http:\n      paths:\n      - path: /\n';
    expect(drawn(ingress, service, ingress, 'only', start).spec).toMatchObject({ rules: [{ http: { paths: [{}, { path: '/order', backend: { service: { name: 'order', port: { name: 'http' } } } }] } }] });
  });
  it('refuses with the reason', () => {
    const hpa = node('HorizontalPodAutoscaler', 'h');
    expect(judge(hpa, service, graph(hpa))).toEqual({ ok: false, reason: 'targets', kinds: ['Deployment', 'StatefulSet', 'ReplicaSet'] });
    expect(judge(hpa, hpa, graph(hpa))).toMatchObject({ reason: 'self' });
    expect(judge(hpa, { ...order, namespace: 'x' }, graph(hpa))).toMatchObject({ reason: 'namespace' });
    expect(judge(vs, node('Host', 'x', { file: undefined }), graph())).toMatchObject({ reason: 'noFile' });
    expect(judge(hpa, order, { ...graph(hpa), edges: [{ id: 's', kind: 'scales', from: hpa.id, to: order.id }] })).toMatchObject({ reason: 'twice' });
    expect(judge(service, service, graph())).toMatchObject({ reason: 'self' });
    expect(judge(node('EnvoyFilter', 'e'), service, graph())).toMatchObject({ reason: 'targets' });
    expect(judge(node('Role', 'r'), service, graph())).toMatchObject({ reason: 'sources', kinds: ['RoleBinding'] });
  });
});

describe('new objects', () => {
  it('makes a document of every kind that has its answers', () => {
    const nodes = [order, service, node('Role', 'r'), node('ServiceAccount', 'a')];
    for (const a of catalogue) {
      const given = Object.fromEntries(a.ask.map((q) => [q.key, q.given ?? nodes.find((n) => q.objects?.includes(n.kind))?.id ?? 'x']));
      const data = read(documentOf(a, { name: 'new', namespace: 'default', context: 'order', ...given }, (id) => nodes.find((n) => n.id === id)), { kind: a.kind, name: 'new' });
      expect(data, a.kind).toMatchObject({ apiVersion: a.apiVersion, kind: a.kind, metadata: { name: 'new', namespace: 'default' } });
      expect(JSON.stringify(data), a.kind).not.toContain('null');
    }
  });
  it('finds free names, and says what is wrong with one', () => {
    expect(freeName('Deployment', 'order', 'default', all)).toBe('order-2');
    expect(freeName('Deployment', 'order', 'other', all)).toBe('order');
    expect(nameProblem('Deployment', 'Order', 'default', all)).toBe('objects.nameBad');
    expect(nameProblem('Deployment', 'order', 'default', all)).toBe('objects.nameTaken');
  });
  it('pastes YAML and JSON under free names, without where they came from', () => {
    const made = copies('apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: order # why\n  annotations:\n    meshstorm.io/source: BoundedContext/order\n---\n{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}', all, 'default')!;
    expect(made.ids).toEqual(['Deployment/default/order-2', 'ConfigMap/default/c']);
    expect(made.documents[0]).toBe('apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: order-2 # why\n');
    expect(made.documents[1]).toContain('kind: ConfigMap\n');
    expect(copies('just text', all, 'default')).toBeNull();
    expect(copies('{: }}', all, 'default')).toBeNull();
  });
});

describe('deleting', () => {
  it('takes a subset out of its rule', () => {
    expect(read(removal(canary, all)!.by(text), { kind: 'DestinationRule', name: 'destrule-order' })).toMatchObject({ spec: { subsets: [{ name: 'stable' }] } });
  });
  it('says who refers to an object: a VirtualService to its Gateway and subsets', () => {
    const gateway = node('Gateway', 'g');
    const edges: GraphEdge[] = [{ id: 'b', kind: 'binds', from: gateway.id, to: vs.id }, { id: 'r', kind: 'route', from: vs.id, to: canary.id }, { id: 's', kind: 'subset', from: canary.id, to: service.id }];
    expect(referrers(gateway, [...all, gateway], edges)).toEqual([vs]);
    expect(referrers(rule, all, edges)).toEqual([vs]);
    expect(referrers(vs, all, edges)).toEqual([]);
  });
});
