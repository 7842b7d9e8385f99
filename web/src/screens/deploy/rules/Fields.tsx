import { ActionIcon, Button, Checkbox, Menu, NativeSelect } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { EditedObject } from '../../../workspace/object';
import { type Path, at } from '../../../yaml/plain';
import { Icon } from '../../../shell/icons';
import { Checked } from './Checked';
import { fromText, toText } from './check';
import type { Field } from './fields';

const keysOf = (path: string): string[] => path.split('.');
/** Fields of one part of an object stand together. */
const groupOf = (field: Field): string => {
  const keys = keysOf(field.path);
  if (keys[0] === 'trafficPolicy') keys.shift();
  return keys.length === 1 ? '' : keys[0] === 'fault' || keys[0] === 'headers' || keys[0] === 'connectionPool' ? keys.slice(0, 2).join('.') : keys[0]!;
};
const labelOf = (field: Field): string => {
  const keys = keysOf(field.path), group = groupOf(field);
  if (keys[0] === 'trafficPolicy') keys.shift();
  return keys.slice(group === '' ? 0 : group.split('.').length).join('.').replace(/percentage\.value$/, 'percentage');
};

interface Props { object: EditedObject; base: Path; fields: readonly Field[]; always?: readonly string[]; suggest?: Record<string, string[]>; addLabel?: string }

function Input({ field, object, base, suggest, opened, close }: { field: Field; object: EditedObject; base: Path; suggest?: string[]; opened: boolean; close: () => void }) {
  const { t } = useTranslation();
  const path = [...base, ...keysOf(field.path)];
  const value = at(object.value, path);
  const label = labelOf(field);
  const put = (v: unknown) => { object.set(path, v); if (v !== undefined) close(); };
  return <div className="rule-field">
    <div className="grow">
      {field.kind === 'bool' ? <Checkbox size="xs" label={label} checked={value === true} disabled={object.readOnly} onChange={(e) => put(e.currentTarget.checked)} />
        : field.kind === 'select' ? <NativeSelect size="xs" label={label} value={toText('text', value)} disabled={object.readOnly} autoFocus={opened}
            data={['', ...new Set([...(field.options ?? []), ...(value === undefined ? [] : [String(value)])])]} onChange={(e) => put(fromText('select', e.currentTarget.value))} />
          : <Checked label={label} kind={field.kind} value={toText(field.kind, value)} commit={(v) => put(fromText(field.kind, v))} readOnly={object.readOnly} autoFocus={opened} suggestions={suggest ?? field.options} />}
    </div>
    {!object.readOnly && <ActionIcon variant="subtle" color="gray" size={26} aria-label={t('rules.removeField', { name: label })} onClick={() => { if (value === undefined) close(); else object.set(path, undefined); }}><Icon name="close" size={14} /></ActionIcon>}
  </div>;
}

/** The fields that are set, in groups, and a menu that adds another. */
export function Fields({ object, base, fields, always = [], suggest = {}, addLabel }: Props) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState<readonly string[]>([]);
  const own = at(object.value, base);
  const isSet = (f: Field) => at(own, keysOf(f.path)) !== undefined;
  const shown = fields.filter((f) => isSet(f) || always.includes(f.path) || opened.includes(f.path));
  const rest = fields.filter((f) => !shown.includes(f));
  const against = (f: Field) => f.not?.find((n) => at(own, keysOf(n)) !== undefined);
  const groups = [...new Set(shown.map(groupOf))];
  return <div className="rule-fields">
    {groups.map((g) => <fieldset key={g} className={g ? 'rule-group' : 'rule-plain'}>
      {g && <legend>{t(`rules.group.${g}`, g)}</legend>}
      {shown.filter((f) => groupOf(f) === g).map((f) => <Input key={f.path} field={f} object={object} base={base} suggest={suggest[f.path]} opened={opened.includes(f.path) && !isSet(f)}
        close={() => setOpened(opened.filter((p) => p !== f.path))} />)}
    </fieldset>)}
    {!object.readOnly && rest.length > 0 && <Menu position="bottom-start" withinPortal shadow="md">
      <Menu.Target><Button size="compact-xs" mih={26} variant="subtle" leftSection={<Icon name="plus" size={13} />}>{addLabel ?? t('rules.addField')}</Button></Menu.Target>
      <Menu.Dropdown mah={320} style={{ overflow: 'auto' }} onKeyDown={(e) => e.stopPropagation()}>
        {[...new Set(rest.map(groupOf))].map((g) => <div key={g}>
          {g && <Menu.Label>{t(`rules.group.${g}`, g)}</Menu.Label>}
          {rest.filter((f) => groupOf(f) === g).map((f) => {
            const no = against(f);
            return <Menu.Item key={f.path} disabled={Boolean(no)} onClick={() => setOpened([...opened, f.path])} fz="xs" py={4}>
              {labelOf(f)}{no ? <span className="muted"> {t('rules.notWith', { other: no })}</span> : null}
            </Menu.Item>;
          })}
        </div>)}
      </Menu.Dropdown>
    </Menu>}
  </div>;
}

interface ItemsProps { object: EditedObject; list: Path; fields: readonly Field[]; always?: readonly string[]; title: string; titleOf: (item: unknown, index: number) => string; fresh: (n: number) => unknown; add: string; suggest?: Record<string, string[]>; note?: (item: unknown) => string | null }

/** A list of objects, each with its fields. */
export function Items({ object, list, fields, always, title, titleOf, fresh, add, suggest, note }: ItemsProps) {
  const { t } = useTranslation();
  const found = at(object.value, list);
  const items = Array.isArray(found) ? found : [];
  const append = () => (items.length === 0 ? object.set(list, [fresh(0)]) : object.insert(list, items.length, fresh(items.length)));
  const drop = (i: number) => (items.length === 1 ? object.set(list, undefined) : object.remove(list, i));
  return <section className="rule-items" aria-label={title}>
    {items.map((item, i) => <div key={i} className="rule-item">
      <div className="rule-item-head"><b>{titleOf(item, i)}</b>
        {!object.readOnly && <ActionIcon variant="subtle" color="gray" size={26} aria-label={t('rules.removeField', { name: titleOf(item, i) })} onClick={() => drop(i)}><Icon name="close" size={14} /></ActionIcon>}
      </div>
      {note?.(item) && <p className="muted rule-note">{note(item)}</p>}
      <Fields object={object} base={[...list, i]} fields={fields} always={always} suggest={suggest} />
    </div>)}
    {!object.readOnly && <Button size="compact-xs" mih={26} variant="default" leftSection={<Icon name="plus" size={13} />} onClick={append}>{add}</Button>}
  </section>;
}
