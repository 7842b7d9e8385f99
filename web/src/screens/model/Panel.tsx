import { ActionIcon, Button, Checkbox, Group, Select, Table, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Field, GraphNode, Problem, StormDocument, StormElement } from '../../api/types';
import { to } from '../../router';
import { Draft } from '../../shell/Draft';
import { Link, Severity } from '../../shell/Shell';
import { Icon } from '../../shell/icons';
import { edit, get, useStore } from '../../workspace/store';
import { FindingText } from '../../shell/FindingText';
import { arrows, change, connect, contextOf, fieldsOf, judge, newField, remove, rename, setFields, stickers } from './document';
import { edgeName, kindOf, kinds } from './kinds';

const types = ['String', 'Long', 'Integer', 'Double', 'BigDecimal', 'Boolean', 'Date'];

function Fields({ element, readOnly, update }: { element: StormElement; readOnly: boolean; update: (f: (e: StormElement) => StormElement) => void }) {
  const { t } = useTranslation();
  const fields = fieldsOf(element);
  const set = (i: number, part: Partial<Field>) => update((e) => setFields(e, fieldsOf(e).map((f, n) => (n === i ? { ...f, ...part } : f))));
  return <>
    <h3>{t('panel.fields')}</h3>
    {fields.length === 0 && <Text size="sm">{t('panel.noFields')}</Text>}
    {fields.length > 0 && <Table withRowBorders={false} verticalSpacing={2} horizontalSpacing={2}>
      <Table.Thead><Table.Tr><Table.Th>{t('panel.fieldName')}</Table.Th><Table.Th>{t('panel.fieldType')}</Table.Th><Table.Th>{t('panel.fieldKey')}</Table.Th><Table.Td /></Table.Tr></Table.Thead>
      <Table.Tbody>{fields.map((f, i) => (
        <Table.Tr key={i}>
          <Table.Td><Draft size="xs" aria-label={t('panel.fieldName')} value={f.name ?? ''} readOnly={readOnly} commit={(name) => set(i, { ...newField(name), ...f, name, nameCamelCase: name })} /></Table.Td>
          <Table.Td><Draft size="xs" list="field-types" aria-label={t('panel.fieldType')} value={f.className ?? ''} readOnly={readOnly} commit={(className) => set(i, { className })} /></Table.Td>
          <Table.Td><Checkbox size="md" aria-label={`${t('panel.fieldKey')} ${f.name}`} checked={Boolean(f.isKey)} disabled={readOnly} onChange={(e) => set(i, { isKey: e.currentTarget.checked })} /></Table.Td>
          <Table.Td>{!readOnly && <ActionIcon size="md" variant="subtle" color="gray" aria-label={t('panel.removeField', { name: f.name })} onClick={() => update((e) => setFields(e, fieldsOf(e).filter((_, n) => n !== i)))}><Icon name="close" size={14} /></ActionIcon>}</Table.Td>
        </Table.Tr>))}
      </Table.Tbody>
    </Table>}
    <datalist id="field-types">{types.map((n) => <option key={n} value={n} />)}</datalist>
    {!readOnly && <Button size="xs" variant="default" mt={6} leftSection={<Icon name="plus" size={14} />} onClick={() => update((e) => setFields(e, [...fieldsOf(e), newField(`field${fieldsOf(e).length + 1}`)]))}>{t('panel.addField')}</Button>}
  </>;
}

interface Controller { apiPath?: string; method?: string; [key: string]: unknown }

function Rest({ element, readOnly, update }: { element: StormElement; readOnly: boolean; update: (f: (e: StormElement) => StormElement) => void }) {
  const { t } = useTranslation();
  const standard = element.isRestRepository !== false;
  const controller = (element.controllerInfo ?? {}) as Controller;
  const repository = (element.restRepositoryInfo ?? {}) as Controller;
  const method = (standard ? repository.method : controller.method) ?? 'POST';
  const setMethod = (value: string) => update((e) => (standard ? { ...e, restRepositoryInfo: { ...(e.restRepositoryInfo as object), method: value } } : { ...e, controllerInfo: { ...(e.controllerInfo as object), method: value } }));
  return <>
    <h3>{t('panel.rest')}</h3>
    <Checkbox label={t('panel.standard')} checked={standard} disabled={readOnly} onChange={(e) => { const on = e.currentTarget.checked; update((x) => ({ ...x, isRestRepository: on })); }} mb="xs" />
    <Select label={t('panel.method')} data={['POST', 'PUT', 'PATCH', 'DELETE', 'GET']} value={method} allowDeselect={false} disabled={readOnly} onChange={(v) => v && setMethod(v)} mb="xs" />
    {!standard && <Draft label={t('panel.path')} value={controller.apiPath ?? ''} readOnly={readOnly} commit={(apiPath) => update((e) => ({ ...e, controllerInfo: { ...(e.controllerInfo as object), apiPath } }))} />}
  </>;
}

function Connect({ id, document }: { id: string; document: StormDocument }) {
  const { t } = useTranslation();
  const [key, setKey] = useState(0);
  const options = stickers(document).flatMap((s) => {
    const v = judge(document, id, s.id);
    return v.ok ? [{ value: s.id, label: `${s.element.name} (${t(`kind.${s.kind}`)}${edgeName[v.kind] ? `, ${edgeName[v.kind]}` : ''})` }] : [];
  });
  if (options.length === 0) return null;
  return <Select key={key} mt="md" searchable label={t('panel.connect')} description={t('panel.connectHint')} data={options} value={null}
    onChange={(target) => { if (target) { edit({ document: connect(get().document!, id, target, crypto.randomUUID()) }); setKey(key + 1); } }} />;
}

function Made({ element, nodes, workspace }: { element: StormElement; nodes: GraphNode[]; workspace: string }) {
  const { t } = useTranslation();
  const type = kinds[kindOf(element) ?? 'issue'].type;
  const made = nodes.filter((n) => n.source === `${type}/${element.name}` && n.file);
  if (made.length === 0) return null;
  return <><h3>{t('model.generated')}</h3>{made.map((n) => <Text key={n.id} size="sm"><Link href={to.code(workspace, n.file!, n.line)}>{n.kind} {n.name}</Link></Text>)}</>;
}

export function Panel({ selected, select }: { selected: string | null; select: (id: string | null) => void }) {
  const { t } = useTranslation();
  const document = useStore((s) => s.document)!;
  const canvas = useStore((s) => s.canvas);
  const workspace = useStore((s) => s.workspace)!;
  const graph = useStore((s) => s.graph);
  const readOnly = workspace.readOnly;
  const element = selected ? document.elements[selected] : null;
  const arrow = selected && !element ? arrows(document).find((a) => a.id === selected) : undefined;
  const drop = () => { edit({ document: remove(get().document!, [selected!]) }); select(null); };
  if (arrow) {
    const name = (id: string) => document.elements[id]?.name ?? '';
    return <>
      <h2>{t('panel.arrow', { from: name(arrow.from), to: name(arrow.to) })}</h2>
      <Text size="sm">{t(`model.${arrow.kind}`)}</Text>
      {!readOnly && <Button mt="md" size="xs" variant="default" onClick={drop}>{t('action.delete')}</Button>}
    </>;
  }
  const kind = kindOf(element);
  if (!element || !kind || !selected) return <><h2>{t('panel.title')}</h2><Text size="sm">{t('panel.none')}</Text></>;
  const update = (f: (e: StormElement) => StormElement) => edit({ document: change(get().document!, selected, f) });
  const problems: Problem[] = canvas?.elements?.find((e) => e.id === selected)?.problems ?? [];
  const home = kind === 'context' ? undefined : contextOf(stickers(document), element.elementView!);
  const query = element.queryOption as { apiPath?: string } | undefined;
  return <>
    <h2><span className="swatch" style={{ display: 'inline-block', background: kinds[kind].colour, verticalAlign: 'middle', marginRight: 8 }} />{t(`kind.${kind}`)}</h2>
    {problems.map((p, i) => <div key={i} className="finding" style={{ cursor: 'default' }}><Severity value={p.severity} /> <b>{p.code}</b> <FindingText finding={p} /></div>)}
    <Draft key={`n${selected}`} label={t('panel.name')} value={element.name ?? ''} readOnly={readOnly} commit={(v) => edit({ document: rename(get().document!, selected, v) })} mb="xs" />
    <Draft key={`l${selected}`} label={t('panel.label')} value={element.displayName ?? ''} readOnly={readOnly} commit={(displayName) => update((e) => ({ ...e, displayName }))} mb="xs" />
    <Draft key={`d${selected}`} lines={2} label={t('panel.description')} value={element.description ?? ''} readOnly={readOnly} commit={(description) => update((e) => ({ ...e, description }))} mb="xs" />
    {home && <Text size="sm">{t('panel.position')}: {home.element.name}</Text>}
    {kind === 'command' && <Rest element={element} readOnly={readOnly} update={update} />}
    {kind === 'view' && <Draft key={`q${selected}`} label={t('panel.queryPath')} value={query?.apiPath ?? ''} readOnly={readOnly} commit={(apiPath) => update((e) => ({ ...e, queryOption: { ...(e.queryOption as object), apiPath } }))} />}
    {kind === 'policy' && <Checkbox mt="xs" label={t('panel.saga')} checked={Boolean(element.isSaga)} disabled={readOnly} onChange={(e) => { const isSaga = e.currentTarget.checked; update((x) => ({ ...x, isSaga })); }} />}
    {(kind === 'aggregate' || kind === 'command' || kind === 'event' || kind === 'view') && <Fields key={selected} element={element} readOnly={readOnly} update={update} />}
    {!readOnly && <Connect id={selected} document={document} />}
    <Made element={element} nodes={graph?.nodes ?? []} workspace={workspace.id} />
    {!readOnly && <Group mt="lg"><Button size="xs" variant="default" onClick={drop}>{t('action.delete')}</Button></Group>}
  </>;
}
