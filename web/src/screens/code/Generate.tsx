import { Alert, Button, Checkbox, Group, Modal, Text } from '@mantine/core';
import { useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, api } from '../../api/client';
import type { GenerateResult, ToppingGroup } from '../../api/types';
import type { TextKey } from '../../i18n';
import { get, receive } from '../../workspace/store';
import { flush, refresh } from '../../workspace/sync';

function Lines({ diff }: { diff: string }) {
  return <pre className="diff" tabIndex={0}>{diff.split('\n').map((l, i) => <div key={i} className={l.startsWith('+') ? 'plus' : l.startsWith('-') ? 'minus' : undefined}>{l || ' '}</div>)}</pre>;
}

export interface Plan {
  title: string;
  result: GenerateResult;
  apply: () => Promise<void>;
}

export function PlanDialog({ plan, close }: { plan: Plan | null; close: () => void }) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const changes = plan?.result.changes ?? [], conflicts = plan?.result.conflicts ?? [];
  const apply = async () => {
    setBusy(true);
    try {
      await plan!.apply();
      close();
    } catch (err) {
      if (err instanceof ApiError) receive({ failure: err });
      close();
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={plan !== null} onClose={close} size="xl" title={plan?.title} closeButtonProps={{ 'aria-label': t('action.close') }}>
      {changes.length === 0 && <Text size="sm">{t('code.noChanges')}</Text>}
      {conflicts.length > 0 && <Alert color="orange" variant="outline" mb="sm" title={t('code.conflicts', { count: conflicts.length })}>{conflicts.map((c, i) => <Text key={i} size="sm">{`${c.path}:${c.line} ${c.object} ${c.field}: ${t('code.conflictOf', { yours: c.yours, generated: c.generated })}`}</Text>)}</Alert>}
      {changes.map((c) => <details key={c.path} open={changes.length < 4}><summary><b>{c.path}</b> ({c.action})</summary>{c.diff && <Lines diff={c.diff} />}</details>)}
      <Group justify="flex-end" mt="md"><Button variant="default" onClick={close}>{t('action.cancel')}</Button><Button loading={busy} onClick={() => void apply()}>{t('code.apply')}</Button></Group>
    </Modal>
  );
}

const fail = (err: unknown) => { if (err instanceof ApiError) receive({ failure: err }); };

export function GenerateButton({ show }: { show: (plan: Plan) => void }) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);
  const preview = async () => {
    setBusy(true);
    setDone(false);
    try {
      await flush();
      const w = get().id;
      const result = await api.generate(w, { dryRun: true });
      if (!result.changes.length) setDone(true);
      else show({ title: t('code.preview'), result, apply: async () => { await api.generate(w, {}); await refresh(w, []); } });
    } catch (err) {
      fail(err);
    } finally {
      setBusy(false);
    }
  };
  return <>
    <Button size="xs" loading={busy} onClick={() => void preview()} title={t('code.generateHint')}>{t('code.generate')}</Button>
    {done && <Text size="sm" role="status">{t('code.upToDate')}</Text>}
  </>;
}

export function Toppings({ readOnly, show }: { readOnly: boolean; show: (plan: Plan) => void }) {
  const { t } = useTranslation();
  const [groups, setGroups] = useState<ToppingGroup[]>([]);
  const load = useCallback(() => void api.toppings(get().id).then(setGroups).catch(fail), []);
  useEffect(load, [load]);
  const tick = async (name: string, title: string, on: boolean) => {
    const w = get().id;
    const enabled = groups.flatMap((g) => g.items).filter((i) => (i.name === name ? on : i.enabled)).map((i) => i.name);
    try {
      const result = await api.generate(w, { dryRun: true, toppings: enabled });
      show({ title: t(on ? 'toppings.on' : 'toppings.off', { name: title }), result, apply: async () => { await api.generate(w, { toppings: enabled }); load(); await refresh(w, []); } });
    } catch (err) {
      fail(err);
    }
  };
  return <section>
    <h2>{t('toppings.title')}</h2>
    {!readOnly && <Text size="xs" className="muted">{t('toppings.hint')}</Text>}
    {groups.map((g) => <fieldset key={g.name} style={{ border: 0, padding: 0, margin: 0 }}>
      <legend><h3>{g.name}</h3></legend>
      {g.items.map((i) => <Checkbox key={i.name} mb={6} label={i.title} description={t(`topping.${i.name}` as TextKey, { defaultValue: i.description })} checked={i.enabled} disabled={readOnly} onChange={(e) => void tick(i.name, i.title, e.currentTarget.checked)} />)}
    </fieldset>)}
  </section>;
}
