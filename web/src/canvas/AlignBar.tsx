import { useTranslation } from 'react-i18next';
import { type How, ways } from './align';

const lines: Record<How, string> = {
  left: 'M3 2v16M6 5h10v3H6zM6 12h6v3H6z', centre: 'M10 2v16M4 5h12v3H4zM7 12h6v3H7z', right: 'M17 2v16M4 5h10v3H4zM8 12h6v3H8z',
  top: 'M2 3h16M5 6v10h3V6zM12 6v6h3V6z', middle: 'M2 10h16M5 4v12h3V4zM12 7v6h3V7z', bottom: 'M2 17h16M5 4v10h3V4zM12 8v6h3V8z',
  across: 'M2 2v16M18 2v16M8 6h4v8H8z', down: 'M2 2h16M2 18h16M6 8h8v4H6z',
};

/** What is done with several things that are chosen on a board. */
export function AlignBar({ count, align, zoom, children }: { count: number; align?: (how: How) => void; zoom: () => void; children?: React.ReactNode }) {
  const { t } = useTranslation();
  return (
    <div className="legend align" role="toolbar" aria-label={t('canvas.tools', { count })}>
      <span>{t('canvas.chosen', { count })}</span>
      {align && ways.filter((w) => count > 2 || (w !== 'across' && w !== 'down')).map((how) => (
        <button key={how} type="button" title={t(`canvas.${how}`)} aria-label={t(`canvas.${how}`)} onClick={() => align(how)}>
          <svg width="18" height="18" viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true"><path d={lines[how]} /></svg>
        </button>
      ))}
      <button type="button" onClick={zoom}>{t('canvas.zoom')}</button>
      {children}
    </div>
  );
}
