import '@xyflow/react/dist/style.css';
import { Button, Checkbox, Loader, useComputedColorScheme } from '@mantine/core';
import { Background, Controls, MarkerType, MiniMap, type NodeChange, Panel as Corner, ReactFlow, ReactFlowProvider, applyNodeChanges, useReactFlow } from '@xyflow/react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Graph, Point, RouteAnswer } from '../../api/types';
import { type Place, navigate, to } from '../../router';
import { Link } from '../../shell/Shell';
import { edit, get, useStore } from '../../workspace/store';
import { Ask } from './Ask';
import { bundles, lit, rulesOf, weightOn, weightText } from './bundle';
import { arrange, boxAt, positions, shown, size, topology } from './layout';
import { ObjectPanel } from './ObjectPanel';
import { Line, type LineEdge, ObjectBox, type ObjectNode, Weighing, tones } from './parts';
import type { Split } from './weights';

const nodeTypes = { object: ObjectBox };
const edgeTypes = { line: Line };

function commit(splits: Record<string, Split>): void {
  edit({ weights: { ...get().weights, ...splits } });
}

function Canvas({ place, graph, answer }: { place: Place; graph: Graph; answer: RouteAnswer | null }) {
  const { t } = useTranslation();
  const layout = useStore((s) => s.layout);
  const weights = useStore((s) => s.weights);
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const flow = useReactFlow<ObjectNode, LineEdge>();
  const scheme = useComputedColorScheme('light');
  const [calls, setCalls] = useState(false);
  const [arranged, setArranged] = useState<Record<string, Point> | null>(null);
  const [nodes, setNodes] = useState<ObjectNode[]>([]);
  const selected = place.query.get('node');
  const select = useCallback((id: string | null) => navigate(to.deploy(get().id, id ?? undefined), { replace: true }), []);

  const all = useMemo(() => shown(graph.nodes ?? [], graph.edges ?? []), [graph]);
  const lines = useMemo(() => (graph.edges ?? []).filter((e) => calls || e.kind !== 'calls'), [graph, calls]);
  const shape = useMemo(() => topology(all, graph.edges ?? []), [all, graph]);
  useEffect(() => {
    let stale = false;
    void arrange(all, graph.edges ?? []).then((p) => { if (!stale) setArranged(p); });
    return () => { stale = true; };
  }, [shape]);
  const lights = useMemo(() => lit(answer, graph.nodes ?? [], graph.edges ?? []), [answer, graph]);
  useEffect(() => {
    if (!arranged) return;
    const at = positions(arranged, layout.objects);
    setNodes((before) => {
      const old = new Map(before.map((n) => [n.id, n]));
      return all.filter((n) => at[n.id]).map((n): ObjectNode => {
        const was = old.get(n.id);
        return { id: n.id, type: 'object', position: at[n.id]!, ...size, measured: was?.measured ?? size, selected: n.id === selected, ariaLabel: `${n.kind} ${n.name}`, data: { node: n, lit: lights.has(n.id), faded: lights.size > 0 && !lights.has(n.id) } };
      });
    });
  }, [all, arranged, layout, lights, selected]);
  const edges = useMemo(() => {
    const name = new Map(all.map((n) => [n.id, n.name]));
    return bundles(lines).filter((b) => name.has(b.from) && name.has(b.to)).map((b): LineEdge => ({
      id: b.id, type: 'line', source: b.from, target: b.to, focusable: false, markerEnd: { type: MarkerType.ArrowClosed, markerUnits: 'userSpaceOnUse', width: 18, height: 18, color: lights.has(b.id) ? 'var(--lit)' : 'var(--soft)' },
      data: { bundle: b, weight: b.kind === 'route' ? weightOn(b, weights) : undefined, shown: weightText(b, weights), lit: lights.has(b.id), faded: lights.size > 0 && !lights.has(b.id), fromName: name.get(b.from)!, toName: name.get(b.to)! },
    }));
  }, [lines, all, weights, lights]);
  const onNodesChange = useCallback((changes: NodeChange<ObjectNode>[]) => {
    setNodes((now) => applyNodeChanges(changes.filter((c) => c.type !== 'remove' && c.type !== 'select'), now));
    const chosen = changes.find((c) => c.type === 'select' && c.selected);
    if (chosen && 'id' in chosen) select(chosen.id);
  }, [select]);
  const moved = (some: ObjectNode[]) => {
    const { layout: now } = get();
    edit({ layout: { ...now, objects: { ...now.objects, ...Object.fromEntries(some.map((n) => [n.id, boxAt(n.position)])) } } });
  };
  const tidy = () => {
    const ids = new Set(all.map((n) => n.id));
    edit({ layout: { ...get().layout, objects: Object.fromEntries(Object.entries(get().layout.objects).filter(([id]) => !ids.has(id))) } });
    setTimeout(() => void flow.fitView({ padding: 0.1, duration: 200 }), 60);
  };
  const weighing = useMemo(() => ({ readOnly, rules: (vs: string) => rulesOf(vs, graph.edges ?? [], weights), commit, choose: select }), [readOnly, graph, weights, select]);
  if (nodes.length === 0) return <div className="centred"><Loader size="sm" /> {t('deploy.laying')}</div>;
  return (
    <Weighing.Provider value={weighing}>
      <ReactFlow<ObjectNode, LineEdge>
        nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes} onNodesChange={onNodesChange} onNodeDragStop={(_, __, some) => moved(some)}
        onKeyUp={(e) => { const chosen = nodes.filter((n) => n.selected); if (e.key.startsWith('Arrow') && (e.target as HTMLElement).closest('.react-flow__node') && chosen.length > 0) moved(chosen); }}
        onPaneClick={() => select(null)} nodesConnectable={false} deleteKeyCode={null} fitView fitViewOptions={{ padding: 0.08, maxZoom: 1.1 }} minZoom={0.05}
        onlyRenderVisibleElements={nodes.length > 200} colorMode={scheme} elevateNodesOnSelect={false}
      >
        <Background gap={20} />
        <Controls showInteractive={false} position="bottom-right" />
        <Corner position="top-left"><div className="legend" style={{ display: 'flex', gap: 14, alignItems: 'center' }}>
          <Button size="compact-xs" mih={24} variant="default" onClick={tidy}>{t('deploy.tidy')}</Button>
          {(graph.edges ?? []).some((e) => e.kind === 'calls') && <Checkbox label={t('deploy.calls')} checked={calls} onChange={(e) => setCalls(e.currentTarget.checked)} />}
        </div></Corner>
        {nodes.length > 40 && nodes.length <= 1000 && <MiniMap position="bottom-left" pannable zoomable nodeColor={(n) => tones[(n as ObjectNode).data.node.kind] ?? '#495057'} />}
      </ReactFlow>
    </Weighing.Provider>
  );
}

export default function DeployScreen({ place }: { place: Place }) {
  const { t } = useTranslation();
  const graph = useStore((s) => s.graph);
  const [answer, setAnswer] = useState<RouteAnswer | null>(null);
  const selected = place.query.get('node');
  const node = graph?.nodes?.find((n) => n.id === selected);
  if (!graph) return <div className="centred"><Loader /></div>;
  if ((graph.nodes ?? []).length === 0) {
    return <div className="centred"><h1>{t('deploy.empty')}</h1><p>{t('deploy.emptyHint')}</p><Link href={to.code(get().id)}>{t('deploy.toCode')}</Link></div>;
  }
  return (
    <div className="column">
      <Ask answer={answer} setAnswer={setAnswer} />
      <div className="split" style={{ flex: 1 }}>
        <section className="stage" aria-label={t('deploy.graph')}><ReactFlowProvider><Canvas place={place} graph={graph} answer={answer} /></ReactFlowProvider></section>
        <aside className="side" aria-label={t('panel.title')} tabIndex={0}><ObjectPanel node={node} graph={graph} answer={answer} commit={commit} /></aside>
      </div>
    </div>
  );
}
