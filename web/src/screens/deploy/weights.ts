// Whole-number weights of a rule that always add up to 100.

export type Split = Record<string, number>;

/** Shares `total` out in proportion to `parts`, in whole numbers that add up to it (largest remainder). */
export function shareOut(parts: [string, number][], total: number): Split {
  const sum = parts.reduce((s, [, w]) => s + w, 0);
  const exact = parts.map(([name, w]) => ({ name, value: sum > 0 ? (w * total) / sum : total / parts.length }));
  const split: Split = Object.fromEntries(exact.map((e) => [e.name, Math.floor(e.value)]));
  let left = total - Object.values(split).reduce((s, w) => s + w, 0);
  for (const e of [...exact].sort((a, b) => (b.value % 1) - (a.value % 1))) {
    if (left-- <= 0) break;
    split[e.name]!++;
  }
  return split;
}

/** Sets one weight; the others that are not locked adjust in proportion, so that the sum stays 100. */
export function setWeight(weights: Split, name: string, wish: number, locked: ReadonlySet<string> = new Set()): Split {
  const held = Object.entries(weights).filter(([n]) => n !== name && locked.has(n));
  const free = Object.entries(weights).filter(([n]) => n !== name && !locked.has(n));
  const room = 100 - held.reduce((s, [, w]) => s + w, 0);
  const value = free.length === 0 ? room : Math.max(0, Math.min(room, Math.round(Number.isFinite(wish) ? wish : 0)));
  const rest = free.length === 0 ? {} : shareOut(free, room - value);
  return Object.fromEntries(Object.keys(weights).map((n) => [n, n === name ? value : n in rest ? rest[n]! : weights[n]!]));
}

/** Gives every weight that is not locked the same share. */
export function spreadEvenly(weights: Split, locked: ReadonlySet<string> = new Set()): Split {
  const free = Object.keys(weights).filter((n) => !locked.has(n));
  if (free.length === 0) return weights;
  const room = 100 - Object.entries(weights).filter(([n]) => locked.has(n)).reduce((s, [, w]) => s + w, 0);
  return { ...weights, ...shareOut(free.map((n) => [n, 1]), room) };
}

export const sameSplit = (a: Split, b: Split): boolean => Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([n, w]) => b[n] === w);
