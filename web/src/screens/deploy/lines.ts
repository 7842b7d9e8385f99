import { MarkerType } from '@xyflow/react';
import type { Graph, GraphNode } from '../../api/types';
import type { Weights } from '../../workspace/store';
import { bundles, weightOn, weightText } from './bundle';
import type { Shown } from './layout';
import type { LineEdge } from './parts';

/** What stands right of what it leads to: its line is drawn from there, with the head at its beginning. */
const backwards = new Set(['scales', 'governs']);
const head = { type: MarkerType.ArrowClosed, markerUnits: 'userSpaceOnUse', width: 18, height: 18 };

/** The lines between the objects that are shown. */
export function linesOf(graph: Graph, shown: GraphNode[], on: Shown, weights: Weights, lights: ReadonlySet<string>): LineEdge[] {
  const name = new Map(shown.map((n) => [n.id, n.name]));
  const drawn = graph.edges.filter((e) => (on.has('calls') || e.kind !== 'calls') && name.has(e.from) && name.has(e.to));
  return bundles(drawn).map((b): LineEdge => {
    const lit = lights.has(b.id), back = backwards.has(b.kind);
    const marker = { ...head, color: lit ? 'var(--lit)' : 'var(--soft)' };
    return {
      id: b.id, type: 'line', source: back ? b.to : b.from, target: back ? b.from : b.to, focusable: false, ...(back ? { markerStart: marker } : { markerEnd: marker }),
      data: {
        bundle: b, weight: b.kind === 'route' ? weightOn(b, weights) : undefined, shown: b.kind === 'route' ? weightText(b, weights) : '', lit, faded: lights.size > 0 && !lit,
        fromName: name.get(b.from)!, toName: name.get(b.to)!,
      },
    };
  });
}
