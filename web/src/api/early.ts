// What public/early.js has begun to read is each given out once, to who asks
// first. The stream of changes tells whether it was outdated by then.

const patience = 10_000; // ms after which a page reads anew
const begun = (globalThis as { early?: Map<string, Promise<Response>> }).early;

/** `fetch`, or the answer to the same question that is on its way already. */
export function fetchEarly(request: Request): Promise<Response> {
  const there = begun?.get(request.url);
  if (!there || request.method !== 'GET' || performance.now() > patience) {
    if (request.method !== 'GET') begun?.clear();
    return fetch(request);
  }
  begun?.delete(request.url);
  return there.catch(() => fetch(request));
}
