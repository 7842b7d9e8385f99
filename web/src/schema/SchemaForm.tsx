import { ActionIcon, Autocomplete, Group, NativeSelect, Switch, Text, TextInput, Textarea, Tooltip } from '@mantine/core';
import { useEffect, useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { parse, stringify } from 'yaml';
import type { TextKey } from '../i18n';
import { Icon } from '../shell/icons';
import type { EditedObject } from '../workspace/object';
import type { Path } from '../yaml/plain';
import { type Schema, addable, blank, exclusive, fault, kindOf, typed } from './model';

interface FieldProps {
  object: EditedObject;
  schema: Schema;
  path: Path;
  value: unknown;
  name: string;
}

function Remove({ object, path, name }: Pick<FieldProps, 'object' | 'path' | 'name'>) {
  const { t } = useTranslation();
  if (object.readOnly) return null;
  const last = path.at(-1);
  const remove = () => (typeof last === 'number' ? object.remove(path.slice(0, -1), last) : object.set(path, undefined));
  return <ActionIcon variant="subtle" color="gray" size="sm" mih={24} miw={24} onClick={remove} aria-label={t('form.remove', { name })}><Icon name="close" size={14} /></ActionIcon>;
}

function Help({ text }: { text?: string }) {
  const { t } = useTranslation();
  if (!text) return null;
  return <Tooltip label={text} multiline maw={360} events={{ hover: true, focus: true, touch: true }}><button type="button" className="help" aria-label={`${t('form.help')}: ${text.slice(0, 300)}`}>?</button></Tooltip>;
}

/** A single value: a draft until Enter or until the field is left. */
function Leaf({ object, schema, path, value, name }: FieldProps) {
  const { t } = useTranslation();
  const kind = kindOf(schema);
  const shown = kind === 'any' ? stringify(value).trimEnd() : value === null || value === undefined ? '' : String(value);
  const [draft, setDraft] = useState(shown);
  const [broken, setBroken] = useState('');
  useEffect(() => { setDraft(shown); setBroken(''); }, [shown]);
  const say = (v: unknown): string => {
    const wrong = kind === 'any' ? null : fault(schema, v);
    return wrong ? t(`form.fault.${wrong.key}` as TextKey, { value: wrong.value }) : '';
  };
  const commit = () => {
    if (draft === shown) return;
    if (kind === 'any') {
      try {
        object.set(path, parse(draft) as unknown);
      } catch (err) {
        setBroken(err instanceof Error ? err.message : String(err));
      }
      return;
    }
    object.set(path, typed(schema, draft));
  };
  const label = <span className="field-name">{name}</span>;
  const keys = { onKeyDown: (e: React.KeyboardEvent) => { if (e.key === 'Enter' && kind !== 'any') commit(); if (e.key === 'Escape') setDraft(shown); e.stopPropagation(); }, onBlur: commit, disabled: object.readOnly };
  const more = <><Help text={schema.description} /><Remove object={object} path={path} name={name} /></>;
  if (kind === 'yesno') return <div className="field"><Switch size="xs" label={label} checked={value === true} disabled={object.readOnly} onChange={(e) => object.set(path, e.currentTarget.checked)} style={{ flex: 1 }} />{more}</div>;
  const error = broken || say(kind === 'any' ? value : typed(schema, draft)) || undefined;
  if (kind === 'choice') {
    return <div className="field"><NativeSelect size="xs" label={label} value={shown} error={error} disabled={object.readOnly} data={[...new Set([shown, ...schema.enum!.map(String)])]} onChange={(e) => object.set(path, e.currentTarget.value)} style={{ flex: 1 }} />{more}</div>;
  }
  if (kind === 'any') return <div className="field"><Textarea size="xs" label={label} description={t('form.yaml')} error={error} autosize minRows={1} maxRows={12} value={draft} onChange={(e) => setDraft(e.currentTarget.value)} style={{ flex: 1 }} {...keys} />{more}</div>;
  return <div className="field"><TextInput size="xs" label={label} error={error} value={draft} inputMode={kind === 'integer' || kind === 'number' ? 'decimal' : undefined} onChange={(e) => setDraft(e.currentTarget.value)} style={{ flex: 1 }} {...keys} />{more}</div>;
}

/** The search for a field that is not set; direct fields stand first, those below are found by their name. */
function Add({ object, schema, path, value, where }: Omit<FieldProps, 'name'> & { where: string }) {
  const { t } = useTranslation();
  const [search, setSearch] = useState('');
  const found = useMemo(() => addable(schema, value, search), [schema, value, search]);
  if (object.readOnly) return null;
  const add = (name: string) => {
    const one = addable(schema, value, name, 500).find((a) => a.path.join('.') === name);
    if (!one) return;
    object.set([...path, ...one.path], blank(one.schema));
    setSearch('');
  };
  return <Autocomplete size="xs" mt={4} aria-label={where ? t('form.addTo', { name: where }) : t('form.add')} placeholder={t('form.add')} value={search} onChange={setSearch} onOptionSubmit={add} limit={40} maxDropdownHeight={280}
    data={found.map((a) => a.path.join('.'))} filter={({ options }) => options} onKeyDown={(e) => e.stopPropagation()}
    renderOption={({ option }) => <div><Text size="xs" fw={600}>{option.value}</Text><Text size="xs" lineClamp={2} className="muted">{found.find((a) => a.path.join('.') === option.value)?.schema.description}</Text></div>} />;
}

function AddKey({ object, schema, path, value, name }: FieldProps) {
  const { t } = useTranslation();
  const [key, setKey] = useState('');
  if (object.readOnly) return null;
  const add = () => {
    const k = key.trim();
    if (k === '' || (value as Record<string, unknown> | undefined)?.[k] !== undefined) return;
    object.set([...path, k], blank(schema.additionalProperties as Schema));
    setKey('');
  };
  return <TextInput size="xs" mt={4} aria-label={t('form.addKey', { name })} placeholder={t('form.key')} value={key} onChange={(e) => setKey(e.currentTarget.value)} onKeyDown={(e) => { if (e.key === 'Enter') add(); e.stopPropagation(); }} onBlur={add} />;
}

function Parts({ object, schema, path, value, name }: FieldProps) {
  const { t } = useTranslation();
  const kind = kindOf(schema);
  if (kind === 'list') {
    const items = Array.isArray(value) ? value : [];
    return <>
      {items.map((v, i) => <Field key={i} object={object} schema={schema.items!} path={[...path, i]} value={v} name={`${name} ${i + 1}`} />)}
      {!object.readOnly && <button type="button" className="add" onClick={() => object.insert(path, items.length, blank(schema.items!))}>+ {t('form.item', { name })}</button>}
    </>;
  }
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  if (kind === 'map') {
    return <>
      {entries.map(([k, v]) => <Field key={k} object={object} schema={schema.additionalProperties as Schema} path={[...path, k]} value={v} name={k} />)}
      <AddKey object={object} schema={schema} path={path} value={value} name={name} />
    </>;
  }
  const only = exclusive(schema), set = only.filter((n) => (value as Record<string, unknown> | undefined)?.[n] !== undefined);
  return <>
    {set.length > 1 && <Text size="xs" role="alert" className="bad">{t('form.onlyOne', { names: set.join(', ') })}</Text>}
    {entries.map(([k, v]) => <Field key={k} object={object} schema={schema.properties?.[k] ?? {}} path={[...path, k]} value={v} name={k} unknown={!schema.properties?.[k]} />)}
    <Add object={object} schema={schema} path={path} value={value} where={name} />
  </>;
}

function Field(props: FieldProps & { unknown?: boolean }) {
  const { t } = useTranslation();
  const { object, schema, path, value, name, unknown } = props;
  const kind = kindOf(schema);
  const id = useId();
  const whole = kind === 'object' || kind === 'map' || kind === 'list';
  if (!whole || (value !== null && typeof value !== 'object')) {
    return <>{unknown && <Text size="xs" className="bad">{t('form.unknown', { name })}</Text>}<Leaf {...props} schema={whole ? {} : schema} /></>;
  }
  const size = Array.isArray(value) ? value.length : Object.keys((value ?? {}) as object).length;
  return <details className="parts" open={path.length < 3 || size < 4}>
    <summary id={id}><span className="field-name">{name}</span> {size > 0 && <span className="muted">{size}</span>}</summary>
    <Group gap={2} className="parts-tools"><Help text={schema.description} /><Remove object={object} path={path} name={name} /></Group>
    <div role="group" aria-labelledby={id}><Parts {...props} /></div>
  </details>;
}

/** Every field of an object: those that are set, and a search for the others. What the schema does not know stays and is shown as YAML. */
export default function SchemaForm({ object, schema }: { object: EditedObject; schema: Schema }) {
  const value = object.value ?? {};
  const parts = Object.keys(schema.properties ?? {}).filter((k) => k !== 'apiVersion' && k !== 'kind');
  const order = ['metadata', 'spec', ...parts.filter((k) => k !== 'metadata' && k !== 'spec')].filter((k) => parts.includes(k));
  const own: Schema = { type: 'object', properties: Object.fromEntries(order.map((k) => [k, schema.properties![k]!])) };
  const shown = Object.fromEntries(Object.entries(value).filter(([k]) => k !== 'apiVersion' && k !== 'kind'));
  return <div className="schema-form"><Parts object={object} schema={own} path={[]} value={shown} name="" /></div>;
}
