// One block of conditions of an HTTP rule (HTTPMatchRequest) as a list, and back.

export type Op = 'exact' | 'prefix' | 'regex' | 'present';
type Plain = Record<string, unknown>;

/** The conditions that there are, in the order in which they are written and shown. */
export const matchers = {
  uri: 'string', method: 'string', authority: 'string', scheme: 'string',
  headers: 'named', withoutHeaders: 'named', queryParams: 'named',
  port: 'port', sourceLabels: 'label', sourceNamespace: 'text', gateways: 'list', ignoreUriCase: 'flag', name: 'text', statPrefix: 'text',
} as const;
export type Matcher = keyof typeof matchers;
export const matcherNames = Object.keys(matchers) as Matcher[];

export interface Condition {
  field: Matcher;
  /** Of a header, a query parameter or a label. */
  name?: string;
  op?: Op;
  value: string;
}

export const opsOf = (field: Matcher): Op[] => {
  const sort = matchers[field];
  if (sort === 'string' || field === 'queryParams') return ['exact', 'prefix', 'regex'];
  return sort === 'named' ? ['exact', 'prefix', 'regex', 'present'] : [];
};

const isPlain = (v: unknown): v is Plain => typeof v === 'object' && v !== null && !Array.isArray(v);
const unfold = (v: unknown): { op: Op; value: string } => {
  const [op, value] = Object.entries(isPlain(v) ? v : {})[0] ?? ['present', ''];
  return { op: op as Op, value: String(value) };
};
const fold = (c: Condition): Plain => (c.op === 'present' ? {} : { [c.op ?? 'exact']: c.value });

/** The conditions that a block sets. */
export function conditionsOf(match: unknown): Condition[] {
  if (!isPlain(match)) return [];
  return matcherNames.flatMap((field): Condition[] => {
    const v = match[field];
    if (v === undefined || v === null) return [];
    switch (matchers[field]) {
      case 'string': return [{ field, ...unfold(v) }];
      case 'named': return isPlain(v) ? Object.entries(v).map(([name, m]) => ({ field, name, ...unfold(m) })) : [];
      case 'label': return isPlain(v) ? Object.entries(v).map(([name, value]) => ({ field, name, value: String(value) })) : [];
      case 'list': return [{ field, value: Array.isArray(v) ? v.join(', ') : String(v) }];
      default: return [{ field, value: String(v) }];
    }
  });
}

/** The block that has exactly these conditions; what is no condition (`old`'s other fields) stays. */
export function matchOf(conditions: Condition[], old: unknown = {}): Plain {
  const out: Plain = Object.fromEntries(Object.entries(isPlain(old) ? old : {}).filter(([k]) => !(k in matchers)));
  for (const c of conditions) {
    const sort = matchers[c.field];
    if (sort === 'string') out[c.field] = fold(c);
    else if (sort === 'named') out[c.field] = { ...(out[c.field] as Plain), [c.name ?? '']: fold(c) };
    else if (sort === 'label') out[c.field] = { ...(out[c.field] as Plain), [c.name ?? '']: c.value };
    else if (sort === 'list') out[c.field] = c.value.split(',').map((s) => s.trim()).filter(Boolean);
    else if (sort === 'port') out[c.field] = Number(c.value);
    else if (sort === 'flag') out[c.field] = c.value === 'true';
    else out[c.field] = c.value;
  }
  return out;
}

/** Whether a condition can be written already. */
export function complete(c: Condition): boolean {
  const sort = matchers[c.field];
  if ((sort === 'named' || sort === 'label') && !c.name) return false;
  return c.op === 'present' || c.value !== '';
}

type Translate = (key: string, values?: Record<string, string>) => string;

/** A condition in words. */
export function words(c: Condition, t: Translate): string {
  const value = c.value;
  const sort = matchers[c.field];
  const how = c.op === 'exact' || c.op === undefined ? '=' : c.op === 'prefix' ? '=' : '~';
  const shown = c.op === 'prefix' ? `${value}…` : value;
  if (sort === 'named') {
    const what = t(`rules.say.${c.field}`, { name: c.name ?? '' });
    return c.op === 'present' ? what : `${what} ${how} ${shown}`;
  }
  if (c.field === 'uri') return c.op === 'regex' ? t('rules.say.path', { value: `~ ${value}` }) : t('rules.say.path', { value: shown });
  if (c.field === 'method' && c.op === 'exact') return value;
  if (sort === 'label') return t('rules.say.sourceLabels', { value: `${c.name}=${value}` });
  if (sort === 'flag') return t(value === 'true' ? 'rules.say.ignoreUriCase' : 'rules.say.keepUriCase');
  if (c.field === 'name' || c.field === 'statPrefix') return '';
  return t(`rules.say.${c.field}`, { value: `${c.op === 'regex' ? '~ ' : ''}${shown}` });
}

/** What a rule takes, in one sentence: methods of blocks that are alike otherwise are gathered. */
export function summary(matches: unknown, t: Translate): string {
  const blocks = Array.isArray(matches) ? matches.map(conditionsOf) : [];
  if (blocks.length === 0 || blocks.some((b) => b.every((c) => words(c, t) === ''))) return t('rules.say.everything');
  const rests = new Map<string, string[]>();
  for (const b of blocks) {
    const isMethod = (c: Condition) => c.field === 'method' && c.op === 'exact';
    const rest = b.filter((c) => !isMethod(c)).map((c) => words(c, t)).filter(Boolean).join(', ');
    rests.set(rest, [...(rests.get(rest) ?? []), b.find(isMethod)?.value ?? '']);
  }
  const groups = new Map<string, string[]>();
  for (const [rest, methods] of rests) {
    const key = methods.includes('') ? '' : [...new Set(methods)].join(` ${t('deploy.or')} `);
    groups.set(key, [...(groups.get(key) ?? []), rest]);
  }
  return [...groups].map(([m, r]) => [m, r.filter(Boolean).join(` ${t('deploy.or')} `)].filter(Boolean).join(' ')).join(` ${t('deploy.or')} `);
}
