// Begins to read what the first screen shows while the page's own script is
// still on its way through the browser. src/api/early.ts hands the answers out.
(() => {
  const [, workspace, screen] = /^\/w\/([^/]+)(?:\/([^/]+))?/.exec(location.pathname) ?? [];
  if (!workspace || location.hash) return; // a hash is the code of who has no session yet
  const parts = ['', '/model', '/layout', '/files', ...(screen === 'deploy' ? ['/graph'] : [])];
  window.early = new Map(parts.map((part) => {
    const url = `${location.origin}/api/v1/workspaces/${workspace}${part}`;
    const answer = fetch(url, { credentials: 'same-origin', cache: 'no-store' });
    answer.catch(() => undefined);
    return [url, answer];
  }));
})();
