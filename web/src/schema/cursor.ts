import { spans } from '../yaml/documents';
import { type Path } from '../yaml/plain';
import { type Schema, kindOf, schemaAt } from './model';

/** Where a cursor stands in a YAML text. */
export interface Cursor {
  apiVersion: string;
  kind: string;
  /** The path of the object or list item whose keys are written here. */
  path: Path;
  /** The key of this line, where the cursor stands behind its colon. */
  key?: string;
  /** Where the word begins that is being written. */
  from: number;
  /** The column of the keys here. */
  column: number;
  /** Keys that are there already. */
  taken: string[];
}

interface Line {
  dashes: number[];
  column: number;
  key?: string;
}

function parseLine(text: string): Line {
  const [whole] = /^\s*(?:-(?:\s+|$))*/.exec(text)!;
  const key = /^(?:"([^"]+)"|'([^']+)'|([^\s#:'"][^\s#:]*)):(?=\s|$)/.exec(text.slice(whole.length));
  return {
    dashes: [...whole].flatMap((c, i) => (c === '-' ? [i] : [])), column: whole.length,
    key: key ? key[1] ?? key[2] ?? key[3] : undefined,
  };
}

const empty = (text: string) => /^\s*(#|$)/.test(text);

function pathAbove(lines: string[], at: Line): (string | number)[] {
  const path: (string | number)[] = [];
  let column = at.column, item = false;
  const leave = (dashes: number[]) => {
    for (const d of dashes.toReversed()) {
      path.unshift(0);
      column = d;
      item = true;
    }
  };
  leave(at.dashes);
  for (const text of lines.toReversed()) {
    if (empty(text)) continue;
    const l = parseLine(text);
    if (l.key !== undefined && (l.column < column || (item && l.column === column))) {
      path.unshift(l.key);
      column = l.column;
      item = false;
      leave(l.dashes);
    } else if (!item && l.column === column) leave(l.dashes);
  }
  return path;
}

function siblings(lines: string[], column: number): string[] {
  const found: string[] = [];
  for (const text of lines) {
    if (empty(text)) continue;
    const l = parseLine(text);
    const first = l.dashes[0] ?? l.column;
    if (l.column < column) break;
    if (l.column === column && l.key) found.push(l.key);
    if (first < column) break;
  }
  return found;
}

/** Where a place in a text is; null outside documents that say their apiVersion and kind. */
export function cursorAt(text: string, pos: number): Cursor | null {
  const span = spans(text).find((s) => s.start <= pos && pos <= s.end);
  if (!span) return null;
  const whole = text.slice(span.start, span.end);
  const apiVersion = /^apiVersion:\s*["']?([^\s"'#]+)/m.exec(whole)?.[1], kind = /^kind:\s*["']?([^\s"'#]+)/m.exec(whole)?.[1];
  if (!apiVersion || !kind) return null;
  const start = text.lastIndexOf('\n', pos - 1) + 1;
  const written = text.slice(start, pos);
  if (/(^|\s)#/.test(written)) return null;
  const above = text.slice(span.start, Math.max(start, span.start)).split('\n').slice(0, -1);
  const rest = text.indexOf('\n', pos);
  const below = rest < 0 || rest >= span.end ? [] : text.slice(rest + 1, span.end).split('\n');
  const line = parseLine(written);
  const word = /[^\s]*$/.exec(written)![0];
  const taken = [...(line.dashes.length ? [] : siblings(above.toReversed(), line.column)), ...untilNextItem(below, line.column)];
  return { apiVersion, kind, path: pathAbove(above, line), key: line.key, from: pos - word.length, column: line.column, taken };
}

function untilNextItem(below: string[], column: number): string[] {
  const end = below.findIndex((l) => !empty(l) && (parseLine(l).dashes[0] ?? parseLine(l).column) < column);
  return siblings(end < 0 ? below : below.slice(0, end), column);
}

/** What may be written at a place. */
export interface Option {
  label: string;
  apply: string;
  detail: string;
  info?: string;
}

const values = (s: Schema | undefined): string[] => (!s ? [] : kindOf(s) === 'choice' ? s.enum!.map(String) : kindOf(s) === 'yesno' ? ['true', 'false'] : []);

/** The keys, or the values behind a colon, that the schema knows at a place. */
export function optionsAt(schema: Schema, c: Cursor): Option[] {
  const here = schemaAt(schema, c.path);
  if (!here) return [];
  const plain = (s: Schema | undefined) => values(s).map((v) => ({ label: v, apply: v, detail: '', info: s?.description }));
  if (c.key !== undefined) return plain(schemaAt(here, [c.key]));
  const indent = ' '.repeat(c.column + 2);
  const keys = kindOf(here) === 'object' ? Object.entries(here.properties ?? {}) : [];
  return [...plain(here), ...keys.filter(([name]) => !c.taken.includes(name)).map(([name, s]) => {
    const kind = kindOf(s);
    const after = kind === 'object' || kind === 'map' ? `:\n${indent}` : kind === 'list' ? `:\n${indent}- ` : ': ';
    return { label: name, apply: name + after, detail: s.type ?? '', info: s.description };
  })];
}
