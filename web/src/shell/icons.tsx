// The few line icons that the page draws, 20 px; always beside a name or an aria-label.
const paths = {
  undo: 'M8 5 4 9l4 4M4 9h8a4 4 0 0 1 0 8h-2',
  redo: 'm12 5 4 4-4 4M16 9H8a4 4 0 0 0 0 8h2',
  sun: 'M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.4 1.4M14.3 14.3l1.4 1.4M4.3 15.7l1.4-1.4M14.3 5.7l1.4-1.4',
  moon: 'M16 12.5A7 7 0 0 1 7.5 4a7 7 0 1 0 8.500 8.500',
  search: 'M9 3.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11M13 13l4 4',
  close: 'M5 5l10 10M15 5 5 15',
  plus: 'M10 4v12M4 10h12',
  lock: 'M6 9V7a4 4 0 0 1 8 0v2M5 9h10v7H5z',
  unlock: 'M6 9V7a4 4 0 0 1 7.500-2M5 9h10v7H5z',
  file: 'M6 3h6l3 3v11H6zM12 3v3h3',
  folder: 'M3 6h5l2 2h7v8H3z',
  copy: 'M7 7h9v10H7zM4 13V3h9',
  download: 'M10 3v9M6 9l4 4 4-4M4 16h12',
};

export function Icon({ name, size = 18 }: { name: keyof typeof paths; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
