import './cluster.css';
import { Loader, Text } from '@mantine/core';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Place } from '../../router';
import { useStore } from '../../workspace/store';
import { refresh } from '../../workspace/sync';
import { CanaryCard } from './Canary';
import { History } from './History';
import { JobView } from './JobView';
import { LoadCard } from './Load';
import { PodDrawer } from './PodDrawer';
import { RequestCard } from './Request';
import { Running } from './Running';
import { useCluster, useContexts, useJob } from './state';
import { Way } from './Way';

export default function ClusterScreen({ place }: { place: Place }) {
  const { t } = useTranslation();
  const workspace = place.workspace!;
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const { contexts, lab, context, choose, reload } = useContexts();
  const { cluster, connected } = useCluster(workspace, contexts ? context : null);
  const ended = useCallback(() => { reload(); void refresh(workspace, []); }, [reload, workspace]);
  const { followed, start, busy, close } = useJob(workspace, ended);
  const [pod, setPod] = useState<string | null>(null);
  if (!contexts || !lab) return <div className="centred"><Loader size="sm" /> {t('cluster.looking')}</div>;
  const o = cluster?.overview;
  const runs = (o?.pods ?? []).length > 0;
  const job = followed && <JobView followed={followed} close={close} />;
  const ofCanary = followed !== null && /^(canary|shift)/.test(followed.job.verb);
  const consumes = followed?.job.verb === 'canary-start' && followed.job.state === 'failed' && followed.lines.some((l) => l.text.includes('--accept-events'));
  return (
    <div className="cluster">
      <div className="lane">
        <Way contexts={contexts} lab={lab} context={context} cluster={cluster} connected={connected} busy={busy} choose={choose} start={start} />
        {!ofCanary && job}
        {cluster?.applied && <History context={context} version={`${cluster.applied.revision}`} busy={busy} start={start} />}
      </div>
      <div className="lane">
        {!runs && <section className="card"><h2>{t('cluster.runs')}</h2><Text size="sm" className="muted">{t(cluster?.reachable ? 'cluster.noPods' : 'cluster.firstReach')}</Text></section>}
        {o && runs && <Running overview={o} open={setPod} />}
        {cluster?.reachable && runs && <RequestCard context={context} gateway={cluster.gateway?.url || t('request.forward')} />}
        {cluster?.reachable && runs && <CanaryCard cluster={cluster} context={context} busy={busy && followed?.job.verb !== 'canary-start'} consumes={consumes} start={start} />}
        {ofCanary && job}
        {cluster?.reachable && runs && <LoadCard workspace={workspace} context={context} lab={cluster.lab} />}
        {readOnly && <Text size="sm" className="muted">{t('cluster.readOnly')}</Text>}
      </div>
      <PodDrawer pod={pod} context={context} close={() => setPod(null)} />
    </div>
  );
}
