import type { TextKey } from '../../i18n';

/** The plans that the form offers. Watching for 0 s ends each step with a person's word. */
export const plans = {
  steps: { steps: '10,50,100', every: '30s' },
  careful: { steps: '5,20,50,100', every: '30s' },
  hold: { steps: '10,100', every: '0' },
  own: { steps: '20,60,100', every: '1m' },
  blueGreen: { steps: '', every: '0' },
} as const;
export type Plan = keyof typeof plans;

/** Steps as people write them, or what is wrong with them. */
export function parseSteps(text: string): { steps: number[] } | { wrong: TextKey; at: string } {
  const parts = text.split(/[\s,]+/).filter(Boolean);
  if (parts.length === 0) return { wrong: 'canary.wrong.none', at: '' };
  const steps: number[] = [];
  for (const part of parts) {
    const n = Number(part.replace(/%$/, ''));
    if (!Number.isInteger(n) || n < 1 || n > 100) return { wrong: 'canary.wrong.range', at: part };
    if (n <= (steps.at(-1) ?? 0)) return { wrong: 'canary.wrong.order', at: part };
    steps.push(n);
  }
  return { steps };
}

/** "order:v1" becomes "order:v2"; what has no such tag is left to the person. */
export function nextImage(image: string): string {
  const m = /^(.*:v?)(\d+)$/.exec(image);
  return m ? `${m[1]}${Number(m[2]) + 1}` : image;
}
