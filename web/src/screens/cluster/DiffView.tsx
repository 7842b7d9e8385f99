import { Badge, Button, Checkbox, Group, Loader, Text, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import { type Diff, type DiffChange, type NewJob, clusters } from '../../api/cluster';
import { to } from '../../router';
import { sentence } from '../../shell/ErrorPage';
import { Link } from '../../shell/Shell';
import { get } from '../../workspace/store';
import { flush } from '../../workspace/sync';

const marks: Record<string, string> = { create: '+', configure: '~', replace: '↻', delete: '−', keep: '=', conflict: '!', refused: '!' };
const show = (v: unknown): string => (v === null || v === undefined ? '–' : typeof v === 'string' ? v : JSON.stringify(v));

function Change({ change: c }: { change: DiffChange }) {
  const { t } = useTranslation();
  return <details open={(c.conflicts ?? []).length > 0 || c.message !== undefined}>
    <summary><b aria-hidden="true">{marks[c.action] ?? '·'}</b> {c.object.kind} <b>{c.object.name}</b> <Badge size="sm" variant="light" color="gray" c="inherit">{c.action}</Badge></summary>
    {c.message && <Text size="sm" className="bad">{c.message}</Text>}
    {c.file && <Link href={to.code(get().id, c.file, c.line)}>{c.file}{c.line ? `, ${t('code.line', { line: c.line })}` : ''}</Link>}
    <ul className="plain">{(c.fields ?? []).map((f) => <li key={f.path}><code>{f.path}</code> <del>{show(f.old)}</del> → <ins>{show(f.new)}</ins>{(f.managers ?? []).length > 0 && <span className="muted"> ({f.managers!.join(', ')})</span>}</li>)}</ul>
    {(c.conflicts ?? []).map((f) => <Text key={f.field} size="sm" className="bad">{t('cluster.conflict', { field: f.field, manager: f.manager })}</Text>)}
    {(c.heldByShift ?? []).map((h, i) => <Text key={i} size="sm">{t('cluster.held', { rule: h.rule, subset: h.subset ?? '', weight: h.weight, files: h.files })}</Text>)}
  </details>;
}

/** What apply would change, and the button that does it. */
export function DiffView({ context, busy, version, start }: { context: string; busy: boolean; version: string; start: (job: NewJob) => Promise<boolean> }) {
  const { t } = useTranslation();
  const [diff, setDiff] = useState<Diff | null>(null);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const [note, setNote] = useState('');
  const [force, setForce] = useState(false);
  const [adopt, setAdopt] = useState(false);
  const [take, setTake] = useState(false);
  useEffect(() => {
    let stale = false;
    setDiff(null);
    setFailure(null);
    void flush().then(() => clusters.diff(get().id, context)).then((d) => { if (!stale) setDiff(d); }).catch((err: unknown) => { if (!stale && err instanceof ApiError) setFailure(err); });
    return () => { stale = true; };
  }, [context, version]);
  if (failure) return <Text size="sm" role="alert" className="bad">{sentence(failure, t)}</Text>;
  if (!diff) return <Group gap="xs"><Loader size="xs" /><Text size="sm">{t('cluster.diffing')}</Text></Group>;
  const changes = (diff.changes ?? []).filter((c) => c.action !== 'unchanged');
  const notes = (diff.notes ?? []).map((n) => <Text key={n} size="sm" className="muted">{n}</Text>);
  if (changes.length === 0) return <>{notes}<Text size="sm" role="status">✓ {t('cluster.same')}</Text></>;
  const conflicts = changes.some((c) => (c.conflicts ?? []).length > 0), adopts = changes.some((c) => c.adopts), held = changes.some((c) => (c.heldByShift ?? []).length > 0);
  const apply = () => void start({
    verb: 'apply', workspace: get().id, context,
    apply: { note: note || undefined, forceConflicts: force || undefined, adopt: adopt || undefined, takeWeights: take || undefined },
  });
  return <div>
    {notes}
    <Text size="sm">{t('cluster.changes', { count: changes.length })}</Text>
    <div className="changes">{changes.map((c) => <Change key={`${c.object.kind}/${c.object.name}`} change={c} />)}</div>
    {conflicts && <Checkbox mt="xs" label={t('cluster.force')} checked={force} onChange={(e) => setForce(e.currentTarget.checked)} />}
    {adopts && <Checkbox mt="xs" label={t('cluster.adopt')} checked={adopt} onChange={(e) => setAdopt(e.currentTarget.checked)} />}
    {held && <Checkbox mt="xs" label={t('cluster.take')} checked={take} onChange={(e) => setTake(e.currentTarget.checked)} />}
    <Group mt="xs" align="flex-end"><TextInput size="xs" label={t('cluster.note')} value={note} onChange={(e) => setNote(e.currentTarget.value)} style={{ flex: 1, minWidth: 160 }} />
      <Button size="xs" disabled={busy} onClick={apply}>{t('cluster.apply')}</Button></Group>
  </div>;
}
