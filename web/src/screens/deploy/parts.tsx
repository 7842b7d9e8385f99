import { Popover } from '@mantine/core';
import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps, Handle, type Node, type NodeProps, Position, getBezierPath } from '@xyflow/react';
import { createContext, memo, useContext, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { GraphNode } from '../../api/types';
import { says } from '../../i18n/findings';
import { type Bundle, type RuleWeights } from './bundle';
import { size } from './layout';
import { WeightEditor, stop } from './WeightEditor';
import type { Split } from './weights';

export type ObjectNode = Node<{ node: GraphNode; lit: boolean; faded: boolean }, 'object'>;
export type LineEdge = Edge<{ bundle: Bundle; weight: number | null | undefined; shown: string; lit: boolean; faded: boolean; toName: string; fromName: string }, 'line'>;

export const Weighing = createContext<{ readOnly: boolean; rules: (virtualService: string) => RuleWeights[]; commit: (splits: Record<string, Split>) => void; choose: (id: string) => void }>({
  readOnly: true, rules: () => [], commit: () => undefined, choose: () => undefined,
});

export const tones: Record<string, string> = {
  Gateway: '#1864ab', VirtualService: '#7048e8', Subset: '#c2255c', Service: '#2b8a3e', Deployment: '#d9480f', External: '#868e96', Host: '#868e96',
};

const layerTones: Record<string, string> = { configuration: '#0b7285', security: '#a34400', external: '#868e96', routing: '#495057' };
export const toneOf = (n: Pick<GraphNode, 'kind' | 'layer'>): string => tones[n.kind] ?? layerTones[n.layer] ?? '#495057';

function about(n: GraphNode, everything: string): string {
  const d = n.data;
  switch (n.kind) {
    case 'Gateway': return (d.servers ?? []).map((s) => `${s.protocol} ${s.port}`).join(', ');
    case 'VirtualService': return (d.hosts ?? []).join(', ');
    case 'Subset': return Object.entries(d.labels ?? {}).map(([k, v]) => `${k}=${v}`).join(' ');
    case 'Service': return (d.ports ?? []).map((p) => `${p.name ?? ''} ${p.port}`).join(', ');
    case 'ServiceEntry': case 'Ingress': return (d.hosts ?? []).join(', ');
    default: return [d.images?.[0]?.split('/').at(-1), d.note, d.keys?.join(', '), d.everything && everything].filter(Boolean).join(' · ');
  }
}

export const ObjectBox = memo(function ObjectBox({ data: { node, lit, faded } }: NodeProps<ObjectNode>) {
  const { t } = useTranslation();
  const problems = node.problems;
  const worst = problems.some((p) => p.severity === 'error') ? 'error' : problems.some((p) => p.severity === 'warning') ? 'warning' : 'info';
  const { readOnly } = useContext(Weighing);
  const text = about(node, t('objects.everything'));
  return <>
    <Handle type="target" position={Position.Left} className="whole" isConnectable={!readOnly} />
    <div className={`object${lit ? ' lit' : ''}${faded ? ' faded' : ''}`} style={{ '--tone': toneOf(node) } as React.CSSProperties}>
      <small>{node.kind === 'Subset' && node.parent ? node.parent.split('/').at(-1) : node.kind}</small>
      <b title={node.name}>{node.name}</b>
      {text && <small title={text}>{text}{node.data.replicas !== undefined && node.data.replicas !== null ? ` ×${node.data.replicas}` : ''}</small>}
    </div>
    {problems.length > 0 && <span className={`problem ${worst}`} role="img" aria-label={`${t('model.problems', { count: problems.length })}: ${problems.map(says).join('; ')}`} title={problems.map((p) => `${p.code} ${says(p)}`).join('\n\n')}>{worst === 'info' ? 'i' : '!'}</span>}
    <Handle type="source" position={Position.Right} className={readOnly ? 'no-port' : 'port'} isConnectable={!readOnly} />
  </>;
});

function Weight({ data, x, y }: { data: NonNullable<LineEdge['data']>; x: number; y: number }) {
  const { t } = useTranslation();
  const { readOnly, rules, commit, choose } = useContext(Weighing);
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const { weight, bundle, shown } = data;
  const editable = rules(bundle.from);
  const transform = `translate(-50%, -50%) translate(${x}px, ${y}px)`;
  const was = useRef(false);
  useEffect(() => { if (was.current && !open) button.current?.focus(); was.current = open; }, [open]);
  // The popover is made when it opens: hundreds of weights would be slow to draw with one each.
  return <>
    <button ref={button} type="button" className={`weight nodrag nopan${weight === 0 ? ' zero' : ''}${data.lit ? ' lit' : ''}`} style={{ transform }}
      aria-label={t('deploy.editWeight', { from: data.fromName, to: data.toName, weight: shown })} aria-haspopup="dialog" aria-expanded={open}
      onClick={() => { setOpen((o) => !o); choose(bundle.from); }}>{shown}</button>
    {open && editable.length > 0 && <Popover opened onChange={setOpen} width={400} trapFocus withArrow shadow="md" position="bottom" withinPortal>
      <Popover.Target><span className="weight" style={{ transform, visibility: 'hidden', pointerEvents: 'none' }} /></Popover.Target>
      <Popover.Dropdown onKeyDown={(e) => { stop(e); if (e.key === 'Escape') { e.stopPropagation(); setOpen(false); } }}>
        <WeightEditor rules={editable} readOnly={readOnly} commit={commit} />
      </Popover.Dropdown>
    </Popover>}
  </>;
}

/** Calls lead between objects of one column: an arc beside them, downwards on the right, upwards on the left. */
function arc(sourceX: number, sourceY: number, targetX: number, targetY: number): [string, number, number] {
  const down = targetY >= sourceY;
  const x1 = down ? sourceX : sourceX - size.width, x2 = down ? targetX + size.width : targetX;
  const bend = (down ? 1 : -1) * (30 + Math.abs(targetY - sourceY) / 5);
  return [`M${x1} ${sourceY}C${x1 + bend} ${sourceY} ${x2 + bend} ${targetY} ${x2} ${targetY}`, (x1 + x2) / 2 + bend * 0.75, (sourceY + targetY) / 2];
}

export const Line = memo(function Line({ id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data, selected, markerStart, markerEnd }: EdgeProps<LineEdge>) {
  if (!data) return null;
  const [path, mx, my] = data.bundle.kind === 'calls' ? arc(sourceX, sourceY, targetX, targetY) : getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const { bundle: { kind, edges }, weight, lit, faded } = data;
  // Labels sit nearer to the end, where lines to different objects have parted.
  const x = kind === 'route' ? sourceX + (targetX - sourceX) * 0.62 : mx, y = kind === 'route' ? sourceY + (targetY - sourceY) * 0.74 : my;
  const width = kind === 'route' && typeof weight === 'number' ? 1.5 + weight / 40 : 1.5;
  const dash = kind === 'scales' || kind === 'uses' || kind === 'governs' ? '2 4' : kind === 'calls' ? (edges.every((e) => e.async) ? '8 5' : undefined) : weight === 0 ? '3 5' : undefined;
  return <>
    <BaseEdge id={id} path={path} markerStart={markerStart} markerEnd={markerEnd} interactionWidth={20} style={{ stroke: lit ? 'var(--lit)' : kind === 'calls' ? (dash ? 'var(--pubsub)' : 'var(--request)') : 'var(--soft)', strokeWidth: (lit ? width + 2 : width) + (selected ? 1 : 0), strokeDasharray: dash, opacity: faded ? 0.35 : 1 }} />
    {(weight !== undefined || (kind !== 'route' && edges.some((e) => e.label))) && <EdgeLabelRenderer>
      {weight !== undefined ? <Weight data={data} x={x} y={y} /> : <span className="edge-label" style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}>{edges.map((e) => e.label).filter(Boolean).slice(0, 2).join(', ')}</span>}
    </EdgeLabelRenderer>}
  </>;
});
