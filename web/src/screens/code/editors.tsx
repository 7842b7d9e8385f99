// Everything that needs CodeMirror, so that it loads only where it is needed.
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, bracketMatching, codeFolding, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { MergeView } from '@codemirror/merge';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { typing } from '../../workspace/typing';
import i18next from 'i18next';
import { useTranslation } from 'react-i18next';
import type { Finding } from '../../api/types';
import type { Misfit } from '../../schema/check';
import { bySchema } from '../../schema/complete';
import { text as say } from '../../i18n';
import { misfitsIn, sentence, unsaid } from './problems';
import { says } from '../../i18n/findings';

const light = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: '#0b5394' },
  { tag: [tags.string, tags.content], color: '#1a1d21' },
  { tag: [tags.comment, tags.lineComment], color: '#5f6b76', fontStyle: 'italic' },
  { tag: [tags.meta, tags.separator, tags.punctuation], color: '#7a3e9d' },
]);
const dark = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: '#74c0fc' },
  { tag: [tags.string, tags.content], color: '#e9ecef' },
  { tag: [tags.comment, tags.lineComment], color: '#a5b0bb', fontStyle: 'italic' },
  { tag: [tags.meta, tags.separator, tags.punctuation], color: '#d0a9f5' },
]);

/** CodeMirror's own words, for those who read Korean. */
const korean: Record<string, string> = {
  '$ unchanged lines': '바뀌지 않은 $행', Find: '찾기', Replace: '바꾸기', next: '다음', previous: '이전', all: '모두', 'match case': '대소문자 구분', regexp: '정규식', 'by word': '단어 단위',
  replace: '바꾸기', 'replace all': '모두 바꾸기', close: '닫기', 'Go to line': '행으로 이동', go: '이동', 'Fold line': '접기', 'Unfold line': '펼치기', 'folded code': '접힌 코드', unfold: '펼치기', 'No diagnostics': '문제 없음', Diagnostics: '문제', Completions: '자동 완성',
};
const words = (language: string): Extension => (language === 'ko' ? EditorState.phrases.of(korean) : []);

const look = (isDark: boolean): Extension => [
  EditorView.theme({
    '&': { backgroundColor: 'var(--panel)', color: 'var(--ink)', height: '100%' },
    '.cm-gutters': { backgroundColor: 'var(--board)', color: 'var(--soft)', border: 'none' },
    '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: isDark ? '#ffffff10' : '#1c7ed612' },
    '.cm-cursor': { borderLeftColor: 'var(--ink)' },
    '.cm-panels': { backgroundColor: 'var(--board)', color: 'var(--ink)' },
    '.cm-selectionBackground, &.cm-focused .cm-selectionBackground': { backgroundColor: isDark ? '#1c5a94 !important' : '#b9dcfb !important' },
    '.cm-diagnosticSource': { opacity: '1', fontSize: '85%' },
    '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--ink)', border: '1px solid var(--line)', maxWidth: '480px' },
  }, { dark: isDark }),
  syntaxHighlighting(isDark ? dark : light),
];

const isYaml = (path: string): boolean => /\.ya?ml$/.test(path);
const language = (path: string): Extension => (isYaml(path) ? yaml() : []);

const common = (isDark: boolean, path: string): Extension => [
  lineNumbers(), foldGutter(), codeFolding(), highlightSpecialChars(), drawSelection(), bracketMatching(), highlightActiveLine(), highlightActiveLineGutter(),
  highlightSelectionMatches(), search({ top: true }), keymap.of([...searchKeymap, ...foldKeymap, ...lintKeymap]), language(path), look(isDark),
];

function diagnostics(state: EditorState, findings: Finding[], misfits: Misfit[]): Diagnostic[] {
  const own = unsaid(misfits, findings).map((m): Diagnostic => ({ from: m.from, to: m.to, severity: 'error', source: say('form.schema'), message: sentence(m) }));
  const said = findings.filter((f) => f.line && f.line <= state.doc.lines).map((f) => {
    const line = state.doc.line(f.line!);
    const indent = line.text.length - line.text.trimStart().length;
    return { from: line.from + indent, to: line.to, severity: f.severity, source: f.code, message: f.fix ? `${says(f)}\n→ ${f.fix}` : says(f) };
  });
  return [...said, ...own].sort((a, b) => a.from - b.from);
}

/** Marks the server's findings, and beside them what the schemas say of the text as it is now. */
async function mark(view: EditorView, path: string, findings: Finding[], current: () => boolean): Promise<void> {
  view.dispatch(setDiagnostics(view.state, diagnostics(view.state, findings, [])));
  if (!isYaml(path)) return;
  const doc = view.state.doc;
  const misfits = await misfitsIn(doc.toString());
  if (current() && view.state.doc === doc) view.dispatch(setDiagnostics(view.state, diagnostics(view.state, findings, misfits)));
}

interface Props {
  path: string;
  /** The file that the text is of, or is a part of. */
  file: string;
  text: string;
  readOnly: boolean;
  findings: Finding[];
  line?: number;
  label: string;
  change: (text: string) => void;
  cursor: (line: number) => void;
}

export function Editor({ path, file, text, readOnly, findings, line, label, change, cursor }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const lang = useTranslation().i18n.language;
  const handlers = useRef({ change, cursor });
  handlers.current = { change, cursor };
  const isDark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  /** Where the cursor was, for the editor that another theme or language makes anew. */
  const was = useRef({ path: '', head: 0 });

  useEffect(() => {
    const head = was.current.path === path ? Math.min(was.current.head, text.length) : 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const commit = () => {
      clearTimeout(timer);
      if (!timer) return;
      timer = undefined;
      handlers.current.change(made.state.doc.toString());
      typing.delete(file);
    };
    const made = new EditorView({
      parent: host.current!,
      state: EditorState.create({
        doc: text, selection: { anchor: head },
        extensions: [
          words(lang), common(isDark, path), history(), indentOnInput(), indentUnit.of('  '), lintGutter(), isYaml(path) ? bySchema : [],
          keymap.of([{ key: 'Mod-s', run: () => { commit(); return false; } }, ...defaultKeymap, ...historyKeymap, indentWithTab]),
          EditorState.readOnly.of(readOnly), EditorView.contentAttributes.of({ 'aria-label': label, 'aria-description': i18next.t('code.leave'), tabindex: '0' }),
          EditorView.updateListener.of((u) => {
            if (u.docChanged && u.transactions.some((tr) => tr.isUserEvent('input') || tr.isUserEvent('delete') || tr.isUserEvent('undo') || tr.isUserEvent('redo') || tr.isUserEvent('move'))) {
              clearTimeout(timer);
              typing.add(file);
              timer = setTimeout(commit, 150);
            }
            if (u.selectionSet || u.docChanged) handlers.current.cursor(u.state.doc.lineAt(u.state.selection.main.head).number);
          }),
          EditorView.domEventHandlers({ blur: () => { commit(); } }),
        ],
      }),
    });
    view.current = made;
    void mark(made, path, findings, () => view.current === made);
    if (head > 0) made.dispatch({ effects: EditorView.scrollIntoView(head, { y: 'center' }) });
    return () => { commit(); was.current = { path, head: made.state.selection.main.head }; made.destroy(); view.current = null; };
  }, [path, file, readOnly, isDark, label, lang]);

  useEffect(() => {
    const v = view.current;
    if (typing.has(file)) return; // what is being typed goes first
    if (!v || v.state.doc.toString() === text || v.hasFocus && v.state.doc.toString() !== text && document.activeElement === v.contentDOM && pendingInput(v)) return;
    v.dispatch({ changes: minimal(v.state.doc.toString(), text) });
  }, [text]);
  useEffect(() => {
    const v = view.current;
    let stale = false;
    if (v) void mark(v, path, findings, () => !stale && view.current === v);
    return () => { stale = true; };
  }, [findings, text]);
  useEffect(() => {
    const v = view.current;
    if (!v || !line || line > v.state.doc.lines) return;
    const at = v.state.doc.line(line).from;
    v.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
    v.focus();
  }, [line, path]);

  return <div ref={host} className="editor" />;
}

const pendingInput = (v: EditorView): boolean => v.composing;

/** The one change that makes a text of another, so that cursor and folds stay where they are. */
function minimal(before: string, after: string) {
  let from = 0;
  while (from < before.length && from < after.length && before[from] === after[from]) from++;
  let end = before.length, to = after.length;
  while (end > from && to > from && before[end - 1] === after[to - 1]) { end--; to--; }
  return { from, to: end, insert: after.slice(from, to) };
}

export function DiffView({ before, after, path, height }: { before: string; after: string; path: string; height?: string }) {
  const host = useRef<HTMLDivElement>(null);
  const lang = useTranslation().i18n.language;
  const isDark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  useEffect(() => {
    const side = (doc: string) => ({ doc, extensions: [words(lang), lineNumbers(), EditorState.readOnly.of(true), EditorView.lineWrapping, keymap.of(searchKeymap), search({ top: true }), language(path), look(isDark)] });
    const made = new MergeView({ parent: host.current!, a: side(before), b: side(after), collapseUnchanged: { margin: 4, minSize: 8 }, highlightChanges: true, gutter: true });
    return () => made.destroy();
  }, [before, after, path, isDark, lang]);
  return <div ref={host} className="editor" style={{ height }} tabIndex={0} role="region" aria-label={path} />;
}

/** Both sides of a conflict: arrows between them take over one change of the left; the right can be typed in, and is the result. */
export function MergeEditor({ theirs, mine, path, change }: { theirs: string; mine: string; path: string; change: (text: string) => void }) {
  const host = useRef<HTMLDivElement>(null);
  const { t, i18n: { language: lang } } = useTranslation();
  const isDark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  const handler = useRef(change);
  handler.current = change;
  useEffect(() => {
    const both = [words(lang), lineNumbers(), EditorView.lineWrapping, language(path), look(isDark)];
    const made = new MergeView({
      parent: host.current!, collapseUnchanged: { margin: 4, minSize: 8 }, highlightChanges: true, gutter: true, revertControls: 'a-to-b',
      renderRevertControl: () => {
        const button = document.createElement('button');
        button.type = 'button';
        button.className = 'cm-take';
        button.textContent = '→';
        button.setAttribute('aria-label', t('conflict.take'));
        button.title = t('conflict.take');
        return button;
      },
      a: { doc: theirs, extensions: [...both, EditorState.readOnly.of(true), EditorView.contentAttributes.of({ 'aria-label': t('conflict.left') })] },
      b: {
        doc: mine, extensions: [...both, history(), keymap.of([...defaultKeymap, ...historyKeymap]), EditorView.contentAttributes.of({ 'aria-label': t('conflict.right') }),
          EditorView.updateListener.of((u) => { if (u.docChanged) handler.current(u.state.doc.toString()); })],
      },
    });
    return () => made.destroy();
  }, [theirs, mine, path, isDark, lang]);
  return <div ref={host} className="editor merge" style={{ height: '60vh' }} tabIndex={0} role="region" aria-label={path} />;
}
