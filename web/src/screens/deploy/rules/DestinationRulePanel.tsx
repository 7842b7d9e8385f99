import { useTranslation } from 'react-i18next';
import type { Graph, GraphNode } from '../../../api/types';
import { idOf, useObject } from '../../../workspace/object';
import { at } from '../../../yaml/plain';
import { Fields, Items } from './Fields';
import { destinationRule, portPolicy, subset } from './fields';

type Plain = Record<string, unknown>;

/** The workloads that a subset's requests reach, by the graph. */
function selected(graph: Graph, rule: GraphNode, name: unknown): string[] {
  const id = `Subset/${rule.namespace}/${rule.name}/${String(name)}`;
  const byId = new Map(graph.nodes.map((n) => [n.id, n]));
  return graph.edges.filter((e) => e.from === id && e.kind === 'runs').map((e) => byId.get(e.to)?.name ?? e.to);
}

const portTitle = (item: unknown): string => String(at(item, ['port', 'number']) ?? '');

/** A DestinationRule: subsets first, then how connections are treated, for all, per subset and per port. */
export function DestinationRulePanel({ node, graph }: { node: GraphNode; graph: Graph }) {
  const { t } = useTranslation();
  const object = useObject(node.file, idOf(node));
  if (!object?.value) return <p className="muted">{t('rules.loading')}</p>;
  const subsets = (at(object.value, ['spec', 'subsets']) ?? []) as Plain[];
  const hosts = graph.nodes.filter((n) => n.kind === 'Service').map((n) => n.name);
  const selects = (item: unknown) => {
    const found = selected(graph, node, (item as Plain).name);
    return found.length > 0 ? t('rules.selects', { what: found.join(', '), interpolation: { escapeValue: false } }) : t('rules.selectsNone');
  };
  const ports = (list: (string | number)[], title: string) => <Items object={object} list={list} fields={portPolicy} always={['port.number']} title={title}
    titleOf={(item) => t('rules.portN', { n: portTitle(item) })} fresh={() => ({ port: { number: 8080 } })} add={t('rules.addPort')} />;
  return <>
    <h3>{t('rules.subsets')}</h3>
    <Items object={object} list={['spec', 'subsets']} fields={subset} always={['name', 'labels']} title={t('rules.subsets')} titleOf={(item, i) => String((item as Plain).name ?? t('rules.subset', { n: i + 1 }))}
      fresh={(n) => ({ name: `v${n + 1}`, labels: { version: `v${n + 1}` } })} add={t('rules.addSubset')} note={selects} />
    <h3>{t('rules.policy')}</h3>
    <Fields object={object} base={['spec']} fields={destinationRule} always={['host']} suggest={{ host: hosts }} />
    <h3>{t('rules.ports')}</h3>
    {ports(['spec', 'trafficPolicy', 'portLevelSettings'], t('rules.ports'))}
    {subsets.map((s, i) => <details key={i} className="rule-more"><summary>{t('rules.portsOf', { name: String(s.name ?? i + 1) })}</summary>
      {ports(['spec', 'subsets', i, 'trafficPolicy', 'portLevelSettings'], t('rules.portsOf', { name: String(s.name ?? i + 1) }))}</details>)}
  </>;
}
