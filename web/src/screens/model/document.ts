// Edits of the MSA-Ez document. Every function gives a new document that shares
// what it didn't change: keys that the page does not know stay as they are.
import type { Field, Point, StormDocument, StormElement, StormRelation, StormView } from '../../api/types';
import { edgeName, kindOf, kinds, verdict, type EdgeKind, type Kind, type Verdict } from './kinds';

export interface Sticker {
  id: string;
  kind: Kind;
  element: StormElement;
  view: StormView;
}

export interface Arrow {
  id: string;
  from: string;
  to: string;
  kind: EdgeKind;
}

const prefix = 'org.uengine.modeling.model.';
const nameSpace = (id: string, e: StormElement): string => e.elementView?.id ?? e.id ?? id;

export function stickers(document: StormDocument): Sticker[] {
  const found: Sticker[] = [], lost: Sticker[] = [];
  for (const [id, element] of Object.entries(document.elements ?? {})) {
    const kind = kindOf(element);
    if (!element || !kind) continue;
    if (element.elementView) found.push({ id, kind, element, view: element.elementView });
    else lost.push({ id, kind, element, view: { x: 0, y: 0, width: kinds[kind].width, height: kinds[kind].height } });
  }
  if (lost.length === 0) return found;
  // What has no place yet stands in rows below the rest, until somebody moves it.
  const left = Math.min(0, ...found.map((s) => s.view.x - s.view.width / 2)), bottom = Math.max(0, ...found.map((s) => s.view.y + s.view.height / 2));
  let x = left, y = bottom + 80, row = 0;
  for (const s of lost) {
    s.view = { ...s.view, x: x + s.view.width / 2, y: y + s.view.height / 2 };
    row = Math.max(row, s.view.height);
    x += s.view.width + 30;
    if (x > left + 2400) { x = left; y += row + 30; row = 0; }
  }
  return [...found, ...lost];
}

export function arrows(document: StormDocument): Arrow[] {
  const all = stickers(document);
  const byId = new Map(all.flatMap((s) => [[s.id, s], [nameSpace(s.id, s.element), s]] as const));
  const found: Arrow[] = [];
  for (const [id, r] of Object.entries(document.relations ?? {})) {
    const from = byId.get(r?.from ?? ''), to = byId.get(r?.to ?? '');
    if (!from || !to) continue;
    const answer = verdict(from.kind, to.kind);
    found.push({ id, from: from.id, to: to.id, kind: answer.ok ? answer.kind : 'trigger' });
  }
  return found;
}

const overlaps = (a: StormView, b: StormView): boolean =>
  Math.abs(a.x - b.x) * 2 < a.width + b.width && Math.abs(a.y - b.y) * 2 < a.height + b.height;

/** The bounded context that a sticker lies in: the last one that it touches, as the original decides it. */
export function contextOf(all: Sticker[], view: StormView): Sticker | undefined {
  return all.filter((s) => s.kind === 'context' && s.view !== view && overlaps(s.view, view)).at(-1);
}

const aggregateOf = (all: Sticker[], view: StormView): Sticker | undefined =>
  all.filter((s) => s.kind === 'aggregate' && s.view !== view && overlaps(s.view, view)).at(-1);

export function change(document: StormDocument, id: string, edit: (e: StormElement) => StormElement): StormDocument {
  const element = document.elements[id];
  return element ? { ...document, elements: { ...document.elements, [id]: edit(element) } } : document;
}

export const rename = (document: StormDocument, id: string, name: string): StormDocument =>
  change(document, id, (e) => ({ ...e, oldName: e.name ?? '', name }));

/** Moves and resizes stickers, and writes down where they belong now. */
export function place(document: StormDocument, boxes: Record<string, Partial<StormView>>): StormDocument {
  let next = document;
  const homeless = Object.keys(boxes).some((id) => document.elements[id] && !document.elements[id].elementView) ? stickers(document) : [];
  for (const [id, box] of Object.entries(boxes)) {
    next = change(next, id, (e) => {
      const view = e.elementView ?? homeless.find((s) => s.id === id)?.view;
      return view ? { ...e, elementView: { ...(e.elementView ? {} : { _type: e._type, id, style: '{}' }), ...view, ...box } } : e;
    });
  }
  return Object.keys(boxes).reduce(belong, next);
}

/** Moves stickers; what lies in a context that moves goes along. Boxes are by their centres. */
export function move(document: StormDocument, boxes: Record<string, Point>): StormDocument {
  const all = stickers(document);
  const moved: Record<string, Point> = { ...boxes };
  for (const me of all) {
    const box = boxes[me.id];
    if (me.kind !== 'context' || !box) continue;
    for (const child of all) {
      if (child.kind !== 'context' && !moved[child.id] && contextOf(all, child.view)?.id === me.id) moved[child.id] = { x: child.view.x + box.x - me.view.x, y: child.view.y + box.y - me.view.y };
    }
  }
  const changed = Object.entries(moved).filter(([id, b]) => { const v = all.find((s) => s.id === id)?.view; return v && (v.x !== b.x || v.y !== b.y); });
  return changed.length > 0 ? place(document, Object.fromEntries(changed.map(([id, { x, y }]) => [id, { x, y }]))) : document;
}

/** Rewrites a sticker's references to its context and aggregate by where it lies. */
function belong(document: StormDocument, id: string): StormDocument {
  const all = stickers(document);
  const me = all.find((s) => s.id === id);
  if (!me || me.kind === 'context') return document;
  const context = contextOf(all, me.view);
  let next = document;
  if ('boundedContext' in me.element) {
    const ref = context ? { id: context.id } : {};
    if (JSON.stringify((me.element.boundedContext as { id?: string } | null)?.id) !== JSON.stringify(context?.id)) next = change(next, id, (e) => ({ ...e, boundedContext: ref }));
  }
  if ((me.kind === 'command' || me.kind === 'event' || me.kind === 'policy') && 'aggregate' in me.element) {
    const aggregate = aggregateOf(all, me.view);
    if ((me.element.aggregate as { id?: string } | null)?.id !== aggregate?.id) next = change(next, id, (e) => ({ ...e, aggregate: aggregate ? { id: aggregate.id } : {} }));
  }
  return me.kind === 'aggregate' ? listed(next, id, context?.id) : next;
}

/** A context must list its aggregates: one that is not in the list does not count for the original. */
function listed(document: StormDocument, aggregate: string, context: string | undefined): StormDocument {
  let next = document;
  for (const s of stickers(document)) {
    if (s.kind !== 'context') continue;
    const list = (Array.isArray(s.element.aggregates) ? s.element.aggregates : []) as { id?: string }[];
    const has = list.some((a) => a?.id === aggregate);
    if (s.id === context && !has) next = change(next, s.id, (e) => ({ ...e, aggregates: [...list, { id: aggregate }] }));
    if (s.id !== context && has) next = change(next, s.id, (e) => ({ ...e, aggregates: list.filter((a) => a?.id !== aggregate) }));
  }
  return next;
}

/** Deleted things stay as null, as the original leaves them; arrows at a deleted sticker go with it. */
export function remove(document: StormDocument, ids: string[]): StormDocument {
  const gone = new Set(ids);
  const elements = { ...document.elements };
  const relations = { ...document.relations };
  for (const a of arrows(document)) if (gone.has(a.from) || gone.has(a.to)) relations[a.id] = null;
  for (const id of ids) {
    if (id in elements) elements[id] = null;
    if (id in relations) relations[id] = null;
  }
  let next: StormDocument = { ...document, elements, relations };
  for (const id of ids) if (kindOf(document.elements[id]) === 'aggregate') next = listed(next, id, undefined);
  return next;
}

/** Says what an arrow between two stickers would mean, or why there can be none. */
export function judge(document: StormDocument, from: string, to: string): Verdict {
  if (from === to) return { ok: false, reason: 'refuse.self' };
  if (arrows(document).some((a) => a.from === from && a.to === to)) return { ok: false, reason: 'refuse.twice' };
  const a = kindOf(document.elements[from]), b = kindOf(document.elements[to]);
  return a && b ? verdict(a, b) : { ok: false, reason: 'refuse.context' };
}

export function connect(document: StormDocument, from: string, to: string, id: string): StormDocument {
  const answer = judge(document, from, to);
  const a = document.elements[from], b = document.elements[to];
  if (!answer.ok || !a?.elementView || !b?.elementView) return document;
  const ends = { from: nameSpace(from, a), to: nameSpace(to, b) };
  const style = '{"arrow-start":"none","arrow-end":"none"}';
  const relation: StormRelation = {
    _type: `${prefix}Relation`, name: edgeName[answer.kind], displayName: '', id,
    sourceElement: structuredClone(a), targetElement: structuredClone(b), ...ends,
    relationView: { id, style, value: JSON.stringify([[a.elementView.x, a.elementView.y], [b.elementView.x, b.elementView.y]]), ...ends, needReconnect: true },
    hexagonalView: { _type: `${prefix}RelationHexagonal`, id, style, value: null, ...ends, needReconnect: true },
    sourceMultiplicity: 1, targetMultiplicity: 1,
  };
  return { ...document, relations: { ...document.relations, [id]: relation } };
}

const own: Record<Kind, Record<string, unknown>> = {
  context: { aggregates: [], policies: [], members: [], views: [], gitURL: null, portGenerated: 0, tempId: '', templatePerElements: {}, preferredPlatform: 'spring-boot', preferredPlatformConf: {} },
  aggregate: { boundedContext: {}, aggregateRoot: { _type: `${prefix}AggregateRoot`, fieldDescriptors: [], entities: { elements: {}, relations: {} }, operations: [] }, commands: [], events: [], mirrorElement: null, visibility: 'public' },
  command: { aggregate: {}, boundedContext: {}, isRestRepository: true, restRepositoryInfo: { method: 'POST' }, controllerInfo: { apiPath: '', method: 'PUT', fullApiPath: '' }, fieldDescriptors: [], relationEventInfo: [], relationCommandInfo: [], trigger: '@PostPersist', mirrorElement: null, visibility: 'public' },
  event: { aggregate: {}, boundedContext: {}, fieldDescriptors: [], alertURL: '', checkAlert: true, relationPolicyInfo: [], relationCommandInfo: [], trigger: '@PostPersist', mirrorElement: null, visibility: 'public' },
  policy: { aggregate: {}, boundedContext: {}, fieldDescriptors: [], isSaga: false, relationEventInfo: [], relationCommandInfo: [], mirrorElement: null, visibility: 'public' },
  view: { aggregate: {}, boundedContext: {}, fieldDescriptors: [], queryParameters: [], queryOption: { apiPath: '', useDefaultUri: true, multipleResult: false }, controllerInfo: { url: '' }, dataProjection: 'cqrs', createRules: [], updateRules: [], deleteRules: [], mirrorElement: null, visibility: 'public' },
  actor: { boundedContext: {}, innerAggregate: { command: [], event: [], external: [], policy: [], view: [] } },
  external: { aggregate: {}, boundedContext: {}, controllerInfo: { method: 'GET' }, fieldDescriptors: [] },
  ui: { aggregate: {}, boundedContext: {} },
  issue: { aggregate: {}, boundedContext: {} }, text: {}, line: {}, package: {},
};

export function add(document: StormDocument, kind: Kind, id: string, name: string, at: Point): StormDocument {
  const { type, width, height } = kinds[kind];
  const element: StormElement = {
    _type: prefix + type, id, name, oldName: '', displayName: '', description: null, author: null,
    ...structuredClone(own[kind]),
    elementView: { _type: prefix + type, id, x: Math.round(at.x), y: Math.round(at.y), width, height, style: '{}' },
    hexagonalView: { _type: `${prefix}${type}Hexagonal`, id, x: 300, y: 300, width: 350, height: 350, style: '{}' },
    rotateStatus: false, selected: false,
  };
  return belong({ ...document, elements: { ...document.elements, [id]: element } }, id);
}

/** A new sticker's name: its kind, with a number where the name is taken. */
export function freeName(document: StormDocument, kind: Kind): string {
  const taken = new Set(stickers(document).map((s) => s.element.name));
  const base = kind === 'context' ? 'context' : kinds[kind].type;
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}${n}`;
    if (!taken.has(name)) return name;
  }
}

interface Root { fieldDescriptors?: Field[]; [key: string]: unknown }

export function fieldsOf(element: StormElement): Field[] {
  const root = element.aggregateRoot as Root | undefined;
  const list = root ? root.fieldDescriptors : (element.fieldDescriptors as Field[] | undefined);
  return Array.isArray(list) ? list.filter(Boolean) : [];
}

export function setFields(element: StormElement, fields: Field[]): StormElement {
  const root = element.aggregateRoot as Root | undefined;
  return root ? { ...element, aggregateRoot: { ...root, fieldDescriptors: fields } } : { ...element, fieldDescriptors: fields };
}

export const newField = (name: string): Field => ({
  _type: 'org.uengine.model.FieldDescriptor', name, className: 'String', nameCamelCase: name,
  namePascalCase: name.charAt(0).toUpperCase() + name.slice(1), isKey: false,
});
