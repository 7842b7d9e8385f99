import { Text } from '@mantine/core';
import { Suspense, lazy } from 'react';
import { useTranslation } from 'react-i18next';
import type { Graph, GraphNode, RouteAnswer } from '../../api/types';
import { to } from '../../router';
import { Link, Severity } from '../../shell/Shell';
import { get, useStore } from '../../workspace/store';
import { FindingText } from '../../shell/FindingText';
import { rulesOf } from './bundle';
import { findingsOf } from './rules/rule';
import { WeightEditor } from './WeightEditor';
import type { Split } from './weights';

// The editors come when an object is chosen.
const RulesPanel = lazy(() => import('./rules').then((m) => ({ default: m.RulesPanel })));
const DestinationRulePanel = lazy(() => import('./rules').then((m) => ({ default: m.DestinationRulePanel })));
const GatewayPanel = lazy(() => import('./rules').then((m) => ({ default: m.GatewayPanel })));

function Facts({ label, values }: { label: string; values: string[] | null | undefined }) {
  if (!values?.length) return null;
  return <><h3>{label}</h3>{values.map((v) => <Text key={v} size="sm" style={{ overflowWrap: 'anywhere' }}>{v}</Text>)}</>;
}

export function ObjectPanel({ node, graph, answer, commit }: { node: GraphNode | undefined; graph: Graph; answer: RouteAnswer | null; commit: (splits: Record<string, Split>) => void }) {
  const { t } = useTranslation();
  const weights = useStore((s) => s.weights);
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const findings = useStore((s) => s.findings?.findings);
  if (!node) return <><Text size="sm">{t('deploy.none')}</Text>{graph.unread.map((u) => <Text key={u} size="sm" mt="sm">{t('deploy.unread', { what: u })}</Text>)}</>;
  const d = node.data;
  const rules = node.kind === 'VirtualService' ? rulesOf(node.id, graph.edges, weights) : [];
  const twin = d.twin && graph.nodes.find((n) => n.id === d.twin);
  const destinationRule = node.kind === 'DestinationRule' ? node : node.kind === 'Subset' ? graph.nodes.find((n) => n.id === node.parent) : undefined;
  const w = get().id;
  // A dead rule says so itself.
  const atRules = new Set((d.rules ?? []).flatMap((_, i) => findingsOf(findings ?? [], d.rules!, i, node!).dead ?? []).map((f) => f.code + f.message));
  return <>
    <Text size="xs">{node.kind}{node.namespace ? `, ${node.namespace}` : ''}</Text>
    <h2>{node.name}</h2>
    {node.file && <Text size="sm"><Link href={to.code(w, node.file, node.line)}>{t('deploy.openYaml')}: {node.file.split('/').at(-1)}, {t('code.line', { line: node.line ?? 1 })}</Link></Text>}
    {node.source && <Text size="sm"><Link href={`/w/${encodeURIComponent(w)}/model?source=${encodeURIComponent(node.source)}`}>{t('deploy.openModel')}: {node.source}</Link></Text>}
    {node.problems.filter((p) => !atRules.has(p.code + p.message)).map((p, i) => <div key={i} className="finding" style={{ cursor: 'default', marginTop: 8 }}><Severity value={p.severity} /> <b>{p.code}</b> <FindingText finding={p} /></div>)}
    {rules.length > 0 && <><h3>{t('deploy.routesOf')}</h3><WeightEditor rules={rules} readOnly={readOnly} commit={commit} />{twin && <Text size="xs" mt={4}>{t('deploy.twin', { name: twin.name })}</Text>}</>}
    <Suspense fallback={<Text size="sm" className="muted">{t('rules.loading')}</Text>}>
      {node.kind === 'VirtualService' && node.file && <RulesPanel key={node.id} node={node} graph={graph} answer={answer} />}
      {destinationRule?.file && <DestinationRulePanel key={destinationRule.id} node={destinationRule} graph={graph} />}
      {node.kind === 'Gateway' && node.file && <GatewayPanel key={node.id} node={node} />}
    </Suspense>
    {!destinationRule && <Facts label={t('deploy.hosts')} values={d.host ? [d.host] : d.hosts} />}
    <Facts label={t('deploy.gatewaysUsed')} values={d.gateways} />
    <Facts label={t('deploy.labels')} values={Object.entries(d.labels ?? {}).map(([k, v]) => `${k}: ${v}`)} />
    <Facts label={t('deploy.ports')} values={d.ports?.map((p) => `${p.name ?? ''} ${p.port}`)} />
    <Facts label={t('deploy.replicas')} values={d.replicas === undefined || d.replicas === null ? null : [String(d.replicas)]} />
    <Facts label={t('deploy.image')} values={d.images} />
  </>;
}
