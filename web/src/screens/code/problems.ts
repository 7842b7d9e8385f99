import type { Finding } from '../../api/types';
import { text as say } from '../../i18n';
import { type Misfit, kindsIn, misfits } from '../../schema/check';
import { hasSchema, schemaOf } from '../../schema/known';
import type { Schema } from '../../schema/model';

/** What does not fit in a text, by the schemas of its objects' kinds; those that are not there yet are loaded first. */
export async function misfitsIn(text: string): Promise<Misfit[]> {
  const known = new Map<string, Schema>();
  await Promise.all(kindsIn(text).map(async ({ apiVersion, kind }) => {
    if (!await hasSchema(apiVersion, kind)) return;
    const schema = await schemaOf(apiVersion, kind).catch(() => undefined); // the server's findings come without it
    if (schema) known.set(`${apiVersion} ${kind}`, schema);
  }));
  return misfits(text, (apiVersion, kind) => known.get(`${apiVersion} ${kind}`));
}

/** The codes by which check says that a field, its type or its value is refused. */
const refused = new Set(['MS0101', 'MS0105', 'MS0107', 'IST0106']);

/** The misfits that no finding speaks of: one of the same line that names the field says more. */
export function unsaid(all: Misfit[], findings: Pick<Finding, 'code' | 'line' | 'message'>[]): Misfit[] {
  const names = (message: string) => new Set(message.split(/[^\w-]+/));
  const said = findings.filter((f) => f.line && refused.has(f.code)).map((f) => ({ line: f.line, names: names(f.message) }));
  return all.filter((m) => !said.some((f) => f.line === m.line && m.name.split(/[^\w-]+/).every((part) => f.names.has(part))));
}

/** A misfit in the page's language. */
export function sentence({ name, why, value }: Misfit): string {
  if (why === 'unknown') return [say('form.unknown', { name }), value ? say('form.near', { near: value }) : ''].join(' ').trim();
  return `${name}: ${say(`form.fault.${why}`, { value })}`;
}
