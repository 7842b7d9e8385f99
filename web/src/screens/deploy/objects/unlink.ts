// Which lines can be taken away, and the edit of the files that each one is:
// the other half of link.ts.
import type { GraphEdge, GraphNode } from '../../../api/types';
import { idOf } from '../../../workspace/object';
import { read } from '../../../yaml/documents';
import { removeAt, setIn } from '../../../yaml/edit';
import { type Path, at } from '../../../yaml/plain';
import type { Bundle } from '../bundle';
import { shareOut } from '../weights';
import { type Change, podSpec } from './link';

export type Stays = 'noFile' | 'labels' | 'part' | 'needed' | 'model' | 'only' | 'fields';
export type Cut = { ok: true; changes: Change[] } | { ok: false; reason: Stays };

interface Drawn { nodes: GraphNode[]; edges: GraphEdge[] }

/** Takes the items of a list away that fit, the last one first. */
function drop(text: string, n: GraphNode, path: Path, fits: (item: unknown) => boolean): string {
  const list = at(read(text, idOf(n)), path);
  if (!Array.isArray(list)) return text;
  return list.reduceRight((out: string, item, i) => (fits(item) ? removeAt(out, idOf(n), path, i) : out), text);
}

/** Which destination of its rule a route's line is, by the line's id. */
const placeOf = (e: GraphEdge): number => Number(e.id.slice(e.id.lastIndexOf('#') + 1));

/** Takes destinations out of rules; what they took is shared out in proportion between those that stay. */
function unrouted(vs: GraphNode, edges: GraphEdge[]): Change {
  return {
    file: vs.file!,
    by: (text) => [...edges].sort((a, b) => placeOf(b) - placeOf(a)).reduce((out, e) => {
      const route: Path = ['spec', 'http', e.rule!.index, 'route'], id = idOf(vs);
      const left = removeAt(out, id, route, placeOf(e));
      const rest = at(read(left, id), route) as { weight?: number }[] | undefined;
      if (!Array.isArray(rest)) return left;
      const share = shareOut(rest.map((r, i) => [String(i), r.weight ?? 0]), 100);
      return rest.reduce((text, r, i) => (r.weight === undefined && rest.length === 1 ? text : setIn(text, id, [...route, i, 'weight'], share[i]!)), left);
    }, text),
  };
}

function cutRoute(vs: GraphNode, edges: GraphEdge[], graph: Drawn): Cut {
  if (vs.kind !== 'VirtualService' || edges.some((e) => !e.rule)) return { ok: false, reason: 'fields' };
  const inRule = (index: number) => graph.edges.filter((e) => e.kind === 'route' && e.from === vs.id && e.rule?.index === index).length;
  if (edges.some((e) => inRule(e.rule!.index) === edges.filter((x) => x.rule!.index === e.rule!.index).length)) return { ok: false, reason: 'only' };
  return { ok: true, changes: [unrouted(vs, edges)] };
}

/** A destination leaves a VirtualService and its twin for callers in the mesh together, as it came. */
function cutRoutes({ from, to, edges }: Bundle, graph: Drawn): Cut {
  const vs = graph.nodes.find((n) => n.id === from)!;
  const own = cutRoute(vs, edges, graph);
  const twin = graph.nodes.find((n) => n.id === vs.data.twin && n.file);
  const same = graph.edges.filter((e) => e.kind === 'route' && e.from === twin?.id && e.to === to);
  if (!own.ok || !twin || same.length === 0) return own;
  const other = cutRoute(twin, same, graph);
  return other.ok ? { ok: true, changes: [...own.changes, ...other.changes] } : own;
}

interface Reference { name?: string; secretName?: string; claimName?: string }
interface Volume { name?: string; configMap?: Reference; secret?: Reference; persistentVolumeClaim?: Reference }
interface Environment { configMapRef?: Reference; secretRef?: Reference; valueFrom?: { configMapKeyRef?: Reference; secretKeyRef?: Reference } }

/** Takes out of a workload's pods whatever names an object. */
function ungiven(w: GraphNode, used: GraphNode): Change {
  const base = podSpec(w.kind), { kind, name } = used;
  const volume = (v: Volume) => (kind === 'ConfigMap' ? v.configMap?.name : kind === 'Secret' ? v.secret?.secretName : v.persistentVolumeClaim?.claimName) === name;
  const variable = (e: Environment) => (kind === 'ConfigMap' ? e.configMapRef ?? e.valueFrom?.configMapKeyRef : e.secretRef ?? e.valueFrom?.secretKeyRef)?.name === name;
  return {
    file: w.file!,
    by: (text) => {
      if (kind === 'ServiceAccount') return setIn(text, idOf(w), [...base, 'serviceAccountName'], undefined);
      const volumes = at(read(text, idOf(w)), [...base, 'volumes']) as Volume[] | undefined;
      const gone = new Set((Array.isArray(volumes) ? volumes : []).filter(volume).map((v) => v.name));
      let out = drop(text, w, [...base, 'volumes'], (v) => volume(v as Volume));
      if (kind === 'Secret') out = drop(out, w, [...base, 'imagePullSecrets'], (s) => (s as Reference).name === name);
      for (const list of ['initContainers', 'containers']) {
        const count = (at(read(out, idOf(w)), [...base, list]) as unknown[] | undefined)?.length ?? 0;
        for (let i = 0; i < count; i++) {
          out = drop(out, w, [...base, list, i, 'volumeMounts'], (m) => gone.has((m as Reference).name));
          if (kind === 'PersistentVolumeClaim') continue;
          for (const where of ['envFrom', 'env']) out = drop(out, w, [...base, list, i, where], (e) => variable(e as Environment));
        }
      }
      return out;
    },
  };
}

interface Rules { http?: { paths?: { backend?: { service?: Reference } }[] } }

/** Takes an Ingress's paths to a Service away, and rules that have no path left. */
function unbacked(ingress: GraphNode, service: GraphNode): Change {
  const id = idOf(ingress), rules: Path = ['spec', 'rules'];
  const leads = (p: unknown) => at(p, ['backend', 'service', 'name']) === service.name;
  return {
    file: ingress.file!,
    by: (text) => {
      const fallback = at(read(text, id), ['spec', 'defaultBackend', 'service', 'name']) === service.name;
      let out = fallback ? setIn(text, id, ['spec', 'defaultBackend'], undefined) : text;
      const list = (at(read(out, id), rules) ?? []) as Rules[];
      for (let i = list.length - 1; i >= 0; i--) {
        const paths = list[i]?.http?.paths ?? [];
        out = paths.length > 0 && paths.every(leads) ? removeAt(out, id, rules, i) : drop(out, ingress, [...rules, i, 'http', 'paths'], leads);
      }
      return out;
    },
  };
}

function unbound(gateway: GraphNode, vs: GraphNode): Change {
  const names = [`${gateway.namespace}/${gateway.name}`, ...(gateway.namespace === vs.namespace ? [gateway.name] : [])];
  return {
    file: vs.file!,
    by: (text) => {
      const left = drop(text, vs, ['spec', 'gateways'], (g) => names.includes(String(g)));
      // Without a list it is for callers inside the mesh; that is said, not left to be known.
      return at(read(left, idOf(vs)), ['spec', 'gateways']) === undefined ? setIn(left, idOf(vs), ['spec', 'gateways'], ['mesh']) : left;
    },
  };
}

/** Says which edit takes a line away, or why it stays. */
export function cut(line: Bundle, graph: Drawn): Cut {
  const from = graph.nodes.find((n) => n.id === line.from), to = graph.nodes.find((n) => n.id === line.to);
  const fixed: Partial<Record<GraphEdge['kind'], Stays>> = { selects: 'labels', runs: 'labels', subset: 'part', scales: 'needed', calls: 'model' };
  const reason = fixed[line.kind];
  if (reason) return { ok: false, reason };
  const owner = line.kind === 'binds' ? to : from;
  if (!from || !to || !owner?.file) return { ok: false, reason: 'noFile' };
  const one = (change: Change): Cut => ({ ok: true, changes: [change] });
  switch (line.kind) {
    case 'route': return cutRoutes(line, graph);
    case 'binds': return one(unbound(from, to));
    case 'backend':
      if (from.kind !== 'Ingress') return { ok: false, reason: 'fields' };
      return graph.edges.some((e) => e.kind === 'backend' && e.from === from.id && e.to !== to.id) ? one(unbacked(from, to)) : { ok: false, reason: 'needed' };
    case 'governs':
      if (!from.kind.endsWith('RoleBinding')) return { ok: false, reason: 'labels' };
      return one({ file: from.file!, by: (text) => drop(text, from, ['subjects'], (s) => at(s, ['kind']) === to.kind && at(s, ['name']) === to.name && (at(s, ['namespace']) ?? from.namespace) === to.namespace) });
    default:
      if (from.kind.endsWith('RoleBinding')) return { ok: false, reason: 'needed' };
      if (from.kind === 'PersistentVolumeClaim') return one({ file: from.file!, by: (text) => setIn(text, idOf(from), ['spec', to.kind === 'StorageClass' ? 'storageClassName' : 'volumeName'], undefined) });
      return one(ungiven(from, to));
  }
}
