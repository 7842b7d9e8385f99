import { Button, Group, Loader, Modal, Text } from '@mantine/core';
import { Suspense, lazy, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from '../workspace/store';

const Merge = lazy(() => import('../screens/code/Merge'));

/** Shows both sides of a save that met somebody else's change; each of theirs can be taken over by itself. */
export function ConflictDialog() {
  const { t } = useTranslation();
  const conflict = useStore((s) => s.conflict);
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  useEffect(() => { setText(conflict?.mine ?? ''); setProblem(''); }, [conflict]);
  const save = () => setProblem(conflict?.resolve(text) ?? '');
  return (
    <Modal opened={conflict !== null} onClose={() => undefined} withCloseButton={false} size="90%" title={t('conflict.title', { what: conflict?.what ?? '' })}>
      {conflict && <>
        <Text size="sm" mb="sm">{t('conflict.lead')}</Text>
        <Suspense fallback={<Loader />}><Merge theirs={conflict.theirs} mine={conflict.mine} path={conflict.what} change={setText} /></Suspense>
        {problem && <Text size="sm" role="alert" className="bad">{problem}</Text>}
        <Group mt="md" justify="flex-end">
          <Button variant="default" onClick={conflict.takeTheirs}>{t('conflict.theirs')}</Button>
          <Button onClick={save}>{t('conflict.mine')}</Button>
        </Group>
      </>}
    </Modal>
  );
}
