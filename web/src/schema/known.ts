import { api } from '../api/client';
import type { Schema } from './model';

const known = new Map<string, Promise<Schema>>();

/** The schema of a kind, asked for once. */
export function schemaOf(apiVersion: string, kind: string): Promise<Schema> {
  const key = `${apiVersion} ${kind}`;
  const found = known.get(key) ?? api.schema(apiVersion, kind);
  known.set(key, found);
  found.catch(() => known.delete(key));
  return found;
}

let kinds: Promise<Set<string>> | undefined;

/** Whether a kind has a schema, so that half-written kinds are not asked for. */
export async function hasSchema(apiVersion: string, kind: string): Promise<boolean> {
  kinds ??= api.schemas().then((all) => new Set(all.map((k) => `${k.apiVersion} ${k.kind}`)));
  try {
    return (await kinds).has(`${apiVersion} ${kind}`);
  } catch {
    kinds = undefined; // perhaps next time
    return false;
  }
}
