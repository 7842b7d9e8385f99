// Puts things on a board in line.
export interface Placed { id: string; x: number; y: number; width: number; height: number }
export type How = 'left' | 'centre' | 'right' | 'top' | 'middle' | 'bottom' | 'across' | 'down';
export const ways: How[] = ['left', 'centre', 'right', 'top', 'middle', 'bottom', 'across', 'down'];

/** Corners after aligning; only what moves. Spreading leaves equal gaps between the outermost two. */
export function align(things: Placed[], how: How): Record<string, { x: number; y: number }> {
  if (things.length < 2) return {};
  const left = Math.min(...things.map((t) => t.x)), right = Math.max(...things.map((t) => t.x + t.width));
  const top = Math.min(...things.map((t) => t.y)), bottom = Math.max(...things.map((t) => t.y + t.height));
  const moved: Record<string, { x: number; y: number }> = {};
  const put = (t: Placed, x: number, y: number) => { if (Math.round(x) !== t.x || Math.round(y) !== t.y) moved[t.id] = { x: Math.round(x), y: Math.round(y) }; };
  if (how === 'across' || how === 'down') {
    const across = how === 'across';
    const sorted = [...things].sort((a, b) => (across ? a.x - b.x : a.y - b.y));
    const used = things.reduce((s, t) => s + (across ? t.width : t.height), 0);
    const gap = ((across ? right - left : bottom - top) - used) / (things.length - 1);
    let at = across ? left : top;
    for (const t of sorted) {
      put(t, across ? at : t.x, across ? t.y : at);
      at += (across ? t.width : t.height) + gap;
    }
    return moved;
  }
  for (const t of things) {
    const x = how === 'left' ? left : how === 'right' ? right - t.width : how === 'centre' ? (left + right - t.width) / 2 : t.x;
    const y = how === 'top' ? top : how === 'bottom' ? bottom - t.height : how === 'middle' ? (top + bottom - t.height) / 2 : t.y;
    put(t, x, y);
  }
  return moved;
}
