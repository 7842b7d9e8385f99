import { Handle, type Node, type NodeProps, NodeResizer, Position } from '@xyflow/react';
import { type KeyboardEvent, createContext, memo, useContext, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Problem } from '../../api/types';
import { says } from '../../i18n/findings';
import type { Sticker as Model } from './document';
import { kinds, isNote } from './kinds';

export type StickerNode = Node<{ sticker: Model; problems: Problem[] }, 'sticker'>;

export const Board = createContext<{
  readOnly: boolean;
  renaming: string | null;
  setRenaming: (id: string | null) => void;
  rename: (id: string, name: string) => void;
  resize: (id: string, box: { x: number; y: number; width: number; height: number }) => void;
}>({ readOnly: true, renaming: null, setRenaming: () => undefined, rename: () => undefined, resize: () => undefined });

/** Lets a line break come between words and at a name's capitals, never inside a word. */
export const breakable = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1\u200b$2');

function Name({ id, name }: { id: string; name: string }) {
  const { t } = useTranslation();
  const board = useContext(Board);
  const [draft, setDraft] = useState(name);
  if (board.renaming !== id) return <b>{breakable(name)}</b>;
  const done = () => {
    board.setRenaming(null);
    if (draft.trim() !== '' && draft !== name) board.rename(id, draft.trim());
  };
  const keys = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Enter') done();
    if (event.key === 'Escape') board.setRenaming(null);
  };
  return <input className="nodrag" aria-label={t('panel.name')} autoFocus value={draft} onFocus={(e) => { setDraft(name); e.currentTarget.select(); }} onChange={(e) => setDraft(e.currentTarget.value)} onBlur={done} onKeyDown={keys} />;
}

export const Sticker = memo(function Sticker({ id, data, selected }: NodeProps<StickerNode>) {
  const { t } = useTranslation();
  const board = useContext(Board);
  const { sticker: { kind, element }, problems } = data;
  const worst = problems.some((p) => p.severity === 'error') ? 'error' : problems.some((p) => p.severity === 'warning') ? 'warning' : 'info';
  const connectable = !board.readOnly && kind !== 'context' && !isNote(kind);
  return <>
    {!board.readOnly && selected && <NodeResizer minWidth={60} minHeight={40} onResizeEnd={(_, p) => board.resize(id, p)} />}
    <Handle type="target" position={Position.Left} className="whole" isConnectable={!board.readOnly} id="in" />
    <div className={`sticker ${kind}`} style={kind === 'context' ? undefined : { background: kinds[kind].colour }} onDoubleClick={() => !board.readOnly && board.setRenaming(id)}>
      {kind !== 'context' && <span className="kind">{kind === 'actor' || kind === 'external' || kind === 'ui' || kind === 'issue' || kind === 'package' ? t(`kind.${kind}`) : ''}</span>}
      <Name id={id} name={element.name ?? ''} />
      {element.displayName && <small>{element.displayName}</small>}
    </div>
    {problems.length > 0 && <span className={`problem ${worst}`} role="img" aria-label={`${t('model.problems', { count: problems.length })}: ${problems.map(says).join('; ')}`} title={problems.map((p) => `${p.code} ${says(p)}`).join('\n\n')}>{worst === 'info' ? 'i' : '!'}</span>}
    <Handle type="source" position={Position.Right} className={connectable ? 'port' : 'no-port'} isConnectable={connectable} id="out" />
  </>;
});
