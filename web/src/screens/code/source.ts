/** The model element that a line of YAML came from: the annotation of its document, "BoundedContext/order". */
export function sourceAt(text: string, line: number): string | undefined {
  const lines = text.split('\n');
  let from = Math.min(line, lines.length) - 1;
  while (from > 0 && !/^---(\s|$)/.test(lines[from]!)) from--;
  for (let i = from; i < lines.length && (i === from || !/^---(\s|$)/.test(lines[i]!)); i++) {
    const found = /^\s+meshstorm\.io\/source:\s*["']?([^"'#]+?)["']?\s*$/.exec(lines[i]!);
    if (found) return found[1];
  }
  return undefined;
}

export interface Folder<T> {
  name: string;
  path: string;
  folders: Folder<T>[];
  files: { name: string; file: T }[];
}

/** Paths as a tree, folders first, by name. */
export function treeOf<T extends { path: string }>(files: T[]): Folder<T> {
  const root: Folder<T> = { name: '', path: '', folders: [], files: [] };
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const parts = file.path.split('/');
    let at = root;
    for (const part of parts.slice(0, -1)) {
      let next = at.folders.find((f) => f.name === part);
      if (!next) at.folders.push(next = { name: part, path: at.path ? `${at.path}/${part}` : part, folders: [], files: [] });
      at = next;
    }
    at.files.push({ name: parts.at(-1)!, file });
  }
  return root;
}
