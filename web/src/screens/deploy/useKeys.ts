import { type KeyboardEvent, useEffect } from 'react';
import { typing } from '../../canvas/useClipboard';
import type { Objects } from './objects/useObjects';

/** Keys of the graph: delete (boxes, or the chosen line), duplicate, zoom to selection; and the clipboard, which the browser tells of by events of its own. */
export function useKeys(chosen: string[], objects: Objects, readOnly: boolean, zoom: () => void, cut?: () => void): (event: KeyboardEvent) => void {
  const key = chosen.join('\n');
  useEffect(() => {
    const copy = (event: ClipboardEvent) => {
      if (typing(event.target) || chosen.length === 0 || !document.getSelection()?.isCollapsed) return;
      event.preventDefault();
      objects.copy(chosen);
      if (event.type === 'cut' && !readOnly) objects.remove(chosen);
    };
    const paste = (event: ClipboardEvent) => {
      if (typing(event.target) || readOnly) return;
      event.preventDefault();
      objects.paste(event.clipboardData?.getData('text/plain') ?? '');
    };
    document.addEventListener('copy', copy);
    document.addEventListener('cut', copy);
    document.addEventListener('paste', paste);
    return () => {
      document.removeEventListener('copy', copy);
      document.removeEventListener('cut', copy);
      document.removeEventListener('paste', paste);
    };
  }, [key, objects, readOnly]);
  // A line takes no focus of its own: its key is heard wherever nobody types.
  useEffect(() => {
    if (!cut) return;
    const heard = (event: globalThis.KeyboardEvent) => {
      if (typing(event.target) || (event.key !== 'Delete' && event.key !== 'Backspace')) return;
      event.preventDefault();
      cut();
    };
    document.addEventListener('keydown', heard);
    return () => document.removeEventListener('keydown', heard);
  }, [cut]);
  return (event) => {
    if (typing(event.target)) return;
    if (!readOnly && (event.key === 'Delete' || event.key === 'Backspace') && chosen.length > 0) {
      event.preventDefault();
      objects.remove(chosen);
    }
    if (!readOnly && (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'd' && chosen.length > 0) {
      event.preventDefault();
      objects.duplicate(chosen);
    }
    if (event.key.toLowerCase() === 'z' && !event.ctrlKey && !event.metaKey && !event.altKey) zoom();
  };
}
