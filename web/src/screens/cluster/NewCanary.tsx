import { Button, Checkbox, Group, NativeSelect, NumberInput, SegmentedControl, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { LiveService, NewJob } from '../../api/cluster';
import { get } from '../../workspace/store';
import { type Plan, nextImage, parseSteps, plans } from './plan';

export type Start = (job: NewJob) => Promise<boolean>;

function imageOf(s: LiveService | undefined): string {
  const stable = s?.workloads?.find((w) => w.track !== 'canary') ?? s?.workloads?.[0];
  return stable?.images?.[0] ?? '';
}

/** The form that starts a canary, by one of a few plans or by one's own. `consumes`: it was refused because the service takes messages. */
export function NewCanary({ services, context, busy, consumes, start }: { services: LiveService[]; context: string; busy: boolean; consumes: boolean; start: Start }) {
  const { t } = useTranslation();
  const [service, setService] = useState(services[0]!.name);
  const [image, setImage] = useState<string | null>(null);
  const [plan, setPlan] = useState<Plan>('steps');
  const [steps, setSteps] = useState<string>(plans.steps.steps);
  const [every, setEvery] = useState<string>(plans.steps.every);
  const [errors, setErrors] = useState('1%');
  const [p95, setP95] = useState('');
  const [least, setLeast] = useState<number | string>(50);
  const [header, setHeader] = useState('');
  const [sticky, setSticky] = useState('');
  const [events, setEvents] = useState(false);
  const chosen = services.find((s) => s.name === service) ?? services[0]!;
  const wished = image ?? nextImage(imageOf(chosen));
  const choose = (next: Plan) => { setPlan(next); setSteps(plans[next].steps); setEvery(plans[next].every); };
  const blueGreen = plan === 'blueGreen';
  const read = parseSteps(steps);
  const wrong = !blueGreen && 'wrong' in read ? t(read.wrong, { at: read.at }) : undefined;
  const job = (dryRun: boolean): NewJob => ({
    verb: 'canary-start', workspace: get().id, context, canary: {
      service: chosen.name, image: wished, strategy: blueGreen ? 'blue-green' : undefined, steps: blueGreen || 'wrong' in read ? undefined : read.steps,
      every: every || undefined, maxErrorRate: errors || undefined, maxP95: p95 || undefined, minRequests: Number(least) || undefined,
      header: header.trim() || undefined, sticky: sticky.trim() || undefined, acceptEvents: events || undefined, dryRun: dryRun || undefined,
    },
  });
  const able = !busy && wished !== '' && !wrong;
  return <form onSubmit={(e: FormEvent) => { e.preventDefault(); if (able) void start(job(false)); }}>
    <Group align="flex-end" gap="xs">
      <NativeSelect size="xs" label={t('canary.service')} data={services.map((s) => s.name)} value={chosen.name} onChange={(e) => { setService(e.currentTarget.value); setImage(null); }} />
      <TextInput size="xs" label={t('canary.image')} description={t('canary.imageNow', { image: imageOf(chosen) || '–' })} required withAsterisk={false} value={wished}
        onChange={(e) => setImage(e.currentTarget.value)} style={{ flex: 1, minWidth: 220 }} />
    </Group>
    <Text size="xs" fw={600} mt="xs" id="canary-plan">{t('canary.plan')}</Text>
    <SegmentedControl size="xs" aria-labelledby="canary-plan" value={plan} onChange={(v) => choose(v as Plan)} data={[
      { value: 'steps', label: '10 → 50 → 100 %' }, { value: 'careful', label: '5 → 20 → 50 → 100 %' }, { value: 'hold', label: t('canary.hold') },
      { value: 'blueGreen', label: t('canary.blueGreen') }, { value: 'own', label: t('canary.own') },
    ]} />
    <Text size="xs" className="muted" mt={2}>{t(`canary.about.${plan}`)}</Text>
    <Group align="flex-start" gap="xs" mt="xs">
      {!blueGreen && <TextInput size="xs" label={t('canary.stepsLabel')} value={steps} error={wrong} onChange={(e) => { setSteps(e.currentTarget.value); setPlan('own'); }} w={150} />}
      <TextInput size="xs" label={t('canary.every')} value={every} onChange={(e) => setEvery(e.currentTarget.value)} w={90} />
      <TextInput size="xs" label={t('canary.maxErrors')} value={errors} onChange={(e) => setErrors(e.currentTarget.value)} w={90} />
      <TextInput size="xs" label={t('canary.maxP95')} placeholder="500ms" value={p95} onChange={(e) => setP95(e.currentTarget.value)} w={90} />
      <NumberInput size="xs" label={t('canary.least')} min={0} value={least} onChange={setLeast} w={120} />
    </Group>
    <details className="byhand"><summary>{t('canary.more')}</summary>
      <Group align="flex-start" gap="xs">
        <TextInput size="xs" label={t('canary.header')} description={t('canary.headerHint')} placeholder="x-canary: true" value={header} onChange={(e) => setHeader(e.currentTarget.value)} w={220} />
        <TextInput size="xs" label={t('canary.sticky')} description={t('canary.stickyHint')} placeholder="side" value={sticky} onChange={(e) => setSticky(e.currentTarget.value)} w={220} />
      </Group>
    </details>
    <Checkbox mt="xs" label={t('canary.events')} description={t('canary.eventsHint')} error={consumes && !events && t('canary.eventsNeeded')} checked={events} onChange={(e) => setEvents(e.currentTarget.checked)} />
    <Group gap="xs" mt="sm">
      <Button size="xs" type="submit" disabled={!able}>{t('canary.start')}</Button>
      <Button size="xs" variant="default" disabled={!able} onClick={() => void start(job(true))}>{t('canary.dryRun')}</Button>
    </Group>
  </form>;
}
