import { api } from './client';

/**
 * Exchanges the one-time code that the opened URL carries in its fragment for
 * the session's cookie, and takes it out of the address bar first, so that it
 * is neither bookmarked nor seen over a shoulder.
 */
export async function exchangeCode(): Promise<void> {
  const code = new URLSearchParams(location.hash.slice(1)).get('code') ?? '';
  if (code === '') return;
  history.replaceState(history.state, '', location.pathname + location.search);
  await api.signIn(code);
}
