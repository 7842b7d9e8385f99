import { Badge, Button, Group, Progress, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Canary, Cluster, NewJob, Verdict } from '../../api/cluster';
import type { TextKey } from '../../i18n';
import { get, useStore } from '../../workspace/store';
import { NewCanary, type Start } from './NewCanary';
import { Shift } from './Shift';

const ends = new Set(['promoted', 'aborted']);

/** Both versions beside each other, as they answered in this step; only the canary's numbers are judged. */
function Measured({ v }: { v: Verdict }) {
  const { t } = useTranslation();
  const row = (name: string, a: { requests: number; errors: number; p95?: number }) => <Table.Tr key={name}>
    <Table.Th scope="row">{name}</Table.Th><Table.Td>{Math.round(a.requests)}</Table.Td>
    <Table.Td>{a.requests > 0 ? `${((100 * a.errors) / a.requests).toFixed(1)} %` : '–'}</Table.Td><Table.Td>{a.p95 === undefined ? '–' : `${Math.round(a.p95)} ms`}</Table.Td>
  </Table.Tr>;
  return <>
    <Table verticalSpacing={2} withRowBorders={false} className="tracks" aria-label={t('canary.tracks')}>
      <Table.Thead><Table.Tr><Table.Td /><Table.Th>{t('canary.requests')}</Table.Th><Table.Th>{t('canary.errors')}</Table.Th><Table.Th>p95</Table.Th></Table.Tr></Table.Thead>
      <Table.Tbody>{v.stable && row('stable', v.stable)}{row('canary', v)}</Table.Tbody>
    </Table>
    <Text size="sm" className={v.judgement === 'bad' ? 'bad' : undefined}>{t(`judgement.${v.judgement.replaceAll(' ', '-')}` as TextKey)}</Text>
  </>;
}

function Going({ canary: c, context, start }: { canary: Canary; context: string; start: Start }) {
  const { t } = useTranslation();
  const does = (verb: NewJob['verb'], more: object = {}) => void start({ verb, workspace: get().id, context, canary: { service: c.service, ...more } });
  const over = ends.has(c.phase);
  const last = c.now ?? c.verdicts?.at(-1);
  return <div className="canary">
    <Group gap="xs"><b>{c.service}</b><Text size="sm">{c.image}</Text>
      <Badge variant="filled" color={c.phase === 'aborted' || c.phase === 'aborting' ? 'red.9' : c.phase === 'paused' ? '#a34400' : 'blue.8'} role="status">{t(`phase.${c.phase}`)}</Badge></Group>
    <ol className="stepper" aria-label={t('canary.steps')}>{c.steps.map((s, i) => {
      const state = over ? (c.phase === 'promoted' ? 'past' : 'future') : i < c.step ? 'past' : i === c.step ? 'present' : 'future';
      return <li key={i} className={state} aria-current={state === 'present' ? 'step' : undefined}>{state === 'past' ? '✓ ' : ''}{s} %</li>;
    })}</ol>
    {!over && <><Progress value={c.of100} aria-label={t('canary.share', { n: c.of100 })} /><Text size="sm">{t('canary.share', { n: c.of100 })}</Text></>}
    {last && <Measured v={last} />}
    {c.reason && <Text size="sm" className={c.failed ? 'bad' : undefined}>{c.reason}</Text>}
    {c.unattendedSince && !over && c.phase !== 'paused' && <Text size="sm" className="bad">{t('canary.unattended')}</Text>}
    {!over && <Group gap="xs" mt="xs">
      <Button size="xs" onClick={() => does('canary-promote')}>{t('canary.promote')}</Button>
      {c.phase === 'paused' ? <Button size="xs" variant="default" onClick={() => does('canary-resume', { next: true })}>{t('canary.resume')}</Button>
        : <Button size="xs" variant="default" onClick={() => does('canary-pause')}>{t('canary.pause')}</Button>}
      <Button size="xs" variant="outline" color="red.9" onClick={() => does('canary-abort')}>{t('canary.abort')}</Button>
    </Group>}
  </div>;
}

export function CanaryCard({ cluster, context, busy, consumes, start }: { cluster: Cluster; context: string; busy: boolean; consumes: boolean; start: Start }) {
  const { t } = useTranslation();
  // In the model's order: the first one is who the requests that the page proposes are for.
  const order = useStore((s) => s.workspace?.services) ?? [];
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  const services = (cluster.overview?.services ?? []).filter((s) => (s.workloads ?? []).length > 0).sort((a, b) => place(a.name) - place(b.name));
  const all = cluster.shifts ?? [];
  const going = all.filter((c) => !ends.has(c.phase));
  return <section className="card" aria-label={t('canary.title')}>
    <h2>{t('canary.title')}</h2>
    {services.length === 0 ? <Text size="sm" className="muted">{t('canary.none')}</Text> : <>
      <Text size="sm" className="muted">{t('canary.lead')}</Text>
      {all.map((c) => <Going key={c.service} canary={c} context={context} start={start} />)}
      {going.length < services.length && <NewCanary services={services.filter((s) => !going.some((c) => c.service === s.name))} context={context} busy={busy} consumes={consumes} start={start} />}
      <Shift services={services} context={context} busy={busy} start={start} />
    </>}
  </section>;
}
