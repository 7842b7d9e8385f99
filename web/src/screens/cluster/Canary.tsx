import { Badge, Button, Checkbox, Group, NativeSelect, NumberInput, Progress, SegmentedControl, Slider, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Canary, Cluster, LiveService, NewJob, Verdict } from '../../api/cluster';
import type { TextKey } from '../../i18n';
import { get } from '../../workspace/store';

type Start = (job: NewJob) => Promise<boolean>;

/** "order:v1" becomes "order:v2"; what has no such tag is left to the person. */
export function nextImage(image: string): string {
  const m = /^(.*:v?)(\d+)$/.exec(image);
  return m ? `${m[1]}${Number(m[2]) + 1}` : image;
}

const ends = new Set(['promoted', 'aborted']);

function Measured({ v }: { v: Verdict }) {
  const { t } = useTranslation();
  const rate = v.requests > 0 ? (100 * v.errors) / v.requests : 0;
  return <Text size="sm">{t('canary.measured', { requests: Math.round(v.requests), errors: rate.toFixed(1), p95: v.p95 === undefined ? '–' : Math.round(v.p95) })} <span className={v.judgement === 'bad' ? 'bad' : undefined}>{t(`judgement.${v.judgement.replaceAll(' ', '-')}` as TextKey)}</span></Text>;
}

function Going({ canary: c, context, start }: { canary: Canary; context: string; start: Start }) {
  const { t } = useTranslation();
  const does = (verb: string, more: object = {}) => void start({ verb, workspace: get().id, context, canary: { service: c.service, ...more } });
  const over = ends.has(c.phase);
  const last = c.now ?? c.verdicts?.at(-1);
  return <div className="canary">
    <Group gap="xs"><b>{c.service}</b><Text size="sm">{c.image}</Text><Badge variant="filled" color={c.phase === 'aborted' || c.phase === 'aborting' ? 'red.9' : c.phase === 'paused' ? 'orange.9' : 'blue.8'} role="status">{t(`phase.${c.phase}`)}</Badge></Group>
    <ol className="stepper" aria-label={t('canary.steps')}>{c.steps.map((s, i) => {
      const state = over ? (c.phase === 'promoted' ? 'past' : 'future') : i < c.step ? 'past' : i === c.step ? 'present' : 'future';
      return <li key={i} className={state} aria-current={state === 'present' ? 'step' : undefined}>{state === 'past' ? '✓ ' : ''}{s} %</li>;
    })}</ol>
    {!over && <><Progress value={c.of100} aria-label={t('canary.share', { n: c.of100 })} /><Text size="sm">{t('canary.share', { n: c.of100 })}</Text></>}
    {last && <Measured v={last} />}
    {c.reason && <Text size="sm" className={c.failed ? 'bad' : undefined}>{c.reason}</Text>}
    {c.unattendedSince && !over && <Text size="sm" className="bad">{t('canary.unattended')}</Text>}
    {!over && <Group gap="xs" mt="xs">
      <Button size="xs" onClick={() => does('canary-promote')}>{t('canary.promote')}</Button>
      {c.phase === 'paused' ? <Button size="xs" variant="default" onClick={() => does('canary-resume', { next: true })}>{t('canary.resume')}</Button>
        : <Button size="xs" variant="default" onClick={() => does('canary-pause')}>{t('canary.pause')}</Button>}
      <Button size="xs" variant="outline" color="red.9" onClick={() => does('canary-abort')}>{t('canary.abort')}</Button>
    </Group>}
  </div>;
}

function imageOf(s: LiveService | undefined): string {
  const stable = s?.workloads?.find((w) => w.track !== 'canary') ?? s?.workloads?.[0];
  return stable?.images?.[0] ?? '';
}

function New({ services, context, busy, start }: { services: LiveService[]; context: string; busy: boolean; start: Start }) {
  const { t } = useTranslation();
  const [service, setService] = useState(services[0]!.name);
  const [image, setImage] = useState<string | null>(null);
  const [plan, setPlan] = useState('10,50,100');
  const [every, setEvery] = useState('30s');
  const [errors, setErrors] = useState('1%');
  const [p95, setP95] = useState('');
  const [least, setLeast] = useState<number | string>(50);
  const [events, setEvents] = useState(false);
  const chosen = services.find((s) => s.name === service) ?? services[0]!;
  const wished = image ?? nextImage(imageOf(chosen));
  const job = (dryRun: boolean): NewJob => ({
    verb: 'canary-start', workspace: get().id, context, canary: {
      service: chosen.name, image: wished, steps: plan.split(',').map((s) => Number(s.trim())).filter((n) => n > 0), every, maxErrorRate: errors || undefined, maxP95: p95 || undefined,
      minRequests: Number(least) || undefined, acceptEvents: events || undefined, dryRun: dryRun || undefined,
    },
  });
  return <form onSubmit={(e: FormEvent) => { e.preventDefault(); void start(job(false)); }}>
    <Group align="flex-end" gap="xs">
      <NativeSelect size="xs" label={t('canary.service')} data={services.map((s) => s.name)} value={chosen.name} onChange={(e) => { setService(e.currentTarget.value); setImage(null); }} />
      <TextInput size="xs" label={t('canary.image')} description={t('canary.imageNow', { image: imageOf(chosen) || '–' })} required withAsterisk={false} value={wished} onChange={(e) => setImage(e.currentTarget.value)} style={{ flex: 1, minWidth: 220 }} />
    </Group>
    <Text size="xs" fw={600} mt="xs" id="canary-plan">{t('canary.plan')}</Text>
    <SegmentedControl size="xs" aria-labelledby="canary-plan" value={['10,50,100', '5,20,50,100', '100'].includes(plan) ? plan : 'own'} onChange={(v) => setPlan(v === 'own' ? '10,100' : v)}
      data={[{ value: '10,50,100', label: '10 → 50 → 100 %' }, { value: '5,20,50,100', label: '5 → 20 → 50 → 100 %' }, { value: '100', label: '100 %' }, { value: 'own', label: t('canary.own') }]} />
    <Group align="flex-end" gap="xs" mt="xs">
      <TextInput size="xs" label={t('canary.stepsLabel')} value={plan} onChange={(e) => setPlan(e.currentTarget.value)} w={130} pattern="[0-9]{1,3}( *, *[0-9]{1,3})*" />
      <TextInput size="xs" label={t('canary.every')} value={every} onChange={(e) => setEvery(e.currentTarget.value)} w={90} />
      <TextInput size="xs" label={t('canary.maxErrors')} value={errors} onChange={(e) => setErrors(e.currentTarget.value)} w={90} />
      <TextInput size="xs" label={t('canary.maxP95')} placeholder="500ms" value={p95} onChange={(e) => setP95(e.currentTarget.value)} w={90} />
      <NumberInput size="xs" label={t('canary.least')} min={0} value={least} onChange={setLeast} w={120} />
    </Group>
    <Checkbox mt="xs" label={t('canary.events')} description={t('canary.eventsHint')} checked={events} onChange={(e) => setEvents(e.currentTarget.checked)} />
    <Group gap="xs" mt="sm"><Button size="xs" type="submit" disabled={busy || !wished}>{t('canary.start')}</Button><Button size="xs" variant="default" disabled={busy || !wished} onClick={() => void start(job(true))}>{t('canary.dryRun')}</Button></Group>
  </form>;
}

/** Weights by hand, live: nothing is judged, and the files stay as they are until the shift ends. */
function Shift({ services, context, busy, start }: { services: LiveService[]; context: string; busy: boolean; start: Start }) {
  const { t } = useTranslation();
  const able = services.filter((s) => (s.tracks ?? []).length === 2);
  const [name, setName] = useState('');
  const s = able.find((x) => x.name === name) ?? able.find((x) => x.shift) ?? able[0];
  const [wished, setWished] = useState<number | null>(null);
  if (!s) return null;
  const [a, b] = s.tracks as [NonNullable<typeof s.tracks>[number], NonNullable<typeof s.tracks>[number]];
  const canary = a.subset === 'canary' ? a : b, stable = canary === a ? b : a;
  const value = wished ?? canary.wished ?? 0;
  return <details className="byhand">
    <summary>{t('shift.title')}</summary>
    <Text size="sm" className="muted">{t('shift.lead')}</Text>
    <NativeSelect size="xs" label={t('canary.service')} data={able.map((x) => x.name)} value={s.name} onChange={(e) => { setName(e.currentTarget.value); setWished(null); }} />
    {canary.total === 0 && <Text size="sm">{t('shift.noPods', { subset: canary.subset })}</Text>}
    <Slider mt="md" mb="lg" label={(v) => `${v} %`} thumbLabel={t('shift.thumb', { subset: canary.subset })} min={0} max={100} value={value} onChange={setWished} marks={[{ value: 10, label: '10' }, { value: 50, label: '50' }, { value: 90, label: '90' }]} />
    <Group gap="xs"><Button size="xs" disabled={busy} onClick={() => void start({ verb: 'shift', workspace: get().id, context, shift: { service: s.name, weights: { [stable.subset]: 100 - value, [canary.subset]: value } } })}>{t('shift.do', { stable: 100 - value, canary: value })}</Button>
      {s.shift && <Button size="xs" variant="default" disabled={busy} onClick={() => void start({ verb: 'shift', workspace: get().id, context, shift: { service: s.name, end: true } })}>{t('shift.end')}</Button>}</Group>
  </details>;
}

export function CanaryCard({ cluster, context, busy, start }: { cluster: Cluster; context: string; busy: boolean; start: Start }) {
  const { t } = useTranslation();
  const services = (cluster.overview?.services ?? []).filter((s) => (s.workloads ?? []).length > 0);
  const all = cluster.shifts ?? [];
  const going = all.filter((c) => !ends.has(c.phase));
  return <section className="card" aria-label={t('canary.title')}>
    <h2>{t('canary.title')}</h2>
    {services.length === 0 ? <Text size="sm" className="muted">{t('canary.none')}</Text> : <>
      <Text size="sm" className="muted">{t('canary.lead')}</Text>
      {all.map((c) => <Going key={c.service} canary={c} context={context} start={start} />)}
      {going.length < services.length && <New services={services.filter((s) => !going.some((c) => c.service === s.name))} context={context} busy={busy} start={start} />}
      <Shift services={services} context={context} busy={busy} start={start} />
    </>}
  </section>;
}
