import { TextInput, Textarea, type TextInputProps } from '@mantine/core';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';

type Props = Omit<TextInputProps, 'value' | 'onChange'> & { value: string; commit: (value: string) => void; lines?: number };

/**
 * An input that keeps what is typed to itself and commits it on Enter or when
 * it is left: committing per key would lose letters while the canvas redraws.
 */
export function Draft({ value, commit, lines, ...rest }: Props) {
  const [draft, setDraft] = useState(value);
  const dirty = useRef(false);
  const latest = useRef({ draft, commit, value });
  latest.current = { draft, commit, value };
  useEffect(() => { if (!dirty.current) setDraft(value); }, [value]);
  const done = () => {
    dirty.current = false;
    const { draft: d, value: v, commit: c } = latest.current;
    if (d !== v) c(d);
  };
  // What was typed is kept also when the input goes away before it is left.
  useEffect(() => () => { if (dirty.current) done(); }, []);
  const keys = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === 'Enter' && !(lines && event.shiftKey) && !event.nativeEvent.isComposing) done();
    if (event.key === 'Escape') { dirty.current = false; setDraft(value); }
  };
  const change = (v: string) => { dirty.current = true; setDraft(v); };
  if (lines) return <Textarea label={rest.label} value={draft} autosize minRows={lines} maxRows={8} onChange={(e) => change(e.currentTarget.value)} onBlur={done} onKeyDown={keys} disabled={rest.disabled} readOnly={rest.readOnly} mb={rest.mb} />;
  return <TextInput {...rest} value={draft} onChange={(e) => change(e.currentTarget.value)} onBlur={done} onKeyDown={keys} />;
}
