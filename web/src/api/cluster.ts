// Clusters, jobs and traffic.
import type * as S from './schema';
import type { Cluster, Job, Line, NewJob, Progress, Sending, Traffic } from './schema';
import { client, plain, listen } from './client';

export type { Cluster, Context, Contexts, Job, Lab, LoadSeen, NewJob, PodDetail, Progress, ProgressEntry, Traffic, TrafficEdge } from './schema';
export type Answered = S.Received;
export type Canary = S.CanaryStatus;
export type Diff = S.ClusterChangeSet;
export type DiffChange = S.ClusterChange;
export type LiveService = S.RunningService;
export type LiveTrack = S.RunningTrack;
export type Overview = S.RunningOverview;
export type Pod = S.RunningPod;
export type Revision = S.ClusterRevision;
export type Verdict = S.CanaryVerdict;

const at = (id: string, context: string) => ({ path: { id }, query: context ? { context } : {} });
const pod = (id: string, context: string, name: string) => ({ path: { id, pod: name }, query: context ? { context } : {} });

export const clusters = {
  contexts: () => plain(client.GET('/contexts')),
  lab: () => plain(client.GET('/lab')),
  jobs: async () => (await plain(client.GET('/jobs'))).items,
  start: (body: NewJob) => plain(client.POST('/jobs', { body })),
  stop: (job: string) => plain(client.DELETE('/jobs/{job}', { params: { path: { job } } })),
  diff: (w: string, context: string, takeWeights = false) => {
    const { path, query } = at(w, context);
    return plain(client.GET('/workspaces/{id}/cluster/diff', { params: { path, query: takeWeights ? { ...query, takeWeights } : query } }));
  },
  history: (w: string, context: string) => plain(client.GET('/workspaces/{id}/cluster/history', { params: at(w, context) })),
  pod: (w: string, context: string, name: string) => plain(client.GET('/workspaces/{id}/cluster/pods/{pod}', { params: pod(w, context, name) })),
  send: (w: string, context: string, body: Sending) => plain(client.POST('/workspaces/{id}/cluster/request', { params: at(w, context), body })),
  compare: (w: string, context: string, path: string) =>
    plain(client.GET('/workspaces/{id}/cluster/compare', { params: { path: { id: w }, query: { ...at(w, context).query, path } } })),
};

export const watchCluster = (w: string, context: string, state: (c: Cluster) => void, connected: (yes: boolean) => void) =>
  listen('/workspaces/{id}/cluster/events', at(w, context), { state }, connected);

export const watchTraffic = (w: string, context: string, traffic: (t: Traffic) => void, connected: (yes: boolean) => void) =>
  listen('/workspaces/{id}/traffic/events', at(w, context), { traffic }, connected);

/** Follows a job from its beginning; the stream ends with the job. */
export function followJob(job: string, line: (l: Line) => void, event: (data: Progress['data']) => void, end: (j: Job) => void): () => void {
  const stop = listen('/jobs/{job}/events', { path: { job } }, {
    line, event: ({ data }) => event(data), end: (j) => { stop(); end(j); },
  });
  return stop;
}

/** Follows a container's log from its last lines. It ends with the container, or with why it cannot be read; "" is no failure. */
export function followLog(w: string, context: string, name: string, container: string, more: (lines: string[]) => void, end: (why: string) => void): () => void {
  const { path, query } = pod(w, context, name);
  const stop = listen('/workspaces/{id}/cluster/pods/{pod}/log/stream', { path, query: { ...query, container, lines: 300 } }, {
    lines: ({ lines }) => more(lines), end: ({ reason }) => { stop(); end(reason); },
  });
  return stop;
}
