import { notifications } from '@mantine/notifications';
import { type ReactNode, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { GraphNode, Point } from '../../../api/types';
import { get, useStore } from '../../../workspace/store';
import { AddDialog } from './AddDialog';
import type { Addition } from './catalogue';
import { DeleteDialog, WayDialog } from './Dialogs';
import { addDocuments, apply, copies, ownFile, removal, textOf } from './files';
import type { Bundle } from '../bundle';
import { type Verdict, type Way, judge } from './link';
import { cut } from './unlink';

type Dialog = { what: 'add'; addition: Addition; near?: GraphNode; at?: Point } | { what: 'way'; from: GraphNode; to: GraphNode; ways: Way[] } | { what: 'delete'; doomed: GraphNode[] };

/** What a person does with whole objects on the Deploy screen, and the dialogs that this needs. */
export interface Objects {
  add: (addition: Addition, near?: GraphNode, at?: Point) => void;
  connect: (from: string, to: string) => void;
  judge: (from: string, to: string) => Verdict;
  /** Whether a line can be taken away. */
  cuttable: (line: Bundle) => boolean;
  /** Takes a line away, or says why it stays. */
  cut: (line: Bundle) => void;
  remove: (ids: string[]) => void;
  duplicate: (ids: string[]) => void;
  copy: (ids: string[]) => void;
  paste: (text: string) => void;
}

const graphNow = () => { const { graph } = get(); return { nodes: graph?.nodes ?? [], edges: graph?.edges ?? [] }; };
const nodesOf = (ids: string[]) => graphNow().nodes.filter((n) => ids.includes(n.id));

export function useObjects(select: (id: string | null) => void, show: (layer: GraphNode['layer']) => void): { objects: Objects; dialogs: ReactNode } {
  const { t } = useTranslation();
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const services = useStore((s) => s.workspace?.services) ?? [];
  const objects = useMemo<Objects>(() => {
    const failed = (err: unknown) => notifications.show({ title: t('objects.failed'), message: err instanceof Error ? err.message : String(err), color: 'red' });
    const verdict = (from: string, to: string): Verdict => {
      const graph = graphNow();
      const a = graph.nodes.find((n) => n.id === from), b = graph.nodes.find((n) => n.id === to);
      return a && b ? judge(a, b, graph) : { ok: false, reason: 'noFile' };
    };
    const insert = (documents: string[], ids: string[]) => {
      addDocuments(documents).then(() => { select(ids[0]!); const n = graphNow().nodes.find((x) => x.id === ids[0]); if (n) show(n.layer); }, failed);
    };
    const refuse = (a: GraphNode, b: GraphNode, v: Verdict & { ok: false }) => {
      const kinds = (v.kinds ?? []).join(', ');
      const reason = v.reason === 'sources' && kinds === '' ? 'alone' : v.reason;
      notifications.show({ title: t('objects.refused'), message: t(`objects.refuse.${reason}`, { from: a.kind, to: b.kind, kinds }), color: 'orange' });
    };
    const paste = (text: string) => {
      const made = copies(text, graphNow().nodes, graphNow().nodes.find((n) => n.file && n.namespace)?.namespace ?? 'default');
      if (!made) { notifications.show({ message: t('objects.pasteNothing'), color: 'orange' }); return; }
      insert(made.documents, made.ids);
      notifications.show({ message: t('objects.pasted', { file: ownFile }) });
    };
    return {
      judge: verdict, paste,
      add: (addition, near, at) => setDialog({ what: 'add', addition, near, at }),
      connect: (from, to) => {
        const [a, b] = [from, to].map((id) => graphNow().nodes.find((n) => n.id === id));
        if (!a || !b) return;
        const v = verdict(from, to);
        if (!v.ok) refuse(a, b, v);
        else if (v.ways.length === 1) apply(v.ways[0]!.changes).catch(failed);
        else setDialog({ what: 'way', from: a, to: b, ways: v.ways });
      },
      cuttable: (line) => cut(line, graphNow()).ok,
      cut: (line) => {
        const c = cut(line, graphNow());
        if (c.ok) apply(c.changes).catch(failed);
        else notifications.show({ title: t('objects.staysTitle'), message: t(`objects.stays.${c.reason}`), color: 'orange' });
      },
      remove: (ids) => { const doomed = nodesOf(ids); if (doomed.length > 0) setDialog({ what: 'delete', doomed }); },
      duplicate: (ids) => { textOf(nodesOf(ids)).then((text) => text && paste(text), failed); },
      copy: (ids) => {
        textOf(nodesOf(ids)).then(async (text) => {
          if (text === '') return;
          await navigator.clipboard.writeText(text);
          notifications.show({ message: t('objects.copied') });
        }).catch(failed);
      },
    };
  }, [t, select, show]);
  const close = () => setDialog(null);
  const failed = (err: unknown) => notifications.show({ title: t('objects.failed'), message: String(err), color: 'red' });
  const nodes = graphNow().nodes;
  const dialogs = dialog && (dialog.what === 'add'
    ? <AddDialog key={dialog.addition.kind} addition={dialog.addition} near={dialog.near} nodes={nodes} services={services} close={close}
        add={(document, id, layer) => { show(layer); addDocuments([document], dialog.at ? { [id]: dialog.at } : {}).then(() => select(id), failed); }} />
    : dialog.what === 'way'
      ? <WayDialog {...dialog} choose={(w) => { apply(w.changes).catch(failed); }} close={close} />
      : <DeleteDialog doomed={dialog.doomed} close={close} remove={() => {
          apply(dialog.doomed.flatMap((n) => removal(n, nodes) ?? [])).then(() => select(null), failed);
        }} />);
  return { objects, dialogs };
}
