import { type Document, isMap, isScalar, parseDocument } from 'yaml';

/** Names one object of a file. Objects that write no namespace are found by any. */
export interface ObjectId {
  kind: string;
  name: string;
  namespace?: string;
}

/** One document's place in a file: from after its separator to before the next one. */
export interface Span {
  start: number;
  end: number;
  /** 1-based line of its first character. */
  line: number;
}

const separator = /^---(?=\s|$).*(?:\r?\n|$)/gm;

/** The documents of a file, by their separators alone. */
export function spans(text: string): Span[] {
  const found: Span[] = [];
  let start = 0, line = 1;
  const push = (end: number) => {
    if (text.slice(start, end).trim() !== '') found.push({ start, end, line });
  };
  for (const m of text.matchAll(separator)) {
    push(m.index);
    for (let i = start; (i = text.indexOf('\n', i)) >= 0 && i < m.index + m[0].length; i++) line++;
    start = m.index + m[0].length;
  }
  push(text.length);
  return found;
}

/** What Kubernetes reads is YAML 1.1, in which a bare yes, on, 0777 or 1:30 is no string: such strings are quoted. */
export const compat = 'yaml-1.1';

/** Reads one document with the places of its parts. */
export const parse = (text: string): Document.Parsed => parseDocument(text, { keepSourceTokens: true, prettyErrors: false, uniqueKeys: false, compat });

const textOf = (node: unknown): string | undefined => (isScalar(node) && node.value !== null && node.value !== undefined ? String(node.value) : undefined);

function names(doc: Document.Parsed, id: ObjectId): 'exactly' | 'perhaps' | null {
  if (!isMap(doc.contents) || textOf(doc.get('kind', true)) !== id.kind || textOf(doc.getIn(['metadata', 'name'], true)) !== id.name) return null;
  const namespace = textOf(doc.getIn(['metadata', 'namespace'], true));
  if (namespace === (id.namespace || undefined)) return 'exactly';
  return namespace === undefined || !id.namespace ? 'perhaps' : null;
}

/** Finds an object's document; null where the file has none. Only documents that hold its name are read. */
export function locate(text: string, id: ObjectId): (Span & { doc: Document.Parsed }) | null {
  let other: (Span & { doc: Document.Parsed }) | null = null;
  for (const span of spans(text)) {
    const part = text.slice(span.start, span.end);
    if (!part.includes(id.name) || !part.includes(id.kind)) continue;
    const doc = parse(part);
    const match = names(doc, id);
    if (match === 'exactly') return { ...span, doc };
    if (match === 'perhaps') other ??= { ...span, doc };
  }
  return other;
}

/** The object as data; undefined where the file has none, or none that can be read. */
export function read(text: string, id: ObjectId): unknown {
  const found = locate(text, id);
  return found && found.doc.errors.length === 0 ? found.doc.toJS({ maxAliasCount: 100 }) : undefined;
}

/** The text of an object's document, without its separator. */
export function documentText(text: string, id: ObjectId): string | undefined {
  const found = locate(text, id);
  return found ? text.slice(found.start, found.end) : undefined;
}

const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

/** Puts another text in an object's place. */
export function replaceDocument(text: string, id: ObjectId, next: string): string {
  const found = locate(text, id);
  if (!found) return text;
  return text.slice(0, found.start) + (found.end < text.length ? ended(next) : next) + text.slice(found.end);
}

/** Appends a document. */
export function addDocument(text: string, next: string): string {
  return text.trim() === '' ? `${text === '' ? '' : ended(text)}${ended(next)}` : `${ended(text)}---\n${ended(next)}`;
}

/** Takes an object out, with its separator. */
export function removeDocument(text: string, id: ObjectId): string {
  const found = locate(text, id);
  if (!found) return text;
  const before = text.slice(0, found.start), after = text.slice(found.end);
  // Its own separator goes; of the first one that has none, the next one's.
  const own = /(?:^|\n)(---(?:[ \t][^\n]*)?\r?\n)$/.exec(before);
  if (own) return before.slice(0, -own[1]!.length) + after;
  return before + after.replace(/^---[^\n]*(\r?\n|$)/, '');
}
