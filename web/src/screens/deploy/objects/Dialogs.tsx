import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { GraphNode } from '../../../api/types';
import { useStore } from '../../../workspace/store';
import { isGenerated, referrers, removal } from './files';
import type { Way } from './link';

/** Asks what a line means, where it may mean more than one thing. */
export function WayDialog({ from, to, ways, choose, close }: { from: GraphNode; to: GraphNode; ways: Way[]; choose: (way: Way) => void; close: () => void }) {
  const { t } = useTranslation();
  const label = (w: Way) => (w.id.startsWith('rule') ? t('objects.way.rule', { name: w.name }) : t(`objects.way.${w.id as 'env' | 'volume' | 'all'}`));
  return (
    <Modal opened onClose={close} title={t('objects.ways', { from: `${from.kind} ${from.name}`, to: `${to.kind} ${to.name}` })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Text size="sm" mb="sm">{t('objects.wayHint')}</Text>
      <Stack gap="xs">{ways.map((w, i) => <Button key={w.id} variant="default" data-autofocus={i === 0 || undefined} onClick={() => { choose(w); close(); }}>{label(w)}</Button>)}</Stack>
    </Modal>
  );
}

/** Says what else refers to objects before they are deleted. */
export function DeleteDialog({ doomed, remove, close }: { doomed: GraphNode[]; remove: () => void; close: () => void }) {
  const { t } = useTranslation();
  const graph = useStore((s) => s.graph);
  const ids = new Set(doomed.map((n) => n.id));
  const nodes = graph?.nodes ?? [];
  const missing = [...new Set(doomed.flatMap((n) => referrers(n, nodes, graph?.edges ?? [])))].filter((n) => !ids.has(n.id) && !ids.has(n.parent ?? ''));
  const possible = doomed.some((n) => removal(n, nodes));
  return (
    <Modal opened onClose={close} title={doomed.length === 1 ? t('objects.delete', { name: `${doomed[0]!.kind} ${doomed[0]!.name}` }) : t('objects.deleteMany', { count: doomed.length })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      {!possible && <Text size="sm">{t('objects.notDeletable')}</Text>}
      {missing.length > 0 && <><Text size="sm">{t('objects.refers')}</Text><ul style={{ margin: '4px 0 10px', paddingLeft: 20, maxHeight: 180, overflow: 'auto' }}>{missing.map((n) => <li key={n.id}>{n.kind} {n.name}</li>)}</ul></>}
      {possible && doomed.some(isGenerated) && <Text size="sm">{t('objects.generated')}</Text>}
      <Group justify="flex-end" mt="md"><Button variant="default" onClick={close}>{t('action.cancel')}</Button>{possible && <Button color="red.9" data-autofocus onClick={() => { remove(); close(); }}>{t('action.delete')}</Button>}</Group>
    </Modal>
  );
}
