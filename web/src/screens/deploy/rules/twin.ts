import { type EditedObject, useObject } from '../../../workspace/object';
import { edit, get } from '../../../workspace/store';
import type { ObjectId } from '../../../yaml/documents';
import { type Order, type Path, insertAt, moveItem, removeAt, setIn } from '../../../yaml/edit';
import { at, same } from '../../../yaml/plain';

export const rulesPath: Path = ['spec', 'http'];
const list = (o: unknown): unknown[] => { const l = at(o, rulesPath); return Array.isArray(l) ? l : []; };

/** Where a rule's equal lies in the other VirtualService; -1 where there is none. */
export const equalRule = (own: unknown, other: unknown, index: number): number => {
  const mine = list(own)[index];
  if (mine === undefined) return -1;
  // Beside it first: two equal rules stay in step.
  return same(list(other)[index], mine) ? index : list(other).findIndex((r) => same(r, mine));
};

/** Whether both have the same rules in the same order: only then are they ordered and added to together. */
export const inStep = (own: unknown, other: unknown): boolean => same(list(own), list(other));

interface Target { id: ObjectId; file: string }

/** Changes both objects in one step of undo, be they in one file or in two. */
function changeBoth(own: Target, by: (text: string, id: ObjectId) => string, other: Target | null, byOther: (text: string, id: ObjectId) => string): void {
  const texts = { ...get().texts };
  const change = (target: Target, how: (text: string, id: ObjectId) => string) => {
    const text = texts[target.file];
    if (text !== undefined) texts[target.file] = how(text, target.id);
  };
  change(own, by);
  if (other) change(other, byOther);
  if (Object.keys(texts).some((p) => texts[p] !== get().texts[p])) edit({ texts });
}

/** A VirtualService whose rules are changed together with the equal ones of its twin. */
export function useTwinned(file: string | undefined, id: ObjectId | undefined, twinFile: string | undefined, twinId: ObjectId | undefined, together: boolean): { object: EditedObject | null; twin: EditedObject | null } {
  const own = useObject(file, id);
  const twin = useObject(twinFile, twinId);
  if (!own || !twin?.value || !together) return { object: own, twin };
  const target = (yes: boolean): Target | null => (yes ? twin : null);
  const inRules = (path: Path) => path.length > 2 && path[0] === 'spec' && path[1] === 'http' && typeof path[2] === 'number';
  const isRules = (path: Path) => path.length === 2 && path[0] === 'spec' && path[1] === 'http';
  const moved = (path: Path): Path | null => {
    if (isRules(path)) return inStep(own.value, twin.value) ? path : null;
    const n = inRules(path) ? equalRule(own.value, twin.value, path[2] as number) : -1;
    return n < 0 ? null : ['spec', 'http', n, ...path.slice(3)];
  };
  const both = (path: Path, by: (text: string, id: ObjectId, path: Path) => string) => {
    if (own.readOnly) return;
    const there = moved(path);
    changeBoth(own, (t, i) => by(t, i, path), target(there !== null), (t, i) => by(t, i, there ?? path));
  };
  return {
    twin,
    object: {
      ...own,
      set: (path, value, order?: Order) => both(path, (t, i, p) => setIn(t, i, p, value, order)),
      insert: (path, index, value) => both(path, (t, i, p) => insertAt(t, i, p, index, value)),
      move: (path, from, to) => both(path, (t, i, p) => moveItem(t, i, p, from, to)),
      remove: (path, index) => {
        if (own.readOnly) return;
        const there = isRules(path) ? equalRule(own.value, twin.value, index) : index;
        const p = isRules(path) ? path : moved(path);
        changeBoth(own, (t, i) => removeAt(t, i, path, index), target(there >= 0 && p !== null), (t, i) => removeAt(t, i, p ?? path, there));
      },
    },
  };
}
