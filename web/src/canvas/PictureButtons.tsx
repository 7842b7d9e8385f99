import { Button, useComputedColorScheme } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useTranslation } from 'react-i18next';
import { api as server } from '../api/client';
import { get } from '../workspace/store';

/** Downloads or copies the picture of a workspace's deployment or model, as `meshstorm screenshot` draws it. */
export function PictureButtons({ what }: { what: 'deployment' | 'model' }) {
  const { t, i18n } = useTranslation();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const address = (format: 'svg' | 'png') => server.picture(get().id, { what, format, theme: scheme, lang: i18n.language.startsWith('ko') ? 'ko' : 'en' });
  const copy = async () => {
    try {
      // The promise goes in as it is: some browsers forget the click while the picture is fetched.
      const picture = fetch(address('png')).then(async (answer) => {
        if (!answer.ok) throw new Error(answer.statusText);
        return answer.blob();
      });
      await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })]);
      notifications.show({ message: t('picture.copied') });
    } catch (e) {
      notifications.show({ color: 'red', message: t('picture.notCopied', { why: e instanceof Error ? e.message : String(e) }) });
    }
  };
  const look = { size: 'compact-xs', mih: 24, variant: 'default' } as const;
  return <>
    {(['svg', 'png'] as const).map((f) => <Button key={f} component="a" {...look} href={address(f)} download aria-label={t('picture.as', { format: f.toUpperCase() })}>{f.toUpperCase()}</Button>)}
    <Button {...look} onClick={() => void copy()}>{t('picture.copy')}</Button>
  </>;
}
