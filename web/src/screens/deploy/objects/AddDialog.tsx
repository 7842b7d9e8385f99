import { Button, Group, Modal, Select, Text, TextInput } from '@mantine/core';
import { type FormEvent, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { GraphNode } from '../../../api/types';
import { type Addition, type Answers, type Question, documentOf, freeName, nameProblem } from './catalogue';
import { ownFile } from './files';

interface Props {
  addition: Addition;
  /** What it was dropped on, or what is chosen. */
  near: GraphNode | undefined;
  nodes: GraphNode[];
  services: string[];
  close: () => void;
  add: (document: string, id: string, layer: Addition['layer']) => void;
}

const wishFor = (kind: string, near: GraphNode | undefined, context: string): string =>
  (near?.name ?? context) || kind.replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase();

/** The namespace that most objects are in. */
function usual(nodes: GraphNode[]): string {
  const count = new Map<string, number>();
  for (const n of nodes) if (n.file && n.namespace) count.set(n.namespace, (count.get(n.namespace) ?? 0) + 1);
  return [...count].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'default';
}

/** Asks what a new object needs. */
export function AddDialog({ addition, near, nodes, services, close, add }: Props) {
  const { t } = useTranslation();
  const { kind, ask } = addition;
  const options = (q: Question) => nodes.filter((n) => n.file && q.objects?.includes(n.kind)).map((n) => ({ value: n.id, label: `${n.kind} ${n.name}` }));
  const [answers, setAnswers] = useState<Answers>(() => {
    const namespace = near?.namespace || usual(nodes), context = near?.service ?? '';
    const given = Object.fromEntries(ask.map((q) => [q.key, q.objects ? (near && q.objects.includes(near.kind) ? near.id : q.optional ? '' : options(q)[0]?.value ?? '') : q.given ?? '']));
    return { name: freeName(kind, wishFor(kind, near, context), namespace, nodes), namespace, context, ...given };
  });
  const [tried, setTried] = useState(false);
  const set = (key: string, value: string) => setAnswers((now) => ({ ...now, [key]: value }));
  const faults = useMemo(() => {
    const found: Record<string, string> = {};
    const name = nameProblem(kind, answers.name ?? '', answers.namespace ?? '', nodes);
    if (name) found.name = t(name);
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(answers.namespace ?? '')) found.namespace = t('objects.nameBad');
    for (const q of ask) {
      const v = (answers[q.key] ?? '').trim();
      if (v === '' && !q.optional) found[q.key] = q.objects && options(q).length === 0 ? t('objects.noneOf', { kinds: q.objects.slice(0, 2).join(' / ') }) : t('objects.needed');
      else if (q.number && v !== '' && !/^\d+$/.test(v)) found[q.key] = t('objects.number');
    }
    return found;
  }, [answers, nodes, t]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(faults).length > 0) return;
    add(documentOf(addition, answers, (id) => nodes.find((n) => n.id === id)), `${kind}/${answers.namespace}/${answers.name}`, addition.layer);
    close();
  };
  const fault = (key: string) => (tried || key === 'name' && answers.name !== '' ? faults[key] : undefined);
  return (
    <Modal opened onClose={close} title={t('objects.add', { kind })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form onSubmit={submit} noValidate onKeyDown={(e) => e.stopPropagation()}>
        <TextInput label={t('objects.name')} value={answers.name} onChange={(e) => set('name', e.currentTarget.value)} error={fault('name')} data-autofocus mb="xs" />
        {ask.map((q) => {
          const common = { label: t(`objects.q.${q.key}`), error: fault(q.key), mb: 'xs' } as const;
          return q.objects || q.of
            ? <Select key={q.key} {...common} data={q.objects ? options(q) : [...q.of!]} value={answers[q.key] || null} onChange={(v) => set(q.key, v ?? '')} searchable clearable={q.optional} placeholder={q.optional && q.key === 'workload' ? t('objects.noChoice') : undefined} comboboxProps={{ withinPortal: true }} />
            : <TextInput key={q.key} {...common} value={answers[q.key] ?? ''} onChange={(e) => set(q.key, e.currentTarget.value)} inputMode={q.number ? 'numeric' : undefined} />;
        })}
        <Group grow mb="xs" align="flex-start">
          <TextInput label={t('objects.namespace')} value={answers.namespace} onChange={(e) => set('namespace', e.currentTarget.value)} error={fault('namespace')} />
          {services.length > 0 && <Select label={t('objects.context')} data={services} value={answers.context || null} onChange={(v) => set('context', v ?? '')} clearable placeholder={t('objects.contextNone')} />}
        </Group>
        <Text size="xs">{t('objects.goesTo', { file: ownFile })}</Text>
        <Group justify="flex-end" mt="md"><Button variant="default" onClick={close}>{t('action.cancel')}</Button><Button type="submit">{t('action.add')}</Button></Group>
      </form>
    </Modal>
  );
}
