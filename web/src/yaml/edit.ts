import { type Document, type Node, type Pair, type YAMLMap, type YAMLSeq, Document as NewDocument, isAlias, isCollection, isMap, isNode, isScalar, isSeq, stringify } from 'yaml';
import { type ObjectId, compat, locate, parse } from './documents';
import { type Path, at, same, withValue } from './plain';

export type { Path } from './plain';

/** Keys in the order in which people expect them; a new one goes before the first that comes later. */
export type Order = readonly string[];

interface Edit {
  at: number;
  until: number;
  text: string;
}

const lineStart = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1;
const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
};
const columnOf = (text: string, at: number): number => at - lineStart(text, at);

/** Where a node's last character is followed by the rest of its line. */
function endOf(node: unknown): number {
  if (isCollection(node) && !node.flow && node.items.length > 0) {
    const last = node.items.at(-1) as unknown;
    if (isNode(last)) return endOf(last);
    const pair = last as Pair<Node, Node | null>;
    return pair.value?.range && pair.value.range[1] > (pair.key.range?.[1] ?? 0) ? endOf(pair.value) : pair.key.range![1];
  }
  return (node as Node).range![1];
}

/** The whole lines of something that begins at `at`, with the comments right above it, up to the end of `node`. */
function lines(text: string, at: number, node: unknown): Edit {
  let start = lineStart(text, at);
  const column = at - start;
  for (let above = lineStart(text, start - 1); start > 0; above = lineStart(text, start - 1)) {
    const line = text.slice(above, start);
    if (!/^\s*#/.test(line) || line.search(/#/) !== column) break;
    start = above;
  }
  const end = endOf(node);
  return { at: start, until: end > 0 && text[end - 1] === '\n' ? end : lineEnd(text, end), text: '' };
}

/** A document in the making: its text, read, and how it is written. */
class Draft {
  readonly doc: Document.Parsed;
  readonly indentSeq: boolean;

  constructor(readonly text: string) {
    this.doc = parse(text);
    this.indentSeq = /^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\r?\n\1 +- /m.test(text);
  }

  node(path: Path): unknown {
    return path.length === 0 ? this.doc.contents : this.doc.getIn(path, true);
  }

  /** Lines for a value at a column; without the first line's indent. */
  block(value: unknown, column: number): string {
    const out = stringify(value, { lineWidth: 0, indentSeq: this.indentSeq, nullStr: 'null', aliasDuplicateObjects: false, compat });
    return out.replace(/\n(?=.)/g, `\n${' '.repeat(column)}`);
  }

  pair(map: YAMLMap, key: string | number): Pair<Node, Node | null> | undefined {
    return map.items.find((i) => String(isScalar(i.key) ? i.key.value : i.key) === String(key)) as Pair<Node, Node | null> | undefined;
  }

  dash(seq: YAMLSeq, index: number): number {
    const token = seq.srcToken as { items: { start: { type: string; offset: number }[] }[] } | undefined;
    return token!.items[index]!.start.find((t) => t.type === 'seq-item-ind')!.offset;
  }

  /** The outermost flow collection above or at the path, and its path. */
  flow(path: Path): Path | null {
    for (let n = 0; n <= path.length; n++) {
      const node = this.node(path.slice(0, n));
      if (isCollection(node) && node.flow) return path.slice(0, n);
    }
    return null;
  }

  /** What changes the text so that the path has the value; null where only making the document anew helps. */
  edit(path: Path, value: unknown, order: Order): Edit | null {
    const flow = this.flow(path);
    if (flow && (flow.length < path.length || value !== undefined)) return this.editFlow(flow, path, value);
    const parent = this.node(path.slice(0, -1));
    const key = path.at(-1)!;
    if (isMap(parent)) return this.editMap(parent, String(key), value, order);
    if (isSeq(parent)) return this.editSeq(parent, Number(key), value);
    return null;
  }

  private editFlow(flow: Path, path: Path, value: unknown): Edit | null {
    const node = this.node(flow) as Node & { items: unknown[] };
    const next = withValue(node.toJSON(), path.slice(flow.length), value);
    if (node.items.length === 0 && flow.length > 0) return this.toBlock(flow, next);
    const out = new NewDocument(next, { compat });
    if (isCollection(out.contents)) out.contents.flow = true;
    const text = out.toString({ lineWidth: 0, flowCollectionPadding: /^[{[]\s/.test(this.text.slice(node.range![0])) }).trim();
    return text.includes('\n') ? null : { at: node.range![0], until: node.range![1], text };
  }

  /** Replaces an empty flow collection, or nothing at all, by a block. */
  private toBlock(path: Path, value: unknown): Edit | null {
    const parent = this.node(path.slice(0, -1));
    if (!isMap(parent) || parent.flow) return null;
    const pair = this.pair(parent, path.at(-1)!);
    return pair ? this.replacePair(pair, String(path.at(-1)), value) : null;
  }

  private replacePair(pair: Pair<Node, Node | null>, key: string, value: unknown): Edit {
    const at = pair.key.range![0];
    const end = pair.value?.range ? endOf(pair.value) : pair.key.range![1];
    const block = this.block({ [key]: value }, columnOf(this.text, at));
    const whole = end > 0 && this.text[end - 1] === '\n' && end > pair.key.range![1] + 2;
    return { at, until: whole ? end : Math.max(end, this.text.indexOf(':', pair.key.range![1]) + 1), text: whole ? block : block.trimEnd() };
  }

  private editMap(map: YAMLMap, key: string, value: unknown, order: Order): Edit | null {
    const pair = this.pair(map, key);
    if (value === undefined) return pair ? this.removePair(map, pair) : { at: 0, until: 0, text: '' };
    if (!pair) return this.insertPair(map, key, value, order);
    const old = pair.value;
    if (isScalar(old) && old.range && old.range[1] > old.range[0] && (typeof value !== 'object' || value === null) && !String(old.type).startsWith('BLOCK')) {
      return { at: old.range[0], until: old.range[1], text: this.scalar(value, columnOf(this.text, pair.key.range![0]), old.type) };
    }
    return isAlias(old) ? null : this.replacePair(pair, key, value);
  }

  private scalar(value: unknown, column: number, type?: string | null): string {
    const doc = new NewDocument(value, { compat });
    if (isScalar(doc.contents) && typeof value === 'string' && (type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE')) doc.contents.type = type;
    return doc.toString({ lineWidth: 0, nullStr: 'null' }).trimEnd().replace(/\n(?=.)/g, `\n${' '.repeat(column)}`);
  }

  private removePair(map: YAMLMap, pair: Pair<Node, Node | null>): Edit | null {
    if (map.items.length === 1) return null;
    const at = pair.key.range![0];
    const index = map.items.indexOf(pair);
    const shares = this.text.slice(lineStart(this.text, at), at).trim() !== '';
    if (!shares) return lines(this.text, at, pair.value?.range ? pair.value : pair.key);
    const next = map.items[index + 1]?.key as Node | undefined;
    return next ? { at, until: next.range![0], text: '' } : null;
  }

  private insertPair(map: YAMLMap, key: string, value: unknown, order: Order): Edit | null {
    if (map.items.length === 0) return null;
    const first = (map.items[0]!.key as Node).range![0];
    const column = columnOf(this.text, first);
    const block = this.block({ [key]: value }, column);
    const place = order.indexOf(key);
    const later = place < 0 ? undefined : map.items.find((i) => order.indexOf(String((i.key as { value?: unknown }).value)) > place);
    if (later) {
      const at = (later.key as Node).range![0];
      if (at === first) return { at, until: at, text: block + ' '.repeat(column) };
      const start = lines(this.text, at, later.key).at;
      return { at: start, until: start, text: ' '.repeat(column) + block };
    }
    return this.append(endOf(map), ' '.repeat(column) + block);
  }

  /** Puts whole lines after the line of a place. */
  private append(end: number, block: string): Edit {
    const at = end > 0 && this.text[end - 1] === '\n' ? end : lineEnd(this.text, end);
    const broken = at > 0 && this.text[at - 1] !== '\n';
    return { at, until: at, text: broken ? `\n${block.trimEnd()}` : block };
  }

  private editSeq(seq: YAMLSeq, index: number, value: unknown): Edit | null {
    const item = seq.items[index] as Node | undefined;
    if (value === undefined) return item ? this.removeItem(seq, index) : { at: 0, until: 0, text: '' };
    if (!item) return this.insertItem(seq, seq.items.length, value);
    if (isScalar(item) && item.range && (typeof value !== 'object' || value === null) && !String(item.type).startsWith('BLOCK')) {
      return { at: item.range[0], until: item.range[1], text: this.scalar(value, columnOf(this.text, item.range[0]), item.type) };
    }
    const dash = this.dash(seq, index);
    const end = endOf(item);
    const block = `- ${this.block(value, columnOf(this.text, dash) + 2)}`;
    return { at: dash, until: end, text: this.text[end - 1] === '\n' ? block : block.trimEnd() };
  }

  insertItem(seq: YAMLSeq, index: number, value: unknown): Edit | null {
    if (seq.items.length === 0) return null;
    const column = columnOf(this.text, this.dash(seq, 0));
    const block = `${' '.repeat(column)}- ${this.block(value, column + 2)}`;
    if (index >= seq.items.length) return this.append(endOf(seq), block);
    const dash = this.dash(seq, index);
    if (this.text.slice(lineStart(this.text, dash), dash).trim() !== '') return null;
    const at = lines(this.text, dash, seq.items[index]).at;
    return { at, until: at, text: block };
  }

  item(seq: YAMLSeq, index: number): Edit | null {
    const dash = this.dash(seq, index);
    if (this.text.slice(lineStart(this.text, dash), dash).trim() !== '') return null;
    return lines(this.text, dash, seq.items[index]);
  }

  private removeItem(seq: YAMLSeq, index: number): Edit | null {
    return seq.items.length === 1 ? null : this.item(seq, index);
  }
}

const apply = (text: string, e: Edit): string => text.slice(0, e.at) + e.text + text.slice(e.until);

/** Makes the document anew, where no edit of its text can be had: with its comments if that holds the data, as under an alias it cannot. */
function remade(draft: Draft, next: unknown, path: Path, value: unknown): string {
  const { doc, indentSeq } = draft;
  try {
    if (path.length === 0) doc.contents = doc.createNode(value) as never;
    else if (value === undefined) doc.deleteIn(path);
    else doc.setIn(path, doc.createNode(value));
    const out = doc.toString({ lineWidth: 0, indentSeq });
    if (same(parse(out).toJS({ maxAliasCount: 100 }), next)) return out;
  } catch {
    // an alias without its anchor
  }
  return new NewDocument(next, { aliasDuplicateObjects: false, compat }).toString({ lineWidth: 0, indentSeq });
}

const holds = (text: string, data: unknown): boolean => {
  const doc = parse(text);
  return doc.errors.length === 0 && same(doc.toJS({ maxAliasCount: 100 }), data);
};

/** One step: the text with the value at the path. What it gives holds exactly that, whatever the text looked like. */
function step(text: string, path: Path, value: unknown, order: Order): string {
  const draft = new Draft(text);
  const before = draft.doc.toJS({ maxAliasCount: 100 }) as unknown;
  const next = withValue(before, path, value);
  if (same(before, next)) return text;
  const e = path.length === 0 ? null : draft.edit(path, value, order);
  if (e) {
    const out = apply(text, e);
    if (holds(out, next)) return out;
  }
  return remade(draft, next, path, value);
}

const plainMap = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Sets a value by the smallest steps, so that comments between its parts stay. */
function assign(text: string, path: Path, value: unknown, order: Order): string {
  const old = at(parse(text).toJS({ maxAliasCount: 100 }), path);
  if (plainMap(old) && plainMap(value) && Object.keys(old).length > 0 && Object.keys(value).length > 0) {
    let out = text;
    for (const [k, v] of Object.entries(value)) if (v !== undefined) out = assign(out, [...path, k], v, order);
    for (const k of Object.keys(old)) if (value[k] === undefined) out = step(out, [...path, k], undefined, order);
    return out;
  }
  if (Array.isArray(old) && Array.isArray(value) && old.length > 0 && value.length > 0) {
    let out = text;
    for (let i = 0; i < value.length; i++) out = assign(out, [...path, i], value[i], order);
    for (let i = old.length - 1; i >= value.length; i--) out = step(out, [...path, i], undefined, order);
    return out;
  }
  return step(text, path, value, order);
}

/** What to delete so that a field goes with the parents that this empties; the object's top level and list items stay. */
function emptied(data: unknown, path: Path): Path {
  let out = path;
  while (out.length > 2 && typeof out.at(-1) !== 'number') {
    const parent = out.slice(0, -1), value = at(data, parent);
    if (!plainMap(value) || Object.keys(value).length > 1 || typeof parent.at(-1) === 'number') break;
    out = parent;
  }
  return out;
}

function inDocument(text: string, id: ObjectId, change: (doc: string) => string): string {
  const found = locate(text, id);
  if (!found || found.doc.errors.length > 0) return text;
  const old = text.slice(found.start, found.end);
  const windows = old.includes('\r\n');
  let next = change(windows ? old.replaceAll('\r\n', '\n') : old);
  if (windows) next = next.replaceAll('\n', '\r\n');
  if (found.end < text.length && !next.endsWith('\n')) next += '\n';
  return text.slice(0, found.start) + next + text.slice(found.end);
}

/** Sets a field of an object; undefined deletes it, and the parents that this empties. Missing parents are made. */
export function setIn(text: string, id: ObjectId, path: Path, value: unknown, order: Order = []): string {
  return inDocument(text, id, (doc) => {
    const data = parse(doc).toJS({ maxAliasCount: 100 }) as unknown;
    if (value === undefined) return at(data, path) === undefined ? doc : step(doc, emptied(data, path), undefined, order);
    // The first missing parent is made with all that is below it.
    let n = 1;
    while (n < path.length && at(data, path.slice(0, n)) !== undefined && at(data, path.slice(0, n)) !== null) n++;
    const rest = path.slice(n).reduceRight<unknown>((v, k) => (typeof k === 'number' ? [v] : { [k]: v }), value);
    return assign(doc, path.slice(0, n), rest, order);
  });
}

/** Puts an item into a list; a missing list is made. */
export function insertAt(text: string, id: ObjectId, path: Path, index: number, value: unknown): string {
  const found = locate(text, id);
  const old = found && at(found.doc.toJS({ maxAliasCount: 100 }), path);
  if (!Array.isArray(old) || old.length === 0) return setIn(text, id, path, [value]);
  return inDocument(text, id, (doc) => {
    const draft = new Draft(doc);
    const seq = draft.node(path);
    const next = withValue(draft.doc.toJS({ maxAliasCount: 100 }), path, old.toSpliced(index, 0, value));
    const e = isSeq(seq) && !seq.flow ? draft.insertItem(seq, index, value) : null;
    if (e) {
      const out = apply(doc, e);
      if (holds(out, next)) return out;
    }
    return step(doc, path, old.toSpliced(index, 0, value), []);
  });
}

/** Takes an item out of a list; the last one takes the list with it. */
export function removeAt(text: string, id: ObjectId, path: Path, index: number): string {
  const found = locate(text, id);
  const old = found && at(found.doc.toJS({ maxAliasCount: 100 }), path);
  if (Array.isArray(old) && old.length === 1 && index === 0) return setIn(text, id, path, undefined);
  return inDocument(text, id, (doc) => step(doc, [...path, index], undefined, []));
}

/** Moves an item of a list, with its comments. */
export function moveItem(text: string, id: ObjectId, path: Path, from: number, to: number): string {
  return inDocument(text, id, (doc) => {
    const draft = new Draft(doc);
    const old = at(draft.doc.toJS({ maxAliasCount: 100 }), path);
    if (!Array.isArray(old) || from === to || old[from] === undefined || to < 0 || to >= old.length) return doc;
    const wished = old.toSpliced(from, 1).toSpliced(to, 0, old[from]);
    const next = withValue(draft.doc.toJS({ maxAliasCount: 100 }), path, wished);
    const seq = draft.node(path);
    const moved = isSeq(seq) && !seq.flow ? draft.item(seq, from) : null;
    const target = moved && draft.item(seq as YAMLSeq, to);
    if (moved && target) {
      let block = doc.slice(moved.at, moved.until);
      const last = !doc.endsWith('\n') && (moved.until === doc.length || target.until === doc.length);
      if (!block.endsWith('\n')) block += '\n';
      const whole = last ? `${doc}\n` : doc;
      const until = moved.until === doc.length ? whole.length : moved.until;
      const place = to > from ? (target.until === doc.length ? whole.length : target.until) : target.at;
      let out = to > from
        ? whole.slice(0, moved.at) + whole.slice(until, place) + block + whole.slice(place)
        : whole.slice(0, place) + block + whole.slice(place, moved.at) + whole.slice(until);
      if (last) out = out.replace(/\n$/, '');
      if (holds(out, next)) return out;
    }
    return step(doc, path, wished, []);
  });
}
