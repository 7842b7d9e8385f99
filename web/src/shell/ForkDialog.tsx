import { Button, Group, Modal, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, api } from '../api/client';
import { type Place, navigate, to } from '../router';

export function ForkDialog({ opened, close, place }: { opened: boolean; close: () => void; place: Place }) {
  const { t } = useTranslation();
  const [name, setName] = useState('');
  const [failure, setFailure] = useState('');
  const [busy, setBusy] = useState(false);
  const suggested = `my-${(place.workspace ?? '').replace(/^example:/, '')}`;
  const fork = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await api.fork(place.workspace!, name.trim() || suggested);
      close();
      navigate(to[place.screen](made.id));
    } catch (err) {
      setFailure(err instanceof ApiError ? err.message : String(err));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={close} title={t('fork.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form onSubmit={(e) => void fork(e)}>
        <Text size="sm" mb="md">{t('fork.why')}</Text>
        <TextInput label={t('fork.name')} placeholder={suggested} value={name} onChange={(e) => setName(e.currentTarget.value)} error={failure || undefined} data-autofocus />
        <Group justify="flex-end" mt="md"><Button variant="default" onClick={close}>{t('action.cancel')}</Button><Button type="submit" loading={busy}>{t('action.fork')}</Button></Group>
      </form>
    </Modal>
  );
}
