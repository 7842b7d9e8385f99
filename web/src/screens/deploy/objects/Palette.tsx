import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { toneOf } from '../parts';
import { type Addition, catalogue } from './catalogue';

export const dragType = 'application/x-meshstorm-object';
const layers = ['routing', 'configuration', 'external', 'security'] as const;

/** The kinds that can be added, by layer: dragged onto the graph, or chosen with Enter. */
export function Palette({ insert }: { insert: (addition: Addition) => void }) {
  const { t } = useTranslation();
  const [wanted, setWanted] = useState('');
  const fits = catalogue.filter((a) => a.kind.toLowerCase().includes(wanted.trim().toLowerCase()));
  return <section className="palette objects nowheel" aria-label={t('objects.palette')}>
    <h2>{t('objects.palette')}</h2>
    <p>{t('objects.paletteHint')}</p>
    <input type="search" aria-label={t('objects.find')} placeholder={t('objects.find')} value={wanted} onChange={(e) => setWanted(e.currentTarget.value)} onKeyDown={(e) => { e.stopPropagation(); if (e.key === 'Enter' && fits[0]) insert(fits[0]); }} />
    {fits.length === 0 && <p>{t('objects.noKind')}</p>}
    {layers.map((layer) => {
      const some = fits.filter((a) => a.layer === layer);
      return some.length > 0 && <div key={layer}><h3>{t(`layer.${layer}`)}</h3>{some.map((a) => (
        <button key={a.kind} type="button" draggable title={a.kind} onDragStart={(e) => { e.dataTransfer.setData(dragType, a.kind); e.dataTransfer.effectAllowed = 'copy'; }} onClick={() => insert(a)}>
          <span className="swatch thin" style={{ background: toneOf({ kind: a.kind, layer }) }} /><span>{a.kind}</span>
        </button>
      ))}</div>;
    })}
  </section>;
}
