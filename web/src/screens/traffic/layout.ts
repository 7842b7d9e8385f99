import type { TrafficEdge } from '../../api/cluster';

export interface Spot {
  id: string;
  x: number;
  y: number;
}

const wide = 480, high = 96;

/** Columns by how far a workload is from where requests come in; each column from the top. */
export function columns(edges: TrafficEdge[]): Spot[] {
  const names = [...new Set(edges.flatMap((e) => [e.from, e.to]))].sort();
  const called = new Set(edges.map((e) => e.to));
  const depth = new Map<string, number>();
  let level = names.filter((n) => !called.has(n));
  if (level.length === 0) level = names.slice(0, 1);
  for (let d = 0; level.length > 0; d++) {
    for (const n of level) depth.set(n, d);
    const next = new Set(edges.filter((e) => level.includes(e.from) && !depth.has(e.to)).map((e) => e.to));
    level = [...next];
    // A circle that nothing leads into begins where its first name is.
    if (level.length === 0) level = names.filter((n) => !depth.has(n)).slice(0, 1);
  }
  const rows = new Map<number, number>();
  return names.map((id) => {
    const d = depth.get(id)!, row = rows.get(d) ?? 0;
    rows.set(d, row + 1);
    return { id, x: d * wide, y: row * high };
  });
}

/** The points of a line in a box, the newest at the right edge. */
export function line(values: number[], times: number[], now: number, span: number, top: number, width: number, height: number): string {
  return values.map((v, i) => `${(width * (1 - (now - times[i]!) / span)).toFixed(1)},${(height - (top > 0 ? (v / top) * height : 0)).toFixed(1)}`).join(' ');
}
