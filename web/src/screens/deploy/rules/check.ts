// What values must look like, checked as they are typed. Each check gives the key of a text that says what to do, or null.

export type Kind = 'text' | 'number' | 'port' | 'status' | 'duration' | 'percent' | 'regex' | 'bool' | 'select' | 'list' | 'map' | 'strings';

const duration = /^(\d+(\.\d+)?(h|m|s|ms|us|ns))+$/;

/** Envoy's regular expressions (RE2) know no look-around, no references back and no possessive repetition. */
export function checkRegex(value: string): string | null {
  if (value === '') return 'rules.check.empty';
  if (/\(\?(=|!|<=|<!|>)/.test(value) || /(^|[^\\])(\\\\)*\\[1-9]/.test(value)) return 'rules.check.re2';
  try {
    // (?i) at the beginning is RE2's, not JavaScript's.
    new RegExp(value.replace(/^\(\?[imsU]+\)/, '').replaceAll('(?P<', '(?<'));
    return null;
  } catch {
    return 'rules.check.regex';
  }
}

const within = (value: string, low: number, high: number): boolean => /^\d+$/.test(value) && Number(value) >= low && Number(value) <= high;

export function check(kind: Kind, value: string): string | null {
  if (value === '') return null;
  switch (kind) {
    case 'number': return /^\d+$/.test(value) ? null : 'rules.check.number';
    case 'port': return within(value, 1, 65535) ? null : 'rules.check.port';
    case 'status': return within(value, 200, 599) ? null : 'rules.check.status';
    case 'duration': return duration.test(value) ? null : 'rules.check.duration';
    case 'percent': return /^\d+(\.\d+)?$/.test(value) && Number(value) <= 100 ? null : 'rules.check.percent';
    case 'regex': return checkRegex(value);
    case 'map': return value.split('\n').every((l) => l.trim() === '' || /^[^:\s][^:]*:/.test(l.trim())) ? null : 'rules.check.map';
    case 'strings': return value.split('\n').every((l) => l.trim() === '' || /^(exact|prefix|regex):\s*\S/.test(l.trim())) ? null : 'rules.check.strings';
    default: return null;
  }
}

type Plain = Record<string, unknown>;
const lines = (text: string): string[] => text.split('\n').map((l) => l.trim()).filter(Boolean);
const pair = (line: string): [string, string] => { const i = line.indexOf(':'); return [line.slice(0, i).trim(), line.slice(i + 1).trim()]; };

/** A value of the YAML as the text that is edited. */
export function toText(kind: Kind, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (kind === 'list' && Array.isArray(value)) return value.join(', ');
  if (kind === 'map' && typeof value === 'object') return Object.entries(value as Plain).map(([k, v]) => `${k}: ${String(v)}`).join('\n');
  if (kind === 'strings' && Array.isArray(value)) return value.map((v) => Object.entries(v as Plain).map(([k, x]) => `${k}: ${String(x)}`)[0] ?? '').join('\n');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The text as a value of the YAML; empty takes the field out. */
export function fromText(kind: Kind, text: string): unknown {
  const s = text.trim();
  if (s === '') return undefined;
  switch (kind) {
    case 'number': case 'port': case 'status': case 'percent': return Number(s);
    case 'select': return /^\d+$/.test(s) ? Number(s) : s;
    case 'list': return s.split(',').map((x) => x.trim()).filter(Boolean);
    case 'map': return Object.fromEntries(lines(s).map(pair));
    case 'strings': return lines(s).map((l) => Object.fromEntries([pair(l)]));
    default: return s;
  }
}
