import { type Viewport, useStoreApi } from '@xyflow/react';
import { useEffect, useRef } from 'react';
import type { Point } from '../../api/types';
import { size } from './layout';
import { type LineEdge, type ObjectNode, toneOf } from './parts';

const colours = ['--panel', '--line', '--ink', '--soft', '--lit', '--pubsub'] as const;
const stub = 44;
type Colours = Record<(typeof colours)[number], string>;

interface Scene { nodes: ObjectNode[]; edges: LineEdge[]; at: Map<string, Point>; bent: boolean }

/** The picture from afar: boxes and lines on one canvas, without an element for each. */
function draw(context: CanvasRenderingContext2D, { nodes, edges, at, bent }: Scene, view: Viewport, width: number, height: number, c: Colours): void {
  const { x, y, zoom } = view;
  const left = -x / zoom, top = -y / zoom, right = left + width / zoom, bottom = top + height / zoom;
  context.setTransform(devicePixelRatio * zoom, 0, 0, devicePixelRatio * zoom, devicePixelRatio * x, devicePixelRatio * y);
  for (const lit of [false, true]) {
    context.beginPath();
    for (const e of edges) {
      if (Boolean(e.data?.lit) !== lit) continue;
      const a = at.get(e.source), b = at.get(e.target);
      if (!a || !b || Math.max(a.x, b.x) + size.width < left || Math.min(a.x, b.x) > right || Math.max(a.y, b.y) + size.height < top || Math.min(a.y, b.y) > bottom) continue;
      const x1 = a.x + size.width, y1 = a.y + size.height / 2, y2 = b.y + size.height / 2;
      context.moveTo(x1, y1);
      if (!bent) context.lineTo(b.x, y2);
      else if (lit) context.bezierCurveTo((x1 + b.x) / 2, y1, (x1 + b.x) / 2, y2, b.x, y2);
      else {
        // Up close, a line that comes from far away is seen where it begins and ends, not across all that lies between.
        context.lineTo(x1 + stub, y1);
        context.moveTo(b.x - stub, y2);
        context.lineTo(b.x, y2);
      }
    }
    context.strokeStyle = lit ? c['--lit'] : c['--soft'];
    context.lineWidth = (lit ? 2.5 : 1) / zoom;
    context.globalAlpha = lit ? 1 : 0.5;
    context.stroke();
  }
  const words = zoom > 0.22;
  context.font = '600 26px system-ui, sans-serif';
  context.textBaseline = 'middle';
  for (const n of nodes) {
    const p = n.position;
    if (p.x + size.width < left || p.x > right || p.y + size.height < top || p.y > bottom) continue;
    context.globalAlpha = n.data.faded ? 0.45 : 1;
    context.fillStyle = c['--panel'];
    context.fillRect(p.x, p.y, size.width, size.height);
    context.fillStyle = toneOf(n.data.node);
    context.fillRect(p.x, p.y, words ? 14 : size.width, size.height);
    const worst = n.data.node.problems.some((i) => i.severity === 'error');
    if (worst || n.data.lit || n.selected) {
      context.strokeStyle = n.data.lit || n.selected ? c['--lit'] : '#c92a2a';
      context.lineWidth = 3 / zoom;
      context.strokeRect(p.x, p.y, size.width, size.height);
    }
    if (words) {
      context.fillStyle = c['--ink'];
      context.fillText(n.data.node.name.slice(0, 11), p.x + 22, p.y + size.height / 2, size.width - 28);
    }
  }
  context.globalAlpha = 1;
  context.setTransform(1, 0, 0, 1, 0, 0);
}

interface Props {
  nodes: ObjectNode[];
  edges: LineEdge[];
  scheme: string;
  /** Without one it is decoration: lines behind boxes that are elements. */
  label?: string;
}

/** Draws again only when the view moves or what is shown changes; no element of the page changes meanwhile. Up close it draws lines alone. */
export function Overview({ nodes, edges, scheme, label }: Props) {
  const ref = useRef<HTMLCanvasElement>(null);
  const store = useStoreApi();
  useEffect(() => {
    const canvas = ref.current!, context = canvas.getContext('2d')!;
    const style = getComputedStyle(canvas);
    const c = Object.fromEntries(colours.map((k) => [k, style.getPropertyValue(k)])) as Colours;
    const scene: Scene = { nodes: label ? nodes : [], edges, at: new Map(nodes.map((n) => [n.id, n.position])), bent: !label };
    let frame = 0, seen = '';
    const paint = () => {
      frame = 0;
      const { transform: [x, y, zoom], width, height } = store.getState();
      const now = `${x},${y},${zoom},${width},${height}`;
      if (now === seen || width === 0) return;
      seen = now;
      const w = Math.round(width * devicePixelRatio), h = Math.round(height * devicePixelRatio);
      if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, w, h);
      draw(context, scene, { x, y, zoom }, width, height, c);
    };
    const soon = () => { frame ||= requestAnimationFrame(paint); };
    paint();
    const stop = store.subscribe(soon);
    return () => { stop(); cancelAnimationFrame(frame); };
  }, [nodes, edges, scheme, label, store]);
  return <canvas ref={ref} className="overview" {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })} />;
}
