import { type Path, at } from '../yaml/plain';

/** A schema as CRDs write them, of which the form reads these parts. */
export interface Schema {
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  required?: string[];
  oneOf?: { required?: string[]; not?: unknown }[];
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-validations'?: { rule: string; message?: string }[];
}

export type Kind = 'object' | 'map' | 'list' | 'text' | 'choice' | 'integer' | 'number' | 'yesno' | 'intOrText' | 'any';

export function kindOf(s: Schema): Kind {
  if (s['x-kubernetes-int-or-string']) return 'intOrText';
  if (s.enum && s.type !== 'integer') return 'choice';
  switch (s.type) {
    case 'object': return s.properties ? 'object' : typeof s.additionalProperties === 'object' ? 'map' : 'any';
    case 'array': return s.items ? 'list' : 'any';
    case 'string': return 'text';
    case 'integer': return 'integer';
    case 'number': return 'number';
    case 'boolean': return 'yesno';
    default: return s.properties ? 'object' : 'any';
  }
}

const values = (s: Schema): Schema => s.additionalProperties as Schema;

/** The schema of what lies at a path; undefined for what it does not know. */
export function schemaAt(s: Schema, path: Path): Schema | undefined {
  let now: Schema | undefined = s;
  for (const step of path) {
    if (!now) return undefined;
    const kind = kindOf(now);
    now = kind === 'list' ? now.items : kind === 'map' ? values(now) : now.properties?.[String(step)];
  }
  return now;
}

/** What a new field or item begins with: something that is right by itself where there is such a thing. */
export function blank(s: Schema): unknown {
  switch (kindOf(s)) {
    case 'object': {
      const out: Record<string, unknown> = {};
      for (const name of s.required ?? []) if (s.properties?.[name]) out[name] = blank(s.properties[name]);
      return out;
    }
    case 'map': return {};
    case 'list': return [blank(s.items!)];
    case 'choice': return s.enum![0];
    case 'integer': case 'number': return s.minimum !== undefined && s.minimum > 0 ? s.minimum : 0;
    case 'yesno': return true;
    case 'intOrText': return 1;
    case 'any': return {};
    default: return duration(s) ? '1s' : '';
  }
}

/** Whether a text is a duration by its rule. */
export const duration = (s: Schema): boolean => (s['x-kubernetes-validations'] ?? []).some((v) => v.rule.includes('duration('));

export interface Addable {
  path: (string | number)[];
  schema: Schema;
}

const farthest = 7; // levels below an object that the search looks into

/** The fields that are not set, directly here first, then those below; lists are entered where they have one item to be. */
export function addable(s: Schema, value: unknown, search: string, limit = 60): Addable[] {
  const words = search.toLowerCase().split(/[\s.]+/).filter(Boolean);
  const found: Addable[] = [];
  const fits = (path: (string | number)[], schema: Schema) => {
    const text = `${path.join('.')} ${schema.description ?? ''}`.toLowerCase();
    return words.every((w) => text.includes(w));
  };
  let level: Addable[] = [{ path: [], schema: s }];
  for (let depth = 0; depth < farthest && level.length > 0 && found.length < limit; depth++) {
    const next: Addable[] = [];
    for (const { path, schema } of level) {
      if (kindOf(schema) !== 'object') continue;
      for (const [name, child] of Object.entries(schema.properties ?? {})) {
        const here = [...path, name];
        const there = at(value, here);
        if (there === undefined && (words.length > 0 ? fits(here, child) : depth === 0)) found.push({ path: here, schema: child });
        if (words.length > 0 && (there === undefined || (typeof there === 'object' && !Array.isArray(there)))) next.push({ path: here, schema: child });
      }
    }
    level = next;
  }
  const score = (a: Addable) => (String(a.path.at(-1)).toLowerCase().startsWith(words.at(-1) ?? '') ? 0 : 10) + a.path.length;
  return found.sort((a, b) => score(a) - score(b)).slice(0, limit);
}

/** Why a value does not fit; a key of a text and its parameters, or null. */
export type Fault = { key: 'integer' | 'number' | 'duration' | 'choice' | 'pattern' | 'least' | 'most' | 'longer' | 'shorter' | 'missing'; value?: string } | null;

const durationText = /^(\d+(\.\d+)?(h|m|s|ms|us|µs|ns))+$/;

export function fault(s: Schema, value: unknown): Fault {
  const kind = kindOf(s);
  if (kind === 'integer' && !Number.isInteger(value)) return { key: 'integer' };
  if (kind === 'number' && typeof value !== 'number') return { key: 'number' };
  if (kind === 'choice' && !s.enum!.includes(value)) return { key: 'choice', value: s.enum!.join(', ') };
  if (typeof value === 'number') {
    if (s.minimum !== undefined && value < s.minimum) return { key: 'least', value: String(s.minimum) };
    if (s.maximum !== undefined && value > s.maximum) return { key: 'most', value: String(s.maximum) };
  }
  if (kind === 'text' && typeof value === 'string') {
    if (duration(s) && !durationText.test(value)) return { key: 'duration' };
    if (s.minLength !== undefined && value.length < s.minLength) return { key: 'longer', value: String(s.minLength) };
    if (s.maxLength !== undefined && value.length > s.maxLength) return { key: 'shorter', value: String(s.maxLength) };
    if (s.pattern && !matches(s.pattern, value)) return { key: 'pattern', value: s.pattern };
  }
  return null;
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true; // RE2 knows more than this browser; the server's findings tell
  }
}

/** What somebody typed, as the value of the schema's type. */
export function typed(s: Schema, text: string): unknown {
  const kind = kindOf(s);
  if (kind === 'integer' || kind === 'number') return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
  if (kind === 'intOrText') return /^-?\d+$/.test(text.trim()) ? Number(text) : text;
  return text;
}

/** The names of which only one may be set, as a oneOf says; empty where there is no such rule. */
export const exclusive = (s: Schema): string[] => (s.oneOf ?? []).flatMap((o) => o.required ?? []);

/** Every place where a value without parts can be set: lists by their first item, maps by one key. */
export function leaves(s: Schema, path: Path = []): { path: Path; schema: Schema }[] {
  switch (kindOf(s)) {
    case 'object': return Object.entries(s.properties ?? {}).flatMap(([name, child]) => leaves(child, [...path, name]));
    case 'list': return leaves(s.items!, [...path, 0]);
    case 'map': return leaves(values(s), [...path, 'key']);
    default: return [{ path, schema: s }];
  }
}
