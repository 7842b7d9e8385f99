import { type Document, type Node, isAlias, isMap, isScalar, isSeq } from 'yaml';
import { parse, spans } from '../yaml/documents';
import { type Path } from '../yaml/plain';
import { type Schema, fault, kindOf } from './model';
import { nearest } from './nearest';

type Why = 'unknown' | 'text' | 'yesno' | 'list' | 'map' | NonNullable<ReturnType<typeof fault>>['key'];

/** Something that does not fit its schema, in a text. */
export interface Misfit {
  from: number;
  to: number;
  /** 1-based. */
  line: number;
  /** The field's own name; of an item, its list's. */
  name: string;
  why: Why;
  /** What would fit: the bound, the values, or of an unknown field the name that was most likely meant. */
  value?: string;
}

/** Fields of objects that nobody writes but clusters, which schemas leave out. */
const written: Record<string, string[]> = {
  '': ['status'],
  metadata: ['generateName', 'ownerReferences', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'managedFields', 'selfLink'],
};

type Found = Omit<Misfit, 'line'>;
type Report = (why: Why, value?: string) => void;

/** The kinds of a text's objects, each once. */
export function kindsIn(text: string): { apiVersion: string; kind: string }[] {
  const found = new Map<string, { apiVersion: string; kind: string }>();
  for (const { start, end } of spans(text)) {
    const part = text.slice(start, end);
    const [apiVersion, kind] = ['apiVersion', 'kind'].map((key) => new RegExp(`^${key}:[ \\t]*["']?([^\\s"'#]+)`, 'm').exec(part)?.[1]);
    if (apiVersion && kind) found.set(`${apiVersion} ${kind}`, { apiVersion, kind });
  }
  return [...found.values()];
}

/** What does not fit in a text, by the schemas that are known: fields that are none, types and values. Missing fields are left to the server, since they may be about to be written. */
export function misfits(text: string, schemaOf: (apiVersion: string, kind: string) => Schema | undefined): Misfit[] {
  return spans(text).flatMap((span) => {
    const part = text.slice(span.start, span.end);
    return inDocument(part, schemaOf).map((m) => ({
      ...m, from: span.start + m.from, to: span.start + m.to, line: span.line + (part.slice(0, m.from).match(/\n/g)?.length ?? 0),
    }));
  });
}

/** What was found in documents, so that only the one that is written in is read again. */
const before = new WeakMap<Schema, Map<string, Found[]>>();
const most = 500; // documents of a kind that are kept

function inDocument(part: string, schemaOf: (apiVersion: string, kind: string) => Schema | undefined): Found[] {
  const [of] = kindsIn(part);
  const schema = of && schemaOf(of.apiVersion, of.kind);
  if (!schema) return [];
  const known = before.get(schema) ?? new Map<string, Found[]>();
  const found = known.get(part) ?? read(part, schema);
  if (known.size >= most) known.clear();
  before.set(schema, known.set(part, found));
  return found;
}

function read(part: string, schema: Schema): Found[] {
  const doc = parse(part);
  const found: Found[] = [];
  if (doc.errors.length === 0) visit(doc, doc.contents, schema, [], [0, 0], found); // half a text is no object yet
  return found;
}

const rangeOf = (node: Node): [number, number] => [node.range![0], node.range![1]];

function visit(doc: Document.Parsed, given: unknown, schema: Schema, path: Path, key: [number, number], found: Found[]): void {
  const node = isAlias(given) ? given.resolve(doc) : given;
  if (!node || (isScalar(node) && node.value === null)) return; // null is as good as nothing
  const name = String(path.findLast((p) => typeof p === 'string') ?? '');
  const [from, to] = isScalar(node) && node === given ? rangeOf(node) : key;
  const report: Report = (why, value) => found.push({ from, to, name, why, value });
  const kind = kindOf(schema);
  switch (kind) {
    case 'any': return;
    case 'object': case 'map':
      if (isMap(node)) fields(doc, node, schema, path, found);
      else report('map');
      return;
    case 'list':
      if (!isSeq(node)) return report('list');
      return node.items.forEach((item, i) => visit(doc, item, schema.items!, [...path, i], isAlias(item) || !(item as Node).range ? key : firstOf(item as Node), found));
    default:
      if (!isScalar(node)) report(kind === 'integer' || kind === 'number' || kind === 'yesno' ? kind : 'text');
      else leaf(schema, node.value, node.type === 'PLAIN' ? node.source ?? '' : undefined, report);
  }
}

/** A place to mark of what may go over many lines. */
const firstOf = (node: Node): [number, number] => {
  const [from, to] = rangeOf(node);
  const first = isMap(node) || isSeq(node) ? node.items[0] : undefined;
  const inner = first && typeof first === 'object' && 'key' in first ? (first.key as Node | null) : null;
  return inner?.range ? rangeOf(inner) : [from, Math.min(to, from + 1)];
};

function fields(doc: Document.Parsed, node: { items: { key: unknown; value: unknown }[] }, schema: Schema, path: Path, found: Found[]): void {
  const rest = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
  const open = schema.additionalProperties === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  for (const { key, value } of node.items) {
    if (!isScalar(key) || !key.range || key.value === '<<') continue;
    const name = String(key.value), [from, to] = rangeOf(key);
    const child = schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : rest;
    if (child) visit(doc, value, child, [...path, name], [from, to], found);
    else if (!open && !written[path.join('.')]?.includes(name)) found.push({ from, to, name, why: 'unknown', value: nearest(name, Object.keys(schema.properties ?? {})) || undefined });
  }
}

/** Texts that YAML 1.1, which Kubernetes reads, takes for something else, or may: a number with underscores, a base of 60. */
const yesno = /^(yes|no|on|off)$/i, unclear = /^([yn]|[-+]?[\d.][\d_.:]*)$/i;

function leaf(schema: Schema, read: unknown, plain: string | undefined, report: Report): void {
  if (plain !== undefined && typeof read === 'string' && unclear.test(plain)) return;
  const value = plain !== undefined && yesno.test(plain) ? /^(yes|on)$/i.test(plain) : read;
  const kind = kindOf(schema);
  if (kind === 'text' || kind === 'choice') {
    if (kind === 'choice' && schema.enum!.includes(value)) return;
    if (typeof value !== 'string') return report('text');
    if (value === '') return; // nothing was chosen
  }
  if (kind === 'yesno' && typeof value !== 'boolean') return report('yesno');
  if (kind === 'intOrText' && typeof value !== 'string' && typeof value !== 'number') return report('text');
  const problem = fault(schema, value);
  if (problem) report(problem.key, problem.value);
}
