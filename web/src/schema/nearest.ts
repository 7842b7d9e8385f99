/** The word that was most likely meant, or '' where none is near enough; as the program's check decides it. */
export function nearest(word: string, words: string[]): string {
  let best = '', limit = Math.floor(word.length / 3) + 1;
  for (const w of words) {
    const d = distance(word.toLowerCase(), w.toLowerCase());
    if (d < limit) [best, limit] = [w, d];
  }
  return best;
}

/** The number of letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return 64;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (a[i] === b[j] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
