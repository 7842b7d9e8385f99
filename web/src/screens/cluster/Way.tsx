import { Alert, Button, Group, NativeSelect, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Cluster, Contexts, Lab, NewJob } from '../../api/cluster';
import { to } from '../../router';
import { Link } from '../../shell/Shell';
import { get, useStore } from '../../workspace/store';
import { DiffView } from './DiffView';
import { age } from './state';

type Mark = 'done' | 'now' | 'later';

function Step({ mark, title, children }: { mark: Mark; title: string; children?: ReactNode }) {
  const { t } = useTranslation();
  return <li className={`step ${mark}`}>
    <span className="mark" role="img" aria-label={t(`cluster.step.${mark}`)}>{mark === 'done' ? '✓' : mark === 'now' ? '▸' : '·'}</span>
    <div><h3>{title}</h3>{children}</div>
  </li>;
}

interface Props {
  contexts: Contexts;
  lab: Lab;
  context: string;
  cluster: Cluster | null;
  connected: boolean;
  busy: boolean;
  choose: (context: string) => void;
  start: (job: NewJob) => Promise<boolean>;
}

function Reach({ contexts, lab, context, cluster, connected, busy, choose, start }: Props) {
  const { t } = useTranslation();
  const items = contexts.items ?? [];
  const labStarts = lab.state === 'starting';
  return <>
    {items.length > 0 && <NativeSelect size="xs" label={t('cluster.context')} value={context} onChange={(e) => choose(e.currentTarget.value)}
      data={items.map((c) => ({ value: c.name, label: `${c.name}${c.lab ? ` (${t('cluster.lab')})` : ''}, ${c.server}` }))} />}
    {contexts.problem && items.length === 0 && <Text size="sm">{contexts.problem}</Text>}
    {cluster?.reachable && <Text size="sm" mt={4}>{t('cluster.reached', { server: cluster.server, version: cluster.kubernetes ?? '' })}{!connected && ` ${t('cluster.stale')}`}</Text>}
    {cluster && !cluster.reachable && <Text size="sm" role="alert" className="bad" mt={4}>{cluster.problem}</Text>}
    {lab.state !== 'running' && lab.available && <div>
      <Text size="sm" my={4}>{t('cluster.labWhat')}</Text>
      <Button size="xs" disabled={busy || labStarts} loading={labStarts} onClick={() => void start({ verb: 'lab-up' })}>{t('cluster.labUp')}</Button>
    </div>}
    {!lab.available && items.length === 0 && <Text size="sm">{lab.why}</Text>}
  </>;
}

function Mesh({ context, cluster, busy, start }: Props) {
  const { t } = useTranslation();
  if (!cluster?.reachable) return null;
  const { istio } = cluster;
  return <>
    {istio.installed ? <Text size="sm">{t('cluster.istio', { version: istio.version ?? '', profile: istio.profile ?? '' })}</Text> : <>
      <Text size="sm" mb={4}>{t('cluster.noIstio')}</Text>
      <Button size="xs" disabled={busy} onClick={() => void start({ verb: 'istio-install', context, istio: { profile: 'demo' } })}>{t('cluster.install')}</Button>
    </>}
    {(istio.problems ?? []).map((p) => <Text key={p} size="sm" className="bad">{p}</Text>)}
  </>;
}

function Namespace({ context, cluster, busy, start }: Props) {
  const { t } = useTranslation();
  if (!cluster?.reachable) return null;
  const on = labelled(cluster);
  return <>
    <Text size="sm">{on ? t('cluster.labelled', { namespace: cluster.namespace }) : t(cluster.namespaceExists ? 'cluster.unlabelled' : 'cluster.noNamespace', { namespace: cluster.namespace })}</Text>
    {!on && cluster.namespaceExists && <Button mt={4} size="xs" disabled={busy} onClick={() => void start({ verb: 'istio-label', workspace: get().id, context, istio: { restart: true } })}>{t('cluster.label')}</Button>}
  </>;
}

const labelled = (c: Cluster): boolean => c.injection !== 'missing' && c.injection !== 'disabled' && c.injection !== '';

/** The way from a model to a running mesh, as the lab page teaches it: each step says where it stands and offers what comes next. */
export function Way(props: Props) {
  const { t } = useTranslation();
  const { cluster, context, busy, start } = props;
  const files = useStore((s) => s.files);
  const revision = useStore((s) => s.workspace?.revision ?? '');
  const generated = files.some((f) => f.path.startsWith('kubernetes/'));
  const reached = cluster?.reachable === true;
  const istio = reached && cluster.istio.installed;
  const ready = istio && labelled(cluster);
  const may = istio && (ready || !cluster.namespaceExists);
  const mark = (done: boolean, before: boolean): Mark => (done ? 'done' : before ? 'now' : 'later');
  return <section className="card" aria-label={t('cluster.way')}>
    <h2>{t('cluster.way')}</h2>
    <ol className="way">
      <Step mark={mark(reached, true)} title={t('cluster.step.cluster')}><Reach {...props} /></Step>
      <Step mark={mark(istio, reached)} title={t('cluster.step.istio')}><Mesh {...props} /></Step>
      <Step mark={mark(ready, istio)} title={t('cluster.step.namespace')}><Namespace {...props} /></Step>
      <Step mark={mark(cluster?.applied !== undefined, may)} title={t('cluster.step.apply')}>
        {cluster?.applied && <Text size="sm">{t('cluster.applied', { revision: cluster.applied.revision, age: age(cluster.applied.when) })} {cluster.applied.note}</Text>}
        {!generated && <Alert variant="light" py={6}><Text size="sm">{t('cluster.nothing')} <Link href={to.code(get().id)}>{t('deploy.toCode')}</Link></Text></Alert>}
        {reached && generated && <DiffView context={context} busy={busy || !may} start={start} version={`${revision} ${cluster.applied?.revision ?? 0} ${cluster.istio.installed} ${busy}`} />}
      </Step>
    </ol>
    {reached && cluster.problem && <Group><Text size="sm" className="bad">{cluster.problem}</Text></Group>}
  </section>;
}
