import { Alert, Button, Container, List, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { ApiError } from '../api/client';
import type { TextKey } from '../i18n';

/** What an error says to people: the server's own sentence, or what we know without one. */
export function sentence(error: ApiError, t: (key: TextKey) => string): string {
  if (error.status === 0 && error.title === 'unreachable') return t('error.unreachable');
  if (error.status === 401) return t('error.session');
  return error.message;
}

export function ErrorPage({ error }: { error: ApiError }) {
  const { t } = useTranslation();
  return (
    <Container size="sm" py="xl">
      <Alert color="red" title={t('error.load')} role="alert" variant="outline">
        <Text>{sentence(error, t)}</Text>
        {error.errors.length > 0 && <List size="sm" mt="xs">{error.errors.map((e, i) => <List.Item key={i}>{e.location} {e.message}</List.Item>)}</List>}
        <Button mt="md" size="xs" onClick={() => location.reload()}>{t('action.retry')}</Button>
      </Alert>
    </Container>
  );
}
