import type { Problem, StormDocument } from '../../api/types';
import { contextOf, stickers } from './document';
import type { StickerNode } from './Sticker';

/**
 * The board's nodes from the document. Nodes of before give what React Flow
 * keeps on them (measured size, selection): without it all edges would unmount.
 */
export function nodesOf(document: StormDocument, problems: Map<string, Problem[]>, before: StickerNode[], selected: string | null): StickerNode[] {
  const old = new Map(before.map((n) => [n.id, n]));
  const all = stickers(document);
  const nodes = all.map((s): StickerNode => {
    const parent = s.kind === 'context' ? undefined : contextOf(all, s.view);
    const corner = (v: typeof s.view) => ({ x: v.x - v.width / 2, y: v.y - v.height / 2 });
    const at = corner(s.view), origin = parent ? corner(parent.view) : { x: 0, y: 0 };
    const was = old.get(s.id);
    const found = problems.get(s.id) ?? [];
    const same = was?.data.sticker.element === s.element && was.data.problems === found;
    return {
      id: s.id, type: 'sticker', parentId: parent?.id,
      position: { x: at.x - origin.x, y: at.y - origin.y },
      width: s.view.width, height: s.view.height, measured: was?.measured ?? { width: s.view.width, height: s.view.height },
      selected: was?.selected ?? s.id === selected,
      zIndex: s.kind === 'context' ? 0 : s.kind === 'aggregate' ? 1 : 3,
      data: same ? was.data : { sticker: s, problems: found },
      ariaLabel: `${s.kind} ${s.element.name ?? ''} ${s.element.displayName ?? ''}`.trim(),
    };
  });
  // React Flow wants parents before their children.
  return [...nodes.filter((n) => !n.parentId), ...nodes.filter((n) => n.parentId)];
}
