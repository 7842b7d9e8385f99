import { Loader } from '@mantine/core';
import { ReactFlowProvider } from '@xyflow/react';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Graph, RouteAnswer } from '../../api/types';
import { type Place, navigate, to } from '../../router';
import { Link } from '../../shell/Shell';
import { get, useStore } from '../../workspace/store';
import { Ask } from './Ask';
import { Canvas, commit } from './Canvas';
import { Connections } from './Connections';
import type { Shown } from './layout';
import { AllFields } from '../../schema/AllFields';
import { ObjectPanel } from './ObjectPanel';
import { useObjects } from './objects/useObjects';
import { Tools } from './Tools';

const kept = 'meshstorm.layers';
const calm: Shown = new Set(['routing']);

/** The layers that are on: remembered, and the first view is the routing alone. */
function useLayers(): [Shown, (on: Shown) => void] {
  const [on, setOn] = useState<Shown>(() => {
    const stored = localStorage.getItem(kept);
    return stored === null ? calm : (new Set(stored.split(',').filter(Boolean)) as Shown);
  });
  const set = useCallback((next: Shown) => { localStorage.setItem(kept, [...next].join(',')); setOn(next); }, []);
  return [on, set];
}

function Deployment({ place, graph }: { place: Place; graph: Graph }) {
  const { t } = useTranslation();
  const [answer, setAnswer] = useState<RouteAnswer | null>(null);
  const [on, setOn] = useLayers();
  const selected = place.query.get('node');
  const select = useCallback((id: string | null) => navigate(to.deploy(get().id, id ?? undefined), { replace: true }), []);
  const show = useCallback((layer: 'routing' | 'configuration' | 'security' | 'external') => { if (!on.has(layer)) setOn(new Set([...on, layer])); }, [on, setOn]);
  const { objects, dialogs } = useObjects(select, show);
  const node = graph.nodes.find((n) => n.id === selected);
  return (
    <div className="column">
      <Ask answer={answer} setAnswer={setAnswer} />
      <div className="split" style={{ flex: 1 }}>
        <ReactFlowProvider><Canvas graph={graph} answer={answer} selected={selected} select={select} on={on} setOn={setOn} objects={objects} /></ReactFlowProvider>
        <aside className="side" aria-label={t('panel.title')} tabIndex={0}>
          {node && <Tools node={node} graph={graph} objects={objects} />}
          <ObjectPanel node={node} graph={graph} answer={answer} commit={commit} />
          {node && <Connections node={node} graph={graph} objects={objects} select={select} />}
          {node && <AllFields key={node.id} node={node} />}
        </aside>
      </div>
      {dialogs}
    </div>
  );
}

export default function DeployScreen({ place }: { place: Place }) {
  const { t } = useTranslation();
  const graph = useStore((s) => s.graph);
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  if (!graph) return <div className="centred"><Loader /></div>;
  if (graph.nodes.length === 0 && readOnly) {
    return <div className="centred"><h1>{t('deploy.empty')}</h1><p>{t('deploy.emptyHint')}</p><Link href={to.code(get().id)}>{t('deploy.toCode')}</Link></div>;
  }
  return <Deployment place={place} graph={graph} />;
}
