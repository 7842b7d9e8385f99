import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Graph, GraphNode, RouteAnswer } from '../../api/types';
import { to } from '../../router';
import { Link, Severity } from '../../shell/Shell';
import { get, useStore } from '../../workspace/store';
import { rulesOf } from './bundle';
import { WeightEditor } from './WeightEditor';
import type { Split } from './weights';

function Facts({ label, values }: { label: string; values: string[] | null | undefined }) {
  if (!values?.length) return null;
  return <><h3>{label}</h3>{values.map((v) => <Text key={v} size="sm" style={{ overflowWrap: 'anywhere' }}>{v}</Text>)}</>;
}

function Rules({ node, graph, answer }: { node: GraphNode; graph: Graph; answer: RouteAnswer | null }) {
  const { t } = useTranslation();
  const weights = useStore((s) => s.weights);
  const name = new Map((graph.nodes ?? []).map((n) => [n.id, n.kind === 'Subset' ? `${n.service ?? ''} ${n.name}`.trim() : n.name]));
  return <>
    <h3>{t('deploy.rules')}</h3>
    <ol className="rules">{(node.data?.rules ?? []).map((r) => {
      const takes = answer?.winner?.virtualService === node.name && answer.winner.rule === r.name;
      const targets = (graph.edges ?? []).filter((e) => e.kind === 'route' && e.from === node.id && e.rule?.index === r.index);
      return <li key={r.index} className={takes ? 'lit' : undefined}>
        <b>{r.name || `#${r.index + 1}`}</b>{takes ? ` (${t('ask.takes')})` : ''}
        <ul>{(r.matches ?? []).length === 0 ? <li>{t('deploy.anything')}</li> : r.matches!.map((m, i) => <li key={i} style={{ marginBottom: 2 }}>{i > 0 && <span className="or">{t('deploy.or')} </span>}{m}</li>)}</ul>
        <Text size="xs">{t('deploy.sendsTo')} {targets.map((e) => `${name.get(e.to) ?? e.to} ${weights[`${node.namespace}/${node.name}#${r.index}`]?.[e.subset ?? ''] ?? e.weight ?? ''} %`).join(', ')}</Text>
        <Text size="xs">{[r.timeout && t('deploy.timeout', { value: r.timeout }), r.retries !== undefined && r.retries !== null && t('deploy.retries', { n: r.retries })].filter(Boolean).join(' · ')}</Text>
      </li>;
    })}</ol>
  </>;
}

export function ObjectPanel({ node, graph, answer, commit }: { node: GraphNode | undefined; graph: Graph; answer: RouteAnswer | null; commit: (splits: Record<string, Split>) => void }) {
  const { t } = useTranslation();
  const weights = useStore((s) => s.weights);
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  if (!node) return <><Text size="sm">{t('deploy.none')}</Text>{(graph.unread ?? []).map((u) => <Text key={u} size="sm" mt="sm">{t('deploy.unread', { what: u })}</Text>)}</>;
  const d = node.data ?? {};
  const rules = node.kind === 'VirtualService' ? rulesOf(node.id, graph.edges ?? [], weights) : [];
  const twin = d.twin && (graph.nodes ?? []).find((n) => n.id === d.twin);
  const w = get().id;
  return <>
    <Text size="xs">{node.kind}{node.namespace ? `, ${node.namespace}` : ''}</Text>
    <h2>{node.name}</h2>
    {node.file && <Text size="sm"><Link href={to.code(w, node.file, node.line)}>{t('deploy.openYaml')}: {node.file.split('/').at(-1)}, {t('code.line', { line: node.line ?? 1 })}</Link></Text>}
    {node.source && <Text size="sm"><Link href={`/w/${encodeURIComponent(w)}/model?source=${encodeURIComponent(node.source)}`}>{t('deploy.openModel')}: {node.source}</Link></Text>}
    {(node.problems ?? []).map((p, i) => <div key={i} className="finding" style={{ cursor: 'default', marginTop: 8 }}><Severity value={p.severity} /> <b>{p.code}</b> {p.message}</div>)}
    {rules.length > 0 && <><h3>{t('deploy.routesOf')}</h3><WeightEditor rules={rules} readOnly={readOnly} commit={commit} />{twin && <Text size="xs" mt={4}>{t('deploy.twin', { name: twin.name })}</Text>}</>}
    {node.kind === 'VirtualService' && <Rules node={node} graph={graph} answer={answer} />}
    <Facts label={t('deploy.servers')} values={d.servers?.map((s) => `${s.protocol} ${s.port}: ${(s.hosts ?? []).join(', ')}${s.tls ? ` (TLS ${s.tls})` : ''}`)} />
    <Facts label={t('deploy.hosts')} values={d.host ? [d.host] : d.hosts} />
    <Facts label={t('deploy.gatewaysUsed')} values={d.gateways} />
    <Facts label={t('deploy.labels')} values={Object.entries(d.labels ?? {}).map(([k, v]) => `${k}: ${v}`)} />
    <Facts label={t('deploy.ports')} values={d.ports?.map((p) => `${p.name ?? ''} ${p.port}`)} />
    <Facts label={t('deploy.replicas')} values={d.replicas === undefined || d.replicas === null ? null : [String(d.replicas)]} />
    <Facts label={t('deploy.image')} values={d.images} />
  </>;
}
