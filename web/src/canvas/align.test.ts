import { describe, expect, it } from 'vitest';
import { align } from './align';

const box = (id: string, x: number, y: number, width = 10, height = 10) => ({ id, x, y, width, height });
const three = [box('a', 0, 0), box('b', 30, 5, 20), box('c', 100, 50)];

describe('align', () => {
  it('puts edges and middles in line, and names only what moves', () => {
    expect(align(three, 'left')).toEqual({ b: { x: 0, y: 5 }, c: { x: 0, y: 50 } });
    expect(align(three, 'right')).toEqual({ a: { x: 100, y: 0 }, b: { x: 90, y: 5 } });
    expect(align(three, 'centre')).toEqual({ a: { x: 50, y: 0 }, b: { x: 45, y: 5 }, c: { x: 50, y: 50 } });
    expect(align(three, 'top')).toEqual({ b: { x: 30, y: 0 }, c: { x: 100, y: 0 } });
    expect(align(three, 'middle')).toEqual({ a: { x: 0, y: 25 }, b: { x: 30, y: 25 }, c: { x: 100, y: 25 } });
  });
  it('spreads with equal gaps', () => {
    expect(align(three, 'across')).toEqual({ b: { x: 45, y: 5 } });
    expect(align(three, 'down')).toEqual({ b: { x: 30, y: 25 } });
  });
  it('leaves one alone', () => expect(align([three[0]!], 'left')).toEqual({}));
});
