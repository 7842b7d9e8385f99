import type { Finding, RuleData } from '../../../api/types';

type Plain = Record<string, unknown>;
export type Does = 'route' | 'redirect' | 'directResponse' | 'delegate';

const plain = (v: unknown): Plain => (typeof v === 'object' && v !== null && !Array.isArray(v) ? (v as Plain) : {});

/** What a rule does with its requests: exactly one of these. */
export function doesOf(rule: unknown): Does {
  const r = plain(rule);
  return r.redirect !== undefined ? 'redirect' : r.directResponse !== undefined ? 'directResponse' : r.delegate !== undefined ? 'delegate' : 'route';
}

/** What speaks against a choice: these only make sense where requests are sent on. */
const withRoute = ['route', 'rewrite', 'timeout', 'retries', 'fault', 'mirror', 'mirrors', 'mirrorPercentage', 'mirrorPercent'];

/** The same rule doing something else: what excludes it is taken out. */
export function doing(rule: unknown, does: Does, first: { host: string; virtualService: string }): Plain {
  const r = Object.fromEntries(Object.entries(plain(rule)).filter(([k]) => !['redirect', 'directResponse', 'delegate'].includes(k) && (does === 'route' || !withRoute.includes(k))));
  switch (does) {
    case 'redirect': return { ...r, redirect: { uri: '/' } };
    case 'directResponse': return { ...r, directResponse: { status: 503 } };
    case 'delegate': return { ...r, delegate: { name: first.virtualService } };
    default: return { ...r, route: r.route ?? [{ destination: { host: first.host } }] };
  }
}

/** Where a rule sends requests, in words. */
export function goal(rule: unknown): string {
  const r = plain(rule);
  switch (doesOf(rule)) {
    case 'redirect': return `→ ${['authority', 'uri'].map((k) => plain(r.redirect)[k] ?? '').join('') || '…'} (${String(plain(r.redirect).redirectCode ?? 301)})`;
    case 'directResponse': return `→ ${String(plain(r.directResponse).status ?? '')}`;
    case 'delegate': return `→ ${String(plain(r.delegate).name ?? '')}`;
    default: {
      const to = Array.isArray(r.route) ? r.route.map(plain) : [];
      return `→ ${to.map((d) => {
        const where = plain(d.destination);
        return `${String(where.host ?? '')}${where.subset ? ` ${String(where.subset)}` : ''}${to.length > 1 ? ` ${String(d.weight ?? 0)} %` : ''}`;
      }).join(', ')}`;
    }
  }
}

const dead = new Set(['MS0501', 'MS0502', 'IST0130']);

/** Findings about one rule: those between its line and the next rule's. */
export function findingsOf(findings: readonly Finding[], rules: readonly RuleData[], index: number, object: { kind: string; name: string; namespace?: string }): { dead: Finding | null; others: Finding[] } {
  const line = rules.find((r) => r.index === index)?.line;
  const next = rules.find((r) => r.index === index + 1)?.line ?? Infinity;
  const own = findings.filter((f) => line !== undefined && f.line !== undefined && f.line >= line && f.line < next
    && f.object?.kind === object.kind && f.object.name === object.name && (f.object.namespace ?? '') === (object.namespace ?? ''));
  // An info of the same code is about one of its matches: the rule itself still acts.
  const of = own.find((f) => dead.has(f.code) && f.severity !== 'info' && (f.code !== 'MS0502')) ?? null;
  return { dead: of, others: own.filter((f) => f !== of) };
}

/** A name that no rule has. */
export function freeName(rules: readonly unknown[], wish: string): string {
  const taken = new Set(rules.map((r) => plain(r).name));
  for (let n = 1; ; n++) {
    const name = n === 1 ? wish : `${wish}-${n}`;
    if (!taken.has(name)) return name;
  }
}
