import { Button, Group, Loader, Modal, Text } from '@mantine/core';
import { Suspense, lazy } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from '../workspace/store';

const Diff = lazy(() => import('../screens/code/Diff'));

/** Shows both sides of a save that met somebody else's change. */
export function ConflictDialog() {
  const { t } = useTranslation();
  const conflict = useStore((s) => s.conflict);
  return (
    <Modal opened={conflict !== null} onClose={() => undefined} withCloseButton={false} size="90%" title={t('conflict.title', { what: conflict?.what ?? '' })}>
      {conflict && <>
        <Text size="sm" mb="sm">{t('conflict.lead')}</Text>
        <Suspense fallback={<Loader />}><Diff before={conflict.theirs} after={conflict.mine} path={conflict.what} height="60vh" /></Suspense>
        <Group mt="md" justify="flex-end">
          <Button variant="default" onClick={conflict.takeTheirs}>{t('conflict.theirs')}</Button>
          <Button onClick={conflict.keepMine}>{t('conflict.mine')}</Button>
        </Group>
      </>}
    </Modal>
  );
}
