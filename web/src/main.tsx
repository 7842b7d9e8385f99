import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './styles.css';
import { createRoot } from 'react-dom/client';
import { ApiError, api } from './api/client';
import { exchangeCode } from './api/session';
import { App } from './app';
import { firstLanguage, setLanguage, startTexts } from './i18n';

startTexts();
const root = createRoot(document.getElementById('root')!);

async function start(): Promise<void> {
  let failure: ApiError | undefined;
  try {
    await exchangeCode();
  } catch (err) {
    if (err instanceof ApiError) failure = err;
  }
  root.render(<App failure={failure} />);
  const about = await api.about().catch(() => undefined);
  if (about?.lang && !localStorage.getItem('meshstorm.language') && firstLanguage(about.lang) !== document.documentElement.lang) {
    setLanguage(firstLanguage(about.lang));
    localStorage.removeItem('meshstorm.language');
  }
}
void start();
