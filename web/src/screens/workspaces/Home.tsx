import { Alert, Button, Card, Container, FileButton, Group, NativeSelect, SegmentedControl, SimpleGrid, Text, TextInput, Title } from '@mantine/core';
import { type DragEvent, type FormEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, api } from '../../api/client';
import { type Contexts, clusters } from '../../api/cluster';
import type { Example, Workspace } from '../../api/types';
import type { TextKey } from '../../i18n';
import { navigate, to } from '../../router';
import { sentence } from '../../shell/ErrorPage';
import { Link } from '../../shell/Shell';

const nameOf = (file: File) => file.name.replace(/\.[^.]*$/, '').trim() || 'model';

export function Home() {
  const { t } = useTranslation();
  const [spaces, setSpaces] = useState<Workspace[] | null>(null);
  const [examples, setExamples] = useState<Example[]>([]);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const [over, setOver] = useState(false);
  const [name, setName] = useState('');
  const [from, setFrom] = useState<'empty' | 'url' | 'live'>('empty');
  const [url, setUrl] = useState('');
  const [contexts, setContexts] = useState<Contexts | null>(null);
  const [context, setContext] = useState('');
  const [namespace, setNamespace] = useState('default');
  const [making, setMaking] = useState(false);
  useEffect(() => { if (from === 'live' && !contexts) void clusters.contexts().then((c) => { setContexts(c); setContext(c.current); }).catch((err: unknown) => { if (err instanceof ApiError) setFailure(err); }); }, [from, contexts]);

  useEffect(() => {
    Promise.all([api.workspaces(), api.examples()])
      .then(([w, e]) => { setSpaces(w); setExamples(e); })
      .catch((err: unknown) => err instanceof ApiError && setFailure(err));
  }, []);

  const make = async (made: Promise<Workspace>) => {
    setMaking(true);
    try {
      navigate(to.model((await made).id));
    } catch (err) {
      if (err instanceof ApiError) setFailure(err);
    } finally {
      setMaking(false);
    }
  };
  const openExample = (e: Example) => {
    const known = spaces?.find((s) => s.id === e.id);
    if (e.id) navigate(to.model(e.id));
    else if (known) navigate(to.model(known.id));
    else void make(api.create({ name: e.name, from: { example: e.name } }));
  };
  const free = (wish: string) => {
    let found = wish;
    for (let i = 2; spaces?.some((s) => s.id === found); i++) found = `${wish}-${i}`;
    return found;
  };
  const taken = spaces?.some((s) => s.id === name.trim()) ?? false;
  const upload = (file: File | null | undefined) => file && void make(api.upload(free(nameOf(file)), file));
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    upload(event.dataTransfer.files[0]);
  };
  const create = (event: FormEvent) => {
    event.preventDefault();
    void make(api.create({ name: name.trim(), from: from === 'empty' ? { empty: true } : from === 'url' ? { url: url.trim() } : { live: { context: context || undefined, namespace: namespace.trim() } } }));
  };

  return (
    <div className={over ? 'home over' : 'home'} onDragOver={(e) => { e.preventDefault(); setOver(true); }} onDragLeave={(e) => { if (e.currentTarget === e.target) setOver(false); }} onDrop={drop}>
      <Container size="md" py="lg">
        <Title order={1} size="h2">{t('home.title')}</Title>
        <Text c="dimmed" mb="lg" className="muted">{t('home.lead')}</Text>
        {failure && <Alert color="red" variant="outline" role="alert" mb="md" title={t('error.title')} withCloseButton closeButtonLabel={t('action.close')} onClose={() => setFailure(null)}>{sentence(failure, t)}</Alert>}

        <Title order={2} size="h4" mb="xs">{t('home.yours')}</Title>
        {spaces?.length === 0 && <Text mb="md">{t('home.none')}</Text>}
        <SimpleGrid cols={{ base: 1, sm: 2 }} mb="xl">
          {(spaces ?? []).map((w) => (
            <Card key={w.id} withBorder padding="md" className="space">
              <Group justify="space-between" wrap="nowrap">
                <Link href={to.model(w.id)} className="space-name">{w.name}</Link>
                {w.readOnly && <Text size="xs" component="span">{t('home.readOnly')}</Text>}
              </Group>
              <Text size="sm">{w.problem ?? `${t('home.services', { count: w.services.length })}${w.services.length ? `: ${w.services.slice(0, 6).join(', ')}` : ''}`}</Text>
            </Card>
          ))}
        </SimpleGrid>

        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xl">
          <section>
            <Title order={2} size="h4" mb="xs">{t('home.examples')}</Title>
            {examples.map((e) => (
              <Card key={e.name} withBorder padding="md">
                <Text fw={600}>{e.title}</Text>
                <Text size="sm" mb="sm">{t(`example.${e.name}` as TextKey, { defaultValue: e.description })}</Text>
                <Button onClick={() => openExample(e)} w="fit-content">{t('home.openExample')}</Button>
              </Card>
            ))}
          </section>
          <section>
            <Title order={2} size="h4" mb="xs">{t('home.new')}</Title>
            <Card withBorder padding="md">
              <form onSubmit={create}>
                <TextInput label={t('home.name')} description={t('home.nameHint')} required value={name} onChange={(e) => setName(e.currentTarget.value)} error={taken && <>{t('home.taken', { name: name.trim() })} <Button size="compact-xs" variant="default" onClick={() => setName(free(name.trim()))}>{free(name.trim())}</Button></>} />
                <SegmentedControl mt="sm" fullWidth aria-label={t('home.from')} value={from} onChange={(v) => setFrom(v as 'empty' | 'url' | 'live')} data={[{ value: 'empty', label: t('home.fromEmpty') }, { value: 'url', label: t('home.fromUrl') }, { value: 'live', label: t('home.fromLive') }]} />
                {from === 'url' && <TextInput mt="sm" type="url" label={t('home.url')} required value={url} onChange={(e) => setUrl(e.currentTarget.value)} />}
                {from === 'live' && <>
                  <NativeSelect mt="sm" label={t('cluster.context')} data={(contexts?.items ?? []).map((c) => ({ value: c.name, label: `${c.name}${c.lab ? ` (${t('cluster.lab')})` : ''}, ${c.server}` }))} value={context} onChange={(e) => setContext(e.currentTarget.value)} />
                  {contexts?.problem && <Text size="sm">{contexts.problem}</Text>}
                  <TextInput mt="sm" label={t('home.namespace')} required value={namespace} onChange={(e) => setNamespace(e.currentTarget.value)} />
                </>}
                <Button type="submit" mt="md" loading={making}>{t('home.create')}</Button>
              </form>
            </Card>
          </section>
        </SimpleGrid>

        <div className="drop">
          <Text mb="xs">{over ? t('home.dropNow') : t('home.drop')}</Text>
          <FileButton accept=".json,.yaml,.yml,application/json" onChange={upload}>{(props) => <Button variant="default" {...props}>{t('home.choose')}</Button>}</FileButton>
        </div>
      </Container>
    </div>
  );
}
