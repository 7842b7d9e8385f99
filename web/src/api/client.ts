import createClient, { createFinalURL, createQuerySerializer, defaultPathSerializer, type Middleware } from 'openapi-fetch';
import type { Changed, FileText, Graph, Layout, Model, NewWorkspace, RouteQuestion, StormDocument } from './types';
import { fetchEarly } from './early';
import type { paths } from './schema';
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

const manners: Middleware = {
  onRequest({ request }) {
    if (request.method !== 'GET') request.headers.set('X-Meshstorm', '1');
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === 'AbortError') return;
    return new ApiError(0, 'unreachable', '');
  },
};

/** The API as its description has it: a path, a parameter or a body that it does not know is a compile error. */
export const client = createClient<paths>({ baseUrl: base, credentials: 'same-origin', cache: 'no-store', fetch: fetchEarly });
client.use(manners);

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** What a call gives, with its tag; a problem is thrown. */
export async function tag<T>(answer: Promise<Answer<T>>): Promise<Tagged<T>> {
  const { data, error, response } = await answer;
  if (!response.ok) {
    const problem = (typeof error === 'object' && error ? error : {}) as { title?: string; detail?: string; errors?: { message: string; location?: string }[] };
    throw new ApiError(response.status, problem.title ?? response.statusText, problem.detail ?? '', problem.errors ?? [], problem as Record<string, unknown>);
  }
  return { value: data as T, etag: response.headers.get('ETag') ?? '' };
}

export const plain = async <T>(answer: Promise<Answer<T>>): Promise<T> => (await tag(answer)).value;

const revised = async <T extends { revision: string }>(answer: Promise<Answer<T>>): Promise<Tagged<T>> => {
  const { value, etag } = await tag(answer);
  return { value, etag: etag || `"${value.revision}"` };
};

type Get<P extends keyof paths> = paths[P] extends { get: infer G } ? G : never;
type Params<P extends keyof paths> = Get<P> extends { parameters: { query?: infer Q; path?: infer N } } ? { query?: Q; path: N } : never;

/** The URL of what is no JSON: downloads and streams. */
export function address<P extends keyof paths>(path: P, params: Params<P>): string {
  return createFinalURL(path, { baseUrl: base, params: params as { query?: Record<string, unknown>; path?: Record<string, unknown> }, querySerializer: createQuerySerializer(), pathSerializer: defaultPathSerializer });
}

const at = (id: string) => ({ params: { path: { id } } });

export const api = {
  signIn: (code: string) => plain(client.POST('/session', { body: { code } })),
  about: () => plain(client.GET('/about')),
  examples: async () => (await plain(client.GET('/examples'))).items,
  workspaces: async () => (await plain(client.GET('/workspaces'))).items,
  create: (body: NewWorkspace) => plain(client.POST('/workspaces', { body })),
  upload: (name: string, model: File) => plain(client.POST('/workspaces/upload', {
    body: { name, model: model as unknown as string }, // a form's file; the description's word for it is string
    bodySerializer: () => {
      const form = new FormData();
      form.set('name', name);
      form.set('model', model);
      return form;
    },
  })),
  workspace: (w: string) => plain(client.GET('/workspaces/{id}', at(w))),
  fork: (w: string, name: string) => plain(client.POST('/workspaces/{id}/fork', { ...at(w), body: { name } })),
  model: (w: string) => revised(client.GET('/workspaces/{id}/model', at(w)) as Promise<Answer<Model>>),
  saveModel: (w: string, document: StormDocument, ifMatch: string) =>
    revised(client.PUT('/workspaces/{id}/model', { params: { path: { id: w }, header: { 'If-Match': ifMatch } }, body: { document } }) as Promise<Answer<Model>>),
  files: async (w: string) => (await plain(client.GET('/workspaces/{id}/files', at(w)))).items,
  file: (w: string, path: string) => revised(client.GET('/workspaces/{id}/files/{path}', { params: { path: { id: w, path } } })),
  saveFile: (w: string, path: string, text: string, ifMatch: string) =>
    revised<FileText>(client.PUT('/workspaces/{id}/files/{path}', { params: { path: { id: w, path }, header: { 'If-Match': ifMatch } }, body: { text } })),
  createFile: (w: string, path: string, text: string) =>
    revised<FileText>(client.PUT('/workspaces/{id}/files/{path}', { params: { path: { id: w, path }, header: { 'If-None-Match': '*' } }, body: { text } })),
  generate: (w: string, body: { dryRun?: boolean; toppings?: string[] }) => plain(client.POST('/workspaces/{id}/generate', { ...at(w), body })),
  toppings: async (w: string) => (await plain(client.GET('/workspaces/{id}/toppings', at(w)))).groups,
  findings: (w: string) => plain(client.GET('/workspaces/{id}/findings', at(w))),
  graph: (w: string) => revised<Graph>(client.GET('/workspaces/{id}/graph', at(w))),
  saveWeights: (w: string, body: { virtualService: string; rule: number | string; weights: Record<string, number> }, ifMatch: string) =>
    revised<Graph>(client.PUT('/workspaces/{id}/weights', { params: { path: { id: w }, header: { 'If-Match': ifMatch } }, body })),
  layout: (w: string) => tag<Layout>(client.GET('/workspaces/{id}/layout', at(w))),
  saveLayout: (w: string, layout: Pick<Layout, 'objects'>, ifMatch: string) =>
    tag<Layout>(client.PUT('/workspaces/{id}/layout', { params: { path: { id: w }, header: { 'If-Match': ifMatch || undefined } }, body: { objects: layout.objects } })),
  route: (w: string, body: RouteQuestion, signal?: AbortSignal) => plain(client.POST('/workspaces/{id}/route', { ...at(w), body, signal })),
  keepTest: (w: string, body: { question: RouteQuestion; path: string; name?: string }) => plain(client.POST('/workspaces/{id}/tests', { ...at(w), body })),
  schemas: async () => (await plain(client.GET('/schemas', { cache: 'no-cache' }))).items,
  schema: (apiVersion: string, kind: string) =>
    plain(client.GET('/schemas/{kind}', { params: { path: { kind }, query: { apiVersion } }, cache: 'no-cache' }) as Promise<Answer<Schema>>),
  picture: (w: string, query: { what: 'deployment' | 'model'; format: 'svg' | 'png'; theme: 'light' | 'dark'; lang: 'en' | 'ko' }) =>
    address('/workspaces/{id}/picture', { path: { id: w }, query }),
  archive: (w: string) => address('/workspaces/{id}/archive.zip', { path: { id: w } }),
};

type Stream<P extends keyof paths> = Get<P> extends { responses: { 200: { content: { 'text/event-stream': (infer E)[] } } } } ? E : never;
/** The paths that are streams of events. */
export type Streams = { [P in keyof paths]: [Stream<P>] extends [never] ? never : P }[keyof paths];
/** What is done with each of a stream's events. */
type Handlers<P extends keyof paths> = { [N in Extract<Stream<P>, { event: string }>['event']]?: (data: Extract<Stream<P>, { event: N; data: unknown }>['data']) => void };

const patience = 5000; // ms before a stream that was refused is asked for again

/** Listens to a stream of the server until the returned function is called. Browsers have six connections for all tabs
 * of a server, so a page that is not looked at lets go of its streams; `again` is called when it takes them up. */
export function listen<P extends Streams>(path: P, params: Params<P>, handlers: Handlers<P>, connected?: (yes: boolean) => void, again?: () => void): () => void {
  const url = address(path, params);
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const open = () => {
    if (source) return;
    source = new EventSource(url);
    source.onopen = () => connected?.(true);
    source.onerror = () => {
      connected?.(false);
      // After an answer such as 401 browsers do not try again by themselves.
      if (!again || source?.readyState !== EventSource.CLOSED) return;
      source = null;
      timer = setTimeout(look, patience);
    };
    for (const [name, handler] of Object.entries(handlers) as [string, (data: unknown) => void][]) {
      source.addEventListener(name, (event) => handler(JSON.parse((event as MessageEvent<string>).data)));
    }
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const look = () => {
    if (document.hidden) close();
    else if (!source) {
      clearTimeout(timer);
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

/** Tells of changes that others made to the files, and now and then of the revision, until the returned function is called. */
export function watch(workspace: string, changed: (change: Changed) => void, connected: (yes: boolean) => void, revision: (now: string) => void): () => void {
  return listen('/workspaces/{id}/events', { path: { id: workspace } }, { changed, ping: (beat) => revision(beat.revision) }, connected, () => changed({ revision: '', paths: [] }));
}
