import { Button, Group, NumberInput, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type LoadSeen, clusters } from '../../api/cluster';
import { usePaths } from './Request';
import { type Followed, fail, useJob } from './state';

const seenOf = (f: Followed): LoadSeen | null => (f.seen ?? f.job.result ?? null) as LoadSeen | null;

/** Keeps the lab's gateway busy, so that there is something to measure. */
export function LoadCard({ workspace, context, lab }: { workspace: string; context: string; lab: boolean }) {
  const { t } = useTranslation();
  const { followed, start, busy } = useJob(workspace, () => undefined, 'load');
  const [own, setPath] = useState<string | null>(null);
  const paths = usePaths();
  const path = own ?? paths[0] ?? '/';
  const [rate, setRate] = useState<number | string>(20);
  const [seconds, setSeconds] = useState<number | string>(600);
  if (!lab) return <section className="card" aria-label={t('load.title')}><h2>{t('load.title')}</h2><Text size="sm" className="muted">{t('load.onlyLab')}</Text></section>;
  const running = followed?.job.state === 'running';
  const seen = followed ? seenOf(followed) : null;
  const begin = (event: FormEvent) => {
    event.preventDefault();
    void start({ verb: 'load', workspace, context, load: { method: 'GET', path, rate: Number(rate) || 1, seconds: Number(seconds) || 60 } });
  };
  return <section className="card" aria-label={t('load.title')}>
    <h2>{t('load.title')}</h2>
    <Text size="sm" className="muted">{t('load.lead')}</Text>
    <form onSubmit={begin}><Group align="flex-end" gap="xs">
      <TextInput size="xs" label={t('request.path')} required withAsterisk={false} value={path} onChange={(e) => setPath(e.currentTarget.value)} style={{ flex: 1, minWidth: 120 }} disabled={running} />
      <NumberInput size="xs" label={t('load.rate')} min={1} max={1000} value={rate} onChange={setRate} w={110} disabled={running} />
      <NumberInput size="xs" label={t('load.seconds')} min={1} max={3600} value={seconds} onChange={setSeconds} w={90} disabled={running} />
      {running ? <Button size="xs" variant="default" onClick={() => void clusters.stop(followed.job.id).catch(fail)}>{t('cluster.stop')}</Button> : <Button size="xs" type="submit" disabled={busy}>{t('load.start')}</Button>}
    </Group></form>
    {seen && <Text size="sm" role="status" mt="xs">{t('load.seen', { sent: seen.sent, errors: seen.errors, p50: Math.round(seen.p50), p95: Math.round(seen.p95) })}</Text>}
    {followed?.job.error && <Text size="sm" role="alert" className="bad">{followed.job.error}</Text>}
  </section>;
}
