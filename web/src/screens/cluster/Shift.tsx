import { Button, Group, NativeSelect, Slider, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { LiveService } from '../../api/cluster';
import { get } from '../../workspace/store';
import type { Start } from './NewCanary';

/** Weights by hand, live: nothing is judged, and the files stay as they are until the shift ends. */
export function Shift({ services, context, busy, start }: { services: LiveService[]; context: string; busy: boolean; start: Start }) {
  const { t } = useTranslation();
  const able = services.filter((s) => (s.tracks ?? []).length === 2);
  const [name, setName] = useState('');
  const s = able.find((x) => x.name === name) ?? able.find((x) => x.shift) ?? able[0];
  const [wished, setWished] = useState<number | null>(null);
  const running = s?.shift !== undefined;
  // What was wished is done, or was given up: the slider shows the cluster's word again.
  useEffect(() => setWished(null), [running]);
  if (!s) return null;
  const [a, b] = s.tracks as [NonNullable<typeof s.tracks>[number], NonNullable<typeof s.tracks>[number]];
  const canary = a.subset === 'canary' ? a : b, stable = canary === a ? b : a;
  const value = wished ?? canary.wished ?? 0;
  const shift = (how: { weights?: Record<string, number>; end?: boolean }) =>
    void start({ verb: 'shift', workspace: get().id, context, shift: { service: s.name, ...how } }).then((begun) => { if (begun) setWished(null); });
  return <details className="byhand">
    <summary>{t('shift.title')}</summary>
    <Text size="sm" className="muted">{t('shift.lead')}</Text>
    <NativeSelect size="xs" label={t('canary.service')} data={able.map((x) => x.name)} value={s.name} onChange={(e) => { setName(e.currentTarget.value); setWished(null); }} />
    {canary.total === 0 && <Text size="sm">{t('shift.noPods', { subset: canary.subset })}</Text>}
    <Slider mt="md" mb="lg" label={(v) => `${v} %`} thumbLabel={t('shift.thumb', { subset: canary.subset })} min={0} max={100} value={value} onChange={setWished}
      marks={[{ value: 10, label: '10' }, { value: 50, label: '50' }, { value: 90, label: '90' }]} />
    <Group gap="xs">
      <Button size="xs" disabled={busy} onClick={() => shift({ weights: { [stable.subset]: 100 - value, [canary.subset]: value } })}>{t('shift.do', { stable: 100 - value, canary: value })}</Button>
      {s.shift && <Button size="xs" variant="default" disabled={busy} onClick={() => shift({ end: true })}>{t('shift.end')}</Button>}
    </Group>
  </details>;
}

