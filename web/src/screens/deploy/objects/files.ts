// What is done with whole objects: each is one step for undo, in however many
// files.
import { parseAllDocuments, stringify } from 'yaml';
import type { GraphEdge, GraphNode, Point } from '../../../api/types';
import { edit, get } from '../../../workspace/store';
import { idOf } from '../../../workspace/object';
import { createFile, flush, openFile } from '../../../workspace/sync';
import { addDocument, documentText, read, removeDocument } from '../../../yaml/documents';
import { removeAt, setIn } from '../../../yaml/edit';
import { at } from '../../../yaml/plain';
import { boxAt } from '../layout';
import { freeName, type Named } from './catalogue';
import type { Change } from './link';

/** Where objects go that were added by hand: generate leaves this file alone, and apply takes it like all others. */
export const ownFile = 'kubernetes/own.yaml';
const header = '# Objects added in meshstorm studio. `meshstorm generate` leaves this file alone.\n';
const sourceAnnotation = 'meshstorm.io/source';

/** Applies changes as one step, and saves it at once so that the graph follows. Tells whether anything changed. */
export async function apply(changes: Change[], places: Record<string, Point> = {}): Promise<boolean> {
  for (const file of new Set(changes.map((c) => c.file))) await openFile(file);
  const { texts, layout } = get();
  const next = { ...texts };
  for (const c of changes) if (next[c.file] !== undefined) next[c.file] = c.by(next[c.file]!);
  if (Object.keys(next).every((f) => next[f] === texts[f])) return false;
  const moved = Object.entries(places).map(([id, p]) => [id, boxAt(p)] as const);
  edit({ texts: next, ...(moved.length ? { layout: { ...layout, objects: { ...layout.objects, ...Object.fromEntries(moved) } } } : {}) });
  await flush();
  return true;
}

/** Adds documents to the file for objects that were added by hand. */
export async function addDocuments(documents: string[], places: Record<string, Point> = {}): Promise<void> {
  await createFile(ownFile, header);
  await apply([{ file: ownFile, by: (text) => documents.reduce(appended, text) }], places);
}

const appended = (text: string, document: string): string => {
  const bare = text.split('\n').every((l) => l.trim() === '' || l.startsWith('#'));
  return bare ? `${text === '' || text.endsWith('\n') ? text : `${text}\n`}${document}` : addDocument(text, document);
};

/** The objects that name this one, and would miss it. */
export function referrers(node: GraphNode, nodes: GraphNode[], edges: GraphEdge[]): GraphNode[] {
  const ids = new Set([node.id, ...nodes.filter((n) => n.parent === node.id).map((n) => n.id)]);
  const found = new Set<string>();
  for (const e of edges) {
    if (e.kind === 'calls') continue;
    const [user, used] = e.kind === 'binds' ? [e.to, e.from] : [e.from, e.to];
    if (ids.has(used) && !ids.has(user)) found.add(user);
  }
  return nodes.filter((n) => found.has(n.id));
}

/** What takes an object out of its file; of a subset, out of its DestinationRule. */
export function removal(node: GraphNode, nodes: GraphNode[]): Change | null {
  if (node.kind !== 'Subset') return node.file ? { file: node.file, by: (text) => removeDocument(text, idOf(node)) } : null;
  const rule = nodes.find((n) => n.id === node.parent);
  if (!rule?.file) return null;
  return {
    file: rule.file,
    by: (text) => {
      const index = (at(read(text, idOf(rule)), ['spec', 'subsets']) as { name?: string }[] | undefined)?.findIndex((s) => s.name === node.name) ?? -1;
      return index < 0 ? text : removeAt(text, idOf(rule), ['spec', 'subsets'], index);
    },
  };
}

/** Whether generate made the object, so that its file is compared with what the model says. */
export const isGenerated = (node: GraphNode): boolean => Boolean(node.source) && get().files.some((f) => f.path === node.file && f.generated);

/** The YAML of objects as they stand in their files. */
export async function textOf(nodes: GraphNode[]): Promise<string> {
  const documents: string[] = [];
  for (const n of nodes) {
    if (!n.file || n.kind === 'Subset') continue;
    await openFile(n.file);
    const text = documentText(get().texts[n.file] ?? '', idOf(n));
    if (text) documents.push(text.endsWith('\n') ? text : `${text}\n`);
  }
  return documents.join('---\n');
}

interface Meta { kind?: unknown; apiVersion?: unknown; metadata?: { name?: unknown; namespace?: unknown } }

/** The objects of a text, YAML or JSON, under names that are free; null where it holds none. */
export function copies(text: string, nodes: GraphNode[], namespace: string): { documents: string[]; ids: string[] } | null {
  const documents: string[] = [], ids: string[] = [];
  const taken: Named[] = [...nodes];
  let docs;
  try {
    docs = parseAllDocuments(text);
  } catch {
    return null;
  }
  if (!Array.isArray(docs)) return null;
  for (const doc of docs) {
    const data = doc.errors.length === 0 ? (doc.toJS({ maxAliasCount: 100 }) as Meta | null) : null;
    if (!data || typeof data.kind !== 'string' || typeof data.apiVersion !== 'string' || typeof data.metadata?.name !== 'string') continue;
    const where = typeof data.metadata.namespace === 'string' ? data.metadata.namespace : namespace;
    const name = freeName(data.kind, data.metadata.name, where, taken);
    const own = { kind: data.kind, name: data.metadata.name, namespace: typeof data.metadata.namespace === 'string' ? data.metadata.namespace : undefined };
    // Text that was JSON becomes YAML; YAML keeps its comments.
    const plain = doc.contents && 'flow' in doc.contents && doc.contents.flow ? stringify(data) : doc.toString({ lineWidth: 0 });
    const renamed = name === own.name ? plain : setIn(plain, own, ['metadata', 'name'], name);
    documents.push(setIn(renamed, { ...own, name }, ['metadata', 'annotations', sourceAnnotation], undefined));
    const id = `${data.kind}/${where}/${name}`;
    ids.push(id);
    taken.push({ id, kind: data.kind, name, namespace: where });
  }
  return documents.length > 0 ? { documents, ids } : null;
}
