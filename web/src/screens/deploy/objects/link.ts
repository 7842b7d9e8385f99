// Which lines may be drawn between objects, and the edit of the files that each
// one is. A line may be drawn from either end.
import type { GraphEdge, GraphNode } from '../../../api/types';
import { type ObjectId, read } from '../../../yaml/documents';
import { type Path, setIn } from '../../../yaml/edit';
import { at } from '../../../yaml/plain';
import { backend, isWorkload, podLabels, workloads } from './catalogue';

/** A change of one file's text. */
export interface Change {
  file: string;
  by: (text: string) => string;
}

/** One of the things that a line may mean. */
export interface Way {
  id: 'env' | 'volume' | 'only' | 'all' | `rule${number}`;
  /** Of a rule, its name. */
  name?: string;
  changes: Change[];
}

export type Verdict = { ok: true; ways: Way[] } | { ok: false; reason: 'self' | 'noFile' | 'twice' | 'namespace' | 'targets' | 'sources' | 'noLabels'; kinds?: string[] };

type Draw = (from: GraphNode, to: GraphNode, graph: Drawn) => Way[] | 'noLabels';
interface Drawn { nodes: GraphNode[]; edges: GraphEdge[] }

const idOf = (n: GraphNode): ObjectId => ({ kind: n.kind, name: n.name, namespace: n.namespace });
const set = (n: GraphNode, path: Path, value: unknown): Change => ({ file: n.file!, by: (text) => setIn(text, idOf(n), path, value) });
/** Appends to a list that may not be there yet. */
const push = (n: GraphNode, path: Path, value: unknown): Change => ({
  file: n.file!,
  by: (text) => {
    const list = at(read(text, idOf(n)), path);
    return Array.isArray(list) ? setIn(text, idOf(n), [...path, list.length], value) : setIn(text, idOf(n), path, [value]);
  },
});
const only = (...changes: Change[]): Way[] => [{ id: 'only', changes }];

export const podSpec = (kind: string): Path => (kind === 'Pod' ? ['spec'] : kind === 'CronJob' ? ['spec', 'jobTemplate', 'spec', 'template', 'spec'] : ['spec', 'template', 'spec']);

/** Mounts something into a workload's first container, where nothing is mounted yet. */
function mount(w: GraphNode, source: Record<string, unknown>, name: string, wish: string): Change {
  return {
    file: w.file!,
    by: (text) => {
      const base = podSpec(w.kind), id = idOf(w);
      const spec = at(read(text, id), base) as { volumes?: { name?: string }[]; containers?: { volumeMounts?: { mountPath?: string }[] }[] } | undefined;
      const volumes = spec?.volumes ?? [], mounts = spec?.containers?.[0]?.volumeMounts ?? [];
      const free = (used: (string | undefined)[], first: string, next: (n: number) => string) => { let s = first; for (let n = 2; used.includes(s); n++) s = next(n); return s; };
      const volume = free(volumes.map((v) => v.name), name, (n) => `${name}-${n}`);
      const mountPath = free(mounts.map((m) => m.mountPath), wish, (n) => `${wish}-${n}`);
      const out = setIn(text, id, volumes.length ? [...base, 'volumes', volumes.length] : [...base, 'volumes'], volumes.length ? { name: volume, ...source } : [{ name: volume, ...source }]);
      const list: Path = [...base, 'containers', 0, 'volumeMounts'];
      return setIn(out, id, mounts.length ? [...list, mounts.length] : list, mounts.length ? { name: volume, mountPath } : [{ name: volume, mountPath }]);
    },
  };
}

const envFrom = (w: GraphNode, source: Record<string, unknown>): Change => push(w, [...podSpec(w.kind), 'containers', 0, 'envFrom'], source);

/** A Service's or entry's host as an object of the namespace names it. */
const hostOf = (to: GraphNode, namespace: string | undefined): string =>
  to.kind === 'ServiceEntry' ? to.data.hosts?.[0] ?? to.name : to.namespace === namespace ? to.name : to.data.host ?? `${to.name}.${to.namespace}.svc.cluster.local`;

/** Adds a destination to rules of a VirtualService; beside others it begins with no share. */
function destination(vs: GraphNode, rules: number[] | 'all', to: Record<string, unknown>): Change {
  return {
    file: vs.file!,
    by: (text) => {
      const id = idOf(vs);
      const http = (at(read(text, id), ['spec', 'http']) ?? []) as { route?: unknown[]; redirect?: unknown; directResponse?: unknown }[];
      if (!Array.isArray(http) || http.length === 0) return setIn(text, id, ['spec', 'http'], [{ route: [{ destination: to }] }]);
      return http.reduce((out, rule, i) => {
        if ((rules !== 'all' && !rules.includes(i)) || rule.redirect || rule.directResponse) return out;
        const route = Array.isArray(rule.route) ? rule.route : [];
        if (route.some((r) => { const d = at(r, ['destination']) as Record<string, unknown> | undefined; return d?.host === to.host && (d?.subset ?? '') === (to.subset ?? ''); })) return out;
        const base: Path = ['spec', 'http', i, 'route'];
        if (route.length === 0) return setIn(out, id, base, [{ destination: to }]);
        // A single destination may be without a weight; beside another it needs one.
        const first = route.length === 1 && at(route[0], ['weight']) === undefined ? setIn(out, id, [...base, 0, 'weight'], 100) : out;
        return setIn(first, id, [...base, route.length], { destination: to, weight: 0 });
      }, text);
    },
  };
}

const routed: Draw = (vs, to, { nodes }) => {
  const service = to.kind === 'Subset' ? nodes.find((n) => n.id === to.parent) : to;
  if (!service) return 'noLabels';
  const host = to.kind === 'Subset' ? service.data.host ?? '' : hostOf(to, vs.namespace);
  const [short, namespace] = host.split('.');
  const d = { host: to.kind === 'Subset' && namespace === vs.namespace ? short : host, ...(to.kind === 'Subset' ? { subset: to.name } : {}) };
  const rules = vs.data.rules ?? [];
  const twin = nodes.find((n) => n.id === vs.data.twin && n.file);
  const all: Way = { id: rules.length > 1 ? 'all' : 'only', changes: [destination(vs, 'all', d), ...(twin ? [destination(twin, 'all', d)] : [])] };
  return rules.length > 1 ? [all, ...rules.map((r): Way => ({ id: `rule${r.index}`, name: r.name || `#${r.index + 1}`, changes: [destination(vs, [r.index], d)] }))] : [all];
};

/** A policy takes the labels of what it is for. */
const selecting = (path: Path): Draw => (policy, to) => {
  const labels = podLabels(to);
  return Object.keys(labels).length === 0 ? 'noLabels' : only(set(policy, path, labels));
};

const subsetRuns: Draw = (subset, w, { nodes }) => {
  const rule = nodes.find((n) => n.id === subset.parent && n.file);
  const labels = w.data.labels ?? {};
  const key = ['track', 'version'].find((k) => labels[k]);
  if (!rule || !key) return 'noLabels';
  return only({ file: rule.file!, by: (text) => {
    const index = (at(read(text, idOf(rule)), ['spec', 'subsets']) as { name?: string }[] | undefined)?.findIndex((s) => s.name === subset.name) ?? -1;
    return index < 0 ? text : setIn(text, idOf(rule), ['spec', 'subsets', index, 'labels'], { [key]: labels[key] });
  } });
};

const binds: Draw = (gateway, vs) => only({ file: vs.file!, by: (text) => {
  const name = gateway.namespace === vs.namespace ? gateway.name : `${gateway.namespace}/${gateway.name}`;
  const now = at(read(text, idOf(vs)), ['spec', 'gateways']);
  // Without a list a VirtualService is for callers inside the mesh: that it stays.
  return Array.isArray(now) ? setIn(text, idOf(vs), ['spec', 'gateways', now.length], name) : setIn(text, idOf(vs), ['spec', 'gateways'], ['mesh', name]);
} });

const backends: Draw = (ingress, service) => only({ file: ingress.file!, by: (text) => {
  const paths = at(read(text, idOf(ingress)), ['spec', 'rules', 0, 'http', 'paths']) as { path?: string }[] | undefined;
  if (!Array.isArray(paths)) return setIn(text, idOf(ingress), ['spec', 'rules'], [{ http: { paths: [backend(service, '/')] } }]);
  const path = paths.some((p) => p.path === '/') ? `/${service.name}` : '/';
  return setIn(text, idOf(ingress), ['spec', 'rules', 0, 'http', 'paths', paths.length], backend(service, path));
} });

const workloadLinks: Record<string, Draw> = {
  Service: selecting(['spec', 'selector']), Subset: subsetRuns,
  ConfigMap: (c, w) => [{ id: 'env', changes: [envFrom(w, { configMapRef: { name: c.name } })] }, { id: 'volume', changes: [mount(w, { configMap: { name: c.name } }, c.name, `/etc/config/${c.name}`)] }],
  Secret: (s, w) => [{ id: 'env', changes: [envFrom(w, { secretRef: { name: s.name } })] }, { id: 'volume', changes: [mount(w, { secret: { secretName: s.name } }, s.name, `/etc/secrets/${s.name}`)] }],
  PersistentVolumeClaim: (p, w) => [{ id: 'volume', changes: [mount(w, { persistentVolumeClaim: { claimName: p.name } }, p.name, '/data')] }],
  ServiceAccount: (a, w) => only(set(w, [...podSpec(w.kind), 'serviceAccountName'], a.name)),
  AuthorizationPolicy: selecting(['spec', 'selector', 'matchLabels']), PeerAuthentication: selecting(['spec', 'selector', 'matchLabels']),
  RequestAuthentication: selecting(['spec', 'selector', 'matchLabels']), Telemetry: selecting(['spec', 'selector', 'matchLabels']),
  PodDisruptionBudget: selecting(['spec', 'selector', 'matchLabels']), NetworkPolicy: selecting(['spec', 'podSelector', 'matchLabels']),
  Sidecar: selecting(['spec', 'workloadSelector', 'labels']), EnvoyFilter: selecting(['spec', 'workloadSelector', 'labels']),
};
const scale: Draw = (hpa, w) => only(set(hpa, ['spec', 'scaleTargetRef'], { apiVersion: 'apps/v1', kind: w.kind, name: w.name }));
const role: Draw = (b, r) => only(set(b, ['roleRef'], { apiGroup: 'rbac.authorization.k8s.io', kind: r.kind, name: r.name }));

/** By kinds, from the one that leads to the one that it leads to. */
const links: Record<string, Record<string, Draw>> = {
  HorizontalPodAutoscaler: { Deployment: scale, StatefulSet: scale, ReplicaSet: scale },
  Gateway: { VirtualService: binds },
  VirtualService: { Service: routed, Subset: routed, ServiceEntry: routed },
  DestinationRule: { Service: (rule, s) => only(set(rule, ['spec', 'host'], hostOf(s, rule.namespace))) },
  Ingress: { Service: backends },
  RoleBinding: { Role: role, ClusterRole: role, ServiceAccount: (b, a) => only(push(b, ['subjects'], { kind: 'ServiceAccount', name: a.name, namespace: a.namespace })) },
  ...Object.fromEntries(Object.entries(workloadLinks).map(([kind, draw]) => [kind, Object.fromEntries(workloads.map((w) => [w, draw]))])),
};

const anyNamespace = (from: string, to: string): boolean => from === 'Gateway' || to === 'Service' && (from === 'VirtualService' || from === 'DestinationRule') || to === 'Subset' || to === 'ServiceEntry' || to === 'ClusterRole' || to === 'ServiceAccount' && from === 'RoleBinding';
const written = (n: GraphNode, nodes: GraphNode[]): boolean => Boolean(n.file ?? nodes.find((p) => p.id === n.parent)?.file);

/** Says what a line between two objects would mean, or why there can be none. */
export function judge(a: GraphNode, b: GraphNode, graph: Drawn): Verdict {
  if (a.id === b.id) return { ok: false, reason: 'self' };
  if (!written(a, graph.nodes) || !written(b, graph.nodes)) return { ok: false, reason: 'noFile' };
  const forth = links[a.kind]?.[b.kind], back = links[b.kind]?.[a.kind];
  const draw = forth ?? back;
  if (!draw) {
    const targets = Object.keys(links[a.kind] ?? {});
    if (targets.length > 0) return { ok: false, reason: 'targets', kinds: brief(targets) };
    const sources = Object.keys(links).filter((k) => links[k]![a.kind]);
    return { ok: false, reason: 'sources', kinds: brief(sources) };
  }
  const [from, to] = forth ? [a, b] : [b, a];
  if (!anyNamespace(from.kind, to.kind) && from.namespace !== to.namespace) return { ok: false, reason: 'namespace' };
  const there = graph.edges.filter((e) => (e.from === from.id && e.to === to.id) || (e.from === to.id && e.to === from.id));
  if (there.some((e) => e.kind !== 'calls' && e.kind !== 'route')) return { ok: false, reason: 'twice' };
  const rules = from.data.rules ?? [];
  if (from.kind === 'VirtualService' && rules.length > 0 && rules.every((r) => there.some((e) => e.kind === 'route' && e.rule?.index === r.index))) return { ok: false, reason: 'twice' };
  const ways = draw(from, to, graph);
  return ways === 'noLabels' ? { ok: false, reason: 'noLabels' } : { ok: true, ways };
}

/** Workloads are one word in a sentence that lists kinds. */
function brief(kinds: string[]): string[] {
  const some = kinds.filter((k) => !isWorkload(k));
  return kinds.length - some.length > 3 ? [...some, 'Deployment', 'StatefulSet', '…'] : kinds;
}
