import { Loader, Text } from '@mantine/core';
import { Suspense, lazy, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import { clusters } from '../../api/cluster';
import { sentence } from '../../shell/ErrorPage';
import { get, useStore } from '../../workspace/store';
import { flush } from '../../workspace/sync';
import { useContexts } from '../cluster/state';

const Diff = lazy(() => import('./Diff'));

/** A manifest beside what runs of it in the chosen cluster, reduced to the fields that the manifest names. */
export function AgainstCluster({ path }: { path: string }) {
  const { t } = useTranslation();
  const { contexts, context } = useContexts();
  const revision = useStore((s) => s.workspace?.revision);
  const [sides, setSides] = useState<{ live: string; file: string } | null>(null);
  const [failure, setFailure] = useState<ApiError | null>(null);
  useEffect(() => {
    if (!contexts) return;
    let stale = false;
    setFailure(null);
    void flush().then(() => clusters.compare(get().id, context, path)).then((c) => { if (!stale) setSides(c); })
      .catch((err: unknown) => { if (!stale && err instanceof ApiError) setFailure(err); });
    return () => { stale = true; };
  }, [contexts, context, path, revision]);
  if (failure) return <div className="centred" role="alert"><Text size="sm">{sentence(failure, t)}</Text></div>;
  if (!sides) return <div className="centred"><Loader size="sm" /> {t('cluster.diffing')}</div>;
  if (sides.live === sides.file) return <div className="centred" role="status"><Text size="sm">✓ {t('cluster.same')}</Text></div>;
  return <Suspense fallback={<Loader />}><Diff before={sides.live} after={sides.file} path={path} /></Suspense>;
}
