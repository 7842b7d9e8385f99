import '@xyflow/react/dist/style.css';
import { Button, Checkbox, Loader, useComputedColorScheme } from '@mantine/core';
import {
  Background, type Connection, ControlButton, Controls, type FinalConnectionState, MiniMap, type NodeChange, Panel as Corner, ReactFlow,
  applyNodeChanges, getViewportForBounds, useReactFlow, useStore as useFlow, useStoreApi,
} from '@xyflow/react';
import { type DragEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Graph, Point, RouteAnswer } from '../../api/types';
import { AlignBar } from '../../canvas/AlignBar';
import { PictureButtons } from '../../canvas/PictureButtons';
import { type How, align } from '../../canvas/align';
import { edit, get, useStore } from '../../workspace/store';
import { lit, rulesOf } from './bundle';
import { type Shown, arrange, beside, boxAt, engine, positions, routed, shown, size, topology } from './layout';
import { catalogue } from './objects/catalogue';
import { Palette, dragType } from './objects/Palette';
import type { Objects } from './objects/useObjects';
import { Overview } from './Overview';
import { Line, type LineEdge, ObjectBox, type ObjectNode, Weighing, toneOf } from './parts';
import { linesOf } from './lines';
import { useKeys } from './useKeys';
import { useWindow } from './useWindow';
import type { Split } from './weights';

const nodeTypes = { object: ObjectBox };
const edgeTypes = { line: Line };
const none: never[] = [];
/** Above this many objects, the graph from afar is one picture. */
const many = 150, farBelow = 0.5;
engine();
const layers = ['routing', 'configuration', 'security', 'external', 'calls'] as const;

export function commit(splits: Record<string, Split>): void {
  edit({ weights: { ...get().weights, ...splits } });
}

interface Props {
  graph: Graph;
  answer: RouteAnswer | null;
  selected: string | null;
  select: (id: string | null) => void;
  on: Shown;
  setOn: (on: Shown) => void;
  objects: Objects;
}

/** The positions of all that is shown: the routing by ELK, other layers beside it, and what was placed by hand. */
function usePlaces(graph: Graph, on: Shown) {
  const layout = useStore((s) => s.layout);
  const { nodes, edges } = graph;
  const [arranged, setArranged] = useState<Record<string, Point> | null>(null);
  const shape = useMemo(() => { const base = routed(nodes, edges); return topology(base.nodes, base.edges); }, [nodes, edges]);
  useEffect(() => {
    let stale = false;
    void arrange(nodes, edges).then((p) => { if (!stale) setArranged(p); });
    return () => { stale = true; };
  }, [shape]);
  const all = useMemo(() => shown(nodes, edges, on), [nodes, edges, on]);
  const at = useMemo(() => (arranged ? positions(beside(arranged, all, edges), layout.objects) : null), [arranged, all, edges, layout]);
  return { all, at };
}

export function Canvas({ graph, answer, selected, select, on, setOn, objects }: Props) {
  const { t } = useTranslation();
  const weights = useStore((s) => s.weights);
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const flow = useReactFlow<ObjectNode, LineEdge>();
  const api = useStoreApi();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const [nodes, setNodes] = useState<ObjectNode[]>([]);
  const [connecting, setConnecting] = useState(false);
  const { all, at } = usePlaces(graph, on);
  const far = useFlow((s) => s.transform[2] < farBelow) && nodes.length > many;

  const lights = useMemo(() => lit(answer, graph.nodes, graph.edges), [answer, graph]);
  useEffect(() => {
    if (!at) return;
    setNodes((before) => {
      const old = new Map(before.map((n) => [n.id, n]));
      const several = before.filter((n) => n.selected).length > 1;
      return all.filter((n) => at[n.id]).map((n): ObjectNode => {
        const was = old.get(n.id);
        return {
          id: n.id, type: 'object', position: at[n.id]!, ...size, measured: was?.measured ?? size, selected: several ? Boolean(was?.selected) : n.id === selected,
          ariaLabel: `${n.kind} ${n.name}`, data: { node: n, lit: lights.has(n.id), faded: lights.size > 0 && !lights.has(n.id) },
        };
      });
    });
  }, [all, at, lights]);
  useEffect(() => setNodes((before) => {
    const chosen = before.filter((n) => n.selected);
    if (chosen.length > 1 && chosen.some((n) => n.id === selected) || chosen.length === 1 && chosen[0]!.id === selected) return before;
    return before.map((n) => (Boolean(n.selected) !== (n.id === selected) ? { ...n, selected: n.id === selected } : n));
  }), [selected]);
  const drawn = useMemo(() => linesOf(graph, all, on, weights, lights), [graph, all, on, weights, lights]);
  const [chosenLine, chooseLine] = useState<string | null>(null);
  const line = chosenLine === null ? undefined : drawn.find((e) => e.id === chosenLine);
  const edges = useMemo(() => (line ? drawn.map((e) => (e === line ? { ...e, selected: true } : e)) : drawn), [drawn, line]);
  useEffect(() => { if (selected !== null) chooseLine(null); }, [selected]);

  const fit = useCallback((some: { position: Point }[], maxZoom = 1.1, duration = 0) => {
    const { width, height } = api.getState();
    if (some.length === 0 || width === 0) return;
    const x = Math.min(...some.map((n) => n.position.x)), y = Math.min(...some.map((n) => n.position.y));
    const bounds = { x, y, width: Math.max(...some.map((n) => n.position.x)) + size.width - x, height: Math.max(...some.map((n) => n.position.y)) + size.height - y };
    const left = readOnly || width < 500 ? 24 : width < 800 ? 176 : 240; // beside the palette, whose width styles.css has
    void flow.setViewport(getViewportForBounds(bounds, width, height, 0.05, maxZoom, { left: `${left}px`, right: '32px', top: '56px', bottom: '32px' }), { duration });
  }, [api, flow, readOnly]);
  const placed = nodes.length > 0;
  const measured = useFlow((s) => s.width > 0);
  const fitted = useRef(false), refit = useRef(false);
  useEffect(() => { if (refit.current && placed) { refit.current = false; fit(nodes, 1.1, 200); } }, [nodes]);
  useEffect(() => { if (placed && measured && !fitted.current) { fitted.current = true; fit(nodes); } }, [placed, measured]);

  // What is chosen elsewhere, or has just been added, comes into view.
  const there = at !== null && selected !== null && at[selected] !== undefined && nodes.some((n) => n.id === selected);
  useEffect(() => {
    if (!there || !fitted.current) return;
    const { x, y } = at[selected]!, { transform: [left, top, zoom], width, height } = api.getState();
    const sx = x * zoom + left, sy = y * zoom + top;
    const seen = sx > 0 && sy > 0 && sx + size.width * zoom < width && sy + size.height * zoom < height;
    if (!seen && nodes.length <= 60) fit(nodes, 1.1, 200);
    else if (!seen) void flow.setCenter(x + size.width / 2, y + size.height / 2, { zoom: Math.max(zoom, farBelow), duration: 200 });
  }, [selected, there]);

  const onNodesChange = useCallback((changes: NodeChange<ObjectNode>[]) => {
    setNodes((now) => applyNodeChanges(changes.filter((c) => c.type !== 'remove'), now));
    const chosen = changes.find((c) => c.type === 'select' && c.selected);
    if (chosen && 'id' in chosen) select(chosen.id);
  }, [select]);
  const move = (to: Record<string, Point>) => {
    if (Object.keys(to).length === 0) return;
    const { layout: now } = get();
    edit({ layout: { ...now, objects: { ...now.objects, ...Object.fromEntries(Object.entries(to).map(([id, p]) => [id, boxAt(p)])) } } });
  };
  const moved = (some: ObjectNode[]) => move(Object.fromEntries(some.map((n) => [n.id, n.position])));
  const tidy = () => {
    const ids = new Set(all.map((n) => n.id));
    edit({ layout: { ...get().layout, objects: Object.fromEntries(Object.entries(get().layout.objects).filter(([id]) => !ids.has(id))) } });
    refit.current = true;
  };
  const chosen = nodes.filter((n) => n.selected);
  const ids = chosen.length > 0 ? chosen.map((n) => n.id) : selected ? [selected] : [];
  const zoom = () => fit(chosen.length > 0 ? chosen : nodes, 1.1, 200);
  const cut = useMemo(() => (line && !readOnly ? () => { objects.cut(line.data!.bundle); chooseLine(null); } : undefined), [line, objects, readOnly]);
  const keys = useKeys(ids, objects, readOnly, zoom, cut);
  const weighing = useMemo(() => ({ readOnly, rules: (vs: string) => rulesOf(vs, graph.edges, weights), commit, choose: select }), [readOnly, graph, weights, select]);
  const onDrop = (event: DragEvent) => {
    const addition = catalogue.find((a) => a.kind === event.dataTransfer.getData(dragType));
    if (!addition || readOnly) return;
    event.preventDefault();
    const p = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    const under = nodes.find((n) => p.x >= n.position.x && p.x <= n.position.x + size.width && p.y >= n.position.y && p.y <= n.position.y + size.height);
    objects.add(addition, under?.data.node, under ? undefined : { x: Math.round(p.x - size.width / 2), y: Math.round(p.y - size.height / 2) });
  };
  const onConnectEnd = (_: unknown, state: FinalConnectionState) => {
    setConnecting(false);
    if (!state.isValid && state.fromNode && state.toNode) objects.connect(state.fromNode.id, state.toNode.id);
  };
  const pick = (event: React.MouseEvent) => {
    chooseLine(null);
    if (!far) { select(null); return; }
    const p = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    const hit = nodes.find((n) => p.x >= n.position.x && p.x <= n.position.x + size.width && p.y >= n.position.y && p.y <= n.position.y + size.height);
    if (!hit) return;
    select(hit.id);
    void flow.setCenter(hit.position.x + size.width / 2, hit.position.y + size.height / 2, { zoom: 0.9, duration: 200 });
  };
  const wide = nodes.length > many;
  const { near, lines, rest } = useWindow(nodes, edges, wide && !far);
  const toggle = (layer: (typeof layers)[number]) => {
    const next = new Set(on);
    if (!next.delete(layer)) next.add(layer);
    refit.current = layer !== 'calls';
    setOn(next);
  };
  return (
    <Weighing.Provider value={weighing}>
      <section className={connecting ? 'stage connecting' : 'stage'} aria-label={t('deploy.graph')} onKeyDown={keys} onDrop={onDrop} onDragOver={(e) => { if (e.dataTransfer.types.includes(dragType)) { e.preventDefault(); e.dataTransfer.dropEffect = 'copy'; } }}>
        {!readOnly && <Palette insert={(a) => objects.add(a, chosen.length === 1 ? chosen[0]!.data.node : undefined)} />}
        {!placed && <div className="centred"><Loader size="sm" /> {t('deploy.laying')}</div>}
        <ReactFlow<ObjectNode, LineEdge>
          nodes={far ? none : near} edges={far ? none : lines} nodeTypes={nodeTypes} edgeTypes={edgeTypes} onNodesChange={onNodesChange}
          onNodeDragStop={(_, __, some) => moved(some)} onSelectionDragStop={(_, some) => moved(some)}
          onKeyUp={(e) => { if (e.key.startsWith('Arrow') && (e.target as HTMLElement).closest('.react-flow__node') && chosen.length > 0) moved(chosen); }}
          onEdgeClick={(_, e) => { select(null); setNodes((now) => now.map((n) => (n.selected ? { ...n, selected: false } : n))); chooseLine(e.id); }}
          onPaneClick={pick} nodesConnectable={!readOnly} isValidConnection={(c) => objects.judge(c.source, c.target).ok} onConnect={(c: Connection) => objects.connect(c.source, c.target)}
          onConnectStart={() => setConnecting(true)} onConnectEnd={onConnectEnd} deleteKeyCode={null} minZoom={0.05} snapToGrid snapGrid={[4, 4]}
          colorMode={scheme} elevateNodesOnSelect={false} multiSelectionKeyCode={['Meta', 'Control']}
        >
          {!wide && <Background gap={20} />}
          {far ? <Overview nodes={nodes} edges={edges} scheme={scheme} label={t('canvas.far', { count: nodes.length })} /> : rest.length > 0 && <Overview nodes={nodes} edges={rest} scheme={scheme} />}
          <Controls showInteractive={false} showFitView={false} position="bottom-right"><ControlButton onClick={() => fit(nodes, 1.1, 200)} title={t('canvas.fit')} aria-label={t('canvas.fit')}><svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="2" aria-hidden="true"><path d="M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4" style={{ fill: 'none' }} /></svg></ControlButton></Controls>
          <Corner position="top-right">
            {line && !readOnly ? <div className="legend line-tools" role="group" aria-label={t('objects.line')}>
              <span>{line.data!.fromName} → {line.data!.toName}</span>
              <Button size="compact-xs" mih={24} variant="default" onClick={cut}>{t('objects.cutLine')}</Button>
            </div> : chosen.length > 1
              ? <AlignBar count={chosen.length} zoom={zoom} align={(how: How) => move(align(chosen.map((n) => ({ id: n.id, ...n.position, ...size })), how))}>
                  <button type="button" onClick={() => objects.copy(ids)}>{t('objects.copy')}</button>
                  {!readOnly && <button type="button" onClick={() => objects.remove(ids)}>{t('action.delete')}</button>}
                </AlignBar>
              : <div className="legend" role="group" aria-label={t('layer.title')} style={{ display: 'flex', gap: 14, alignItems: 'center', flexWrap: 'wrap' }}>
                  <Button size="compact-xs" mih={24} variant="default" onClick={tidy}>{t('deploy.tidy')}</Button>
                  <PictureButtons what="deployment" />
                  {layers.filter((l) => l === 'routing' || l === 'configuration' || (l === 'calls' ? graph.edges.some((e) => e.kind === 'calls') : graph.nodes.some((n) => n.layer === l))).map((l) => <Checkbox key={l} size="xs" label={t(`layer.${l}`)} checked={on.has(l)} onChange={() => toggle(l)} />)}
                </div>}
          </Corner>
          {nodes.length > 40 && !wide && <MiniMap position="bottom-left" pannable zoomable nodeColor={(n) => toneOf((n as ObjectNode).data.node)} />}
        </ReactFlow>
      </section>
    </Weighing.Provider>
  );
}
