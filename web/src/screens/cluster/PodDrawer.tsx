import { Badge, Drawer, Table, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type PodDetail, clusters } from '../../api/cluster';
import { get } from '../../workspace/store';
import { PodLog } from './PodLog';
import { age, fail } from './state';

const often = 2000; // milliseconds between two looks at an open pod

export function PodDrawer({ pod, context, close }: { pod: string | null; context: string; close: () => void }) {
  const { t } = useTranslation();
  const [detail, setDetail] = useState<PodDetail | null>(null);
  useEffect(() => {
    setDetail(null);
    if (!pod) return;
    let stale = false;
    const look = () => void clusters.pod(get().id, context, pod).then((d) => { if (!stale) setDetail(d); }).catch((err: unknown) => { if (!stale) { fail(err); close(); } });
    look();
    const timer = setInterval(look, often);
    return () => { stale = true; clearInterval(timer); };
  }, [pod, context]);
  return (
    <Drawer opened={pod !== null} onClose={close} position="right" size="xl" title={pod} closeButtonProps={{ 'aria-label': t('action.close') }}>
      {detail?.message && <Text size="sm" className="bad">{detail.message}</Text>}
      <h3>{t('pod.containers')}</h3>
      <Table verticalSpacing={4}>
        <Table.Tbody>{(detail?.containers ?? []).map((c) => <Table.Tr key={c.name}>
          <Table.Td>{c.name} {c.proxy && <Badge size="xs" color="blue.8">{t('pod.sidecar')}</Badge>}</Table.Td>
          <Table.Td className={c.ready || c.init ? undefined : 'bad'}>{c.state}{c.message ? `: ${c.message}` : ''}</Table.Td>
          <Table.Td>{t('pod.restarts', { count: c.restarts })}</Table.Td>
          <Table.Td style={{ overflowWrap: 'anywhere' }}>{c.image}</Table.Td>
        </Table.Tr>)}</Table.Tbody>
      </Table>
      <h3>{t('pod.events')}</h3>
      {(detail?.events ?? []).length === 0 ? <Text size="sm" className="muted">{t('pod.noEvents')}</Text>
        : <ul className="plain">{detail!.events!.map((e, i) => <li key={i}><span className={e.type === 'Warning' ? 'bad' : 'muted'}>{e.reason}</span> {e.message} <span className="muted">{e.count > 1 && `×${e.count} `}{age(e.last)}</span></li>)}</ul>}
      {pod && detail && <PodLog key={pod} pod={pod} context={context} containers={(detail.containers ?? []).map((c) => c.name)} />}
    </Drawer>
  );
}
