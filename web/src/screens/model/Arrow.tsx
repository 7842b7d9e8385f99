import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps, type InternalNode, Position, getSmoothStepPath, useInternalNode } from '@xyflow/react';
import { memo } from 'react';
import { type EdgeKind, edgeName } from './kinds';

export type ArrowEdge = Edge<{ kind: EdgeKind }, 'arrow'>;

interface End { x: number; y: number; side: Position }

const box = (n: InternalNode) => ({ ...n.internals.positionAbsolute, w: n.measured.width ?? n.width ?? 100, h: n.measured.height ?? n.height ?? 100 });

/** Where an arrow leaves one sticker for another: the middle of the side that faces it. */
export function ends(a: { x: number; y: number; w: number; h: number }, b: { x: number; y: number; w: number; h: number }): [End, End] {
  const ax = a.x + a.w / 2, ay = a.y + a.h / 2, bx = b.x + b.w / 2, by = b.y + b.h / 2;
  const gapX = Math.abs(ax - bx) - (a.w + b.w) / 2, gapY = Math.abs(ay - by) - (a.h + b.h) / 2;
  if (gapX >= gapY) {
    const right = bx > ax;
    return [{ x: right ? a.x + a.w : a.x, y: ay, side: right ? Position.Right : Position.Left }, { x: right ? b.x : b.x + b.w, y: by, side: right ? Position.Left : Position.Right }];
  }
  const down = by > ay;
  return [{ x: ax, y: down ? a.y + a.h : a.y, side: down ? Position.Bottom : Position.Top }, { x: bx, y: down ? b.y : b.y + b.h, side: down ? Position.Top : Position.Bottom }];
}

const looks: Record<EdgeKind, { stroke: string; dash?: string; width: number }> = {
  pubsub: { stroke: 'var(--pubsub)', dash: '8 5', width: 2 },
  request: { stroke: 'var(--request)', width: 2.5 },
  trigger: { stroke: 'var(--soft)', dash: '2 4', width: 1.5 },
};

export const Arrow = memo(function Arrow({ id, source, target, data, selected, markerEnd }: EdgeProps<ArrowEdge>) {
  const a = useInternalNode(source), b = useInternalNode(target);
  if (!a || !b) return null;
  const kind = data?.kind ?? 'trigger';
  const [from, to] = ends(box(a), box(b));
  const [path, x, y] = getSmoothStepPath({ sourceX: from.x, sourceY: from.y, sourcePosition: from.side, targetX: to.x, targetY: to.y, targetPosition: to.side, borderRadius: 10 });
  const look = looks[kind];
  return <>
    <BaseEdge id={id} path={path} markerEnd={markerEnd} interactionWidth={24} style={{ stroke: look.stroke, strokeWidth: selected ? look.width + 2 : look.width, strokeDasharray: look.dash }} />
    {edgeName[kind] !== '' && <EdgeLabelRenderer><span className="edge-label" style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}>{edgeName[kind]}</span></EdgeLabelRenderer>}
  </>;
});
