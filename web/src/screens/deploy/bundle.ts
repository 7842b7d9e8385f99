import type { GraphEdge, RouteAnswer, GraphNode } from '../../api/types';
import { type Weights, ruleKey } from '../../workspace/store';
import type { Split } from './weights';

/** All that leads from one object to another, drawn as one line. */
export interface Bundle {
  id: string;
  from: string;
  to: string;
  kind: GraphEdge['kind'];
  edges: GraphEdge[];
}

export function bundles(edges: GraphEdge[]): Bundle[] {
  const found = new Map<string, Bundle>();
  for (const e of edges) {
    const id = `${e.kind}:${e.from}>${e.to}`;
    const b = found.get(id) ?? { id, from: e.from, to: e.to, kind: e.kind, edges: [] };
    b.edges.push(e);
    found.set(id, b);
  }
  return [...found.values()];
}

export interface RuleWeights {
  key: string;
  name: string;
  split: Split;
}

/** "ns/name" of a VirtualService's node. */
export const virtualServiceOf = (nodeId: string): string => nodeId.split('/').slice(1, 3).join('/');

/** The rules of a VirtualService that share requests out between subsets. */
export function rulesOf(virtualService: string, edges: GraphEdge[], weights: Weights): RuleWeights[] {
  const found = new Map<string, RuleWeights>();
  for (const e of edges) {
    if (e.kind !== 'route' || e.from !== virtualService || !e.rule) continue;
    const key = ruleKey(virtualServiceOf(virtualService), e.rule.index);
    const split = weights[key];
    if (split && Object.keys(split).length > 1) found.set(key, { key, name: e.rule.name || `#${e.rule.index + 1}`, split });
  }
  return [...found.values()];
}

/** The weight that a line shows: a number where all its rules agree, null where they differ. */
export function weightOn(b: Bundle, weights: Weights): number | null | undefined {
  const found = new Set<number>();
  for (const e of b.edges) {
    if (!e.rule) continue;
    const w = weights[ruleKey(virtualServiceOf(b.from), e.rule.index)]?.[e.subset ?? ''] ?? e.weight;
    if (w !== undefined) found.add(w);
  }
  return found.size === 0 ? undefined : found.size === 1 ? [...found][0] : null;
}

/** The same in words: "90 %", or from the smallest to the largest where rules differ. */
export function weightText(b: Bundle, weights: Weights): string {
  const found = b.edges.map((e) => (e.rule && weights[ruleKey(virtualServiceOf(b.from), e.rule.index)]?.[e.subset ?? '']) ?? e.weight ?? 0);
  const low = Math.min(...found), high = Math.max(...found);
  return low === high ? `${low} %` : `${low}–${high} %`;
}

/** What of an answer is lit. */
type Way = Partial<Pick<RouteAnswer, 'outcome'>> & {
  winner?: Pick<NonNullable<RouteAnswer['winner']>, 'virtualService' | 'kind' | 'namespace' | 'rule'> | null;
  destinations?: Pick<NonNullable<RouteAnswer['destinations']>[number], 'host' | 'subset' | 'share' | 'of100' | 'workloads'>[] | null;
};

/** What a request's way lights up. */
export function lit(answer: Way | null, nodes: GraphNode[], edges: GraphEdge[]): Set<string> {
  const on = new Set<string>();
  if (!answer?.winner) return on;
  const vs = `VirtualService/${answer.winner.namespace}/${answer.winner.virtualService}`;
  on.add(vs);
  for (const e of edges) if (e.kind === 'binds' && e.to === vs) on.add(e.from).add(`${e.kind}:${e.from}>${e.to}`);
  const byId = new Map(nodes.map((n) => [n.id, n]));
  for (const d of answer.destinations ?? []) {
    if (d.of100 === 0 && d.share === 0) continue;
    const [service, namespace] = d.host.split('.');
    for (const e of edges) {
      if (e.kind !== 'route' || e.from !== vs || (e.rule?.name ?? '') !== answer.winner.rule && e.rule?.name) continue;
      const target = byId.get(e.to);
      const hit = d.subset ? target?.kind === 'Subset' && target.name === d.subset && (target.service ?? service) === service : target?.kind === 'Service' && target.name === service;
      if (hit) on.add(e.to).add(`route:${e.from}>${e.to}`);
    }
    const workloads = (d.workloads ?? []).map((w) => { const [kind, name] = w.split('/'); return `${kind}/${namespace}/${name}`; });
    const start = [...on];
    for (const w of workloads) {
      for (const e of edges) if (e.to === w && start.includes(e.from)) on.add(w).add(`${e.kind}:${e.from}>${e.to}`);
    }
    // A service's own line, where no subset leads to the workload.
    for (const e of edges) if (e.kind === 'subset' && on.has(e.from) && byId.get(e.from)?.name === d.subset) on.add(e.to).add(`subset:${e.from}>${e.to}`);
    for (const e of edges) if (e.kind === 'selects' && on.has(e.from) && workloads.includes(e.to)) on.add(e.to).add(`selects:${e.from}>${e.to}`);
  }
  return on;
}
