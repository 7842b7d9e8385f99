import { useEffect, useMemo } from 'react';
import type { GraphNode } from '../api/types';
import { type ObjectId, read } from '../yaml/documents';
import { type Order, type Path, insertAt, moveItem, removeAt, setIn } from '../yaml/edit';
import { edit, get, useStore } from './store';
import { openFile } from './sync';

/** An object of the files, as data, and what changes it. Every change is a step that can be undone, and is saved by itself. */
export interface EditedObject {
  id: ObjectId;
  file: string;
  /** Undefined while the file is being loaded, and where its text cannot be read. */
  value: Record<string, unknown> | undefined;
  readOnly: boolean;
  set: (path: Path, value: unknown, order?: Order) => void;
  insert: (list: Path, index: number, value: unknown) => void;
  remove: (list: Path, index: number) => void;
  move: (list: Path, from: number, to: number) => void;
  /** Changes the file's text in any other way. */
  change: (by: (text: string) => string) => void;
}

/** Changes the text of an opened file. */
export function changeText(file: string, by: (text: string) => string): void {
  const { texts } = get();
  const old = texts[file];
  if (old === undefined) return;
  const next = by(old);
  if (next !== old) edit({ texts: { ...texts, [file]: next } });
}

export const idOf = (node: Pick<GraphNode, 'kind' | 'name' | 'namespace'>): ObjectId => ({ kind: node.kind, name: node.name, namespace: node.namespace });

/** The object behind a node of the deployment graph, or any other that lies in a file. */
export function useObject(file: string | undefined, id: ObjectId | undefined): EditedObject | null {
  const text = useStore((s) => (file ? s.texts[file] : undefined));
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  useEffect(() => { if (file) void openFile(file); }, [file]);
  const { kind, name, namespace } = id ?? {};
  const value = useMemo(
    () => (text !== undefined && kind && name ? (read(text, { kind, name, namespace }) as Record<string, unknown> | undefined) : undefined),
    [text, kind, name, namespace],
  );
  return useMemo(() => {
    if (!file || !kind || !name) return null;
    const own: ObjectId = { kind, name, namespace };
    const change = (by: (text: string) => string) => { if (!readOnly) changeText(file, by); };
    return {
      id: own, file, value, readOnly, change,
      set: (path, v, order) => change((t) => setIn(t, own, path, v, order)),
      insert: (list, index, v) => change((t) => insertAt(t, own, list, index, v)),
      remove: (list, index) => change((t) => removeAt(t, own, list, index)),
      move: (list, from, to) => change((t) => moveItem(t, own, list, from, to)),
    };
  }, [file, kind, name, namespace, value, readOnly]);
}
