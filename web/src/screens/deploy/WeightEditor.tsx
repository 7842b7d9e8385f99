import { ActionIcon, Button, Group, NumberInput, Slider, Text } from '@mantine/core';
import { type KeyboardEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../../shell/icons';
import { type RuleWeights } from './bundle';
import { type Split, sameSplit, setWeight, spreadEvenly } from './weights';

/** Keys stay with the weights, that no arrow moves a box and no Delete takes one away; undo and redo are the whole page's. */
export const stop = (event: KeyboardEvent): void => {
  const command = (event.ctrlKey || event.metaKey) && ['z', 'y', 's'].includes(event.key.toLowerCase());
  if (event.key !== 'Escape' && !command) event.stopPropagation();
};

/** One rule's weights: a slider and a number each, whose sum stays 100. */
export function SplitEditor({ split, disabled, commit }: { split: Split; disabled: boolean; commit: (split: Split) => void }) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState(split);
  const [locked, setLocked] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => setDraft(split), [split]);
  const done = (next: Split) => { setDraft(next); if (!sameSplit(next, split)) commit(next); };
  const lock = (name: string) => setLocked((now) => { const next = new Set(now); if (!next.delete(name)) next.add(name); return next; });
  return (
    <div onKeyDown={stop} className="nodrag nopan nowheel">
      {Object.keys(draft).map((name) => (
        <Group key={name} gap={8} wrap="nowrap" align="center" mb={4}>
          <Text size="sm" w={72} truncate fw={600}>{name}</Text>
          <Slider flex={1} label={null} value={draft[name]!} disabled={disabled || locked.has(name)} thumbLabel={t('deploy.weight', { subset: name })} thumbProps={{ 'aria-label': t('deploy.weight', { subset: name }) }} thumbSize={20}
            onChange={(v) => setDraft((now) => setWeight(now, name, v, locked))} onChangeEnd={(v) => done(setWeight(draft, name, v, locked))} />
          <NumberInput w={78} size="xs" min={0} max={100} clampBehavior="strict" suffix=" %" value={draft[name]!} disabled={disabled || locked.has(name)} aria-label={t('deploy.weight', { subset: name })}
            onChange={(v) => { const wish = v === '' ? NaN : Number(v); if (Number.isFinite(wish)) setDraft((now) => setWeight(now, name, wish, locked)); }} onBlur={() => done(draft)} onKeyDown={(e) => { if (e.key === 'Enter') done(draft); }} />
          <ActionIcon size="md" variant={locked.has(name) ? 'filled' : 'subtle'} color="gray" disabled={disabled} aria-pressed={locked.has(name)} aria-label={t(locked.has(name) ? 'deploy.unlock' : 'deploy.lock', { subset: name })} onClick={() => lock(name)}><Icon name={locked.has(name) ? 'lock' : 'unlock'} size={15} /></ActionIcon>
        </Group>
      ))}
      <Group justify="space-between" gap={8}>
        <Text size="xs">{Object.entries(draft).map(([n, w]) => `${n}: ${t('deploy.of100', { n: w })}`).join(' · ')}</Text>
        <Button size="compact-xs" mih={24} variant="default" disabled={disabled} onClick={() => done(spreadEvenly(draft, locked))}>{t('deploy.even')}</Button>
      </Group>
    </div>
  );
}

/** All rules of a VirtualService: together where they agree, and each for itself. */
export function WeightEditor({ rules, readOnly, commit }: { rules: RuleWeights[]; readOnly: boolean; commit: (splits: Record<string, Split>) => void }) {
  const { t } = useTranslation();
  const first = rules[0];
  if (!first) return null;
  const alike = rules.every((r) => Object.keys(r.split).join() === Object.keys(first.split).join());
  const agree = rules.every((r) => sameSplit(r.split, first.split));
  return <>
    {readOnly && <Text size="xs" mb={6}>{t('deploy.forkFirst')}</Text>}
    {alike && <section>
      <Text size="xs" fw={600} mb={4}>{rules.length > 1 ? t('deploy.allRules') : first.name}{agree ? '' : ` (${t('deploy.mixed')})`}</Text>
      <SplitEditor split={first.split} disabled={readOnly} commit={(s) => commit(Object.fromEntries(rules.map((r) => [r.key, s])))} />
    </section>}
    {rules.length > 1 && <details open={!agree}>
      <summary style={{ fontSize: 12.5, padding: '6px 0' }}>{rules.map((r) => r.name).join(', ')}</summary>
      {rules.map((r) => <section key={r.key} style={{ marginTop: 8 }}><Text size="xs" fw={600} mb={4}>{r.name}</Text><SplitEditor split={r.split} disabled={readOnly} commit={(s) => commit({ [r.key]: s })} /></section>)}
    </details>}
  </>;
}
