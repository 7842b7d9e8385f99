import { Badge, Button, Group, NativeSelect, NumberInput, Table, Text, TextInput, Textarea } from '@mantine/core';
import { type FormEvent, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import { type Answered, clusters } from '../../api/cluster';
import { sentence } from '../../shell/ErrorPage';
import { get, useStore } from '../../workspace/store';
import { parseHeaders } from '../deploy/Ask';

/** The paths that the routes of the graph name, for the list of suggestions. */
export function pathsOf(matches: string[]): string[] {
  const found = matches.flatMap((m) => [...m.matchAll(/(?:exact|path|is|=) ?(\/[\w./-]*)/g)].map((x) => x[1]!));
  return [...new Set(found)].filter((p) => !p.endsWith('/'));
}

function pretty(answer: Answered): string {
  const type = (answer.headers ?? []).find(([n]) => n?.toLowerCase() === 'content-type')?.[1] ?? '';
  if (!type.includes('json')) return answer.body;
  try {
    return JSON.stringify(JSON.parse(answer.body), null, 2);
  } catch {
    return answer.body;
  }
}

/** Who answered, by the header that the lab's services set. */
const answerer = (a: Answered): string => (a.headers ?? []).find(([n]) => n?.toLowerCase() === 'x-meshstorm-workload')?.[1] ?? `${a.status}`;

/** The paths that the routes of this workspace serve. */
export function usePaths(): string[] {
  const graph = useStore((s) => s.graph);
  return useMemo(() => pathsOf((graph?.nodes ?? []).flatMap((n) => (n.data?.rules ?? []).flatMap((r) => r.matches))), [graph]);
}

export function RequestCard({ context, gateway }: { context: string; gateway: string }) {
  const { t } = useTranslation();
  const [method, setMethod] = useState('GET');
  const [own, setPath] = useState<string | null>(null);
  const [headers, setHeaders] = useState('');
  const [body, setBody] = useState('');
  const [times, setTimes] = useState<number | string>(1);
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<Answered | null>(null);
  const [split, setSplit] = useState<Record<string, number>>({});
  const [failure, setFailure] = useState<ApiError | null>(null);
  const paths = usePaths();
  const path = own ?? paths[0] ?? '/';
  const stopped = useRef(false);
  useEffect(() => () => { stopped.current = true; }, []);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    stopped.current = false;
    setBusy(true);
    setFailure(null);
    const counted: Record<string, number> = {};
    try {
      for (let i = 0; i < Math.max(1, Number(times) || 1) && !stopped.current; i++) {
        const all = { method, path, headers: headers ? parseHeaders(headers) : undefined, body: body && method !== 'GET' && method !== 'HEAD' ? body : undefined };
        const got = await clusters.send(get().id, context, all);
        counted[answerer(got)] = (counted[answerer(got)] ?? 0) + 1;
        setAnswer(got);
        setSplit({ ...counted });
      }
    } catch (err) {
      if (err instanceof ApiError) setFailure(err);
    } finally {
      setBusy(false);
    }
  };
  const good = answer && answer.status < 400;
  return <section className="card" aria-label={t('request.title')}>
    <h2>{t('request.title')}</h2>
    <Text size="sm" className="muted">{t('request.lead', { gateway })}</Text>
    <form onSubmit={(e) => void send(e)}>
      <Group align="flex-end" gap="xs" mt={4}>
        <NativeSelect size="xs" label={t('ask.method')} data={['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']} value={method} onChange={(e) => setMethod(e.currentTarget.value)} />
        <TextInput size="xs" label={t('request.path')} required withAsterisk={false} value={path} onChange={(e) => setPath(e.currentTarget.value)} list="request-paths" style={{ flex: 1, minWidth: 160 }} />
        <NumberInput size="xs" label={t('request.times')} min={1} max={1000} value={times} onChange={setTimes} w={80} />
        <Button size="xs" type="submit" loading={busy}>{t('request.send')}</Button>
        {busy && Number(times) > 1 && <Button size="xs" variant="default" onClick={() => { stopped.current = true; }}>{t('cluster.stop')}</Button>}
      </Group>
      <datalist id="request-paths">{paths.map((p) => <option key={p} value={p} />)}</datalist>
      <Textarea size="xs" mt="xs" label={t('ask.headers')} placeholder={t('ask.headersHint')} autosize minRows={1} maxRows={5} value={headers} onChange={(e) => setHeaders(e.currentTarget.value)} />
      {method !== 'GET' && method !== 'HEAD' && <Textarea size="xs" mt="xs" label={t('request.body')} autosize minRows={2} maxRows={10} value={body} onChange={(e) => setBody(e.currentTarget.value)} placeholder='{"productName": "TV", "qty": 1}' />}
    </form>
    {failure && <Text size="sm" role="alert" className="bad" mt="xs">{sentence(failure, t)}</Text>}
    {answer && <div role="status">
      <Group gap="xs" mt="xs"><Badge color={good ? '#237032' : 'red.9'} variant="filled">{answer.status} {answer.statusText}</Badge><Text size="sm" className="muted">{t('request.took', { ms: Math.round(answer.millis) })}</Text>
        {Object.values(split).reduce((a, b) => a + b, 0) > 1 && <Text size="sm">{Object.entries(split).sort().map(([who, n]) => `${who}: ${n}`).join(', ')}</Text>}</Group>
      <details><summary>{t('request.headers', { count: answer.headers?.length ?? 0 })}</summary><Table verticalSpacing={2}><Table.Tbody>{(answer.headers ?? []).map(([n, v], i) => <Table.Tr key={i}><Table.Td>{n}</Table.Td><Table.Td style={{ overflowWrap: 'anywhere' }}>{v}</Table.Td></Table.Tr>)}</Table.Tbody></Table></details>
      <pre className="log tall" tabIndex={0} aria-label={t('request.answer')}>{pretty(answer)}{answer.truncated ? '\n…' : ''}</pre>
    </div>}
  </section>;
}
