import { expect, it } from 'vitest';
import { en } from './en';
import { ko } from './ko';

it('has every text in Korean with the same placeholders', () => {
  const holes = (s: string) => [...s.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();
  for (const [key, value] of Object.entries(en)) {
    expect(ko[key as keyof typeof en], key).toBeTruthy();
    expect(holes(ko[key as keyof typeof en]), key).toEqual(holes(value));
  }
});
