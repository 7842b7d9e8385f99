import { useEffect, useRef } from 'react';

/** Whether a key or clipboard event belongs to a field, a dialog or an editor. */
export const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable], [role="dialog"], .cm-editor') !== null;

interface Does {
  /** The text that is copied; undefined where nothing is chosen. */
  copy: () => string | undefined;
  cut?: () => void;
  paste?: (text: string) => void;
}

/** Copy, cut and paste of a board, by the browser's own events: they need no permission. */
export function useClipboard(does: Does): void {
  const now = useRef(does);
  now.current = does;
  useEffect(() => {
    const copy = (event: ClipboardEvent) => {
      if (typing(event.target) || document.getSelection()?.isCollapsed === false) return;
      const text = now.current.copy();
      if (text === undefined) return;
      event.preventDefault();
      event.clipboardData?.setData('text/plain', text);
      if (event.type === 'cut') now.current.cut?.();
    };
    const paste = (event: ClipboardEvent) => {
      if (typing(event.target) || !now.current.paste) return;
      event.preventDefault();
      now.current.paste(event.clipboardData?.getData('text/plain') ?? '');
    };
    document.addEventListener('copy', copy);
    document.addEventListener('cut', copy);
    document.addEventListener('paste', paste);
    return () => {
      document.removeEventListener('copy', copy);
      document.removeEventListener('cut', copy);
      document.removeEventListener('paste', paste);
    };
  }, []);
}
