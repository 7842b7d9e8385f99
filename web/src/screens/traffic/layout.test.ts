import { expect, it } from 'vitest';
import type { TrafficEdge } from '../../api/cluster';
import { columns, line } from './layout';

const edge = (from: string, to: string): TrafficEdge => ({ from, to, service: to, namespace: 'default', requests: 1, rate: 1, errorRate: 0, series: [] });

it('puts who is called to the right of who calls, without overlaps, circles too', () => {
  const spots = columns([edge('gw', 'order'), edge('gw', 'order-canary'), edge('order', 'product'), edge('product', 'order'), edge('a', 'b'), edge('b', 'a')]);
  const at = Object.fromEntries(spots.map((s) => [s.id, s]));
  expect(at.gw!.x).toBeLessThan(at.order!.x);
  expect(at.order!.x).toBeLessThan(at.product!.x);
  expect(new Set(spots.map((s) => `${s.x} ${s.y}`)).size).toBe(spots.length);
  expect(spots).toHaveLength(6);
});

it('draws the newest value at the right edge', () => {
  expect(line([0, 10], [40, 100], 100, 60, 10, 300, 50)).toBe('0.0,50.0 300.0,0.0');
});
