import { Center, Loader, MantineProvider, createTheme } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { type ComponentType, Suspense, useEffect, useState } from 'react';
import type { ApiError } from './api/client';
import { type Place, type Screen, parsePlace, usePlace } from './router';
import { Boundary } from './shell/Boundary';
import { ConflictDialog } from './shell/ConflictDialog';
import { ErrorPage } from './shell/ErrorPage';
import { Shell } from './shell/Shell';
import { Home } from './screens/workspaces/Home';
import { useStore } from './workspace/store';
import { openWorkspace } from './workspace/sync';

const loaders = {
  model: () => import('./screens/model/ModelScreen'),
  code: () => import('./screens/code/CodeScreen'),
  traffic: () => import('./screens/traffic/TrafficScreen'),
  cluster: () => import('./screens/cluster/ClusterScreen'),
  deploy: () => import('./screens/deploy/DeployScreen'),
};

type View = ComponentType<{ place: Place }>;

const views: Partial<Record<Screen, View>> = {};
const load = async (name: Screen): Promise<void> => { views[name] = (await loaders[name]()).default; };

// The first screen's script comes while the workspace is being read, not after it.
const first = parsePlace(location.pathname, location.search);
if (first.workspace) load(first.screen).catch(() => undefined);

/** A screen, once its script is there. Not React's `lazy`: that holds back what follows a fallback for 300 ms. */
function Loaded({ name, place }: { name: Screen; place: Place }) {
  const [, loaded] = useState<View>();
  useEffect(() => {
    if (!views[name]) load(name).then(() => loaded(() => views[name]), (err: unknown) => loaded(() => { throw err; }));
  }, [name]);
  const View = views[name];
  return View ? <Suspense fallback={busy}><View place={place} /></Suspense> : busy;
}

const theme = createTheme({
  fontFamily: 'system-ui, -apple-system, "Segoe UI", "Noto Sans KR", "Noto Sans CJK KR", "Apple SD Gothic Neo", "Malgun Gothic", sans-serif',
  primaryColor: 'blue',
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: 'sm',
});

const busy = <Center h="60vh"><Loader /></Center>;

export function App({ failure }: { failure?: ApiError }) {
  const place = usePlace();
  useEffect(() => (place.workspace ? openWorkspace(place.workspace) : undefined), [place.workspace]);
  const loadError = useStore((s) => s.loadError);
  const loaded = useStore((s) => s.workspace !== null && s.id === place.workspace);
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-center" autoClose={7000} limit={3} />
      <Shell place={place}>
        <Boundary key={`${place.workspace}/${place.screen}`}>
          {failure ? <ErrorPage error={failure} />
            : !place.workspace ? <Home />
              : loadError ? <ErrorPage error={loadError} />
                : loaded ? <Loaded name={place.screen} place={place} /> : busy}
        </Boundary>
      </Shell>
      <ConflictDialog />
    </MantineProvider>
  );
}
