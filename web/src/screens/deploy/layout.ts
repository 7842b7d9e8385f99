import type { Box, GraphEdge, GraphNode, Layer, Point } from '../../api/types';

export const size = { width: 184, height: 66 };

/** What the positions depend on: they are computed anew only when this changes, never for a weight. */
export function topology(nodes: GraphNode[], edges: GraphEdge[]): string {
  return JSON.stringify([nodes.map((n) => n.id), [...new Set(edges.filter((e) => e.kind !== 'calls').map((e) => `${e.from}>${e.to}`))]]);
}

/** What a person may switch on and off. Calls are lines alone, with what they lead to. */
export type Shown = ReadonlySet<Layer | 'calls'>;

/** The nodes that the screen shows: those of the layers, and what lines of the layers lead to. A DestinationRule is seen through its subsets. */
export function shown(nodes: GraphNode[], edges: GraphEdge[], on: Shown): GraphNode[] {
  const ends = new Set(edges.filter((e) => (e.kind === 'route' && on.has('routing')) || (e.kind === 'calls' && on.has('calls'))).flatMap((e) => [e.from, e.to]));
  const seen = new Set(nodes.flatMap((n) => (n.kind === 'Subset' ? [n.parent] : [])));
  return nodes.filter((n) => ends.has(n.id) || (on.has(n.layer) && !(n.kind === 'DestinationRule' && seen.has(n.id))));
}

const routing: Shown = new Set(['routing']);
const order: readonly string[] = ['configuration', 'security', 'external', 'routing'];

/** Places what other layers show beside the routing, without moving it: a column for each layer, everything near what it belongs to. */
export function beside(base: Record<string, Point>, nodes: GraphNode[], edges: GraphEdge[]): Record<string, Point> {
  const extra = nodes.filter((n) => !base[n.id]);
  if (extra.length === 0) return base;
  const near = new Map<string, number[]>();
  for (const e of edges) {
    if (base[e.to] && !base[e.from]) near.set(e.from, [...(near.get(e.from) ?? []), base[e.to]!.y]);
    if (base[e.from] && !base[e.to]) near.set(e.to, [...(near.get(e.to) ?? []), base[e.from]!.y]);
  }
  const anchor = (n: GraphNode) => { const all = near.get(n.id); return all ? all.reduce((s, y) => s + y, 0) / all.length : Infinity; };
  const result = { ...base };
  let x = Math.max(0, ...Object.values(base).map((p) => p.x + size.width + 96));
  for (const layer of order) {
    const column = extra.filter((n) => n.layer === layer).sort((a, b) => anchor(a) - anchor(b) || 0);
    let y = 0;
    for (const n of column) {
      y = Number.isFinite(anchor(n)) ? Math.max(y, Math.round(anchor(n))) : y;
      result[n.id] = { x, y };
      y += size.height + 26;
    }
    if (column.length > 0) x += size.width + 96;
  }
  return result;
}

/** What is laid out: it does not depend on the layers that are on. */
export function routed(nodes: GraphNode[], edges: GraphEdge[]): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const base = shown(nodes, edges, routing);
  const ids = new Set(base.map((n) => n.id));
  return { nodes: base, edges: edges.filter((e) => e.kind !== 'calls' && ids.has(e.from) && ids.has(e.to)) };
}

interface Elk { layout(graph: unknown): Promise<{ children?: { id: string; x?: number; y?: number }[] }> }
let elk: Promise<Elk> | undefined;
const cache = new Map<string, Record<string, Point>>();

async function engine(): Promise<Elk> {
  const [{ default: ELK }, { default: url }] = await Promise.all([import('elkjs/lib/elk-api.js'), import('elkjs/lib/elk-worker.min.js?url')]);
  return new ELK({ workerFactory: () => new Worker(url) }) as unknown as Elk;
}

const column: Record<string, number> = { Gateway: 0, Ingress: 0, VirtualService: 1, HTTPRoute: 1, Subset: 2, Service: 3, ServiceEntry: 3, External: 3, Host: 3 };

/** Positions (of corners) of the routing by ELK, in a worker, in columns from Gateway to workloads. */
export async function arrange(all: GraphNode[], allEdges: GraphEdge[]): Promise<Record<string, Point>> {
  const { nodes, edges } = routed(all, allEdges);
  const key = topology(nodes, edges);
  const known = cache.get(key);
  if (known) return known;
  const laid = await (await (elk ??= engine())).layout({
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered', 'elk.direction': 'RIGHT', 'elk.partitioning.activate': 'true', 'elk.layered.spacing.nodeNodeBetweenLayers': '96', 'elk.spacing.nodeNode': '26', 'elk.spacing.edgeNode': '26', 'elk.layered.spacing.edgeNodeBetweenLayers': '20',
      'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES', 'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX', 'elk.separateConnectedComponents': 'false',
    },
    children: nodes.map((n) => ({ id: n.id, ...size, layoutOptions: { 'elk.partitioning.partition': String(column[n.kind] ?? 4) } })),
    edges: edges.map((e) => ({ id: e.id, sources: [e.from], targets: [e.to] })),
  });
  const points = Object.fromEntries((laid.children ?? []).map((c) => [c.id, { x: Math.round(c.x ?? 0), y: Math.round(c.y ?? 0) }]));
  cache.set(key, points);
  return points;
}

/** What was placed by hand stands; the rest lies as it was arranged. Saved boxes name their centre. */
export function positions(arranged: Record<string, Point>, byHand: Record<string, Box>): Record<string, Point> {
  const result = { ...arranged };
  for (const [id, b] of Object.entries(byHand)) if (id in result) result[id] = { x: b.x - size.width / 2, y: b.y - size.height / 2 };
  return result;
}

export const boxAt = (corner: Point): Box => ({ x: Math.round(corner.x + size.width / 2), y: Math.round(corner.y + size.height / 2), ...size });
