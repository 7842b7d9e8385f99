import { Button, Group, Modal, Table, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type NewJob, type Revision, clusters } from '../../api/cluster';
import { get } from '../../workspace/store';
import { age, fail } from './state';

export function History({ context, version, busy, start }: { context: string; version: string; busy: boolean; start: (job: NewJob) => Promise<boolean> }) {
  const { t } = useTranslation();
  const [all, setAll] = useState<Revision[] | null>(null);
  const [asked, setAsked] = useState<Revision | null>(null);
  useEffect(() => {
    let stale = false;
    void clusters.history(get().id, context).then((h) => { if (!stale) setAll(h.revisions ?? []); }).catch(fail);
    return () => { stale = true; };
  }, [context, version]);
  const undo = (dryRun: boolean) => {
    void start({ verb: 'undo', workspace: get().id, context, undo: { revision: asked!.revision, dryRun: dryRun || undefined } });
    setAsked(null);
  };
  return <section className="card" aria-label={t('history.title')}>
    <h2>{t('history.title')}</h2>
    {all?.length === 0 && <Text size="sm" className="muted">{t('history.none')}</Text>}
    {(all ?? []).length > 0 && <Table verticalSpacing={4}><Table.Thead><Table.Tr><Table.Th>#</Table.Th><Table.Th>{t('history.when')}</Table.Th><Table.Th>{t('history.objects')}</Table.Th><Table.Th>{t('cluster.note')}</Table.Th><Table.Th /></Table.Tr></Table.Thead>
      <Table.Tbody>{all!.map((r) => <Table.Tr key={r.revision}><Table.Td>{r.revision}</Table.Td><Table.Td>{age(r.applied)}</Table.Td><Table.Td>{r.objects}</Table.Td><Table.Td>{r.note}</Table.Td>
        <Table.Td>{r.current ? t('history.current') : <Button size="compact-xs" mih={24} variant="default" disabled={busy} onClick={() => setAsked(r)} aria-label={t('history.backTo', { revision: r.revision })}>{t('history.back')}</Button>}</Table.Td></Table.Tr>)}</Table.Tbody></Table>}
    <Modal opened={asked !== null} onClose={() => setAsked(null)} title={t('history.backTo', { revision: asked?.revision ?? 0 })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Text size="sm">{t('history.what')}</Text>
      <Group justify="flex-end" mt="md"><Button variant="default" onClick={() => undo(true)}>{t('history.look')}</Button><Button onClick={() => undo(false)}>{t('history.do')}</Button></Group>
    </Modal>
  </section>;
}
