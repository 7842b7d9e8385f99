import { type CompletionContext, type CompletionResult, autocompletion } from '@codemirror/autocomplete';
import type { Extension } from '@codemirror/state';
import { type EditorView, type Tooltip, hoverTooltip } from '@codemirror/view';
import { cursorAt, optionsAt } from './cursor';
import { schemaOf } from './known';
import { schemaAt } from './model';

/** Offers what the schema of the object at the cursor knows; nothing where there is no schema. */
export async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const c = cursorAt(context.state.doc.toString(), context.pos);
  if (!c || (!context.explicit && c.from === context.pos)) return null;
  const schema = await schemaOf(c.apiVersion, c.kind).catch(() => null); // without a schema there is nothing to offer
  const options = schema ? optionsAt(schema, c) : [];
  return options.length ? { from: c.from, options, validFor: /^[\w.-]*$/ } : null;
}

async function describe(view: EditorView, pos: number): Promise<Tooltip | null> {
  const line = view.state.doc.lineAt(pos);
  const colon = line.text.search(/:(\s|$)/);
  if (colon < 0 || pos > line.from + colon) return null;
  const c = cursorAt(view.state.doc.toString(), line.from + colon + 1);
  if (c?.key === undefined) return null;
  const schema = await schemaOf(c.apiVersion, c.kind).catch(() => null);
  const text = schema && schemaAt(schema, [...c.path, c.key])?.description;
  if (!text) return null;
  return { pos, above: true, create: () => {
    const dom = document.createElement('div');
    dom.textContent = text;
    dom.style.padding = '6px 10px';
    return { dom };
  } };
}

/** Completion by schema (Ctrl-Space, or while a word is written), and a field's description under the pointer. */
export const bySchema: Extension = [autocompletion({ override: [complete] }), hoverTooltip(describe)];
