import { useCallback, useEffect, useState } from 'react';
import { ApiError } from '../../api/client';
import { type Cluster, type Contexts, type Job, type Lab, type NewJob, type Progress, clusters, followJob, watchCluster } from '../../api/cluster';
import { receive } from '../../workspace/store';
import { flush } from '../../workspace/sync';
import { type Stage, stagesOf, told } from './stages';

const remembered = 'meshstorm.context';

export const fail = (err: unknown): void => { if (err instanceof ApiError) receive({ failure: err }); };

/** The clusters that can be chosen, and the one that is; the choice is kept in this browser. */
export function useContexts() {
  const [contexts, setContexts] = useState<Contexts | null>(null);
  const [lab, setLab] = useState<Lab | null>(null);
  const [chosen, setChosen] = useState(() => localStorage.getItem(remembered) ?? '');
  const reload = useCallback(() => {
    void Promise.all([clusters.contexts(), clusters.lab()]).then(([c, l]) => { setContexts(c); setLab(l); }).catch(fail);
  }, []);
  useEffect(reload, [reload]);
  const choose = useCallback((name: string) => { localStorage.setItem(remembered, name); setChosen(name); }, []);
  const known = contexts?.items?.some((c) => c.name === chosen) ?? false;
  const context = known ? chosen : contexts?.current || contexts?.items?.find((c) => c.lab)?.name || '';
  return { contexts, lab, context, choose, reload };
}

/** What runs of the workspace, as it changes. Null before the first answer. */
export function useCluster(workspace: string, context: string | null): { cluster: Cluster | null; connected: boolean } {
  const [cluster, setCluster] = useState<Cluster | null>(null);
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    setCluster(null);
    if (context === null) return;
    return watchCluster(workspace, context, setCluster, setConnected);
  }, [workspace, context]);
  return { cluster, connected };
}

export interface Followed {
  job: Job;
  lines: { stream: string; text: string }[];
  seen: Progress['data'] | null;
  stages: Stage[];
  /** Whether it was started on this page, where somebody waits for it. */
  own?: boolean;
}

/** The job that the page shows: the one it started, or one that runs already. */
export function useJob(workspace: string, ended: (job: Job) => void, only?: string) {
  const [followed, setFollowed] = useState<Followed | null>(null);
  const [starting, setStarting] = useState(false);
  const jobId = followed?.job.id;
  useEffect(() => {
    void clusters.jobs().then((all) => {
      const running = all.find((j) => j.state === 'running' && (!j.workspace || j.workspace === workspace) && (only ? j.verb === only : j.verb !== 'load'));
      if (running) setFollowed((now) => now ?? { job: running, lines: [], seen: null, stages: stagesOf(running.verb) });
    }).catch(() => undefined);
  }, [workspace]);
  useEffect(() => {
    if (!jobId) return;
    return followJob(
      jobId,
      (line) => setFollowed((f) => (f?.job.id === jobId ? { ...f, lines: [...f.lines, line].slice(-500) } : f)),
      (seen) => setFollowed((f) => (f?.job.id === jobId ? { ...f, seen, stages: told(f.stages, seen) } : f)),
      (job) => {
        const at = Date.parse(job.ended ?? '') || Date.now();
        setFollowed((f) => (f?.job.id === jobId ? { ...f, job, stages: f.stages.map((s) => (s.began && !s.ended ? { ...s, ended: at } : s)) } : f));
        ended(job);
      },
    );
  }, [jobId]);
  const start = async (job: NewJob): Promise<boolean> => {
    setStarting(true);
    try {
      await flush();
      const made = await clusters.start(job);
      setFollowed({ job: made, lines: [], seen: null, stages: stagesOf(made.verb), own: true });
      return true;
    } catch (err) {
      fail(err);
      return false;
    } finally {
      setStarting(false);
    }
  };
  const busy = starting || followed?.job.state === 'running';
  return { followed, start, busy, close: () => setFollowed(null) };
}

/** Time since, in the two largest parts: "3m20s", as kubectl writes ages. */
export function age(from: string, now = Date.now()): string {
  const s = Math.max(0, Math.floor((now - Date.parse(from)) / 1000));
  if (s < 120) return `${s}s`;
  const m = Math.floor(s / 60);
  if (m < 10) return s % 60 ? `${m}m${s % 60}s` : `${m}m`;
  if (m < 180) return `${m}m`;
  const h = Math.floor(m / 60);
  return h < 48 ? `${h}h` : `${Math.floor(h / 24)}d`;
}
