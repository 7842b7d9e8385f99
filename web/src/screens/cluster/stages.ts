import type { ProgressEntry } from '../../api/cluster';
import type { TextKey } from '../../i18n';

export interface Stage {
  name: string;
  /** The objects, with the last that was said of each. */
  objects: Record<string, { state: string; message: string }>;
  /** What the stage as a whole waits for. */
  note: string;
  began: number; // milliseconds since 1970; 0 before it began
  ended: number; // 0 before its end
}

/** The stages of an apply, in their order (cluster/stage.go). */
const known: Record<string, TextKey> = {
  'namespaces and definitions': 'stage.foundation',
  'accounts, configuration and secrets': 'stage.configuration',
  'workloads and services': 'stage.workloads',
  'gateways and destination rules': 'stage.mesh',
  'routes': 'stage.routes',
};

export const stageText = (name: string): TextKey | null => known[name] ?? null;

const blank = (name: string): Stage => ({ name, objects: {}, note: '', began: 0, ended: 0 });

/** What a job goes through; empty for one that has no stages. */
export const stagesOf = (verb: string): Stage[] => (verb === 'apply' || verb === 'undo' ? Object.keys(known).map(blank) : []);

/** The stages after one more thing was said. */
export function told(stages: Stage[], data: unknown): Stage[] {
  const e = data as Partial<ProgressEntry> | null;
  if (e?.msg !== 'progress' || !e.stage || !e.state || !e.time) return stages;
  const at = Date.parse(e.time);
  const before = stages.findIndex((s) => s.name === e.stage);
  const all = before < 0 ? [...stages, blank(e.stage)] : stages;
  const now = before < 0 ? all.length - 1 : before;
  return all.map((s, i) => {
    if (i !== now) return s.began && !s.ended ? { ...s, ended: at } : s;
    const next = { ...s, began: s.began || at, ended: 0 };
    if (!e.object) return { ...next, note: `${e.state} ${e.message ?? ''}`.trim() };
    return { ...next, objects: { ...s.objects, [e.object]: { state: e.state!, message: e.message ?? '' } } };
  });
}

export type StageState = 'later' | 'running' | 'done' | 'failed' | 'nothing';

/** How a stage of a job in this state is. */
export function stateOf(s: Stage, job: 'running' | 'done' | 'failed' | 'stopped'): StageState {
  const refused = Object.values(s.objects).some((o) => o.state === 'refused');
  if (!s.began) return job === 'running' ? 'later' : job === 'done' ? 'nothing' : 'later';
  if (refused) return 'failed';
  if (s.ended) return 'done';
  return job === 'running' ? 'running' : job === 'done' ? 'done' : 'failed';
}

/** What a running stage waits for. */
export const waitsFor = (s: Stage): string[] => Object.entries(s.objects).filter(([, o]) => o.state === 'waiting')
  .map(([name, o]) => (o.message ? `${name.split('/').at(-1)}: ${o.message}` : name.split('/').at(-1)!));
