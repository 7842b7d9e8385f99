import ELK from 'elkjs/lib/elk-api.js';
import worker from 'elkjs/lib/elk-worker.min.js?url';
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

interface Elk { layout(graph: unknown): Promise<{ children?: { id: string; y?: number }[] }> }
let elk: Elk | undefined;
const cache = new Map<string, Record<string, Point>>();

/** The layout engine in its worker. Who calls it before there is a graph has its script read while the graph is on its way. */
export const engine = (): Elk => (elk ??= new ELK({ workerFactory: () => new Worker(worker) }) as unknown as Elk);

const column: Record<string, number> = { Gateway: 0, Ingress: 0, VirtualService: 1, HTTPRoute: 1, Subset: 2, Service: 3, ServiceEntry: 3, External: 3, Host: 3 };
const columnOf = (n: GraphNode): number => column[n.kind] ?? 4;
const across = size.width + 96, gap = 26;

/** What belongs together: the parts of the graph that hang together without the Gateways, which hold all of them. */
export function strips(nodes: GraphNode[], edges: GraphEdge[]): GraphNode[][] {
  const root = new Map(nodes.map((n) => [n.id, n.id]));
  const find = (id: string): string => { let at = id; while (root.get(at) !== at) { root.set(at, root.get(root.get(at)!)!); at = root.get(at)!; } return at; };
  const gateways = new Set(nodes.filter((n) => columnOf(n) === 0).map((n) => n.id));
  for (const e of edges) if (!gateways.has(e.from) && !gateways.has(e.to)) root.set(find(e.to), find(e.from));
  const found = new Map<string, GraphNode[]>();
  for (const n of nodes) if (!gateways.has(n.id)) found.set(find(n.id), [...(found.get(find(n.id)) ?? []), n]);
  return [...found.values()];
}

/** Heights by ELK for one strip; strips of the same shape are laid out once. */
async function heights(strip: GraphNode[], edges: GraphEdge[], known: Map<string, Promise<number[]>>): Promise<number[]> {
  const index = new Map(strip.map((n, i) => [n.id, i]));
  const lines = [...new Set(edges.map((e) => `${index.get(e.from)}>${index.get(e.to)}`))];
  const shape = JSON.stringify([strip.map(columnOf), lines]);
  const before = known.get(shape);
  if (before) return before;
  const laid = (async () => {
    const { children } = await engine().layout({
      id: 'root',
      layoutOptions: {
        'elk.algorithm': 'layered', 'elk.direction': 'RIGHT', 'elk.partitioning.activate': 'true', 'elk.spacing.nodeNode': String(gap), 'elk.spacing.edgeNode': String(gap),
        'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES', 'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX', 'elk.separateConnectedComponents': 'false',
      },
      children: strip.map((n, i) => ({ id: String(i), ...size, layoutOptions: { 'elk.partitioning.partition': String(columnOf(n)) } })),
      edges: lines.map((l, i) => ({ id: `e${i}`, sources: [l.split('>')[0]!], targets: [l.split('>')[1]!] })),
    });
    const ys = new Array<number>(strip.length).fill(0);
    for (const c of children ?? []) ys[Number(c.id)] = Math.round(c.y ?? 0);
    return ys;
  })();
  known.set(shape, laid);
  return laid;
}

/** Positions (of corners) of the routing: strips one below the other by ELK, in a worker, in columns from Gateway to workloads. */
export async function arrange(all: GraphNode[], allEdges: GraphEdge[]): Promise<Record<string, Point>> {
  const { nodes, edges } = routed(all, allEdges);
  const key = topology(nodes, edges);
  const kept = cache.get(key);
  if (kept) return kept;
  const parts = strips(nodes, edges);
  const of = new Map(parts.flatMap((s, i) => s.map((n) => [n.id, i] as const)));
  const inner: GraphEdge[][] = parts.map(() => []);
  for (const e of edges) if (of.has(e.from) && of.get(e.from) === of.get(e.to)) inner[of.get(e.from)!]!.push(e);
  const known = new Map<string, Promise<number[]>>();
  const ys = await Promise.all(parts.map((s, i) => heights(s, inner[i]!, known)));
  const points = stack(parts, ys);
  gateways(nodes.filter((n) => !of.has(n.id)), edges, points);
  cache.set(key, points);
  return points;
}

/** Puts strips below each other, and many of them into several columns, as a newspaper does; nothing lies on anything else. */
export function stack(parts: GraphNode[][], ys: number[][]): Record<string, Point> {
  const tall = ys.reduce((sum, y) => sum + Math.max(...y) - Math.min(...y) + size.height + gap * 1.5, 0);
  const wide = 5 * across;
  const pages = tall < 6000 ? 1 : Math.max(1, Math.round(Math.sqrt((tall * 1.5) / wide)));
  const points: Record<string, Point> = {};
  let top = 0, page = 0;
  parts.forEach((strip, i) => {
    if (top > tall / pages) { top = 0; page++; }
    const low = Math.min(...ys[i]!), bottoms = new Map<number, number>();
    const sorted = strip.map((n, j) => ({ n, y: ys[i]![j]! - low })).sort((a, b) => a.y - b.y);
    for (const { n, y } of sorted) {
      const c = columnOf(n), at = Math.max(top + y, bottoms.get(c) ?? 0);
      points[n.id] = { x: page * wide + c * across, y: at };
      bottoms.set(c, at + size.height + gap);
    }
    top = Math.max(...bottoms.values()) + gap / 2;
  });
  return points;
}

/** Puts Gateways and the like beside the middle of what they lead to. */
function gateways(some: GraphNode[], edges: GraphEdge[], points: Record<string, Point>): void {
  const middle = (n: GraphNode) => {
    const found = edges.flatMap((e) => (e.from === n.id && points[e.to] ? [points[e.to]!.y] : []));
    return found.length > 0 ? found.reduce((s, y) => s + y, 0) / found.length : 0;
  };
  let free = -Infinity;
  for (const { n, y } of some.map((g) => ({ n: g, y: middle(g) })).sort((a, b) => a.y - b.y)) {
    const at = Math.round(Math.max(y, free));
    points[n.id] = { x: 0, y: at };
    free = at + size.height + gap;
  }
}

/** What was placed by hand stands; the rest lies as it was arranged. Saved boxes name their centre. */
export function positions(arranged: Record<string, Point>, byHand: Record<string, Box>): Record<string, Point> {
  const result = { ...arranged };
  for (const [id, b] of Object.entries(byHand)) if (id in result) result[id] = { x: b.x - size.width / 2, y: b.y - size.height / 2 };
  return result;
}

export const boxAt = (corner: Point): Box => ({ x: Math.round(corner.x + size.width / 2), y: Math.round(corner.y + size.height / 2), ...size });
