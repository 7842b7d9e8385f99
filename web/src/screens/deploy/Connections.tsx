import { ActionIcon, Anchor, Button, Group, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Graph, GraphNode } from '../../api/types';
import { Icon } from '../../shell/icons';
import { useStore } from '../../workspace/store';
import { bundles } from './bundle';
import type { Objects } from './objects/useObjects';

/** A gateway of a large mesh has hundreds of lines: so many stand there at first. */
const few = 25;

/** All lines of an object, to follow them and to take them away: what the graph does with the mouse, by keyboard. */
export function Connections({ node, graph, objects, select }: { node: GraphNode; graph: Graph; objects: Objects; select: (id: string) => void }) {
  const { t } = useTranslation();
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const [all, setAll] = useState('');
  const lines = bundles(graph.edges.filter((e) => e.from === node.id || e.to === node.id));
  const byId = new Map(graph.nodes.map((n) => [n.id, n]));
  const shown = lines.flatMap((line) => { const other = byId.get(line.from === node.id ? line.to : line.from); return other ? [{ line, other }] : []; });
  if (shown.length === 0) return null;
  const listed = all === node.id ? shown : shown.slice(0, few);
  return <section aria-label={t('objects.lines')}>
    <h3>{t('objects.lines')}</h3>
    {listed.map(({ line, other }) => {
      const away = line.from === node.id, name = `${other.kind} ${other.kind === 'Subset' && other.service ? `${other.service} ` : ''}${other.name}`;
      return <Group key={line.id} gap={6} wrap="nowrap" mih={26}>
        <Text size="sm" component="span" role="img" aria-label={t(away ? 'objects.leadsTo' : 'objects.comesFrom')}>{away ? '→' : '←'}</Text>
        <Anchor component="button" type="button" size="sm" ta="left" flex={1} style={{ overflowWrap: 'anywhere' }} onClick={() => select(other.id)}>{name}</Anchor>
        {!readOnly && objects.cuttable(line) && <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t('objects.cut', { name })} title={t('objects.cut', { name })} onClick={() => objects.cut(line)}><Icon name="close" size={14} /></ActionIcon>}
      </Group>;
    })}
    {listed.length < shown.length && <Button size="compact-xs" mih={26} variant="default" onClick={() => setAll(node.id)}>{t('objects.allLines', { count: shown.length })}</Button>}
  </section>;
}
