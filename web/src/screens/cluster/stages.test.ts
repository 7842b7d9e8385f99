import { expect, it } from 'vitest';
import { stagesOf, stateOf, told, waitsFor } from './stages';

const say = (at: number, stage: string, state: string, object?: string, message?: string) => ({ msg: 'progress', time: new Date(at).toISOString(), stage, state, object, message });

it('follows an apply from stage to stage', () => {
  let all = stagesOf('apply');
  expect(all).toHaveLength(5);
  all = told(all, say(1000, 'workloads and services', 'created', 'default/deployment/order'));
  all = told(all, say(2000, 'workloads and services', 'waiting', 'default/deployment/order', 'Replicas: 0/1'));
  expect(stateOf(all[0]!, 'running')).toBe('later');
  expect(stateOf(all[2]!, 'running')).toBe('running');
  expect(waitsFor(all[2]!)).toEqual(['order: Replicas: 0/1']);
  all = told(all, say(3000, 'workloads and services', 'ready', 'default/deployment/order'));
  expect(waitsFor(all[2]!)).toEqual([]);
  all = told(all, say(4000, 'routes', 'waiting', undefined, 'for the proxies'));
  expect([all[2]!.began, all[2]!.ended, all[4]!.note]).toEqual([1000, 4000, 'waiting for the proxies']);
  expect(stateOf(all[2]!, 'running')).toBe('done');
  expect(stateOf(all[4]!, 'failed')).toBe('failed');
  expect(stateOf(all[0]!, 'done')).toBe('nothing');
  all = told(all, say(5000, 'routes', 'refused', 'default/virtualservice/x', 'no'));
  expect(stateOf(all[4]!, 'running')).toBe('failed');
});

it('leaves what is no progress alone, and takes a stage that it does not know', () => {
  const none = stagesOf('load');
  for (const data of [null, 7, { sent: 3 }, { msg: 'progress' }, say(1, '', 'gone', 'x')]) expect(told(none, data)).toBe(none);
  expect(told(none, say(1, 'Istio', 'created', 'x')).map((s) => s.name)).toEqual(['Istio']);
});
