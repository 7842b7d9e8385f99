import './schema.css';
import { Loader, Text } from '@mantine/core';
import { Suspense, lazy, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../api/client';
import type { GraphNode } from '../api/types';
import { useStore } from '../workspace/store';
import { idOf, useObject } from '../workspace/object';
import { documentText, locate, replaceDocument } from '../yaml/documents';
import { schemaOf } from './known';
import type { Schema } from './model';

const SchemaForm = lazy(() => import('./SchemaForm'));
const Editor = lazy(() => import('../screens/code/Editor'));

/** A DestinationRule stands behind a subset's node, and any other object behind its own. */
function objectOf(node: GraphNode) {
  if (node.kind === 'Subset' && node.parent) {
    const [kind, namespace, name] = node.parent.split('/');
    return { kind: kind!, namespace: namespace || undefined, name: name! };
  }
  return idOf(node);
}

/** All fields of the chosen object as a form, and its YAML beside it; either changes the other. */
export function AllFields({ node }: { node: GraphNode }) {
  const { t } = useTranslation();
  const id = useMemo(() => objectOf(node), [node.id]);
  const object = useObject(node.file, id);
  const text = useStore((s) => (node.file ? s.texts[node.file] : undefined));
  const findings = useStore((s) => s.findings?.findings);
  const [schema, setSchema] = useState<Schema | null>(null);
  const [failure, setFailure] = useState('');
  const [fields, setFields] = useState(false);
  const [yaml, setYaml] = useState(false);
  const apiVersion = typeof object?.value?.apiVersion === 'string' ? object.value.apiVersion : '';
  useEffect(() => {
    setSchema(null);
    setFailure('');
    if (!fields || !apiVersion) return;
    let stale = false;
    schemaOf(apiVersion, id.kind).then((s) => { if (!stale) setSchema(s); }, (err: unknown) => { if (!stale && err instanceof ApiError) setFailure(err.message); });
    return () => { stale = true; };
  }, [fields, apiVersion, id.kind]);
  const place = useMemo(() => (yaml && text !== undefined ? locate(text, id) : null), [yaml, text, id]);
  if (!node.file || !object) return null;
  const own = place ? (findings ?? []).filter((f) => f.file === node.file && f.line && f.line >= place.line).map((f) => ({ ...f, line: f.line! - place.line + 1 })) : [];
  return <>
    <details className="whole" open={fields} onToggle={(e) => setFields(e.currentTarget.open)}>
      <summary>{t('form.all')}</summary>
      {failure && <Text size="sm">{failure}</Text>}
      {fields && schema && object.value && <Suspense fallback={<Loader size="xs" />}><SchemaForm key={node.id} object={object} schema={schema} /></Suspense>}
      {fields && !schema && !failure && <Loader size="xs" />}
    </details>
    <details className="whole" open={yaml} onToggle={(e) => setYaml(e.currentTarget.open)}>
      <summary>YAML</summary>
      {yaml && place && <Suspense fallback={<Loader size="xs" />}><div className="beside"><Editor path={`${node.id}.yml`} file={node.file} text={documentText(text!, id) ?? ''} readOnly={object.readOnly} findings={own} label={`YAML ${node.name}`}
        change={(next) => object.change((whole) => replaceDocument(whole, id, next))} cursor={() => undefined} /></div></Suspense>}
    </details>
  </>;
}
