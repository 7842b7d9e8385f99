export type Path = readonly (string | number)[];

/** The same data with a value at a path; undefined takes it out. Missing parents are made. The data itself stays as it is. */
export function withValue(data: unknown, path: Path, value: unknown): unknown {
  if (path.length === 0) return value;
  const [key, ...rest] = path as [string | number, ...(string | number)[]];
  if (typeof key === 'number' && (Array.isArray(data) || data === undefined || data === null)) {
    const out = [...((data as unknown[] | null) ?? [])];
    const next = withValue(out[key], rest, value);
    if (rest.length === 0 && value === undefined) out.splice(key, 1);
    else out[Math.min(key, out.length)] = next;
    return out;
  }
  const out: Record<string, unknown> = { ...(data as Record<string, unknown> | null) };
  const next = withValue(out[key], rest, value);
  if (next === undefined) delete out[key];
  else out[key] = next;
  return out;
}

/** Whether two values hold the same data; the order of keys does not matter. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && same((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k]));
}

/** What is at a path; undefined where nothing is. */
export function at(data: unknown, path: Path): unknown {
  let v = data;
  for (const k of path) v = v === null || v === undefined ? undefined : (v as Record<string, unknown>)[k];
  return v;
}
