import type {
  About, Changed, Example, FileInfo, FileText, Findings, GenerateResult, Graph, Layout, Model, NewWorkspace,
  RouteAnswer, RouteQuestion, StormDocument, ToppingGroup, Workspace,
} from './types';
import type { Schema } from '../schema/model';

const base = '/api/v1';

/** What the server answered instead of a result: an RFC 9457 problem. The message is the command line's own text. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
    readonly errors: { message: string; location?: string }[] = [],
    readonly body: Record<string, unknown> = {},
  ) {
    super(detail || title);
    this.name = 'ApiError';
  }

  /** Somebody else changed the thing first: the body carries it as `current`. */
  get conflict(): boolean {
    return this.status === 412;
  }
}

/** A value with the tag that a later save must name. */
export interface Tagged<T> {
  value: T;
  etag: string;
}

interface Call {
  body?: unknown;
  form?: FormData;
  ifMatch?: string;
  isNew?: boolean;
  signal?: AbortSignal;
}

export async function call<T>(method: string, path: string, { body, form, ifMatch, isNew, signal }: Call = {}): Promise<Tagged<T>> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-Meshstorm'] = '1';
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (ifMatch) headers['If-Match'] = ifMatch;
  if (isNew) headers['If-None-Match'] = '*';
  let answer: Response;
  try {
    answer = await fetch(base + path, {
      method, headers, signal, credentials: 'same-origin', cache: 'no-store',
      body: form ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(0, 'unreachable', '');
  }
  const text = await answer.text();
  let value: unknown;
  try {
    value = text === '' ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!answer.ok) {
    const problem = (value ?? {}) as { title?: string; detail?: string; errors?: { message: string; location?: string }[] };
    throw new ApiError(answer.status, problem.title ?? answer.statusText, problem.detail ?? '', problem.errors ?? [], problem as Record<string, unknown>);
  }
  return { value: value as T, etag: answer.headers.get('ETag') ?? '' };
}

export const id = (workspace: string) => `/workspaces/${encodeURIComponent(workspace)}`;
const tail = (path: string) => path.split('/').map(encodeURIComponent).join('/');
const tagged = async <T extends { revision: string }>(answer: Promise<Tagged<T>>): Promise<Tagged<T>> => {
  const { value, etag } = await answer;
  return { value, etag: etag || `"${value.revision}"` };
};
export const plain = async <T>(answer: Promise<Tagged<T>>): Promise<T> => (await answer).value;

export const api = {
  signIn: (code: string) => plain(call<void>('POST', '/session', { body: { code } })),
  about: () => plain(call<About>('GET', '/about')),
  examples: async () => (await plain(call<{ items: Example[] | null }>('GET', '/examples'))).items ?? [],
  workspaces: async () => (await plain(call<{ items: Workspace[] | null }>('GET', '/workspaces'))).items ?? [],
  create: (body: NewWorkspace) => plain(call<Workspace>('POST', '/workspaces', { body })),
  upload: (name: string, model: File) => {
    const form = new FormData();
    form.set('name', name);
    form.set('model', model);
    return plain(call<Workspace>('POST', '/workspaces/upload', { form }));
  },
  workspace: (w: string) => plain(call<Workspace>('GET', id(w))),
  fork: (w: string, name: string) => plain(call<Workspace>('POST', `${id(w)}/fork`, { body: { name } })),
  model: (w: string) => tagged(call<Model>('GET', `${id(w)}/model`)),
  saveModel: (w: string, document: StormDocument, ifMatch: string) =>
    tagged(call<Model>('PUT', `${id(w)}/model`, { body: { document }, ifMatch })),
  files: async (w: string) => (await plain(call<{ items: FileInfo[] | null }>('GET', `${id(w)}/files`))).items ?? [],
  file: (w: string, path: string) => tagged(call<FileText>('GET', `${id(w)}/files/${tail(path)}`)),
  saveFile: (w: string, path: string, text: string, ifMatch: string) =>
    tagged(call<FileText>('PUT', `${id(w)}/files/${tail(path)}`, { body: { text }, ifMatch })),
  createFile: (w: string, path: string, text: string) =>
    tagged(call<FileText>('PUT', `${id(w)}/files/${tail(path)}`, { body: { text }, isNew: true })),
  generate: (w: string, body: { dryRun?: boolean; toppings?: string[] }) =>
    plain(call<GenerateResult>('POST', `${id(w)}/generate`, { body })),
  toppings: async (w: string) => (await plain(call<{ groups: ToppingGroup[] | null }>('GET', `${id(w)}/toppings`))).groups ?? [],
  findings: (w: string) => plain(call<Findings>('GET', `${id(w)}/findings`)),
  graph: (w: string) => tagged(call<Graph>('GET', `${id(w)}/graph`)),
  saveWeights: (w: string, body: { virtualService: string; rule: number | string; weights: Record<string, number> }, ifMatch: string) =>
    tagged(call<Graph>('PUT', `${id(w)}/weights`, { body, ifMatch })),
  layout: (w: string) => call<Layout>('GET', `${id(w)}/layout`),
  saveLayout: (w: string, layout: Layout, ifMatch: string) => call<Layout>('PUT', `${id(w)}/layout`, { body: { objects: layout.objects }, ifMatch: ifMatch || undefined }),
  route: (w: string, body: RouteQuestion, signal?: AbortSignal) => plain(call<RouteAnswer>('POST', `${id(w)}/route`, { body, signal })),
  keepTest: (w: string, body: { question: RouteQuestion; path: string; name?: string }) => plain(call<FileText>('POST', `${id(w)}/tests`, { body })),
  schema: (apiVersion: string, kind: string) => plain(call<Schema>('GET', `/schemas/${encodeURIComponent(kind)}?apiVersion=${encodeURIComponent(apiVersion)}`)),
  picture: (w: string, format: 'svg' | 'png', theme: string) => `${base}${id(w)}/picture?format=${format}&theme=${theme}`,
  archive: (w: string) => `${base}${id(w)}/archive.zip`,
};

/** Listens to a stream of the server until the returned function is called. Browsers have six connections for all tabs
 * of a server, so a page that is not looked at lets go of its streams; `again` is called when it takes them up. */
export function listen(path: string, handlers: Record<string, (data: never) => void>, connected?: (yes: boolean) => void, again?: () => void): () => void {
  let source: EventSource | null = null;
  const open = () => {
    if (source) return;
    source = new EventSource(base + path);
    source.onopen = () => connected?.(true);
    source.onerror = () => connected?.(false);
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handler(JSON.parse((event as MessageEvent<string>).data) as never));
    }
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const look = () => {
    if (document.hidden) close();
    else if (!source) {
      open();
      again?.();
    }
  };
  const back = (event: PageTransitionEvent) => { if (event.persisted) look(); };
  document.addEventListener('visibilitychange', look);
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', back);
  if (!document.hidden) open();
  return () => {
    document.removeEventListener('visibilitychange', look);
    window.removeEventListener('pagehide', close);
    window.removeEventListener('pageshow', back);
    close();
  };
}

/** Tells of changes that others made to the files, until the returned function is called. */
export function watch(workspace: string, changed: (change: Changed) => void, connected: (yes: boolean) => void): () => void {
  return listen(`${id(workspace)}/events`, { changed }, connected, () => changed({ revision: '', paths: [] }));
}
