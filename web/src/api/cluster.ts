// Clusters, jobs and traffic, as the server's API has them under /api/v1.
import { call, id, listen, plain } from './client';

export interface Context {
  name: string;
  cluster: string;
  server: string;
  current: boolean;
  lab: boolean;
}

export interface Contexts {
  items: Context[] | null;
  current: string;
  problem?: string;
}

export interface Lab {
  available: boolean;
  why?: string;
  state: 'absent' | 'stopped' | 'starting' | 'running';
  context?: string;
  gateway?: string;
}

export interface Pod {
  namespace: string;
  name: string;
  created: string;
  ready: number;
  total: number;
  status: string;
  restarts: number;
  app?: string;
  track?: string;
  version?: string;
}

export interface LiveTrack {
  subset: string;
  ready: number;
  total: number;
  wished?: number;
  share?: number;
}

export interface LiveService {
  namespace: string;
  name: string;
  workloads?: { name: string; track?: string; version?: string; images: string[] | null; ready: number; wanted: number }[];
  tracks?: LiveTrack[];
  shift?: { since: string; plan?: string; unattended?: string };
}

export interface Overview {
  services: LiveService[] | null;
  pods: Pod[] | null;
  virtualServices: { name: string; created: string; gateways: string[] | null; hosts: string[] | null; shift?: unknown }[] | null;
  destinationRules: { name: string; created: string; host: string; subsets: { name: string; ready: number; total: number }[] | null }[] | null;
  notes?: string[];
}

export interface Verdict {
  step: number;
  weight: number;
  judgement: string;
  reason?: string;
  requests: number;
  errors: number;
  p95?: number;
}

export interface Canary {
  service: string;
  image: string;
  phase: 'preparing' | 'shifting' | 'watching' | 'paused' | 'promoting' | 'aborting' | 'promoted' | 'aborted';
  stage?: string;
  steps: number[];
  step: number;
  of100: number;
  reason?: string;
  failed?: boolean;
  until?: string;
  unattendedSince?: string;
  verdicts?: Verdict[];
  now?: Verdict;
}

export interface Cluster {
  context: string;
  lab: boolean;
  server: string;
  reachable: boolean;
  problem?: string;
  kubernetes?: string;
  namespace: string;
  namespaceExists: boolean;
  injection: string;
  istio: { installed: boolean; version?: string; profile?: string; revisions: { name: string; version: string; ready: boolean }[] | null; problems: string[] | null };
  overview?: Overview;
  applied?: { revision: number; when: string; note?: string };
  shifts?: Canary[] | null;
  gateway?: { url?: string; how: string };
}

export interface Job {
  id: string;
  verb: string;
  workspace?: string;
  context?: string;
  service?: string;
  command: string[] | null;
  state: 'running' | 'done' | 'failed' | 'stopped';
  exitCode?: number;
  started: string;
  ended?: string;
  result?: unknown;
  error?: string;
}

export interface NewJob {
  verb: string;
  workspace?: string;
  context?: string;
  apply?: { forceConflicts?: boolean; adopt?: boolean; takeWeights?: boolean; note?: string };
  undo?: { revision?: number; dryRun?: boolean };
  istio?: { profile?: string; restart?: boolean };
  canary?: {
    service: string; image?: string; steps?: number[]; every?: string; strategy?: string; minRequests?: number; maxErrorRate?: string; maxP95?: string;
    header?: string; acceptEvents?: boolean; force?: boolean; next?: boolean; dryRun?: boolean;
  };
  shift?: { service: string; weights?: Record<string, number>; end?: boolean };
  load?: { method?: string; path: string; rate: number; seconds: number };
}

export interface LoadSeen {
  sent: number;
  ok: number;
  errors: number;
  p50: number;
  p95: number;
}

export interface DiffChange {
  object: { kind: string; namespace?: string; name: string };
  file?: string;
  line?: number;
  action: string;
  fields?: { path: string; old?: unknown; new?: unknown; managers?: string[] | null }[] | null;
  conflicts?: { manager: string; field: string }[] | null;
  adopts?: boolean;
  heldByShift?: { rule: string; subset?: string; weight: number; files: number }[] | null;
  message?: string;
}

export interface Diff {
  changes: DiffChange[] | null;
  notes?: string[] | null;
}

export interface Revision {
  revision: number;
  applied: string;
  by?: string;
  objects: number;
  note?: string;
  current?: boolean;
}

export interface PodDetail {
  pod: string;
  phase: string;
  message?: string;
  containers: { name: string; ready: boolean; state: string; message?: string; restarts: number; image: string; proxy: boolean; init: boolean }[] | null;
  events: { type: string; reason: string; message: string; count: number; last: string }[] | null;
}

export interface Answered {
  status: number;
  statusText: string;
  headers: [string, string][] | null;
  body: string;
  truncated: boolean;
  millis: number;
  url: string;
}

export interface TrafficEdge {
  from: string;
  to: string;
  service: string;
  namespace: string;
  wished?: number;
  real?: number;
  requests: number;
  rate: number;
  errorRate: number;
  p50?: number;
  p95?: number;
  series: { t: number; rate: number; errors: number; p95?: number }[] | null;
}

export interface Traffic {
  measured: string;
  since: string;
  notes: string[] | null;
  step: number;
  edges: TrafficEdge[] | null;
}

const at = (w: string, part: string, context: string, query: Record<string, string> = {}) => {
  const q = new URLSearchParams(query);
  if (context) q.set('context', context);
  const text = q.toString();
  return `${id(w)}/${part}${text ? `?${text}` : ''}`;
};

export const clusters = {
  contexts: () => plain(call<Contexts>('GET', '/contexts')),
  lab: () => plain(call<Lab>('GET', '/lab')),
  jobs: async () => (await plain(call<{ items: Job[] | null }>('GET', '/jobs'))).items ?? [],
  start: (body: NewJob) => plain(call<Job>('POST', '/jobs', { body })),
  stop: (job: string) => plain(call<Job>('DELETE', `/jobs/${encodeURIComponent(job)}`)),
  diff: (w: string, context: string, takeWeights = false) => plain(call<Diff>('GET', at(w, 'cluster/diff', context, takeWeights ? { takeWeights: 'true' } : {}))),
  history: (w: string, context: string) => plain(call<{ revisions?: Revision[] | null }>('GET', at(w, 'cluster/history', context))),
  pod: (w: string, context: string, pod: string) => plain(call<PodDetail>('GET', at(w, `cluster/pods/${encodeURIComponent(pod)}`, context))),
  log: (w: string, context: string, pod: string, container: string) =>
    plain(call<{ text: string }>('GET', at(w, `cluster/pods/${encodeURIComponent(pod)}/log`, context, { container, lines: '300' }))),
  send: (w: string, context: string, body: { method: string; path: string; headers?: Record<string, string>; body?: string }) =>
    plain(call<Answered>('POST', at(w, 'cluster/request', context), { body })),
  compare: (w: string, context: string, path: string) => plain(call<{ live: string; file: string }>('GET', at(w, 'cluster/compare', context, { path }))),
};

export const watchCluster = (w: string, context: string, state: (c: Cluster) => void, connected: (yes: boolean) => void) =>
  listen(at(w, 'cluster/events', context), { state }, connected);

export const watchTraffic = (w: string, context: string, traffic: (t: Traffic) => void, connected: (yes: boolean) => void) =>
  listen(at(w, 'traffic/events', context), { traffic }, connected);

/** Follows a job from its beginning; the stream ends with the job. */
export function followJob(job: string, line: (l: { stream: string; text: string }) => void, event: (data: unknown) => void, end: (j: Job) => void): () => void {
  const stop = listen(`/jobs/${encodeURIComponent(job)}/events`, {
    line, event: ({ data }: { data: unknown }) => event(data), end: (j: Job) => { stop(); end(j); },
  });
  return stop;
}
