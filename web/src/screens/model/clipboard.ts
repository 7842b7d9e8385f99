// Copies of stickers, within a board and from one to another, as JSON.
import type { StormDocument, StormElement, StormRelation } from '../../api/types';
import { arrows, contextOf, place, stickers } from './document';

const format = 'meshstorm/stickers';
interface Copied { format: typeof format; elements: Record<string, StormElement>; relations: Record<string, StormRelation> }

/** The chosen stickers, what lies in chosen contexts, and the arrows between them; undefined where none is chosen. */
export function copied(document: StormDocument, ids: string[]): string | undefined {
  const all = stickers(document);
  const chosen = new Set(ids);
  const taken = all.filter((s) => chosen.has(s.id) || (s.kind !== 'context' && chosen.has(contextOf(all, s.view)?.id ?? '')));
  if (taken.length === 0) return undefined;
  const inside = new Set(taken.map((s) => s.id));
  const between = arrows(document).filter((a) => inside.has(a.from) && inside.has(a.to));
  const copy: Copied = {
    format,
    elements: Object.fromEntries(taken.map((s) => [s.id, s.element.elementView ? s.element : { ...s.element, elementView: { _type: s.element._type, id: s.id, style: '{}', ...s.view } }])),
    relations: Object.fromEntries(between.flatMap((a) => { const r = document.relations[a.id]; return r ? [[a.id, r]] : []; })),
  };
  return JSON.stringify(copy, null, 1);
}

function parse(text: string): Copied | null {
  try {
    const data = JSON.parse(text) as Partial<Copied> | null;
    const fine = data?.format === format && typeof data.elements === 'object' && data.elements !== null
      && Object.values(data.elements).every((e) => typeof e?._type === 'string' && Number.isFinite(e.elementView?.x) && Number.isFinite(e.elementView?.y));
    return fine ? { format, elements: data.elements!, relations: data.relations ?? {} } : null;
  } catch {
    return null;
  }
}

/** Every reference to something that was copied becomes one to its copy. */
function renamed(value: unknown, ids: Map<string, string>): unknown {
  if (typeof value === 'string') return ids.get(value) ?? value;
  if (Array.isArray(value)) return value.map((v) => renamed(v, ids));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [ids.get(k) ?? k, renamed(v, ids)]));
}

/** A name that the board does not have yet. */
function freeName(name: string, taken: Set<string>): string {
  if (!taken.has(name)) return name;
  for (let n = 2; ; n++) if (!taken.has(`${name}${n}`)) return `${name}${n}`;
}

/** Puts copies on a board, a little aside of where the originals lie; null where the text holds none. */
export function pasted(document: StormDocument, text: string, newId: () => string, aside = { x: 40, y: 40 }): { document: StormDocument; ids: string[] } | null {
  const copy = parse(text);
  if (!copy) return null;
  const ids = new Map<string, string>();
  for (const [id, e] of Object.entries(copy.elements)) {
    const to = newId();
    for (const old of [id, e.id, e.elementView?.id]) if (typeof old === 'string' && old !== '') ids.set(old, to);
  }
  for (const id of Object.keys(copy.relations)) ids.set(id, newId());
  const taken = new Set(stickers(document).map((s) => s.element.name ?? ''));
  const elements = { ...document.elements };
  const boxes: Record<string, { x: number; y: number }> = {};
  for (const [id, e] of Object.entries(renamed(copy.elements, ids) as Copied['elements'])) {
    const name = freeName(e.name ?? '', taken);
    taken.add(name);
    elements[id] = { ...e, id, name, oldName: '', elementView: { ...e.elementView!, id } };
    boxes[id] = { x: e.elementView!.x + aside.x, y: e.elementView!.y + aside.y };
  }
  const relations = { ...document.relations, ...(renamed(copy.relations, ids) as Copied['relations']) };
  return { document: place({ ...document, elements, relations }, boxes), ids: Object.keys(boxes) };
}
