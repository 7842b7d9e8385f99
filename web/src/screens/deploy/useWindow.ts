import { useStore as useFlow } from '@xyflow/react';
import { useMemo } from 'react';
import { size } from './layout';
import type { LineEdge, ObjectNode } from './parts';

const tile = { width: 560, height: 400 };

/** What is on the page of a big graph: the boxes near the view, by tiles, so that nothing changes while the view moves inside one; lines to elsewhere are given apart. */
export function useWindow(nodes: ObjectNode[], edges: LineEdge[], on: boolean): { near: ObjectNode[]; lines: LineEdge[]; rest: LineEdge[] } {
  const key = useFlow((s) => {
    const [x, y, zoom] = s.transform;
    if (!on || s.width === 0) return '';
    const tiles = [-x / zoom / tile.width, -y / zoom / tile.height, (s.width - x) / zoom / tile.width, (s.height - y) / zoom / tile.height];
    return tiles.map(Math.floor).join();
  });
  return useMemo(() => {
    if (!on || key === '') return { near: on ? [] : nodes, lines: on ? [] : edges, rest: [] };
    const [left, top, right, bottom] = key.split(',').map(Number) as [number, number, number, number];
    const near = nodes.filter(({ position: { x, y }, selected }) => selected || (x + size.width > left * tile.width && x < (right + 1) * tile.width && y + size.height > top * tile.height && y < (bottom + 1) * tile.height));
    const ids = new Set(near.map((n) => n.id));
    const here = (e: LineEdge) => ids.has(e.source) && ids.has(e.target);
    return { near, lines: edges.filter(here), rest: edges.filter((e) => !here(e)) };
  }, [nodes, edges, on, key]);
}
