import { useSyncExternalStore } from 'react';

export type Screen = 'model' | 'code' | 'deploy' | 'cluster' | 'traffic';

export interface Place {
  workspace?: string;
  screen: Screen;
  /** What follows the screen: the file's path on the code screen. */
  rest: string;
  query: URLSearchParams;
}

const listeners = new Set<() => void>();
const tell = () => listeners.forEach((l) => l());
if (typeof window !== 'undefined') window.addEventListener('popstate', tell);

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export function navigate(path: string, options: { replace?: boolean } = {}): void {
  if (path === location.pathname + location.search) return;
  if (options.replace) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  tell();
}

export function parsePlace(pathname: string, search: string): Place {
  const query = new URLSearchParams(search);
  const [w, workspace, screen, ...rest] = pathname.split('/').filter(Boolean).map(decodeURIComponent);
  if (w !== 'w' || !workspace) return { screen: 'model', rest: '', query };
  return { workspace, screen: (['code', 'deploy', 'cluster', 'traffic'] as const).find((s) => s === screen) ?? 'model', rest: rest.join('/'), query };
}

export function usePlace(): Place {
  const path = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  const [pathname = '/', search = ''] = path.split('?');
  return parsePlace(pathname, search);
}

export const to = {
  workspaces: () => '/',
  model: (w: string, select?: string) => `/w/${encodeURIComponent(w)}/model${select ? `?select=${encodeURIComponent(select)}` : ''}`,
  code: (w: string, path = '', line?: number) =>
    `/w/${encodeURIComponent(w)}/code${path ? `/${path.split('/').map(encodeURIComponent).join('/')}` : ''}${line ? `?line=${line}` : ''}`,
  traffic: (w: string) => `/w/${encodeURIComponent(w)}/traffic`,
  cluster: (w: string) => `/w/${encodeURIComponent(w)}/cluster`,
  deploy: (w: string, node?: string) => `/w/${encodeURIComponent(w)}/deploy${node ? `?node=${encodeURIComponent(node)}` : ''}`,
};
