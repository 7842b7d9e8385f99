import { Center, Loader, MantineProvider, createTheme } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { Suspense, lazy, useEffect } from 'react';
import type { ApiError } from './api/client';
import { usePlace } from './router';
import { Boundary } from './shell/Boundary';
import { ConflictDialog } from './shell/ConflictDialog';
import { ErrorPage } from './shell/ErrorPage';
import { Shell } from './shell/Shell';
import { Home } from './screens/workspaces/Home';
import { useStore } from './workspace/store';
import { openWorkspace } from './workspace/sync';

const screens = {
  model: lazy(() => import('./screens/model/ModelScreen')),
  code: lazy(() => import('./screens/code/CodeScreen')),
  traffic: lazy(() => import('./screens/traffic/TrafficScreen')),
  cluster: lazy(() => import('./screens/cluster/ClusterScreen')),
  deploy: lazy(() => import('./screens/deploy/DeployScreen')),
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
