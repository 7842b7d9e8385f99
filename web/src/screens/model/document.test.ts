import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { StormDocument } from '../../api/types';
import { add, arrows, connect, contextOf, fieldsOf, freeName, judge, move, newField, place, remove, rename, setFields, stickers } from './document';
import { allKinds, kinds, verdict } from './kinds';

const mall = (): StormDocument => JSON.parse(readFileSync(new URL('../../../../examples/12st-mall/storm.json', import.meta.url), 'utf8')) as StormDocument;
const named = (d: StormDocument, name: string) => stickers(d).find((s) => s.element.name === name)!;

describe('the document', () => {
  it('draws every sticker and arrow of the example', () => {
    const d = mall();
    expect(stickers(d)).toHaveLength(24);
    expect(arrows(d).map((a) => a.kind).sort().filter((k) => k === 'pubsub')).toHaveLength(4);
    expect(arrows(d)).toHaveLength(12);
  });
  it('keeps unknown keys through an edit', () => {
    const d = mall();
    d.elements[named(d, 'Order').id]!.somebodysOwn = { deep: [1, null] };
    d.unheardOf = 'stays';
    const next = rename(d, named(d, 'Order').id, 'Purchase');
    const e = named(next, 'Purchase').element;
    expect([e.somebodysOwn, e.oldName, next.unheardOf]).toEqual([{ deep: [1, null] }, 'Order', 'stays']);
    expect(Object.keys(next)).toEqual(Object.keys(d));
  });
  it('changes nothing else when a sticker moves', () => {
    const d = mall();
    const id = named(d, 'MyPage').id;
    const next = place(d, { [id]: { x: 210, y: 540 } });
    for (const [k, e] of Object.entries(d.elements)) if (k !== id) expect(next.elements[k]).toBe(e);
    expect(next.relations).toBe(d.relations);
  });
  it('writes down the context that a sticker was dropped on', () => {
    const d = mall();
    const policy = named(d, 'DecreaseStock').id, order = named(d, 'order');
    const next = place(d, { [policy]: { x: 200, y: 450 } });
    expect(next.elements[policy]!.boundedContext).toEqual({ id: order.id });
    expect(contextOf(stickers(next), next.elements[policy]!.elementView!)!.element.name).toBe('order');
  });
  it('takes along what lies in a context that moves', () => {
    const d = mall();
    const order = named(d, 'order'), aggregate = named(d, 'Order');
    const next = move(d, { [order.id]: { x: order.view.x + 7, y: order.view.y - 3 } });
    expect(named(next, 'Order').view).toMatchObject({ x: aggregate.view.x + 7, y: aggregate.view.y - 3 });
    expect(move(d, { [order.id]: { x: order.view.x, y: order.view.y } })).toBe(d);
  });
  it('draws what has no place below the rest, and notes of other kinds', () => {
    const d = mall();
    d.elements.lost = { _type: 'org.uengine.modeling.model.Event', id: 'lost', name: 'Lost' };
    d.elements.note = { _type: 'org.uengine.modeling.model.Text', id: 'note', name: 'hint', elementView: { id: 'note', x: 1, y: 2, width: 3, height: 4 } };
    const lost = named(d, 'Lost');
    for (const s of stickers(d)) if (s.id !== 'lost') expect(s.view.y + s.view.height / 2).toBeLessThan(lost.view.y);
    expect(named(d, 'hint').kind).toBe('text');
    expect(d.elements.lost!.elementView).toBeUndefined();
    expect(place(d, { lost: { x: 5 } }).elements.lost!.elementView).toMatchObject({ id: 'lost', x: 5, y: lost.view.y, width: 100 });
  });
  it('lists a new aggregate in its context', () => {
    const d = mall();
    const next = add(d, 'aggregate', 'new-1', 'Cart', { x: 285, y: 450 });
    expect(named(next, 'order').element.aggregates).toContainEqual({ id: 'new-1' });
    expect(named(remove(next, ['new-1']), 'order').element.aggregates).toEqual(named(d, 'order').element.aggregates);
  });
  it('leaves null where something was deleted, and takes its arrows along', () => {
    const d = mall();
    const id = named(d, 'OrderPlaced').id;
    const next = remove(d, [id]);
    expect(next.elements[id]).toBeNull();
    expect(Object.values(next.relations).filter((r) => r === null)).toHaveLength(2);
    expect(stickers(next)).toHaveLength(23);
  });
  it('connects as the original does', () => {
    const d = mall();
    const from = named(d, 'DeliveryStarted').id, to = named(d, 'DecreaseStock').id;
    const next = connect(d, from, to, 'r-1');
    expect(next.relations['r-1']).toMatchObject({ _type: 'org.uengine.modeling.model.Relation', name: 'Pub/Sub', from, to, sourceElement: { id: from } });
    expect(judge(next, from, to)).toEqual({ ok: false, reason: 'refuse.twice' });
    expect(connect(next, from, to, 'r-2')).toBe(next);
  });
  it('tolerates nulls and arrows to nowhere', () => {
    const d: StormDocument = { elements: { a: null }, relations: { r: null, s: { from: 'x', to: 'y' } } };
    expect([stickers(d), arrows(d)]).toEqual([[], []]);
  });
  it('edits the fields of an aggregate where the original keeps them', () => {
    const d = mall();
    const e = setFields(named(d, 'Order').element, [newField('id')]);
    expect(fieldsOf(e).map((f) => f.name)).toEqual(['id']);
    expect((e.aggregateRoot as { operations: unknown }).operations).toEqual([]);
  });
  it('finds a name that is free', () => {
    const d = add(mall(), 'event', 'e1', 'Event', { x: 0, y: 0 });
    expect([freeName(d, 'event'), freeName(d, 'command')]).toEqual(['Event2', 'Command']);
  });
});

describe('the method', () => {
  it('has an answer for every pair', () => {
    for (const a of allKinds) for (const b of allKinds) {
      const v = verdict(a, b);
      expect(v.ok ? v.kind : v.reason).toBeTruthy();
    }
  });
  it('knows pub/sub from a call', () => {
    expect(verdict('event', 'policy')).toEqual({ ok: true, kind: 'pubsub' });
    expect(verdict('event', 'command')).toEqual({ ok: true, kind: 'request' });
    expect(verdict('command', 'command').ok).toBe(false);
  });
  it('names the types of the original', () => expect(kinds.view.type).toBe('View'));
});
