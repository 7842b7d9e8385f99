import { Button, NativeSelect, Text, TextInput, Textarea } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, api } from '../../api/client';
import type { RouteAnswer, RouteRule } from '../../api/types';
import { to } from '../../router';
import { Link } from '../../shell/Shell';
import { sentence } from '../../shell/ErrorPage';
import { get, useStore } from '../../workspace/store';
import { flush } from '../../workspace/sync';

export function parseHeaders(text: string): Record<string, string> {
  return Object.fromEntries(text.split('\n').map((l) => l.trim()).filter(Boolean).map((l) => {
    const at = l.indexOf(':');
    return at < 0 ? [l, ''] : [l.slice(0, at).trim(), l.slice(at + 1).trim()];
  }));
}

/** One line per rule: whether it takes the request, and if not, what the last match says. */
export function verdicts(rules: RouteRule[]): RouteRule[] {
  const found = new Map<string, RouteRule>();
  for (const r of rules) {
    const key = `${r.virtualService}/${r.name}`;
    if (r.matched || !found.get(key)?.matched) found.set(key, r);
  }
  return [...found.values()].sort((a, b) => Number(b.matched) - Number(a.matched));
}

function Answer({ answer }: { answer: RouteAnswer }) {
  const { t } = useTranslation();
  const { winner } = answer;
  return <div className="answer" role="status">
    {winner && answer.destinations?.length ? <Text size="sm">
      {t('ask.goesTo', { rule: winner.rule, vs: winner.virtualService })}{' '}
      {answer.destinations.map((d, i) => <span key={i}>{i > 0 && ', '}<b>{d.host.split('.')[0]}{d.subset ? ` ${d.subset}` : ''}</b> {t('deploy.of100', { n: d.of100 })}</span>)}
      {winner.file && <> · <Link href={to.code(get().id, winner.file, winner.line)}>{t('deploy.openYaml')}</Link></>}
    </Text> : <Text size="sm">{winner ? t('ask.answer', { outcome: answer.outcome }) : t('ask.noRoute')}</Text>}
    {(answer.rules ?? []).length > 0 && <details><summary style={{ fontSize: 13, minHeight: 24 }}>{t('ask.verdicts')}</summary>
      <ol>{verdicts(answer.rules!).map((r, i) => <li key={i}><b>{r.virtualService} {r.name}</b>: {r.matched ? t('ask.takes') : `${t('ask.refuses')}: ${r.failed}`}</li>)}</ol>
    </details>}
  </div>;
}

export function Ask({ answer, setAnswer }: { answer: RouteAnswer | null; setAnswer: (a: RouteAnswer | null) => void }) {
  const { t } = useTranslation();
  const services = useStore((s) => s.workspace?.services) ?? [];
  const [method, setMethod] = useState('GET');
  const [url, setUrl] = useState('http://shop.example/orders');
  const [headers, setHeaders] = useState('');
  const [from, setFrom] = useState('gateway');
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const ask = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      await flush();
      setAnswer(await api.route(get().id, { method, url, headers: parseHeaders(headers), from }));
    } catch (err) {
      setAnswer(null);
      if (err instanceof ApiError) setFailure(err);
    } finally {
      setBusy(false);
    }
  };
  return <>
    <form className="ask" aria-label={t('ask.title')} onSubmit={(e) => void ask(e)}>
      <NativeSelect size="xs" label={t('ask.method')} data={['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']} value={method} onChange={(e) => setMethod(e.currentTarget.value)} />
      <TextInput size="xs" label={t('ask.url')} required withAsterisk={false} value={url} onChange={(e) => setUrl(e.currentTarget.value)} style={{ flex: 1, minWidth: 200 }} />
      <Textarea size="xs" label={t('ask.headers')} placeholder={t('ask.headersHint')} rows={1} autosize maxRows={4} value={headers} onChange={(e) => setHeaders(e.currentTarget.value)} w={200} />
      <NativeSelect size="xs" label={t('ask.from')} value={from} onChange={(e) => setFrom(e.currentTarget.value)} data={[{ value: 'gateway', label: t('ask.gateway') }, ...services.map((s) => ({ value: s, label: s }))]} />
      <Button size="xs" type="submit" loading={busy}>{t('ask.go')}</Button>
      {answer && <Button size="xs" variant="default" onClick={() => setAnswer(null)}>{t('ask.clear')}</Button>}
    </form>
    {failure && <div className="answer" role="alert"><Text size="sm">{sentence(failure, t)}</Text></div>}
    {answer && <Answer answer={answer} />}
  </>;
}
