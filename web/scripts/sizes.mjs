// Prints the built page's sizes and fails when the first screen's script grows
// over its budget: what index.html names, and what that imports at once.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../../studio/dist');
const assets = join(dist, 'assets');
const budget = 450 * 1024;
const first = new Set();
function visit(name) {
  if (first.has(name) || !existsSync(join(assets, name))) return;
  first.add(name);
  const text = readFileSync(join(assets, name), 'utf8');
  for (const [, dep] of text.matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) visit(dep);
}
const html = readFileSync(join(dist, 'index.html'), 'utf8');
for (const [, name] of html.matchAll(/assets\/([\w.-]+\.js)/g)) visit(name);
for (const extra of process.argv.slice(2)) visit(extra);
let sum = 0;
for (const name of readdirSync(assets).sort()) {
  const size = gzipSync(readFileSync(join(assets, name))).length;
  if (first.has(name)) sum += size;
  console.log(`${(size / 1024).toFixed(1).padStart(8)} kB gzip  ${name}${first.has(name) ? '  (first)' : ''}`);
}
console.log(`${(sum / 1024).toFixed(1).padStart(8)} kB gzip  script of the first screen, of ${budget / 1024}`);
process.exit(sum > budget ? 1 : 0);
