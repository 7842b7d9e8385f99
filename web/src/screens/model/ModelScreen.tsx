import '@xyflow/react/dist/style.css';
import { useComputedColorScheme } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import {
  Background, type Connection, Controls, type FinalConnectionState, MarkerType, MiniMap, Panel as Corner, ReactFlow, ReactFlowProvider,
  applyNodeChanges, type EdgeChange, type NodeChange, useReactFlow,
} from '@xyflow/react';
import { type DragEvent, type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Problem } from '../../api/types';
import { AlignBar } from '../../canvas/AlignBar';
import { type How, align } from '../../canvas/align';
import { PictureButtons } from '../../canvas/PictureButtons';
import { useClipboard } from '../../canvas/useClipboard';
import { type Place, navigate, to } from '../../router';
import { edit, get, useStore } from '../../workspace/store';
import { Arrow, type ArrowEdge } from './Arrow';
import { copied, pasted } from './clipboard';
import { add, arrows, connect, freeName, judge, move, place as put, remove, rename, stickers } from './document';
import { type Kind, kinds, paletteKinds } from './kinds';
import { nodesOf } from './nodes';
import { Panel } from './Panel';
import { Board, Sticker, type StickerNode } from './Sticker';

const nodeTypes = { sticker: Sticker };
const edgeTypes = { arrow: Arrow };
const dragType = 'application/x-meshstorm-sticker';

function Legend() {
  const { t } = useTranslation();
  const line = (colour: string, dash: string) => <svg width="34" height="8" aria-hidden="true"><path d="M0 4h34" stroke={colour} strokeWidth="2.5" strokeDasharray={dash} /></svg>;
  return <div className="legend">
    <div>{line('var(--pubsub)', '8 5')}{t('model.pubsub')}</div>
    <div>{line('var(--request)', '')}{t('model.request')}</div>
    <div>{line('var(--soft)', '2 4')}{t('model.trigger')}</div>
    <div><PictureButtons what="model" /></div>
  </div>;
}

function Palette({ insert }: { insert: (kind: Kind) => void }) {
  const { t } = useTranslation();
  return <section className="palette" aria-label={t('palette.title')}>
    <h2>{t('palette.title')}</h2>
    <p>{t('palette.hint')}</p>
    {paletteKinds.map((k) => (
      <button key={k} type="button" draggable onDragStart={(e) => { e.dataTransfer.setData(dragType, k); e.dataTransfer.effectAllowed = 'copy'; }} onClick={() => insert(k)}>
        <span className="swatch" style={{ background: kinds[k].colour }} />{t(`kind.${k}`)}
      </button>
    ))}
  </section>;
}

function Canvas({ place }: { place: Place }) {
  const { t } = useTranslation();
  const document = useStore((s) => s.document)!;
  const canvas = useStore((s) => s.canvas);
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const flow = useReactFlow<StickerNode, ArrowEdge>();
  const [nodes, setNodes] = useState<StickerNode[]>([]);
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const [renaming, setRenaming] = useState<string | null>(null);
  const [connecting, setConnecting] = useState(false);
  const selected = place.query.get('select');

  const select = useCallback((id: string | null) => navigate(to.model(get().id, id ?? undefined), { replace: true }), []);
  const problems = useMemo(() => new Map<string, Problem[]>((canvas?.elements ?? []).filter((e) => e.problems.length).map((e) => [e.id, e.problems])), [canvas]);
  /** What was pasted is chosen as soon as it is drawn. */
  const arrived = useRef<Set<string> | null>(null);
  useEffect(() => setNodes((before) => {
    const next = nodesOf(document, problems, before, selected), fresh = arrived.current;
    if (!fresh || !next.some((n) => fresh.has(n.id))) return next;
    return next.map((n) => ({ ...n, selected: fresh.has(n.id) }));
  }), [document, problems]);
  useEffect(() => { arrived.current = null; }, [nodes]);
  useEffect(() => setNodes((before) => before.some((n) => n.selected && n.id === selected) ? before : before.map((n) => (n.selected !== (n.id === selected) ? { ...n, selected: n.id === selected } : n))), [selected]);
  useEffect(() => {
    // A provenance link names a sticker as TYPE/NAME.
    const [type, name] = (place.query.get('source') ?? '').split('/');
    const found = name && stickers(get().document!).find((s) => kinds[s.kind].type === type && s.element.name === name);
    if (found) {
      select(found.id);
      void flow.fitView({ nodes: [{ id: found.id }], maxZoom: 1, duration: 200 });
    }
  }, [place.query.get('source')]);
  const edges = useMemo(() => arrows(document).map((a): ArrowEdge => ({
    id: a.id, type: 'arrow', source: a.from, target: a.to, sourceHandle: 'out', targetHandle: 'in', data: { kind: a.kind }, selected: a.id === selected, zIndex: 2,
    markerEnd: { type: MarkerType.ArrowClosed, markerUnits: 'userSpaceOnUse', width: 18, height: 18, color: a.kind === 'pubsub' ? 'var(--pubsub)' : a.kind === 'request' ? 'var(--request)' : 'var(--soft)' },
    ariaLabel: `${a.kind} ${document.elements[a.from]?.name} → ${document.elements[a.to]?.name}`,
  })), [document, selected]);

  const onNodesChange = useCallback((changes: NodeChange<StickerNode>[]) => {
    setNodes((now) => applyNodeChanges(changes.filter((c) => c.type !== 'remove'), now));
    const chosen = changes.find((c) => c.type === 'select' && c.selected);
    if (chosen && 'id' in chosen) select(chosen.id);
  }, [select]);
  const onEdgesChange = useCallback((changes: EdgeChange<ArrowEdge>[]) => {
    const chosen = changes.find((c) => c.type === 'select' && c.selected);
    if (chosen && 'id' in chosen) select(chosen.id);
  }, [select]);

  /** Writes down where stickers were dragged, together with what a context took along. */
  const commitMoves = (moved: StickerNode[]) => {
    const now = get().document!;
    const boxes = Object.fromEntries(moved.flatMap((n) => {
      const at = flow.getInternalNode(n.id)?.internals.positionAbsolute;
      return at ? [[n.id, { x: Math.round(at.x + (n.width ?? 0) / 2), y: Math.round(at.y + (n.height ?? 0) / 2) }]] : [];
    }));
    const next = move(now, boxes);
    if (next !== now) edit({ document: next });
  };
  const chosen = nodes.filter((n) => n.selected).map((n) => n.id);
  if (selected && chosen.length === 0 && document.elements[selected]) chosen.push(selected);
  const zoom = () => void flow.fitView({ nodes: chosen.map((id) => ({ id })), maxZoom: 1.5, padding: 0.2, duration: 200 });
  const aligned = (how: How) => {
    const now = get().document!;
    const placed = stickers(now).filter((s) => chosen.includes(s.id)).map(({ id, view: v }) => ({ id, x: v.x - v.width / 2, y: v.y - v.height / 2, width: v.width, height: v.height }));
    const size = new Map(placed.map((p) => [p.id, p]));
    const to = Object.entries(align(placed, how)).map(([id, p]) => [id, { x: p.x + size.get(id)!.width / 2, y: p.y + size.get(id)!.height / 2 }]);
    if (to.length > 0) edit({ document: move(now, Object.fromEntries(to) as Record<string, { x: number; y: number }>) });
  };
  const drop = () => { edit({ document: remove(get().document!, selected && !chosen.includes(selected) ? [...chosen, selected] : chosen) }); select(null); };
  const takeIn = (text: string) => {
    const made = pasted(get().document!, text, () => crypto.randomUUID());
    if (!made) { notifications.show({ message: t('canvas.pasteNothing'), color: 'orange' }); return; }
    arrived.current = new Set(made.ids);
    edit({ document: made.document });
    select(made.ids[0] ?? null);
  };
  const copy = () => copied(get().document!, chosen);
  useClipboard({ copy, cut: readOnly ? undefined : drop, paste: readOnly ? undefined : takeIn });

  const insert = (kind: Kind, at?: { x: number; y: number }) => {
    const id = crypto.randomUUID();
    const pane = window.document.querySelector('.stage')!.getBoundingClientRect();
    const where = at ?? flow.screenToFlowPosition({ x: pane.x + pane.width / 2, y: pane.y + pane.height / 2 });
    const now = get().document!;
    edit({ document: add(now, kind, id, freeName(now, kind), where) });
    select(id);
    setRenaming(id);
  };
  const onDrop = (event: DragEvent) => {
    const kind = event.dataTransfer.getData(dragType) as Kind;
    if (!(kind in kinds) || readOnly) return;
    event.preventDefault();
    insert(kind, flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }));
  };
  const onConnect = (c: Connection) => edit({ document: connect(get().document!, c.source, c.target, crypto.randomUUID()) });
  const onConnectEnd = (_: unknown, state: FinalConnectionState) => {
    setConnecting(false);
    if (state.isValid || !state.fromNode || !state.toNode) return;
    const answer = judge(get().document!, state.fromNode.id, state.toNode.id);
    if (!answer.ok) notifications.show({ title: t('refuse.title'), message: t(answer.reason), color: 'orange' });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (readOnly || (event.target as HTMLElement).closest('input, textarea, [contenteditable]')) return;
    if ((event.key === 'Delete' || event.key === 'Backspace') && (chosen.length > 0 || selected)) {
      event.preventDefault();
      drop();
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'd' && chosen.length > 0) {
      event.preventDefault();
      takeIn(copy() ?? '');
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'a') {
      event.preventDefault();
      setNodes((now) => now.map((n) => (n.selected ? n : { ...n, selected: true })));
    }
    if (event.key.toLowerCase() === 'z' && !event.ctrlKey && !event.metaKey && chosen.length > 0) zoom();
    if (event.key === 'F2' && selected) setRenaming(selected);
  };
  /** Arrow keys move stickers, too; the move is written down when the key is let go. */
  const onKeyUp = (event: KeyboardEvent) => {
    if (readOnly || !event.key.startsWith('Arrow') || !(event.target as HTMLElement).classList.contains('react-flow__node')) return;
    commitMoves(nodes.filter((n) => n.selected));
  };
  const board = useMemo(() => ({
    readOnly, renaming, setRenaming,
    rename: (id: string, name: string) => edit({ document: rename(get().document!, id, name) }),
    resize: (id: string, b: { width: number; height: number }) => {
      const at = flow.getInternalNode(id)?.internals.positionAbsolute;
      if (at) edit({ document: put(get().document!, { [id]: { x: Math.round(at.x + b.width / 2), y: Math.round(at.y + b.height / 2), width: Math.round(b.width), height: Math.round(b.height) } }) });
    },
  }), [readOnly, renaming, flow]);

  return (
    <Board.Provider value={board}>
      <div className="split">
        <section className={connecting ? 'stage connecting' : 'stage'} aria-label={t('model.board')} onKeyDown={onKeyDown} onKeyUp={onKeyUp} onDragOver={(e) => { if (e.dataTransfer.types.includes(dragType)) { e.preventDefault(); e.dataTransfer.dropEffect = 'copy'; } }} onDrop={onDrop}>
          {!readOnly && <Palette insert={insert} />}
          <ReactFlow<StickerNode, ArrowEdge>
            nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes} onNodesChange={onNodesChange} onEdgesChange={onEdgesChange}
            onNodeDragStop={(_, __, moved) => commitMoves(moved)} onSelectionDragStop={(_, moved) => commitMoves(moved)}
            onConnect={onConnect} onConnectStart={() => setConnecting(true)} onConnectEnd={onConnectEnd} isValidConnection={(c) => judge(get().document!, c.source, c.target).ok}
            onPaneClick={() => select(null)} nodesDraggable={!readOnly} nodesConnectable={!readOnly} deleteKeyCode={null} snapToGrid snapGrid={[5, 5]}
            elevateNodesOnSelect={false} zIndexMode="manual" fitView fitViewOptions={{ padding: { top: '24px', bottom: '60px', left: readOnly ? '24px' : '190px', right: '24px' }, maxZoom: 1.1 }} minZoom={0.1} zoomOnDoubleClick={false}
            onlyRenderVisibleElements={nodes.length > 300} colorMode={scheme}
          >
            <Background gap={20} />
            <Controls showInteractive={false} position="bottom-right" />
            {nodes.length > 40 && nodes.length <= 1000 && <MiniMap position="top-right" pannable zoomable nodeColor={(n) => kinds[(n as StickerNode).data.sticker.kind].colour} />}
            <Corner position="bottom-center"><Legend /></Corner>
            {chosen.length > 1 && <Corner position="top-center"><AlignBar count={chosen.length} zoom={zoom} align={readOnly ? undefined : aligned}>
              {!readOnly && <button type="button" onClick={() => takeIn(copy() ?? '')}>{t('objects.duplicate')}</button>}
              {!readOnly && <button type="button" onClick={drop}>{t('action.delete')}</button>}
            </AlignBar></Corner>}
          </ReactFlow>
          {nodes.length === 0 && stickers(document).length === 0 && <div className="overlay"><div><b>{t('model.empty')}</b><p>{t('model.emptyHint')}</p></div></div>}
        </section>
        <aside className="side" aria-label={t('panel.title')} tabIndex={0}><Panel selected={selected} select={select} /></aside>
      </div>
    </Board.Provider>
  );
}

export default function ModelScreen({ place }: { place: Place }) {
  return <ReactFlowProvider><Canvas place={place} /></ReactFlowProvider>;
}
