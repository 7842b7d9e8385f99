import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { en } from './en';
import findings from './findings.ko.json';
import { ko } from './ko';

it('has every text in Korean with the same placeholders', () => {
  const holes = (s: string) => [...s.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();
  for (const [key, value] of Object.entries(en)) {
    expect(ko[key as keyof typeof en], key).toBeTruthy();
    expect(holes(ko[key as keyof typeof en]), key).toEqual(holes(value));
  }
});

it('has every code of check in Korean, and no other', () => {
  const page = readFileSync(new URL('../../../docs/checks.md', import.meta.url), 'utf8');
  const codes = new Set([...page.matchAll(/^\| ((?:MS|IST)\d{4}) /gm)].map((m) => m[1]!));
  expect(codes.size).toBeGreaterThan(100);
  expect(Object.keys(findings).sort()).toEqual([...codes].sort());
  for (const [code, [means, todo]] of Object.entries(findings)) {
    expect(means, code).toMatch(/[가-힣].*\.$/);
    if (code.startsWith('MS')) expect(todo, code).toMatch(/[가-힣].*\.$/);
  }
});
