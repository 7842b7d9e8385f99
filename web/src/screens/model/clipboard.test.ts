import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { StormDocument } from '../../api/types';
import { copied, pasted } from './clipboard';
import { arrows, stickers } from './document';

const mall = (): StormDocument => JSON.parse(readFileSync(new URL('../../../../examples/12st-mall/storm.json', import.meta.url), 'utf8')) as StormDocument;
const named = (d: StormDocument, name: string) => stickers(d).find((s) => s.element.name === name)!;
const counter = () => { let n = 0; return () => `new-${++n}`; };

describe('copies of stickers', () => {
  it('take what lies in a context along, with the arrows between', () => {
    const d = mall();
    const order = named(d, 'order');
    const text = copied(d, [order.id])!;
    const { document: next, ids } = pasted(d, text, counter(), { x: 5000, y: 0 })!;
    expect(ids.length).toBeGreaterThan(3);
    expect(stickers(next)).toHaveLength(stickers(d).length + ids.length);
    expect(arrows(next).length).toBeGreaterThan(arrows(d).length);
    const names = stickers(next).map((s) => s.element.name);
    expect(names).toContain('order2');
    // The aggregate of the copy belongs to the copied context, and is listed there.
    const context = named(next, 'order2'), aggregate = named(next, 'Order2');
    expect(aggregate.element.boundedContext).toEqual({ id: context.id });
    expect((context.element.aggregates as { id: string }[]).map((a) => a.id)).toEqual([aggregate.id]);
    for (const [id, e] of Object.entries(d.elements)) expect(next.elements[id]).toEqual(e);
  });
  it('have ids of their own, inside and out', () => {
    const d = mall();
    const { document: next, ids } = pasted(d, copied(d, [named(d, 'Order').id])!, counter())!;
    const e = next.elements[ids[0]!]!;
    expect([e.id, e.elementView!.id, e.name]).toEqual([ids[0], ids[0], 'Order2']);
  });
  it('are none of other texts', () => {
    for (const text of ['', 'x', '{}', '[]', 'null', '{"format":"meshstorm/stickers"}', '{"format":"meshstorm/stickers","elements":{"a":{"_type":"x"}}}']) expect(pasted(mall(), text, counter())).toBeNull();
    expect(copied(mall(), [])).toBeUndefined();
  });
});
