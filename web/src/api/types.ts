// The API's types as the page calls them. schema.ts is generated from the
// server's description; only what the API leaves open is written here.
import type * as S from './schema';

export type {
  About, Box, Canvas, Changed, Example, FileInfo, Finding, Findings, NewWorkspace, RuleData, ToppingGroup, Workspace,
} from './schema';
export type CanvasElement = S.Element;
export type FileText = S.File;
export type GenerateChange = S.GeneratedChange;
export type GenerateResult = S.Generated;
export type GraphEdge = S.Edge;
export type GraphEdgeKind = S.Edge['kind'];
export type GraphNode = S.Node;
export type Layer = S.Node['layer'];
export type NodeData = S.Data;
export type Problem = S.Issue;
export type RouteAnswer = S.Answer;
export type RouteQuestion = S.Question;
export type RouteRule = S.Rule;
export type Severity = S.Issue['severity'];
export type Graph = S.Graph;

export interface Model extends Omit<S.Model, 'document'> {
  document: StormDocument;
}

/** Where objects stand; without a revision nothing was saved yet. */
export type Layout = Pick<S.Layout, 'objects'> & Partial<S.Layout>;

export interface Point {
  x: number;
  y: number;
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
