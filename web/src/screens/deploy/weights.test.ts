import { describe, expect, it } from 'vitest';
import { sameSplit, setWeight, spreadEvenly } from './weights';

const sum = (w: Record<string, number>) => Object.values(w).reduce((a, b) => a + b, 0);

describe('setWeight', () => {
  it('gives the rest to the other of two', () => expect(setWeight({ stable: 100, canary: 0 }, 'canary', 10)).toEqual({ stable: 90, canary: 10 }));
  it('adjusts the others in proportion', () => expect(setWeight({ a: 60, b: 20, c: 20 }, 'a', 20)).toEqual({ a: 20, b: 40, c: 40 }));
  it('leaves locked ones alone', () => expect(setWeight({ a: 50, b: 30, c: 20 }, 'a', 60, new Set(['b']))).toEqual({ a: 60, b: 30, c: 10 }));
  it('takes no more than the locked ones leave', () => expect(setWeight({ a: 50, b: 30, c: 20 }, 'a', 95, new Set(['b']))).toEqual({ a: 70, b: 30, c: 0 }));
  it('shares evenly where the others have nothing', () => expect(setWeight({ a: 100, b: 0, c: 0 }, 'a', 50)).toEqual({ a: 50, b: 25, c: 25 }));
  it('keeps the only one at what is left', () => expect(setWeight({ a: 100 }, 'a', 10)).toEqual({ a: 100 }));
  it('keeps what it must when all others are locked', () => expect(setWeight({ a: 40, b: 60 }, 'a', 10, new Set(['b']))).toEqual({ a: 40, b: 60 }));
  it('survives nonsense', () => expect(setWeight({ a: 40, b: 60 }, 'a', Number.NaN)).toEqual({ a: 0, b: 100 }));
  it('always adds up to 100', () => {
    for (let v = -20; v <= 120; v += 7) for (const start of [{ a: 33, b: 33, c: 34 }, { a: 1, b: 98, c: 1 }, { a: 0, b: 0, c: 100 }]) expect(sum(setWeight(start, 'b', v))).toBe(100);
  });
});

describe('spreadEvenly', () => {
  it('gives the remainder to the first', () => expect(spreadEvenly({ a: 100, b: 0, c: 0 })).toEqual({ a: 34, b: 33, c: 33 }));
  it('shares what locked ones leave', () => expect(spreadEvenly({ a: 50, b: 50, c: 0 }, new Set(['a']))).toEqual({ a: 50, b: 25, c: 25 }));
});

it('sameSplit compares names and numbers', () => {
  expect(sameSplit({ a: 1, b: 99 }, { b: 99, a: 1 })).toBe(true);
  expect(sameSplit({ a: 1, b: 99 }, { a: 1, c: 99 })).toBe(false);
});
