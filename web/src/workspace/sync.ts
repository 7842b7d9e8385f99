// Keeps the store and the server's files alike: what is edited is saved, what
// others change appears, and nobody's change is overwritten.
import { typing } from './typing';
import { ApiError, api, watch } from '../api/client';
import { parsePlace } from '../router';
import type { Graph, Layout, StormDocument } from '../api/types';
import { forgetHistory, get, nothing, parseRuleKey, receive, useStore, weightsOf, type Weights } from './store';

/** What the server is known to have, with the tag that the next save names. */
interface Synced {
  document: StormDocument | null;
  documentTag: string;
  layout: Layout;
  layoutTag: string;
  weights: Weights;
  graphTag: string;
  texts: Record<string, string>;
  textTags: Record<string, string>;
}

const quiet = 20; // ms without another edit before a save
let synced: Synced = empty();
let timer: ReturnType<typeof setTimeout> | undefined;
let running = false;
let generation = 0;
/** How many saves have begun, and the changes that were told of while one ran: nobody knows yet whether they are our own. */
let saves = 0;
let missed: string[] | null = null;
/** What could not be saved last: it is tried again when somebody asks, when it changes, or when the server is back. */
let refused: unknown[] | null = null;
const edits = (): unknown[] => { const s = get(); return [s.document, s.layout, s.weights, s.texts]; };
/** The revision that the stream of changes began with. */
let told: string | undefined;
/** What the server answered when the stream of changes broke; null while it is there. */
let lost: ApiError | null = null;

function empty(): Synced {
  return { document: null, documentTag: '', layout: { objects: {} }, layoutTag: '', weights: {}, graphTag: '', texts: {}, textTags: {} };
}

const asError = (err: unknown): ApiError => (err instanceof ApiError ? err : new ApiError(0, String(err), ''));

/** Opens a workspace; the returned function closes it. */
export function openWorkspace(id: string): () => void {
  const mine = ++generation;
  synced = empty();
  lost = null;
  refused = missed = null;
  told = undefined;
  receive({ id, ...nothing, layout: synced.layout, weights: synced.weights, texts: synced.texts });
  forgetHistory();
  void load(id, mine);
  const stopWatching = watch(id, ({ paths }) => void refresh(id, paths), (yes) => void connection(id, yes), (now) => {
    if (told === undefined) { told = now; keepUp(id); }
  });
  const stopSaving = useStore.subscribe(schedule);
  return () => {
    void flush();
    generation++;
    stopWatching();
    stopSaving();
  };
}

/** The stream of changes broke or is there again: says so, and in the end brings both sides up to date. */
async function connection(id: string, yes: boolean): Promise<void> {
  if (yes) {
    if (!lost) return;
    lost = null;
    await retry();
    return;
  }
  try {
    await api.workspace(id);
  } catch (err) {
    const now = asError(err);
    if (get().id !== id || !get().workspace || now.status === lost?.status) return;
    lost = now;
    receive({ failure: now, save: now.status === 0 ? 'offline' : 'failed' });
  }
}

/** Tries again what failed: saves what is not saved yet, and reads what others changed. */
export async function retry(): Promise<void> {
  const { id } = get();
  receive({ failure: null });
  if (pending()) await flush();
  if (id === '' || get().failure || get().conflict) return;
  await refresh(id, []);
  if (!get().failure && !pending()) receive({ save: 'saved' });
}

/** Reads again what changed after it was read and before the stream of changes began. */
function keepUp(id: string): void {
  const { workspace } = get();
  if (workspace && told && told !== workspace.revision) void refresh(id, []);
}

async function load(id: string, mine: number): Promise<void> {
  const graph = parsePlace(location.pathname, location.search).screen === 'deploy' ? api.graph(id) : undefined;
  graph?.catch(() => undefined); // what is wrong with the workspace is told by what follows
  try {
    const [workspace, model, layout, files] = await Promise.all([api.workspace(id), api.model(id), api.layout(id).catch(() => ({ value: { objects: {} } as Layout, etag: '' })), api.files(id)]);
    if (mine !== generation) return;
    synced = { ...synced, document: model.value.document, documentTag: model.etag, layout: { objects: layout.value.objects }, layoutTag: layout.etag };
    receive({ workspace, document: synced.document, canvas: model.value.canvas, layout: synced.layout, files });
    forgetHistory();
    await Promise.all([loadGraph(id, graph), loadFindings(id)]);
    forgetHistory();
    keepUp(id);
  } catch (err) {
    if (mine === generation) receive({ loadError: asError(err) });
  }
}

export async function loadGraph(id: string, begun = api.graph(id)): Promise<void> {
  try {
    const { value, etag } = await begun;
    if (get().id === id) takeGraph(value, etag);
  } catch (err) {
    receive({ failure: asError(err) });
  }
}

function takeGraph(graph: Graph, etag: string): void {
  synced.weights = weightsOf(graph);
  synced.graphTag = etag;
  receive({ graph, weights: synced.weights });
}

async function loadFindings(id: string): Promise<void> {
  try {
    const findings = await api.findings(id);
    if (get().id === id) receive({ findings });
  } catch {
    receive({ findings: null });
  }
}

/** Loads a file's text unless it is there already. */
export async function openFile(path: string): Promise<void> {
  const { id, texts, files } = get();
  if (texts[path] !== undefined || !files.some((f) => f.path === path)) return;
  try {
    const { value, etag } = await api.file(id, path);
    if (get().id !== id) return;
    takeText(path, value.text, etag, value.generated);
  } catch (err) {
    receive({ failure: asError(err) });
  }
}

/** Makes a file that is not there yet, and opens it. Undo does not take the file away, only what is written into it later. */
export async function createFile(path: string, text: string): Promise<void> {
  const { id, files } = get();
  if (files.some((f) => f.path === path)) return openFile(path);
  const { value, etag } = await api.createFile(id, path, text);
  if (get().id !== id) return;
  receive({ files: await api.files(id) });
  takeText(path, value.text, etag, value.generated);
}

function takeText(path: string, text: string, etag: string, generated?: string): void {
  synced.texts = { ...synced.texts, [path]: text };
  synced.textTags[path] = etag;
  receive({ texts: { ...get().texts, [path]: text }, generated: { ...get().generated, [path]: generated } });
}

/** Takes over what changed in the files, unless it is our own change coming back. */
export async function refresh(id: string, paths: string[]): Promise<void> {
  if (get().id !== id) return;
  if (running) {
    missed = missed && (missed.length === 0 || paths.length === 0) ? [] : [...(missed ?? []), ...paths];
    return;
  }
  const begun = saves;
  // What was read while a save ran may be that save's.
  const overtaken = () => saves !== begun;
  const before = { ...synced };
  let foreign = false;
  try {
    const all = paths.length === 0;
    if (all || paths.includes('storm.json')) {
      const { value, etag } = await api.model(id);
      if (overtaken()) return void refresh(id, paths);
      if (etag !== before.documentTag && get().document === before.document) {
        foreign = true;
        synced.document = value.document;
        synced.documentTag = etag;
        receive({ document: value.document, canvas: value.canvas });
      }
    }
    const files = await api.files(id);
    const gone = Object.keys(get().texts).filter((p) => !files.some((f) => f.path === p) && get().texts[p] === synced.texts[p]);
    if (gone.length > 0) {
      foreign = true;
      synced.texts = Object.fromEntries(Object.entries(synced.texts).filter(([p]) => !gone.includes(p)));
      receive({ files, texts: Object.fromEntries(Object.entries(get().texts).filter(([p]) => !gone.includes(p))) });
    }
    for (const path of Object.keys(get().texts).filter((p) => all || paths.includes(p))) {
      const { value, etag } = await api.file(id, path);
      if (overtaken()) return void refresh(id, paths);
      if (etag !== synced.textTags[path] && get().texts[path] === synced.texts[path] && !typing.has(path)) {
        foreign = true;
        takeText(path, value.text, etag, value.generated);
      }
    }
    if (get().id !== id) return;
    receive({ files, workspace: await api.workspace(id) });
    if (get().weights === synced.weights) await loadGraph(id);
    await loadFindings(id);
    if (foreign) forgetHistory();
  } catch (err) {
    receive({ failure: asError(err) });
  }
}

const pending = (): boolean => {
  const s = get();
  return s.document !== synced.document || s.layout !== synced.layout || s.weights !== synced.weights
    || Object.keys(s.texts).some((p) => s.texts[p] !== synced.texts[p]);
};

function schedule(): void {
  const { save, workspace } = get();
  if (!workspace || save === 'conflict' || running) return;
  if (!pending()) {
    clearTimeout(timer);
    if (save === 'dirty') receive({ save: 'saved' });
    return;
  }
  if (refused?.every((e, i) => e === edits()[i])) return;
  if (save !== 'dirty') receive({ save: 'dirty' });
  clearTimeout(timer);
  timer = setTimeout(() => void flush(), quiet);
}

/** Saves what is not saved yet. */
export async function flush(): Promise<void> {
  clearTimeout(timer);
  if (running || !pending()) return;
  const { id, workspace } = get();
  running = true;
  saves++;
  refused = null;
  receive({ save: 'saving', failure: null });
  try {
    await saveLayout(id, workspace?.readOnly ?? true);
    if (!workspace?.readOnly) {
      await saveDocument(id);
      await saveWeights(id);
      await saveTexts(id);
    }
    running = false;
    receive({ save: pending() && !workspace?.readOnly ? 'dirty' : 'saved' });
    if (pending() && !workspace?.readOnly) timer = setTimeout(() => void flush(), quiet);
    else void loadFindings(id);
    catchUp(id);
  } catch (err) {
    running = false;
    catchUp(id);
    refused = edits();
    if (!get().conflict) receive({ save: asError(err).status === 0 ? 'offline' : 'failed', failure: asError(err) });
  }
}

/** Looks at what others may have changed while a save ran. */
function catchUp(id: string): void {
  const paths = missed;
  missed = null;
  if (paths) void refresh(id, paths);
}

async function saveLayout(id: string, readOnly: boolean): Promise<void> {
  const { layout } = get();
  if (layout === synced.layout) return;
  if (!readOnly) synced.layoutTag = (await api.saveLayout(id, layout, synced.layoutTag)).etag;
  synced.layout = layout;
}

async function saveDocument(id: string): Promise<void> {
  const { document } = get();
  if (!document || document === synced.document) return;
  try {
    const { value, etag } = await api.saveModel(id, document, synced.documentTag);
    synced.document = document;
    synced.documentTag = etag;
    receive({ canvas: value.canvas });
  } catch (err) {
    if (!(err instanceof ApiError) || !err.conflict) throw err;
    await documentConflict(id, document);
    throw err;
  }
}

async function documentConflict(id: string, document: StormDocument): Promise<void> {
  const theirs = await api.model(id);
  receive({
    save: 'conflict',
    conflict: {
      what: 'storm.json',
      mine: JSON.stringify(document, null, 2),
      theirs: JSON.stringify(theirs.value.document, null, 2),
      resolve: (text) => {
        let merged: StormDocument;
        try {
          merged = JSON.parse(text) as StormDocument;
        } catch (err) {
          return err instanceof Error ? err.message : String(err);
        }
        synced.document = theirs.value.document;
        synced.documentTag = theirs.etag;
        receive({ conflict: null, save: 'dirty', document: merged });
        void flush();
        return undefined;
      },
      takeTheirs: () => {
        synced.document = theirs.value.document;
        synced.documentTag = theirs.etag;
        receive({ conflict: null, save: 'saved', document: synced.document, canvas: theirs.value.canvas });
        forgetHistory();
      },
    },
  });
}

async function saveWeights(id: string): Promise<void> {
  const wished = get().weights;
  if (wished === synced.weights) return;
  let last: { value: Graph; etag: string } | null = null;
  for (const [key, weights] of Object.entries(wished)) {
    if (JSON.stringify(weights) === JSON.stringify(synced.weights[key])) continue;
    const { virtualService, index } = parseRuleKey(key);
    try {
      last = await api.saveWeights(id, { virtualService, rule: index, weights }, synced.graphTag);
    } catch (err) {
      // The graph is the files': take it as it is now, and let the person try again on what they see. Without an
      // answer about the weights, or without a session, what was wished stays.
      if (err instanceof ApiError && [404, 412, 422].includes(err.status)) await loadGraph(id);
      throw err;
    }
    synced.graphTag = last.etag;
  }
  if (get().weights !== wished) {
    synced.weights = wished;
    return;
  }
  if (last) {
    const served = weightsOf(last.value);
    // The same numbers keep the same object, so that no step appears in the history.
    synced.weights = JSON.stringify(served) === JSON.stringify(wished) ? wished : served;
    receive({ graph: last.value, weights: synced.weights });
    for (const path of Object.keys(get().texts)) {
      const { value, etag } = await api.file(id, path);
      if (etag === synced.textTags[path]) continue;
      if (get().texts[path] === value.text) { // undo took the weights and the text back; saving the one brought both
        synced.texts = { ...synced.texts, [path]: value.text };
        synced.textTags[path] = etag;
      } else if (get().texts[path] === synced.texts[path] && !typing.has(path)) takeText(path, value.text, etag, value.generated);
    }
  } else {
    synced.weights = wished;
  }
}

async function saveTexts(id: string): Promise<void> {
  let saved = false;
  for (const [path, text] of Object.entries(get().texts)) {
    if (text === synced.texts[path]) continue;
    try {
      const { value, etag } = await api.saveFile(id, path, text, synced.textTags[path] ?? '');
      synced.texts = { ...synced.texts, [path]: text };
      synced.textTags[path] = etag;
      receive({ generated: { ...get().generated, [path]: value.generated ?? get().generated[path] } });
      saved = true;
    } catch (err) {
      if (!(err instanceof ApiError) || !err.conflict) throw err;
      await textConflict(id, path, text);
      throw err;
    }
  }
  if (saved) {
    await Promise.all([loadFindings(id), loadGraph(id), api.files(id).then((files) => receive({ files }))]);
  }
}

async function textConflict(id: string, path: string, text: string): Promise<void> {
  const theirs = await api.file(id, path);
  receive({
    save: 'conflict',
    conflict: {
      what: path,
      mine: text,
      theirs: theirs.value.text,
      resolve: (merged) => {
        synced.textTags[path] = theirs.etag;
        synced.texts = { ...synced.texts, [path]: theirs.value.text };
        receive({ conflict: null, save: merged === theirs.value.text ? 'saved' : 'dirty', texts: { ...get().texts, [path]: merged } });
        void flush();
        return undefined;
      },
      takeTheirs: () => {
        takeText(path, theirs.value.text, theirs.etag, theirs.value.generated);
        receive({ conflict: null, save: 'saved' });
        forgetHistory();
      },
    },
  });
}
