import type { StormElement } from '../../api/types';

export type Kind = 'context' | 'aggregate' | 'command' | 'event' | 'policy' | 'view' | 'actor' | 'external' | 'ui' | 'issue' | 'text' | 'line' | 'package';

interface KindFacts {
  /** The last part of the document's `_type`. */
  type: string;
  /** The colour that the method's paper stickers have; text on it is near-black. */
  colour: string;
  width: number;
  height: number;
}

export const kinds: Record<Kind, KindFacts> = {
  context: { type: 'BoundedContext', colour: '#ffffff', width: 460, height: 420 },
  aggregate: { type: 'Aggregate', colour: '#fced59', width: 130, height: 260 },
  command: { type: 'Command', colour: '#5099f7', width: 100, height: 100 },
  event: { type: 'Event', colour: '#f1a746', width: 100, height: 100 },
  policy: { type: 'Policy', colour: '#bf73de', width: 100, height: 100 },
  view: { type: 'View', colour: '#5cb04d', width: 100, height: 100 },
  actor: { type: 'Actor', colour: '#f5f1b8', width: 100, height: 100 },
  external: { type: 'External', colour: '#ed73b6', width: 100, height: 100 },
  ui: { type: 'UI', colour: '#f1f3f5', width: 100, height: 100 },
  issue: { type: 'Issue', colour: '#f07178', width: 100, height: 100 },
  text: { type: 'Text', colour: 'transparent', width: 140, height: 40 },
  line: { type: 'Line', colour: 'transparent', width: 300, height: 8 },
  package: { type: 'PBC', colour: '#e7f5ff', width: 200, height: 160 },
};

export const allKinds = Object.keys(kinds) as Kind[];
/** What the palette offers; the rest is drawn where a model has it. */
export const paletteKinds = allKinds.filter((k) => k !== 'text' && k !== 'line' && k !== 'package');
/** What no arrow leads from or to. */
export const isNote = (kind: Kind): boolean => kind === 'issue' || kind === 'text' || kind === 'line' || kind === 'package';
const byType = new Map(allKinds.map((k) => [kinds[k].type, k]));

export function kindOf(element: StormElement | null | undefined): Kind | undefined {
  return element ? byType.get(element._type.split('.').at(-1) ?? '') : undefined;
}

export type EdgeKind = 'pubsub' | 'request' | 'trigger';

export type Verdict = { ok: true; kind: EdgeKind } | { ok: false; reason: RefusalKey };
export type RefusalKey =
  | 'refuse.self' | 'refuse.twice' | 'refuse.context' | 'refuse.eventEvent' | 'refuse.eventAggregate' | 'refuse.eventView'
  | 'refuse.commandCommand' | 'refuse.commandPolicy' | 'refuse.policyPolicy' | 'refuse.view' | 'refuse.issue'
  | 'refuse.aggregate' | 'refuse.actor' | 'refuse.external' | 'refuse.ui';

const allowed: Partial<Record<`${Kind}>${Kind}`, EdgeKind>> = {
  'event>policy': 'pubsub',
  'event>command': 'request',
  'command>view': 'request',
  'policy>view': 'request',
  'command>aggregate': 'request',
  'policy>aggregate': 'request',
  'command>external': 'request',
  'policy>external': 'request',
  'event>external': 'request',
  'command>event': 'trigger',
  'policy>event': 'trigger',
  'policy>command': 'trigger',
  'view>aggregate': 'trigger',
  'aggregate>aggregate': 'trigger',
  'actor>command': 'trigger',
  'actor>view': 'trigger',
  'actor>ui': 'trigger',
  'ui>command': 'trigger',
  'ui>view': 'trigger',
  'external>command': 'trigger',
  'external>event': 'trigger',
};

const reasons: Partial<Record<`${Kind}>${Kind}`, RefusalKey>> = {
  'event>event': 'refuse.eventEvent',
  'event>aggregate': 'refuse.eventAggregate',
  'event>view': 'refuse.eventView',
  'command>command': 'refuse.commandCommand',
  'command>policy': 'refuse.commandPolicy',
  'policy>policy': 'refuse.policyPolicy',
};
const bySource: Partial<Record<Kind, RefusalKey>> = {
  view: 'refuse.view', issue: 'refuse.issue', aggregate: 'refuse.aggregate', actor: 'refuse.actor', external: 'refuse.external', ui: 'refuse.ui',
};

/** What an arrow between two kinds of stickers means, or why the method has none. */
export function verdict(from: Kind, to: Kind): Verdict {
  const kind = allowed[`${from}>${to}`];
  if (kind) return { ok: true, kind };
  if (from === 'context' || to === 'context') return { ok: false, reason: 'refuse.context' };
  if (isNote(to) || isNote(from)) return { ok: false, reason: 'refuse.issue' };
  return { ok: false, reason: reasons[`${from}>${to}`] ?? bySource[from] ?? 'refuse.commandPolicy' };
}

/** The label that the original writes on an arrow. */
export const edgeName: Record<EdgeKind, string> = { pubsub: 'Pub/Sub', request: 'Req/Res', trigger: '' };
