import { temporal } from 'zundo';
import { create } from 'zustand';
import { ApiError } from '../api/client';
import type { Canvas, FileInfo, Findings, Graph, Layout, StormDocument, Workspace } from '../api/types';

/** Weights that are wished, by rule key and subset. */
export type Weights = Record<string, Record<string, number>>;

/** What a person edits, on whichever screen. Undo and redo walk over exactly this. */
export interface Edits {
  document: StormDocument | null;
  layout: Layout;
  weights: Weights;
  texts: Record<string, string>;
}

export type SaveState = 'saved' | 'dirty' | 'saving' | 'failed' | 'conflict' | 'offline';

export interface Conflict {
  what: string;
  mine: string;
  theirs: string;
  /** Saves what became of both; says why it cannot. */
  resolve: (text: string) => string | undefined;
  takeTheirs: () => void;
}

export interface State extends Edits {
  id: string;
  workspace: Workspace | null;
  /** The server's view of the model: problems by element. */
  canvas: Canvas | null;
  graph: Graph | null;
  files: FileInfo[];
  generated: Record<string, string | undefined>;
  findings: Findings | null;
  save: SaveState;
  failure: ApiError | null;
  conflict: Conflict | null;
  loadError: ApiError | null;
}

export const nothing: Omit<State, 'id'> = {
  document: null, layout: { objects: {} }, weights: {}, texts: {}, workspace: null, canvas: null, graph: null, files: [],
  generated: {}, findings: null, save: 'saved', failure: null, conflict: null, loadError: null,
};

/** A rule of a VirtualService as one key: "ns/name#0". */
export const ruleKey = (virtualService: string, index: number): string => `${virtualService}#${index}`;
export const parseRuleKey = (key: string): { virtualService: string; index: number } => {
  const at = key.lastIndexOf('#');
  return { virtualService: key.slice(0, at), index: Number(key.slice(at + 1)) };
};

/** The weights that a graph has, rule by rule. */
export function weightsOf(graph: Graph | null): Weights {
  const weights: Weights = {};
  for (const e of graph?.edges ?? []) {
    if (e.kind !== 'route' || !e.rule || e.subset === undefined || e.weight === undefined) continue;
    const [, namespace, name] = e.from.split('/');
    const key = ruleKey(`${namespace}/${name}`, e.rule.index);
    (weights[key] ??= {})[e.subset] = e.weight;
  }
  return weights;
}

export const useStore = create<State>()(
  temporal((): State => ({ id: '', ...nothing }), {
    partialize: (s): Edits => ({ document: s.document, layout: s.layout, weights: s.weights, texts: s.texts }),
    equality: (a, b) => a.document === b.document && a.layout === b.layout && a.weights === b.weights && a.texts === b.texts,
    limit: 200,
  }),
);

export const get = useStore.getState;

/** A person's edit: undo takes it back. */
export function edit(change: Partial<Edits>): void {
  useStore.setState(change);
}

/** What came from the server: no step for undo. */
export function receive(change: Partial<State>): void {
  const time = useStore.temporal.getState();
  time.pause();
  useStore.setState(change);
  time.resume();
}

export const undo = (): void => useStore.temporal.getState().undo();
export const redo = (): void => useStore.temporal.getState().redo();
export const forgetHistory = (): void => useStore.temporal.getState().clear();
