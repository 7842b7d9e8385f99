// What the server's API takes and gives, under /api/v1.

export interface Workspace {
  id: string;
  name: string;
  readOnly: boolean;
  reason?: string;
  problem?: string;
  revision: string;
  services: string[] | null;
  toppings: string[] | null;
}

export interface About {
  version: string;
  lang?: 'ko' | 'en';
}

export interface Example {
  id?: string;
  name: string;
  title: string;
  description: string;
}

export interface NewWorkspace {
  name: string;
  from: { example?: string; url?: string; workspace?: string; empty?: true; live?: { context?: string; namespace: string } };
}

export type Severity = 'error' | 'warning' | 'info';

export interface Problem {
  severity: Severity;
  code: string;
  message: string;
}

/** The MSA-Ez document as it is in the file. Only the keys that the page knows are named; all others stay. */
export interface StormDocument {
  elements: Record<string, StormElement | null>;
  relations: Record<string, StormRelation | null>;
  [key: string]: unknown;
}

export interface StormView {
  id?: string;
  x: number;
  y: number;
  width: number;
  height: number;
  [key: string]: unknown;
}

export interface Field {
  name: string;
  className: string;
  isKey?: boolean;
  [key: string]: unknown;
}

export interface StormElement {
  _type: string;
  id?: string;
  name?: string;
  displayName?: string;
  description?: string | null;
  elementView?: StormView;
  [key: string]: unknown;
}

export interface StormRelation {
  _type?: string;
  id?: string;
  name?: string;
  from?: string;
  to?: string;
  [key: string]: unknown;
}

export interface CanvasElement {
  id: string;
  type: string;
  name: string;
  problems?: Problem[] | null;
}

export interface Canvas {
  elements: CanvasElement[] | null;
  relations: { id: string; from: string; to: string; kind: string; label?: string }[] | null;
}

export interface Model {
  revision: string;
  document: StormDocument;
  canvas: Canvas;
}

export interface FileInfo {
  path: string;
  size: number;
  revision: string;
  generated: boolean;
  edited: boolean;
}

export interface FileText {
  path: string;
  revision: string;
  text: string;
  generated?: string;
}

export interface GenerateChange {
  path: string;
  action: string;
  diff: string;
}

export interface GenerateResult {
  changes: GenerateChange[] | null;
  conflicts: { path?: string; message?: string; [key: string]: unknown }[] | null;
}

export interface ToppingGroup {
  name: string;
  items: { name: string; title: string; description: string; files?: string[] | null; enabled: boolean }[];
}

export interface Finding {
  code: string;
  severity: Severity;
  message: string;
  file?: string;
  line?: number;
  column?: number;
  object?: { kind: string; namespace?: string; name: string };
  source?: string;
  fix?: string;
  witness?: string;
}

export interface Findings {
  findings: Finding[] | null;
  summary: Record<string, number>;
}

export interface RuleData {
  name?: string;
  index: number;
  line?: number;
  matches: string[] | null;
  redirect?: boolean;
  directResponse?: boolean;
  mirrors?: string[];
  timeout?: string;
  fault?: boolean;
  retries?: number;
}

export interface NodeData {
  hosts?: string[];
  gateways?: string[];
  mesh?: boolean;
  twin?: string;
  rules?: RuleData[];
  servers?: { port: number; protocol: string; hosts: string[] | null; tls?: string }[];
  host?: string;
  labels?: Record<string, string>;
  ports?: { name?: string; port: number }[];
  replicas?: number;
  images?: string[];
  keys?: string[];
  note?: string;
  everything?: boolean;
}

export type Layer = 'routing' | 'configuration' | 'security' | 'external';

export interface GraphNode {
  id: string;
  kind: string;
  layer: Layer;
  name: string;
  namespace?: string;
  service?: string;
  parent?: string;
  source?: string;
  file?: string;
  line?: number;
  problems?: Problem[] | null;
  data?: NodeData | null;
}

export type GraphEdgeKind = 'binds' | 'route' | 'subset' | 'selects' | 'runs' | 'calls' | 'scales' | 'uses' | 'backend' | 'governs';

export interface GraphEdge {
  id: string;
  from: string;
  to: string;
  kind: GraphEdgeKind;
  rule?: { name?: string; index: number };
  weight?: number;
  subset?: string;
  label?: string;
  async?: boolean;
  line?: number;
}

export interface Graph {
  revision: string;
  nodes: GraphNode[] | null;
  edges: GraphEdge[] | null;
  unread?: string[] | null;
}

export interface Point {
  x: number;
  y: number;
}

/** A rectangle by its centre. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Layout {
  revision?: string;
  objects: Record<string, Box>;
}

export interface RouteQuestion {
  method: string;
  url: string;
  headers: Record<string, string>;
  from: string;
}

export interface RouteRule {
  name: string;
  virtualService: string;
  file?: string;
  line?: number;
  matched: boolean;
  failed: string;
}

export interface RouteAnswer {
  outcome: string;
  flag?: string;
  virtualHost?: string;
  winner?: { virtualService: string; kind: string; namespace: string; rule: string; file?: string; line?: number; source?: string } | null;
  rules?: RouteRule[] | null;
  destinations?: {
    host: string;
    subset?: string;
    port?: number;
    share: number;
    of100: number;
    endpoints?: number;
    workloads?: string[] | null;
  }[] | null;
  response?: { status?: number; [key: string]: unknown } | null;
  timeout?: string;
  rewrite?: unknown;
  [key: string]: unknown;
}

export interface Changed {
  revision: string;
  paths: string[];
}
