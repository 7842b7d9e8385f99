import type { Box, GraphEdge, GraphNode, Point } from '../../api/types';

export const size = { width: 184, height: 66 };

/** What the positions depend on: they are computed anew only when this changes, never for a weight. */
export function topology(nodes: GraphNode[], edges: GraphEdge[]): string {
  return JSON.stringify([nodes.map((n) => n.id), [...new Set(edges.filter((e) => e.kind !== 'calls').map((e) => `${e.from}>${e.to}`))]]);
}

/** The nodes that the screen shows: a DestinationRule is seen through its subsets. */
export function shown(nodes: GraphNode[], edges: GraphEdge[]): GraphNode[] {
  const ends = new Set(edges.flatMap((e) => [e.from, e.to]));
  return nodes.filter((n) => ends.has(n.id) || (n.kind !== 'DestinationRule' && n.kind !== 'External' && n.kind !== 'ServiceAccount' && n.kind !== 'ConfigMap'));
}

interface Elk { layout(graph: unknown): Promise<{ children?: { id: string; x?: number; y?: number }[] }> }
let elk: Promise<Elk> | undefined;
const cache = new Map<string, Record<string, Point>>();

async function engine(): Promise<Elk> {
  const [{ default: ELK }, { default: url }] = await Promise.all([import('elkjs/lib/elk-api.js'), import('elkjs/lib/elk-worker.min.js?url')]);
  return new ELK({ workerFactory: () => new Worker(url) }) as unknown as Elk;
}

const column: Record<string, number> = { Gateway: 0, VirtualService: 1, Subset: 2, Service: 3, External: 3, Host: 3 };

/** Positions (of corners) by ELK, in a worker, in columns from Gateway to workloads. */
export async function arrange(nodes: GraphNode[], edges: GraphEdge[]): Promise<Record<string, Point>> {
  const key = topology(nodes, edges);
  const known = cache.get(key);
  if (known) return known;
  const ids = new Set(nodes.map((n) => n.id));
  const laid = await (await (elk ??= engine())).layout({
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered', 'elk.direction': 'RIGHT', 'elk.partitioning.activate': 'true', 'elk.layered.spacing.nodeNodeBetweenLayers': '96', 'elk.spacing.nodeNode': '26', 'elk.spacing.edgeNode': '26', 'elk.layered.spacing.edgeNodeBetweenLayers': '20',
      'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES', 'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX', 'elk.separateConnectedComponents': 'false',
    },
    children: nodes.map((n) => ({ id: n.id, ...size, layoutOptions: { 'elk.partitioning.partition': String(column[n.kind] ?? 4) } })),
    edges: edges.filter((e) => e.kind !== 'calls' && ids.has(e.from) && ids.has(e.to)).map((e) => ({ id: e.id, sources: [e.from], targets: [e.to] })),
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
