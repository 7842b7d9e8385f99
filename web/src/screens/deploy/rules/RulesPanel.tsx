import { ActionIcon, Button, Checkbox, NativeSelect } from '@mantine/core';
import { type DragEvent, type KeyboardEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Finding, Graph, GraphNode, RouteAnswer } from '../../../api/types';
import { Draft } from '../../../shell/Draft';
import { Severity } from '../../../shell/Shell';
import { Icon } from '../../../shell/icons';
import { type EditedObject, idOf } from '../../../workspace/object';
import { useStore } from '../../../workspace/store';
import { type Path, at, same } from '../../../yaml/plain';
import { FindingText } from '../../../shell/FindingText';
import { Fields, Items } from './Fields';
import { Matches } from './Matches';
import { actions, delegate, destination, directResponse, mirror, redirect } from './fields';
import { summary } from './match';
import { type Does, doesOf, doing, findingsOf, freeName, goal } from './rule';
import { equalRule, rulesPath, useTwinned } from './twin';

type Plain = Record<string, unknown>;
const order = ['name', 'match', 'route', 'redirect', 'directResponse', 'delegate', 'rewrite', 'timeout', 'retries', 'fault', 'mirror', 'corsPolicy', 'headers'];

interface Known { hosts: string[]; subsets: string[]; workloads: string[]; gateways: string[]; virtualServices: string[] }

function known(graph: Graph): Known {
  const { nodes } = graph;
  const names = (...kinds: string[]) => [...new Set(nodes.filter((n) => kinds.includes(n.kind)).map((n) => n.name))];
  return { hosts: names('Service', 'External', 'Host'), subsets: names('Subset'), workloads: names('Deployment', 'StatefulSet'), gateways: ['mesh', ...names('Gateway')], virtualServices: names('VirtualService') };
}

function Then({ object, path, rule, names }: { object: EditedObject; path: Path; rule: Plain; names: Known }) {
  const { t } = useTranslation();
  const does = doesOf(rule);
  const first = { host: names.hosts[0] ?? 'service', virtualService: names.virtualServices.find((v) => v !== object.id.name) ?? '' };
  const choices: Does[] = ['route', 'redirect', 'directResponse', ...(first.virtualService || does === 'delegate' ? ['delegate' as const] : [])];
  const suggest = { 'destination.host': names.hosts, 'destination.subset': names.subsets, 'mirror.host': names.hosts, 'mirror.subset': names.subsets, 'delegate.name': names.virtualServices };
  const total = (Array.isArray(rule.route) ? (rule.route as Plain[]) : []).reduce((s, d) => s + Number(d.weight ?? 0), 0);
  const many = Array.isArray(rule.route) && rule.route.length > 1;
  const titleOf = (item: unknown, i: number) => {
    const d = at(item, ['destination']) as Plain | undefined;
    return `${String(d?.host ?? t('rules.destination', { n: i + 1 }))}${d?.subset ? ` ${String(d.subset)}` : ''}`;
  };
  return <section aria-label={t('rules.then')}>
    <h4>{t('rules.then')}</h4>
    <NativeSelect size="xs" aria-label={t('rules.then')} description={t('rules.oneOf')} value={does} disabled={object.readOnly} data={choices.map((c) => ({ value: c, label: t(`rules.does.${c}`) }))}
      onChange={(e) => object.set(path, doing(rule, e.currentTarget.value as Does, first), order)} />
    {does === 'route' && <Items object={object} list={[...path, 'route']} fields={destination} always={['destination.host', 'destination.subset', ...(many ? ['weight'] : [])]} title={t('rules.destinations')} titleOf={titleOf} suggest={suggest}
      fresh={(n) => ({ destination: { host: first.host }, ...(n > 0 ? { weight: 0 } : {}) })} add={t('rules.addDestination')} />}
    {many && total !== 100 && does === 'route' && <p className="rule-note" role="status">{t('rules.total', { n: total })}</p>}
    {does === 'redirect' && <Fields object={object} base={path} fields={redirect} />}
    {does === 'directResponse' && <Fields object={object} base={path} fields={directResponse} always={['directResponse.status']} />}
    {does === 'delegate' && <Fields object={object} base={path} fields={delegate} always={['delegate.name']} suggest={suggest} />}
    {(does === 'route' || does === 'delegate') && <>
      <h4>{t('rules.also')}</h4>
      <Fields object={object} base={path} fields={rule.mirrors === undefined ? actions : actions.filter((a) => !a.path.startsWith('mirror'))} addLabel={t('rules.addAction')} suggest={suggest} />
      {rule.mirror === undefined && <><h4>{t('rules.mirrors')}</h4>
        <Items object={object} list={[...path, 'mirrors']} fields={mirror} always={['destination.host', 'percentage.value']} title={t('rules.mirrors')} titleOf={titleOf} suggest={suggest}
          fresh={() => ({ destination: { host: first.host }, percentage: { value: 10 } })} add={t('rules.addMirror')} /></>}
    </>}
    {does !== 'route' && does !== 'delegate' && <Fields object={object} base={path} fields={actions.filter((a) => a.path.startsWith('headers.') || a.path.startsWith('corsPolicy.'))} addLabel={t('rules.addAction')} />}
  </section>;
}

interface RuleProps {
  object: EditedObject; index: number; count: number; rule: Plain; names: Known; open: boolean; toggle: () => void; takes: boolean; apart: boolean;
  findings: { dead: Finding | null; others: Finding[] };
  move: (to: number) => void; duplicate: () => void; remove: () => void; drag: { start: () => void; over: (e: DragEvent) => void; drop: () => void; end: () => void; target: boolean };
}

function Rule({ object, index, count, rule, names, open, toggle, takes, apart, findings, move, duplicate, remove, drag }: RuleProps) {
  const { t } = useTranslation();
  const path: Path = [...rulesPath, index];
  const name = typeof rule.name === 'string' && rule.name ? rule.name : `#${index + 1}`;
  const body = `rule-${object.id.name}-${index}`;
  const suggest = { gateways: names.gateways, sourceLabels: names.workloads };
  const keys = (e: KeyboardEvent) => {
    if (!e.altKey || (e.key !== 'ArrowUp' && e.key !== 'ArrowDown') || object.readOnly) return;
    e.preventDefault();
    e.stopPropagation();
    const to = index + (e.key === 'ArrowUp' ? -1 : 1);
    if (to < 0 || to >= count) return;
    move(to);
    const list = e.currentTarget.parentElement;
    requestAnimationFrame(() => list?.children[to]?.querySelector<HTMLElement>('.rule-head')?.focus());
  };
  return <li className={`rule${takes ? ' lit' : ''}${findings.dead ? ' dead' : ''}${drag.target ? ' target' : ''}`} onKeyDown={keys} onDragOver={drag.over} onDrop={drag.drop}>
    <button type="button" className="rule-head" aria-expanded={open} aria-controls={body} onClick={toggle} draggable={!object.readOnly} onDragStart={drag.start} onDragEnd={drag.end} title={object.readOnly ? undefined : t('rules.moveHint')}>
      <span className="rule-index" aria-hidden="true">{index + 1}</span>
      <span className="rule-say"><b>{name}</b>{takes && <em> {t('ask.takes')}</em>}{apart && <em className="muted"> {t('rules.apart')}</em>}
        <span className="rule-when">{summary(rule.match, (k, v) => t(k, { ...v, interpolation: { escapeValue: false } }))}</span><span className="rule-goal">{goal(rule)}</span></span>
    </button>
    {findings.dead && <p className="rule-note"><Severity value={findings.dead.severity} /> <FindingText finding={findings.dead} />{findings.dead.witness ? ` ${t('rules.witness', { request: findings.dead.witness })}` : ''}</p>}
    {open && <div id={body} className="rule-body">
      {!object.readOnly && <div className="rule-tools">
        <ActionIcon variant="default" size={28} aria-label={t('rules.up', { name })} disabled={index === 0} onClick={() => move(index - 1)}>↑</ActionIcon>
        <ActionIcon variant="default" size={28} aria-label={t('rules.down', { name })} disabled={index === count - 1} onClick={() => move(index + 1)}>↓</ActionIcon>
        <Button size="compact-xs" mih={28} variant="default" onClick={duplicate}>{t('rules.duplicate')}</Button>
        <Button size="compact-xs" mih={28} variant="default" onClick={remove}>{t('action.delete')}</Button>
      </div>}
      <Draft size="xs" label={t('rules.name')} value={typeof rule.name === 'string' ? rule.name : ''} readOnly={object.readOnly} commit={(v) => object.set([...path, 'name'], v.trim() || undefined, order)} />
      {findings.others.map((f, i) => <p key={i} className="rule-note"><Severity value={f.severity} /> <FindingText finding={f} /></p>)}
      <Matches object={object} rule={path} suggest={suggest} />
      <Then object={object} path={path} rule={rule} names={names} />
    </div>}
  </li>;
}

/** The HTTP rules of a VirtualService, in the order in which they are tried. */
export function RulesPanel({ node, graph, answer }: { node: GraphNode; graph: Graph; answer: RouteAnswer | null }) {
  const { t } = useTranslation();
  const findings = useStore((s) => s.findings?.findings) ?? [];
  const twinNode = graph.nodes.find((n) => n.id === node.data.twin);
  const [together, setTogether] = useState(true);
  const { object, twin } = useTwinned(node.file, idOf(node), twinNode?.file, twinNode && idOf(twinNode), together);
  const [open, setOpen] = useState<number | null>(null);
  const [from, setFrom] = useState<number | null>(null);
  const [over, setOver] = useState<number | null>(null);
  if (!object?.value) return <p className="muted">{t('rules.loading')}</p>;
  const found = at(object.value, rulesPath);
  const rules = (Array.isArray(found) ? found : []) as Plain[];
  const names = known(graph);
  const move = (i: number, to: number) => { object.move(rulesPath, i, to); if (open === i) setOpen(to); else if (open === to) setOpen(i); else setOpen(null); };
  const put = (i: number, rule: Plain) => { if (rules.length === 0) object.set(rulesPath, [rule], ['hosts', 'gateways', 'http']); else object.insert(rulesPath, i, rule); setOpen(i); };
  const remove = (i: number) => { if (rules.length === 1) object.set(rulesPath, undefined); else object.remove(rulesPath, i); setOpen(null); };
  const fresh = (): Plain => ({ name: freeName(rules, 'rule'), match: [{ uri: { prefix: '/new/' } }], route: [{ destination: { host: names.hosts[0] ?? 'service' } }] });
  const end = () => { setFrom(null); setOver(null); };
  return <section aria-label={t('deploy.rules')}>
    <h3>{t('deploy.rules')}</h3>
    {twinNode && !object.readOnly && <Checkbox size="xs" mb={8} checked={together} onChange={(e) => setTogether(e.currentTarget.checked)} label={t('rules.twin', { name: twinNode.name })} />}
    {rules.length === 0 && <p className="muted">{t('rules.none')}</p>}
    <ol className="rule-list">{rules.map((rule, i) => <Rule key={i} object={object} index={i} count={rules.length} rule={rule} names={names} open={open === i} toggle={() => setOpen(open === i ? null : i)}
      takes={answer?.winner?.virtualService === node.name && answer.winner.rule === rule.name} apart={Boolean(twin?.value) && equalRule(object.value, twin?.value, i) < 0}
      findings={findingsOf(findings, node.data.rules ?? [], i, node)} move={(to) => move(i, to)} remove={() => remove(i)}
      duplicate={() => put(i + 1, { ...rule, ...(rule.name ? { name: freeName(rules, `${String(rule.name)}-copy`) } : {}) })}
      drag={{ start: () => setFrom(i), end, target: over === i && from !== null && from !== i, over: (e) => { if (from !== null) { e.preventDefault(); if (over !== i) setOver(i); } }, drop: () => { if (from !== null && from !== i) move(from, i); end(); } }} />)}</ol>
    {!object.readOnly && <Button size="compact-sm" mih={28} variant="default" leftSection={<Icon name="plus" size={14} />} onClick={() => put(0, fresh())}>{t('rules.add')}</Button>}
    {!object.readOnly && twin?.value && together && !same(at(object.value, rulesPath), at(twin.value, rulesPath)) && <p className="muted rule-note">{t('rules.notInStep', { name: twin.id.name })}</p>}
  </section>;
}
