import { Autocomplete, Button, NativeSelect, Text, TextInput, Textarea } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, api } from '../../api/client';
import type { RouteAnswer, RouteQuestion, RouteRule } from '../../api/types';
import { to } from '../../router';
import { Link } from '../../shell/Shell';
import { sentence } from '../../shell/ErrorPage';
import { get, useStore } from '../../workspace/store';
import { flush, refresh } from '../../workspace/sync';

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

/** Keeps the question with its answer as a test that `meshstorm test` runs. */
function Keep({ question }: { question: RouteQuestion }) {
  const { t } = useTranslation();
  const files = useStore((s) => s.files);
  const readOnly = useStore((s) => s.workspace?.readOnly ?? true);
  const [open, setOpen] = useState(false);
  const [path, setPath] = useState('routes/asked.yaml');
  const [name, setName] = useState('');
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<{ file?: string; failure?: ApiError }>({});
  if (readOnly) return null;
  const keep = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const kept = await api.keepTest(get().id, { question, path: path.trim(), name: name.trim() || undefined });
      await refresh(get().id, [kept.path]);
      setSaid({ file: kept.path });
      setOpen(false);
      setName('');
    } catch (err) {
      if (err instanceof ApiError) setSaid({ failure: err });
    } finally {
      setBusy(false);
    }
  };
  const known = files.map((f) => f.path).filter((p) => /^routes\/[^/]+\.ya?ml$/.test(p));
  return <div className="keep">
    {said.file && <Text size="sm" role="status">{t('ask.kept')} <Link href={to.code(get().id, said.file)}>{said.file}</Link></Text>}
    {said.failure && <Text size="sm" role="alert">{sentence(said.failure, t)}</Text>}
    {!open ? <Button size="compact-sm" mih={24} variant="default" onClick={() => { setSaid({}); setOpen(true); }}>{t('ask.keep')}</Button> : <form className="ask" style={{ padding: 0, border: 0 }} onSubmit={(e) => void keep(e)}>
      <Autocomplete size="xs" label={t('ask.keepFile')} data={known} required withAsterisk={false} value={path} onChange={setPath} pattern="routes/[^\/]+\.ya?ml" title="routes/….yaml" autoFocus />
      <TextInput size="xs" label={t('ask.keepName')} value={name} onChange={(e) => setName(e.currentTarget.value)} style={{ flex: 1, minWidth: 160 }} />
      <Button size="xs" type="submit" loading={busy}>{t('ask.keep')}</Button>
      <Button size="xs" variant="default" onClick={() => setOpen(false)}>{t('action.cancel')}</Button>
    </form>}
  </div>;
}

function Answer({ answer, question }: { answer: RouteAnswer; question: RouteQuestion }) {
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
    <Keep key={JSON.stringify(question)} question={question} />
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
  const [asked, setAsked] = useState<RouteQuestion | null>(null);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const ask = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      await flush();
      const question = { method, url, headers: parseHeaders(headers), from };
      setAnswer(await api.route(get().id, question));
      setAsked(question);
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
    {answer && asked && <Answer answer={answer} question={asked} />}
  </>;
}
