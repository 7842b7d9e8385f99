import { TextInput, Textarea } from '@mantine/core';
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Kind, check } from './check';

interface Props { label: string; kind: Kind; value: string; commit: (value: string) => void; readOnly?: boolean; autoFocus?: boolean; suggestions?: readonly string[]; hideLabel?: boolean; required?: boolean }

/** An input whose value is checked as it is typed, and committed on Enter or when it is left, if it is right. */
export function Checked({ label, kind, value, commit, readOnly, autoFocus, suggestions, hideLabel, required }: Props) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState(value);
  const dirty = useRef(false);
  const own = useId();
  useEffect(() => { if (!dirty.current) setDraft(value); }, [value]);
  const wrong = check(kind, draft.trim()) ?? (required && draft.trim() === '' && dirty.current ? 'rules.check.empty' : null);
  const latest = useRef({ draft, value, commit, wrong });
  latest.current = { draft, value, commit, wrong };
  const done = () => {
    const l = latest.current;
    if (l.wrong) return;
    dirty.current = false;
    if (l.draft.trim() !== l.value) l.commit(l.draft.trim());
  };
  // What was typed is kept also when the input goes away before it is left.
  useEffect(() => () => { if (dirty.current) done(); }, []);
  const many = kind === 'map' || kind === 'strings';
  const keys = (e: KeyboardEvent) => {
    if (!e.altKey) e.stopPropagation();
    if (e.nativeEvent.isComposing) return;
    if (e.key === 'Enter' && !(many && !e.ctrlKey && !e.metaKey)) done();
    if (e.key === 'Escape') { dirty.current = false; setDraft(value); }
  };
  const unit = kind === 'percent' ? <span className="muted">%</span> : undefined;
  const shared = {
    size: 'xs' as const, value: draft, readOnly, autoFocus, error: wrong ? t(wrong) : undefined, onBlur: done, onKeyDown: keys,
    ...(hideLabel ? { 'aria-label': label } : { label }), placeholder: t(`rules.hint.${kind}`, ''),
  };
  const change = (v: string) => { dirty.current = true; setDraft(v); };
  if (many) return <Textarea {...shared} autosize minRows={1} maxRows={8} onChange={(e) => change(e.currentTarget.value)} />;
  return <>
    <TextInput {...shared} list={suggestions?.length ? own : undefined} rightSection={unit} onChange={(e) => change(e.currentTarget.value)} />
    {suggestions?.length ? <datalist id={own}>{suggestions.map((s) => <option key={s} value={s} />)}</datalist> : null}
  </>;
}
