import { Center, Loader, MantineProvider, createTheme } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { Suspense, lazy, useEffect } from 'react';
import type { ApiError } from './api/client';
import { parsePlace, usePlace } from './router';
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

// The first screen's script comes while the workspace is being read, not after it.
const first = parsePlace(location.pathname, location.search);
if (first.workspace) void loaders[first.screen]();

const screens = {
  model: lazy(loaders.model), code: lazy(loaders.code), traffic: lazy(loaders.traffic), cluster: lazy(loaders.cluster), deploy: lazy(loaders.deploy),
};

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
  const Screen = screens[place.screen];
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-center" autoClose={7000} limit={3} />
      <Shell place={place}>
        <Boundary key={`${place.workspace}/${place.screen}`}>
          {failure ? <ErrorPage error={failure} />
            : !place.workspace ? <Home />
              : loadError ? <ErrorPage error={loadError} />
                : loaded ? <Suspense fallback={busy}><Screen place={place} /></Suspense> : busy}
        </Boundary>
      </Shell>
      <ConflictDialog />
    </MantineProvider>
  );
}
