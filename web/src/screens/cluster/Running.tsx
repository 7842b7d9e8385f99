import { Anchor, Table, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Overview, Pod } from '../../api/cluster';
import { age } from './state';

function Listing({ title, heads, rows, empty }: { title: string; heads: string[]; rows: { key: string; cells: ReactNode[] }[]; empty: string }) {
  return <section className="card" aria-label={title}>
    <h2>{title}</h2>
    {rows.length === 0 ? <Text size="sm" className="muted">{empty}</Text> : <div className="scroll" tabIndex={0} role="group" aria-label={title}>
      <Table withRowBorders={false} verticalSpacing={4} horizontalSpacing="sm">
        <Table.Thead><Table.Tr>{heads.map((h) => <Table.Th key={h}>{h}</Table.Th>)}</Table.Tr></Table.Thead>
        <Table.Tbody>{rows.map((r) => <Table.Tr key={r.key}>{r.cells.map((c, i) => <Table.Td key={i}>{c}</Table.Td>)}</Table.Tr>)}</Table.Tbody>
      </Table>
    </div>}
  </section>;
}

/** What runs, in the columns that kubectl shows. */
export function Running({ overview, open }: { overview: Overview; open: (pod: string) => void }) {
  const { t } = useTranslation();
  const late = (p: Pod) => p.ready < p.total && p.status !== 'Completed';
  const pods = [...(overview.pods ?? [])].sort((a, b) => Number(late(b)) - Number(late(a)));
  const unready = pods.filter(late);
  return <>
    {(overview.notes ?? []).map((n) => <Text key={n} size="sm" className="muted">{n}</Text>)}
    {unready.length > 0 && <Text size="sm" role="status" className="bad">{t('cluster.unready', { count: unready.length })} {unready.map((p, i) => <span key={p.name}>{i > 0 && ', '}<Anchor component="button" size="sm" onClick={() => open(p.name)}>{p.name}: {p.status}</Anchor></span>)}</Text>}
    <Listing title="Pods" heads={['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE']} empty={t('cluster.noPods')}
      rows={pods.map((p) => ({ key: p.name, cells: [
        <Anchor component="button" size="sm" mih={24} onClick={() => open(p.name)}>{p.name}</Anchor>,
        <span className={p.ready < p.total ? 'bad' : undefined}>{p.ready}/{p.total}</span>,
        <>{p.status}{late(p) && p.reason && <div className="bad reason" lang="en">{p.reason}</div>}</>, p.restarts, age(p.created)] }))} />
    <Listing title="VirtualServices" heads={['NAME', 'GATEWAYS', 'HOSTS', 'AGE']} empty={t('cluster.noRoutes')}
      rows={(overview.virtualServices ?? []).map((v) => ({ key: v.name, cells: [v.name, (v.gateways ?? []).join(', '), (v.hosts ?? []).join(', '), age(v.created)] }))} />
    <Listing title="DestinationRules" heads={['NAME', 'HOST', 'SUBSETS', 'AGE']} empty={t('cluster.noRoutes')}
      rows={(overview.destinationRules ?? []).map((d) => ({ key: d.name, cells: [d.name, d.host, (d.subsets ?? []).map((s) => `${s.name} ${s.ready}/${s.total}`).join(', '), age(d.created)] }))} />
  </>;
}
