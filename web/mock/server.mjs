// A stand-in for `meshstorm studio`, for work on the page alone: it serves the
// API from copies of examples/ in memory, and the built page beside it.
//   node mock/server.mjs [--port 8090]
// MESHSTORM=/path/to/meshstorm makes findings and routes real.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const dist = join(root, 'studio/dist');
const port = Number(process.argv[process.argv.indexOf('--port') + 1]) || 8090;
const meshstorm = process.env.MESHSTORM;
const spaces = new Map();
const listeners = new Map();
const hash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16);

function open(id, readOnly, reason, from = join(root, 'examples/12st-mall')) {
  const dir = mkdtempSync(join(tmpdir(), 'studio-mock-'));
  cpSync(from, dir, { recursive: true });
  spaces.set(id, { id, name: id, dir, readOnly, reason });
  return spaces.get(id);
}
open('12st-mall', true, 'example');
open('my-mall', false);

const describe = (w) => ({
  id: w.id, name: w.name, readOnly: w.readOnly, reason: w.reason, revision: hash(w.id),
  services: ['order', 'delivery', 'product'], toppings: ['kubernetes', 'istio'],
});

function walk(dir, at = dir) {
  return readdirSync(at).flatMap((name) => {
    const path = join(at, name);
    return statSync(path).isDirectory() ? walk(dir, path) : [relative(dir, path)];
  });
}

function documents(w) {
  return walk(w.dir).filter((p) => p.startsWith('kubernetes/') && !p.endsWith('model.yml')).flatMap((file) => {
    const text = readFileSync(join(w.dir, file), 'utf8');
    return parseAllDocuments(text).filter((d) => d.contents).map((d) => ({
      file, line: text.slice(0, d.contents.range[0]).split('\n').length, object: d.toJS(),
    }));
  });
}

function dataOf(o) {
  const words = (m) => Object.entries(m).map(([k, v]) => `${k} ${Object.entries(v).map(([a, b]) => `${a} ${b}`)}`).join(', ');
  return {
    hosts: o.spec.hosts, gateways: o.spec.gateways?.map((g) => `default/${g}`), host: o.kind === 'DestinationRule' ? o.spec.host : undefined,
    rules: o.spec.http?.map((r, index) => ({ name: r.name, index, line: 1, matches: (r.match ?? []).map(words), retries: r.retries?.attempts })),
    servers: o.spec.servers?.map((s) => ({ port: s.port.number, protocol: s.port.protocol, hosts: s.hosts })),
    ports: o.kind === 'Service' ? o.spec.ports?.map((p) => ({ name: p.name, port: p.port })) : undefined,
    replicas: o.kind === 'Deployment' ? o.spec.replicas : undefined,
    images: o.spec.template?.spec.containers.map((c) => c.image),
  };
}

function graph(w) {
  const nodes = [], edges = [];
  const docs = documents(w);
  const id = (k, n) => `${k}/default/${n}`;
  const sub = (dr, s) => `Subset/default/${dr.metadata.name}/${s.name}`;
  for (const { file, line, object: o } of docs) {
    nodes.push({ id: id(o.kind, o.metadata.name), kind: o.kind, name: o.metadata.name, namespace: 'default', layer: o.kind === 'ConfigMap' || o.kind === 'ServiceAccount' ? 'configuration' : 'routing',
      service: o.metadata.labels?.app, file, line, problems: [], data: dataOf(o) });
    if (o.kind === 'DestinationRule') for (const s of o.spec.subsets ?? []) {
      nodes.push({ id: sub(o, s), kind: 'Subset', parent: id(o.kind, o.metadata.name), name: s.name, namespace: 'default', layer: 'routing',
        service: o.spec.host, file, line, problems: [], data: { labels: s.labels } });
    }
  }
  const has = new Set(nodes.map((n) => n.id));
  const edge = (from, to, kind, more = {}) => has.has(from) && has.has(to)
    && edges.push({ id: `${kind}:${from}>${to}${more.rule ? `#${more.rule.index}` : ''}`, from, to, kind, ...more });
  for (const { object: o } of docs) {
    const me = id(o.kind, o.metadata.name);
    if (o.kind === 'VirtualService') {
      for (const g of o.spec.gateways ?? []) edge(id('Gateway', g), me, 'binds');
      (o.spec.http ?? []).forEach((rule, index) => (rule.route ?? []).forEach((r) =>
        edge(me, `Subset/default/destrule-${r.destination.host}/${r.destination.subset}`, 'route',
          { rule: { name: rule.name, index }, weight: r.weight ?? 100, subset: r.destination.subset })));
    }
    if (o.kind === 'DestinationRule') for (const s of o.spec.subsets ?? []) {
      edge(sub(o, s), id('Service', o.spec.host), 'subset');
      if (s.name === 'stable') edge(sub(o, s), id('Deployment', o.spec.host), 'runs');
    }
    if (o.kind === 'Service') edge(me, id('Deployment', o.metadata.name), 'selects');
  }
  return { revision: hash(JSON.stringify(docs)), nodes, edges };
}

function run(w, args) {
  return new Promise((resolve) => execFile(meshstorm, args, { cwd: w.dir }, (_, out) => resolve(JSON.parse(out || '{}'))));
}

function model(w) {
  const text = readFileSync(join(w.dir, 'storm.json'), 'utf8');
  const document = JSON.parse(text);
  const order = Object.values(document.elements).find((e) => e?.name === 'order');
  return { revision: hash(text), document, canvas: { elements: [{ id: order?.elementView.id, type: 'context', name: 'order',
    problems: [{ severity: 'info', code: 'MS0402', message: 'the images are named registry.example.com/order, a registry that does not exist' }] }], relations: [] } };
}

function file(w, path) {
  const text = readFileSync(join(w.dir, path), 'utf8');
  const basePath = join(w.dir, '.meshstorm/base', path);
  return { path, revision: hash(text), text, generated: existsSync(basePath) ? readFileSync(basePath, 'utf8') : undefined };
}

function tell(w, paths) {
  for (const res of listeners.get(w.id) ?? []) res.write(`event: changed\ndata: ${JSON.stringify({ revision: hash(String(Date.now())), paths })}\n\n`);
}

class Refusal extends Error {
  constructor(status, detail, more = {}) { super(detail); Object.assign(this, { status, more }); }
}

const routes = [
  ['POST', '/session', () => undefined],
  ['GET', '/about', () => ({ version: 'mock' })],
  ['GET', '/examples', () => ({ items: [{ id: '12st-mall', name: '12st-mall', title: '12st Mall', description: 'Orders, deliveries and stock of a small shop: three services, events between them.' }] })],
  ['GET', '/workspaces', () => ({ items: [...spaces.values()].map(describe) })],
  ['POST', '/workspaces', ({ body }) => {
    const name = body?.name ?? 'dropped';
    if (spaces.has(name)) throw new Refusal(409, `there is a workspace "${name}" already; choose another name`);
    const w = open(name, Boolean(body?.from?.example), body?.from?.example && 'example');
    if (body?.from?.empty) writeFileSync(join(w.dir, 'storm.json'), '{"elements":{},"relations":{},"version":3}');
    return describe(w);
  }],
  ['GET', '/workspaces/:id', ({ w }) => describe(w)],
  ['POST', '/workspaces/:id/fork', ({ w, body }) => describe(open(body.name, false, undefined, w.dir))],
  ['GET', '/workspaces/:id/model', ({ w }) => model(w)],
  ['PUT', '/workspaces/:id/model', ({ w, body, match }) => {
    if (match !== model(w).revision) throw new Refusal(412, 'storm.json changed meanwhile', { current: model(w).document });
    writeFileSync(join(w.dir, 'storm.json'), JSON.stringify(body.document));
    tell(w, ['storm.json']);
    return model(w);
  }],
  ['GET', '/workspaces/:id/files', ({ w }) => ({ items: walk(w.dir).filter((p) => !p.startsWith('.meshstorm/base')).map((path) => {
    const f = file(w, path);
    return { path, size: f.text.length, revision: f.revision, generated: f.generated !== undefined, edited: f.generated !== undefined && f.generated !== f.text };
  }) })],
  ['GET', '/workspaces/:id/files/*', ({ w, rest }) => file(w, rest)],
  ['PUT', '/workspaces/:id/files/*', ({ w, rest, body, match }) => {
    if (match !== file(w, rest).revision) throw new Refusal(412, `${rest} changed meanwhile`, { current: file(w, rest) });
    writeFileSync(join(w.dir, rest), body.text);
    tell(w, [rest]);
    return file(w, rest);
  }],
  ['POST', '/workspaces/:id/generate', ({ body }) => ({ changes: body.toppings && !body.toppings.includes('istio')
    ? [{ path: 'kubernetes/template/istio.yml', action: 'delete', diff: '--- a/kubernetes/template/istio.yml\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-apiVersion: networking.istio.io/v1\n-kind: Gateway\n-metadata:\n' }] : [], conflicts: [] })],
  ['GET', '/workspaces/:id/toppings', () => ({ groups: [
    { name: 'Platform', items: [{ name: 'kubernetes', title: 'Kubernetes', description: 'Deployments, Services and ServiceAccounts.', enabled: true }] },
    { name: 'Service Mesh', items: [{ name: 'istio', title: 'Istio', description: 'Gateway, VirtualServices and DestinationRules with a stable and a canary subset.', enabled: true }] }] })],
  ['PUT', '/workspaces/:id/toppings', () => ({})],
  ['GET', '/workspaces/:id/findings', ({ w }) => meshstorm ? run(w, ['check', '-o', 'json']) : { findings: [
    { code: 'MS0402', severity: 'info', message: 'the images are named registry.example.com/order', file: 'kubernetes/template/template.yml', line: 47, source: 'BoundedContext/order', fix: 'say where the images are, in meshstorm.yaml' }], summary: { info: 1 } }],
  ['GET', '/workspaces/:id/graph', ({ w }) => graph(w)],
  ['PUT', '/workspaces/:id/weights', ({ w, body, match }) => {
    if (match !== graph(w).revision) throw new Refusal(412, 'the files changed meanwhile');
    const path = join(w.dir, 'kubernetes/template/istio.yml');
    const docs = parseAllDocuments(readFileSync(path, 'utf8'));
    for (const d of docs) {
      if (d.get('kind') !== 'VirtualService' || `default/${d.getIn(['metadata', 'name'])}` !== body.virtualService) continue;
      d.getIn(['spec', 'http', body.rule, 'route']).items.forEach((r) => r.set('weight', body.weights[r.getIn(['destination', 'subset'])]));
    }
    writeFileSync(path, docs.map(String).join(''));
    tell(w, ['kubernetes/template/istio.yml']);
    return graph(w);
  }],
  ['GET', '/workspaces/:id/layout', ({ w }) => w.layout ?? { objects: {} }],
  ['PUT', '/workspaces/:id/layout', ({ w, body }) => { w.layout = body; return body; }],
  ['POST', '/workspaces/:id/route', ({ w, body }) => {
    if (!meshstorm) throw new Refusal(501, 'the stand-in server needs MESHSTORM=/path/to/meshstorm to answer this');
    return run(w, ['route', body.method, body.url, ...Object.entries(body.headers).flatMap(([k, v]) => ['-H', `${k}: ${v}`]), '--from', body.from || 'gateway', '-o', 'json']);
  }],
];
const compiled = routes.map(([method, path, handler]) => ({ method, handler,
  pattern: new RegExp(`^/api/v1${path.replace(':id', '(?<id>[^/]+)').replace('*', '(?<rest>.+)')}$`) }));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const csp = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost');
  const chunks = [];
  for await (const c of req) chunks.push(c);
  const events = /^\/api\/v1\/workspaces\/([^/]+)\/events$/.exec(url.pathname);
  if (events) {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.write('event: ping\ndata: {}\n\n');
    const set = listeners.get(events[1]) ?? listeners.set(events[1], new Set()).get(events[1]);
    set.add(res);
    req.on('close', () => set.delete(res));
    return;
  }
  if (!url.pathname.startsWith('/api/')) {
    let path = join(dist, url.pathname);
    if (!path.startsWith(dist) || !existsSync(path) || statSync(path).isDirectory()) path = join(dist, 'index.html');
    res.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'application/octet-stream', 'Content-Security-Policy': csp });
    res.end(readFileSync(path));
    return;
  }
  try {
    for (const { method, pattern, handler } of compiled) {
      const found = method === req.method && pattern.exec(url.pathname);
      if (!found) continue;
      if (method !== 'GET' && req.headers['x-meshstorm'] !== '1') throw new Refusal(403, 'the header X-Meshstorm is missing');
      const w = found.groups?.id && spaces.get(decodeURIComponent(found.groups.id));
      if (found.groups?.id && !w) throw new Refusal(404, `there is no workspace "${found.groups.id}"`);
      if (w?.readOnly && method === 'PUT' && !url.pathname.endsWith('/layout')) throw new Refusal(403, 'this workspace is read-only: fork it first');
      let body;
      try { body = JSON.parse(Buffer.concat(chunks).toString() || 'null'); } catch { body = null; }
      const value = await handler({ w, body, rest: found.groups?.rest && decodeURIComponent(found.groups.rest), match: req.headers['if-match']?.replaceAll('"', '') });
      res.writeHead(value === undefined ? 204 : 200, { 'Content-Type': 'application/json', ...(value?.revision && { ETag: `"${value.revision}"` }) });
      res.end(value === undefined ? '' : JSON.stringify(value));
      return;
    }
    throw new Refusal(404, 'no such resource');
  } catch (err) {
    const status = err.status ?? 500;
    res.writeHead(status, { 'Content-Type': 'application/problem+json' });
    res.end(JSON.stringify({ title: err.name, status, detail: err.message, ...err.more }));
  }
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/`));
