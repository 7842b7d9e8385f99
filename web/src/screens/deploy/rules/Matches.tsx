import { ActionIcon, Button, Checkbox, Menu, NativeSelect } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../../../shell/icons';
import type { EditedObject } from '../../../workspace/object';
import { type Path, at } from '../../../yaml/plain';
import { Checked } from './Checked';
import type { Kind } from './check';
import { type Condition, type Matcher, type Op, complete, conditionsOf, matchOf, matcherNames, matchers, opsOf } from './match';

const fresh = (field: Matcher): Condition => ({ field, op: opsOf(field)[0], ...(matchers[field] === 'flag' ? { value: 'true' } : { value: '' }) });
const kindOf = (c: Condition): Kind => (c.op === 'regex' ? 'regex' : matchers[c.field] === 'port' ? 'port' : 'text');
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

interface RowProps { c: Condition; change: (c: Condition) => void; remove: () => void; readOnly: boolean; suggest?: readonly string[]; focus: boolean }

function Row({ c, change, remove, readOnly, suggest, focus }: RowProps) {
  const { t } = useTranslation();
  const sort = matchers[c.field];
  const ops = opsOf(c.field);
  const label = t(`rules.cond.${c.field}`);
  const named = sort === 'named' || sort === 'label';
  return <div className="match-row" role="group" aria-label={`${label} ${c.name ?? ''}`.trim()}>
    <span className="match-what">{label}</span>
    {named && <Checked hideLabel label={t('rules.nameOf', { what: label })} kind="text" value={c.name ?? ''} required commit={(name) => change({ ...c, name })} readOnly={readOnly} autoFocus={focus} />}
    {ops.length > 0 && <NativeSelect size="xs" aria-label={t('rules.howOf', { what: label })} disabled={readOnly} value={c.op} data={ops.map((o) => ({ value: o, label: t(`rules.op.${o}`) }))}
      onChange={(e) => { const op = e.currentTarget.value as Op; change({ ...c, op, value: op === 'present' ? '' : c.value }); }} />}
    {sort === 'flag' ? <Checkbox size="xs" aria-label={label} checked={c.value === 'true'} disabled={readOnly} onChange={(e) => change({ ...c, value: String(e.currentTarget.checked) })} />
      : c.op !== 'present' && <Checked hideLabel label={t('rules.valueOf', { what: label })} kind={kindOf(c)} value={c.value} required commit={(value) => change({ ...c, value })} readOnly={readOnly}
          autoFocus={focus && !named} suggestions={c.field === 'method' ? methods : c.field === 'scheme' ? ['http', 'https'] : suggest} />}
    {!readOnly && <ActionIcon variant="subtle" color="gray" size={26} aria-label={t('rules.removeField', { name: `${label} ${c.name ?? ''}`.trim() })} onClick={remove}><Icon name="close" size={14} /></ActionIcon>}
  </div>;
}

interface BlockProps { match: unknown; index: number; set: (match: unknown) => void; remove: () => void; readOnly: boolean; suggest: Partial<Record<Matcher, readonly string[]>> }

/** One block: all of its conditions must hold. What is not complete yet is kept here, and not written. */
function Block({ match, index, set, remove, readOnly, suggest }: BlockProps) {
  const { t } = useTranslation();
  // `at` is the condition that is being changed; without it, a new one.
  const [pending, setPending] = useState<{ c: Condition; at?: number } | null>(null);
  const conditions = conditionsOf(match);
  const taken = new Set(conditions.map((c) => c.field));
  const put = (c: Condition, at?: number) => {
    const twice = conditions.some((o, i) => i !== at && o.field === c.field && o.name === c.name);
    if (!complete(c) || twice) { setPending({ c, at }); return; }
    setPending(null);
    set(matchOf(at === undefined ? [...conditions, c] : conditions.with(at, c), match));
  };
  const drop = (i: number) => { setPending(null); if (conditions.length === 1) remove(); else set(matchOf(conditions.toSpliced(i, 1), match)); };
  const shown = conditions.map((c, i) => (pending?.at === i ? pending.c : c));
  const rows: (Omit<RowProps, 'readOnly'> & { key: string })[] = [
    ...shown.map((c, i) => ({ key: `${i} ${c.field}`, c, change: (n: Condition) => put(n, i), remove: () => drop(i), suggest: suggest[c.field], focus: false })),
    ...(pending && pending.at === undefined
      ? [{ key: `${shown.length} ${pending.c.field}`, c: pending.c, change: (n: Condition) => put(n), remove: () => setPending(null), suggest: suggest[pending.c.field], focus: true }] : []),
  ];
  return <div className="match-block" role="group" aria-label={t('rules.block', { n: index + 1 })}>
    {rows.length === 0 && <p className="muted rule-note">{t('rules.blockEmpty')}</p>}
    {rows.map(({ key, ...row }, i) => <div key={key}>{i > 0 && <span className="match-word">{t('deploy.and')}</span>}<Row {...row} readOnly={readOnly} /></div>)}
    {!readOnly && <div className="match-foot">
      <Menu position="bottom-start" withinPortal shadow="md">
        <Menu.Target><Button size="compact-xs" mih={26} variant="subtle" leftSection={<Icon name="plus" size={13} />}>{t('rules.addCondition')}</Button></Menu.Target>
        <Menu.Dropdown mah={320} style={{ overflow: 'auto' }} onKeyDown={(e) => e.stopPropagation()}>
          {matcherNames.filter((m) => !taken.has(m) || matchers[m] === 'named' || matchers[m] === 'label').map((m) => <Menu.Item key={m} fz="xs" py={4} onClick={() => put(fresh(m))}>{t(`rules.cond.${m}`)} <span className="muted">{m}</span></Menu.Item>)}
        </Menu.Dropdown>
      </Menu>
      <Button size="compact-xs" mih={26} variant="subtle" color="gray" onClick={remove}>{t('rules.removeBlock')}</Button>
    </div>}
  </div>;
}

/** When a rule takes a request: the conditions of a block together, the blocks instead of each other. */
export function Matches({ object, rule, suggest }: { object: EditedObject; rule: Path; suggest: Partial<Record<Matcher, readonly string[]>> }) {
  const { t } = useTranslation();
  const path = [...rule, 'match'];
  const found = at(object.value, path);
  const blocks = Array.isArray(found) ? found : [];
  const [draft, setDraft] = useState(false);
  const write = (next: unknown[]) => object.set(path, next.length > 0 ? next : undefined);
  return <section aria-label={t('rules.when')}>
    <h4>{t('rules.when')}</h4>
    {blocks.length === 0 && !draft && <p className="muted rule-note">{t('rules.everything')}</p>}
    {blocks.map((m, i) => <div key={i}>
      {i > 0 && <div className="match-or"><span>{t('deploy.or')}</span></div>}
      <Block match={m} index={i} readOnly={object.readOnly} suggest={suggest} set={(next) => object.set([...path, i], next)} remove={() => write(blocks.toSpliced(i, 1))} />
    </div>)}
    {draft && <div>{blocks.length > 0 && <div className="match-or"><span>{t('deploy.or')}</span></div>}
      <Block match={{}} index={blocks.length} readOnly={object.readOnly} suggest={suggest} set={(next) => { setDraft(false); write([...blocks, next]); }} remove={() => setDraft(false)} /></div>}
    {!object.readOnly && !draft && <Button size="compact-xs" mih={26} variant="default" leftSection={<Icon name="plus" size={13} />} onClick={() => setDraft(true)}>{t(blocks.length > 0 ? 'rules.addBlock' : 'rules.addFirst')}</Button>}
  </section>;
}
