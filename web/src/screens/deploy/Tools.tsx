import { Button, Select } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Graph, GraphNode } from '../../api/types';
import { useStore } from '../../workspace/store';
import type { Objects } from './objects/useObjects';

/** What is done with the chosen object as a whole; all that drawing and dragging does, by keyboard. */
export function Tools({ node, graph, objects }: { node: GraphNode; graph: Graph; objects: Objects }) {
  const { t } = useTranslation();
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const [open, setOpen] = useState(false);
  const own = Boolean(node.file);
  const targets = open ? graph.nodes.flatMap((n) => {
    return n.id !== node.id && objects.judge(node.id, n.id).ok ? [{ value: n.id, label: `${n.kind} ${n.kind === 'Subset' && n.service ? `${n.service} ` : ''}${n.name}` }] : [];
  }) : [];
  return <div className="object-tools">
    {own && node.kind !== 'Subset' && <Button size="compact-xs" mih={26} variant="default" onClick={() => objects.copy([node.id])}>{t('objects.copy')}</Button>}
    {!readOnly && own && node.kind !== 'Subset' && <Button size="compact-xs" mih={26} variant="default" onClick={() => objects.duplicate([node.id])}>{t('objects.duplicate')}</Button>}
    {!readOnly && own && <Button size="compact-xs" mih={26} variant="default" onClick={() => objects.remove([node.id])}>{t('action.delete')}</Button>}
    {!readOnly && <Select key={node.id} size="xs" w="100%" searchable placeholder={t('objects.connect')} aria-label={t('objects.connect')} nothingFoundMessage={t('spot.nothing')} data={targets} value={null} limit={100}
      onDropdownOpen={() => setOpen(true)} onDropdownClose={() => setOpen(false)} onKeyDown={(e) => e.stopPropagation()} onChange={(id) => { if (id) objects.connect(node.id, id); }} />}
  </div>;
}
