import { Anchor, Loader, SegmentedControl, Text } from '@mantine/core';
import { Suspense, lazy, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import type { FileInfo } from '../../api/types';
import { type Place, navigate, to } from '../../router';
import { Link, Severity } from '../../shell/Shell';
import { Icon } from '../../shell/icons';
import { edit, get, useStore } from '../../workspace/store';
import { openFile } from '../../workspace/sync';
import { FindingText } from '../../shell/FindingText';
import { AgainstCluster } from './AgainstCluster';
import { GenerateButton, type Plan, PlanDialog, Toppings } from './Generate';
import { type Folder, sourceAt, treeOf } from './source';

const Editor = lazy(() => import('./Editor'));
const Diff = lazy(() => import('./Diff'));

function Tree({ folder, current, open }: { folder: Folder<FileInfo>; current: string; open: (path: string) => void }) {
  const { t } = useTranslation();
  const [shut, setShut] = useState<Record<string, boolean>>({});
  return <ul className="tree">
    {folder.folders.map((f) => {
      const closed = shut[f.path] ?? (f.name.startsWith('.') && !current.startsWith(f.path));
      return <li key={f.path}>
        <button type="button" aria-expanded={!closed} onClick={() => setShut({ ...shut, [f.path]: !closed })}><Icon name="folder" size={16} />{closed ? '▸ ' : '▾ '}{f.name}</button>
        {!closed && <Tree folder={f} current={current} open={open} />}
      </li>;
    })}
    {folder.files.map(({ name, file }) => <li key={file.path}>
      <button type="button" aria-current={file.path === current ? 'true' : undefined} onClick={() => open(file.path)}><Icon name="file" size={16} />{name}{file.edited ? <span className="tag">{t('code.edited')}</span> : null}</button>
    </li>)}
  </ul>;
}

function FindingList({ path }: { path: string }) {
  const { t } = useTranslation();
  const all = useStore((s) => s.findings?.findings) ?? [];
  const sorted = [...all].sort((a, b) => Number(b.file === path) - Number(a.file === path));
  return <section>
    <h2>{t('code.findings')}</h2>
    {sorted.length === 0 && <Text size="sm">{t('code.noFindings')}</Text>}
    {sorted.map((f, i) => <button type="button" className="finding" key={i} onClick={() => f.file && navigate(to.code(get().id, f.file, f.line))}>
      <Severity value={f.severity} /> <b>{f.code}</b> {f.file && <span>{f.file.split('/').at(-1)}{f.line ? `, ${t('code.line', { line: f.line })}` : ''}</span>}
      <div><FindingText finding={f} /></div>
      {f.fix && <div style={{ whiteSpace: 'pre-wrap' }}><b>{t('code.fix')}:</b> <span lang="en">{f.fix}</span></div>}
    </button>)}
  </section>;
}

export default function CodeScreen({ place }: { place: Place }) {
  const { t } = useTranslation();
  const files = useStore((s) => s.files);
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const path = place.rest || (files.some((f) => f.path === 'kubernetes/template/istio.yml') ? 'kubernetes/template/istio.yml' : '');
  const known = files.some((f) => f.path === path);
  const text = useStore((s) => s.texts[path]);
  const generated = useStore((s) => s.generated[path]);
  const found = useStore((s) => s.findings?.findings);
  const [mode, setMode] = useState<'edit' | 'diff' | 'cluster'>('edit');
  const [cursor, setCursor] = useState(1);
  const [plan, setPlan] = useState<Plan | null>(null);
  useEffect(() => { if (path) void openFile(path); }, [path, known, text === undefined]);
  const tree = useMemo(() => treeOf(files), [files]);
  const findings = useMemo(() => (found ?? []).filter((f) => f.file === path), [found, path]);
  const source = useMemo(() => (text === undefined ? undefined : sourceAt(text, cursor)), [text, cursor]);
  const line = Number(place.query.get('line')) || undefined;
  const loading = <div className="centred"><Loader size="sm" /> {t('code.loading')}</div>;
  return (
    <div className="split">
      <nav className="side left" aria-label={t('code.files')} tabIndex={0}>
        <h2>{t('code.files')}</h2>
        <Tree folder={tree} current={path} open={(p) => navigate(to.code(get().id, p))} />
        <Anchor href={api.archive(get().id)} download size="sm" mt="md" display="flex" style={{ gap: 6, alignItems: 'center', minHeight: 24 }}><Icon name="download" size={16} />{t('code.zip')}</Anchor>
      </nav>
      <div className="stage column">
        <div className="toolbar">
          <h2 title={path}>{path}</h2>
          {path.startsWith('kubernetes/') && <SegmentedControl size="xs" value={mode === 'diff' && generated === undefined ? 'edit' : mode} onChange={(v) => setMode(v as 'edit' | 'diff' | 'cluster')}
            data={[{ value: 'edit', label: t('code.edit') }, ...(generated === undefined ? [] : [{ value: 'diff', label: t('code.diff') }]), { value: 'cluster', label: t('code.cluster') }]} />}
          {source && <Text size="sm">{t('code.source')} <Link href={`/w/${encodeURIComponent(get().id)}/model?source=${encodeURIComponent(source)}`}>{source}</Link></Text>}
          {!readOnly && <div style={{ marginLeft: 'auto', display: 'flex', gap: 10, alignItems: 'center' }}><GenerateButton show={setPlan} /></div>}
        </div>
        {!known && <div className="centred">{t('code.choose')}</div>}
        {known && text === undefined && loading}
        {known && text !== undefined && <Suspense fallback={loading}>
          {mode === 'cluster' && path.startsWith('kubernetes/') ? <AgainstCluster path={path} /> : mode === 'diff' && generated !== undefined
            ? generated === text ? <div className="centred">{t('code.noDiff')}</div> : <Diff before={generated} after={text} path={path} />
            : <Editor path={path} file={path} text={text} readOnly={readOnly} findings={findings} line={line} label={path} cursor={setCursor} change={(v) => edit({ texts: { ...get().texts, [path]: v } })} />}
        </Suspense>}
      </div>
      <aside className="side" aria-label={t('toppings.title')} tabIndex={0}>
        <Toppings readOnly={readOnly} show={setPlan} />
        <div style={{ height: 20 }} />
        <FindingList path={path} />
      </aside>
      <PlanDialog plan={plan} close={() => setPlan(null)} />
    </div>
  );
}
