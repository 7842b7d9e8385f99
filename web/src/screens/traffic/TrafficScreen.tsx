import '@xyflow/react/dist/style.css';
import '../cluster/cluster.css';
import './traffic.css';
import { Badge, Loader, Table, Text } from '@mantine/core';
import { Background, Controls, type Edge, MarkerType, type Node, ReactFlow, ReactFlowProvider, Handle, Position } from '@xyflow/react';
import { useComputedColorScheme } from '@mantine/core';
import { type KeyboardEvent, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Traffic, type TrafficEdge, watchTraffic } from '../../api/cluster';
import { type Place, to } from '../../router';
import { Link } from '../../shell/Shell';
import { LoadCard } from '../cluster/Load';
import { useCluster, useContexts } from '../cluster/state';
import { Charts } from './Chart';
import { columns } from './layout';

type Box = Node<{ name: string; service: string }, 'workload'>;

function Workload({ data }: { data: Box['data'] }) {
  return <div className="object traffic-node">
    <Handle type="target" position={Position.Left} className="no-port" isConnectable={false} /><small>{data.service || ' '}</small><b>{data.name}</b><Handle type="source" position={Position.Right} className="no-port" isConnectable={false} />
  </div>;
}

const nodeTypes = { workload: Workload };
const keyOf = (e: TrafficEdge) => `${e.from}>${e.service}>${e.to}`;
const percent = (n: number | undefined) => (n === undefined ? '–' : `${n < 10 && n % 1 !== 0 ? n.toFixed(1) : Math.round(n)} %`);
const ms = (n: number | undefined) => (n === undefined ? '–' : `${n < 10 ? n.toFixed(1) : Math.round(n)} ms`);

function useTraffic(workspace: string, context: string | null) {
  const [traffic, setTraffic] = useState<Traffic | null>(null);
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    setTraffic(null);
    if (context === null) return;
    return watchTraffic(workspace, context, setTraffic, setConnected);
  }, [workspace, context]);
  return { traffic, connected };
}

function Graph({ edges, chosen, choose }: { edges: TrafficEdge[]; chosen: string; choose: (key: string) => void }) {
  const { t } = useTranslation();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const shape = edges.map(keyOf).join('|');
  const nodes = useMemo(() => {
    const service = new Map(edges.map((e) => [e.to, e.service]));
    return columns(edges).map((s): Box => ({ id: s.id, type: 'workload', position: { x: s.x, y: s.y }, data: { name: s.id, service: service.get(s.id) ?? '' }, width: 200, height: 56, ariaLabel: s.id }));
  }, [shape]);
  const most = Math.max(1, ...edges.map((e) => e.rate));
  const lines = edges.map((e): Edge => {
    const quiet = e.requests === 0, failing = e.errorRate >= 0.01;
    const label = quiet ? t('traffic.quiet') : `${e.rate.toFixed(1)}/s · ${percent(e.real)}${e.wished === undefined ? '' : ` (${t('traffic.wished', { n: e.wished })})`}${failing ? ` · ${percent(e.errorRate * 100)} ${t('traffic.errors')}` : ''}`;
    const colour = quiet ? 'var(--line)' : failing ? '#c92a2a' : keyOf(e) === chosen ? '#1c7ed6' : 'var(--soft)';
    return { id: keyOf(e), source: e.from, target: e.to, label, focusable: true, ariaLabel: `${e.from} → ${e.to}: ${label}`, style: { stroke: colour, strokeWidth: 1.5 + 4 * (e.rate / most), strokeDasharray: quiet ? '4 4' : undefined }, markerEnd: { type: MarkerType.ArrowClosed, color: colour, markerUnits: 'userSpaceOnUse', width: 18, height: 18 }, labelStyle: { fill: 'var(--ink)', fontSize: 12 }, labelBgStyle: { fill: 'var(--panel)' }, labelBgPadding: [6, 3] };
  });
  // Edges take the focus, but React Flow tells of clicks only.
  const keys = (event: KeyboardEvent) => {
    const id = event.target instanceof Element ? event.target.closest('.react-flow__edge')?.getAttribute('data-id') : null;
    if (!id || (event.key !== 'Enter' && event.key !== ' ')) return;
    event.preventDefault();
    choose(id);
  };
  return <ReactFlow nodes={nodes} edges={lines} nodeTypes={nodeTypes} fitView fitViewOptions={{ padding: 0.15, maxZoom: 1.2 }} nodesConnectable={false} deleteKeyCode={null} colorMode={scheme} onEdgeClick={(_, e) => choose(e.id)} minZoom={0.1}
    onKeyDown={keys}>
    <Background gap={20} /><Controls showInteractive={false} position="bottom-right" />
  </ReactFlow>;
}

function Numbers({ edges, chosen, choose }: { edges: TrafficEdge[]; chosen: string; choose: (key: string) => void }) {
  const { t } = useTranslation();
  return <div className="scroll" tabIndex={0} role="group" aria-label={t('traffic.numbers')}><Table verticalSpacing={3} horizontalSpacing={7} aria-label={t('traffic.numbers')}>
    <Table.Thead><Table.Tr>{[t('traffic.edge'), t('traffic.wishedHead'), t('traffic.real'), t('traffic.requests'), t('traffic.errors'), 'p50', 'p95'].map((h) => <Table.Th key={h}>{h}</Table.Th>)}</Table.Tr></Table.Thead>
    <Table.Tbody>{edges.map((e) => <Table.Tr key={keyOf(e)} className={keyOf(e) === chosen ? 'chosen' : undefined}>
      <Table.Td><button type="button" className="link" aria-pressed={keyOf(e) === chosen} onClick={() => choose(keyOf(e))}>{e.from} → {e.to}</button></Table.Td>
      <Table.Td>{percent(e.wished)}</Table.Td><Table.Td>{percent(e.real)}</Table.Td><Table.Td>{Math.round(e.requests)}</Table.Td>
      <Table.Td className={e.errorRate >= 0.01 ? 'bad' : undefined}>{percent(e.errorRate * 100)}</Table.Td><Table.Td>{ms(e.p50)}</Table.Td><Table.Td>{ms(e.p95)}</Table.Td>
    </Table.Tr>)}</Table.Tbody>
  </Table></div>;
}

/** What is wished and what really happens, edge by edge. */
export default function TrafficScreen({ place }: { place: Place }) {
  const { t } = useTranslation();
  const workspace = place.workspace!;
  const { contexts, context } = useContexts();
  const { cluster } = useCluster(workspace, contexts ? context : null);
  const { traffic, connected } = useTraffic(workspace, contexts && cluster?.reachable ? context : null);
  const [chosen, setChosen] = useState('');
  if (!contexts || !cluster) return <div className="centred"><Loader size="sm" /> {t('cluster.looking')}</div>;
  if (!cluster.reachable) return <div className="centred"><h1>{t('traffic.noCluster')}</h1><p>{cluster.problem}</p><Link href={to.cluster(workspace)}>{t('traffic.toCluster')}</Link></div>;
  const edges = traffic?.edges ?? [];
  const edge = edges.find((e) => keyOf(e) === chosen) ?? edges[0];
  return <div className="split">
    <section className="stage column" aria-label={t('traffic.graph')}>
      <div className="toolbar"><Text size="sm">{traffic ? t(`traffic.by.${traffic.measured}`, { name: traffic.prometheus }) : <Loader size="xs" />}</Text>{!connected && <Badge color="#a34400" variant="filled">{t('cluster.stale')}</Badge>}{(traffic?.notes ?? []).map((n) => <Text key={n} size="sm" className="bad">{n}</Text>)}</div>
      <div style={{ flex: 1, minHeight: 0 }}>{edges.length === 0 ? <div className="centred"><h1>{t('traffic.none')}</h1><p>{t('traffic.noneHint')}</p></div>
        : <ReactFlowProvider><Graph key={edges.map((e) => `${e.from}>${e.to}`).join()} edges={edges} chosen={edge ? keyOf(edge) : ''} choose={setChosen} /></ReactFlowProvider>}</div>
    </section>
    <aside className="side wide card-side" aria-label={t('traffic.numbers')} tabIndex={0}>
      {edges.length > 0 && <section className="card"><Numbers edges={edges} chosen={edge ? keyOf(edge) : ''} choose={setChosen} /></section>}
      {edge && <section className="card"><Charts edge={edge} kept={traffic?.measured === 'prometheus'} /></section>}
      <LoadCard workspace={workspace} context={context} lab={cluster.lab} />
    </aside>
  </div>;
}
