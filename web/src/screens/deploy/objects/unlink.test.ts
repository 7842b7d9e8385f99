import { describe, expect, it } from 'vitest';
import type { GraphEdge, GraphNode } from '../../../api/types';
import { read } from '../../../yaml/documents';
import { bundles } from '../bundle';
import { cut } from './unlink';

const file = 'kubernetes/own.yaml';
const node = (kind: string, name: string, more: Partial<GraphNode> = {}): GraphNode => ({ id: `${kind}/default/${name}`, kind, name, namespace: 'default', layer: 'routing', file, data: {}, problems: [], ...more });

/** Takes the line between two objects away; the object named by kind, afterwards. */
function after(text: string, nodes: GraphNode[], edges: Partial<GraphEdge>[], from: string, to: string, kind: string, name: string) {
  const graph = { nodes, edges: edges.map((e, i) => ({ id: `e${i}`, ...e })) as GraphEdge[] };
  const line = bundles(graph.edges).find((b) => b.from === from && b.to === to)!;
  const c = cut(line, graph);
  return c.ok ? { text: c.changes.reduce((t, x) => x.by(t), text), object: read(c.changes.reduce((t, x) => x.by(t), text), { kind, name }) as { spec: Record<string, unknown> } } : c.reason;
}

const routes = (vs: string, spec: [number, string][]): Partial<GraphEdge>[] => spec.map(([rule, subset], j) => ({
  id: `route:${vs}#${rule}>S/${subset}#${spec.slice(0, j).filter(([r]) => r === rule).length}`, kind: 'route', from: vs, to: `S/${subset}`, subset, rule: { name: '', index: rule },
}));
const subsets = ['stable', 'canary', 'third'].map((s) => node('Subset', s, { id: `S/${s}` }));
const vsText = (name: string) => `kind: VirtualService
metadata: {name: ${name}}
spec:
  gateways: [main-gw]
  http:
  - name: a
    route:
    # kept
    - destination: {host: order, subset: stable}
      weight: 60
    - destination: {host: order, subset: canary}
      weight: 10
    - destination: {host: order, subset: third}
      weight: 30
`;

describe('taking lines away', () => {
  const vs = node('VirtualService', 'v', { data: { twin: 'VirtualService/default/v-mesh' } });
  const twin = node('VirtualService', 'v-mesh', { data: { twin: vs.id } });
  const three: [number, string][] = [[0, 'stable'], [0, 'canary'], [0, 'third']];

  it('shares what a destination took out between the others, in the twin too', () => {
    const text = `${vsText('v')}---\n${vsText('v-mesh')}`;
    const edges = [...routes(vs.id, three), ...routes(twin.id, three)];
    for (const name of ['v', 'v-mesh']) {
      const out = after(text, [vs, twin, ...subsets], edges, vs.id, 'S/canary', 'VirtualService', name);
      expect(out).toMatchObject({ object: { spec: { http: [{ route: [{ destination: { subset: 'stable' }, weight: 67 }, { destination: { subset: 'third' }, weight: 33 }] }] } } });
      expect((out as { text: string }).text.match(/# kept/g)).toHaveLength(2);
    }
  });
  it('gives all to the one that is left', () => {
    const text = vsText('v').replace(/ {4}- destination: {host: order, subset: third}\n {6}weight: 30\n/, '');
    const out = after(text, [vs, ...subsets], routes(vs.id, three.slice(0, 2)), vs.id, 'S/stable', 'VirtualService', 'v');
    expect(out).toMatchObject({ object: { spec: { http: [{ route: [{ destination: { subset: 'canary' }, weight: 100 }] }] } } });
  });
  it('leaves the only destination of a rule, and what is not edited as a line', () => {
    expect(after(vsText('v'), [vs, ...subsets], routes(vs.id, [[0, 'stable'], [1, 'canary'], [1, 'stable']]), vs.id, 'S/stable', 'VirtualService', 'v')).toBe('only');
    expect(after(vsText('v'), [vs, ...subsets], [{ kind: 'route', from: vs.id, to: 'S/stable' }], vs.id, 'S/stable', 'VirtualService', 'v')).toBe('fields');
    const service = node('Service', 's');
    for (const [kind, reason] of [['selects', 'labels'], ['runs', 'labels'], ['subset', 'part'], ['scales', 'needed'], ['calls', 'model'], ['governs', 'labels']] as const) {
      expect(after('', [vs, service], [{ kind, from: vs.id, to: service.id }], vs.id, service.id, 'Service', 's'), kind).toBe(reason);
    }
    expect(after('', [{ ...vs, file: undefined }, ...subsets], routes(vs.id, three), vs.id, 'S/stable', 'VirtualService', 'v')).toBe('noFile');
  });
  it('takes a VirtualService off its gateway, and says whom it is for then', () => {
    const gateway = node('Gateway', 'main-gw');
    expect(after(vsText('v'), [gateway, vs], [{ kind: 'binds', from: gateway.id, to: vs.id }], gateway.id, vs.id, 'VirtualService', 'v')).toMatchObject({ object: { spec: { gateways: ['mesh'] } } });
    const other = vsText('v').replace('[main-gw]', '[default/main-gw, edge/main-gw]');
    expect(after(other, [gateway, vs], [{ kind: 'binds', from: gateway.id, to: vs.id }], gateway.id, vs.id, 'VirtualService', 'v')).toMatchObject({ object: { spec: { gateways: ['edge/main-gw'] } } });
  });
  it('takes what pods are given out of volumes, mounts and variables', () => {
    const w = node('Deployment', 'order');
    const text = `kind: Deployment
metadata: {name: order}
spec:
  template:
    spec:
      serviceAccountName: me
      imagePullSecrets: [{name: s}, {name: pull}]
      volumes:
      - name: conf
        configMap: {name: c}
      - name: data
        persistentVolumeClaim: {claimName: c}
      containers:
      - name: order
        env:
        - name: A
          valueFrom: {configMapKeyRef: {name: c, key: a}}
        - name: B
          value: c
        envFrom:
        - configMapRef: {name: c}
        - secretRef: {name: s}
        volumeMounts:
        - {name: conf, mountPath: /conf}
        - {name: data, mountPath: /data}
`;
    const given = (kind: string, name: string) => {
      const used = node(kind, name);
      const out = after(text, [w, used], [{ kind: 'uses', from: w.id, to: used.id }], w.id, used.id, 'Deployment', 'order') as unknown as { object: { spec: { template: { spec: { containers: Record<string, unknown>[] } & Record<string, unknown> } } } };
      return out.object.spec.template.spec;
    };
    const config = given('ConfigMap', 'c');
    expect(config.volumes).toEqual([{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }]);
    expect(config.containers[0]).toEqual({ name: 'order', env: [{ name: 'B', value: 'c' }], envFrom: [{ secretRef: { name: 's' } }], volumeMounts: [{ name: 'data', mountPath: '/data' }] });
    const claim = given('PersistentVolumeClaim', 'c');
    expect(claim.volumes).toEqual([{ name: 'conf', configMap: { name: 'c' } }]);
    expect(claim.containers[0]).toMatchObject({ env: [{}, {}], envFrom: [{}, {}], volumeMounts: [{ name: 'conf', mountPath: '/conf' }] });
    const secret = given('Secret', 's');
    expect(secret.imagePullSecrets).toEqual([{ name: 'pull' }]);
    expect(secret.containers[0]).toMatchObject({ envFrom: [{ configMapRef: { name: 'c' } }] });
    expect(given('ServiceAccount', 'me')).not.toHaveProperty('serviceAccountName');
  });
  it('takes paths and subjects away, but not the last thing that is needed', () => {
    const ingress = node('Ingress', 'i'), a = node('Service', 'a'), b = node('Service', 'b');
    const text = 'kind: Ingress\nmetadata: {name: i}\nspec:\n  rules:\n  - http:\n      paths:\n      - path: /a\n        backend: {service: {name: a}}\n      - path: /b\n        backend: {service: {name: b}}\n  - host: x\n    http:\n      paths:\n      - path: /\n        backend: {service: {name: a}}\n';
    const both: Partial<GraphEdge>[] = [{ kind: 'backend', from: ingress.id, to: a.id }, { kind: 'backend', from: ingress.id, to: b.id }];
    expect(after(text, [ingress, a, b], both, ingress.id, a.id, 'Ingress', 'i')).toMatchObject({ object: { spec: { rules: [{ http: { paths: [{ path: '/b' }] } }] } } });
    expect(after(text, [ingress, a, b], both.slice(0, 1), ingress.id, a.id, 'Ingress', 'i')).toBe('needed');
    const binding = node('RoleBinding', 'r'), account = node('ServiceAccount', 'me'), role = node('Role', 'r');
    const roles = 'kind: RoleBinding\nmetadata: {name: r}\nroleRef: {kind: Role, name: r}\nsubjects:\n- {kind: ServiceAccount, name: me}\n- {kind: User, name: me}\n';
    expect(after(roles, [binding, account], [{ kind: 'governs', from: binding.id, to: account.id }], binding.id, account.id, 'RoleBinding', 'r')).toMatchObject({ object: { subjects: [{ kind: 'User', name: 'me' }] } });
    expect(after(roles, [binding, role], [{ kind: 'uses', from: binding.id, to: role.id }], binding.id, role.id, 'RoleBinding', 'r')).toBe('needed');
  });
});
