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
