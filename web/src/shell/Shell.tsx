import { ActionIcon, Alert, Anchor, Badge, Button, Group, Kbd, Text, Tooltip, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { type MouseEvent, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { setLanguage } from '../i18n';
import { type Place, type Screen, navigate, to } from '../router';
import { receive, redo, undo, useStore } from '../workspace/store';
import { flush, retry } from '../workspace/sync';
import { CommandPalette, openCommands } from './CommandPalette';
import { ForkDialog } from './ForkDialog';
import { sentence } from './ErrorPage';
import { Icon } from './icons';

const screens: Screen[] = ['model', 'code', 'deploy', 'cluster', 'traffic'];

/** A link that stays within the page. */
export function Link({ href, children, className, current }: { href: string; children: ReactNode; className?: string; current?: boolean }) {
  const follow = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    navigate(href);
  };
  return <a href={href} className={className} onClick={follow} aria-current={current ? 'page' : undefined}>{children}</a>;
}

function SaveBadge() {
  const { t } = useTranslation();
  const save = useStore((s) => s.save);
  const readOnly = useStore((s) => s.workspace?.readOnly);
  const state = readOnly ? 'readOnly' as const : save;
  const mark = state === 'saved' ? '✓' : state === 'readOnly' ? '◦' : state === 'saving' || state === 'dirty' ? '…' : '!';
  return <Text component="span" size="sm" role="status" aria-live="polite" className={`save save-${state}`}>{mark} {t(`save.${state}`)}</Text>;
}

function FailureBar() {
  const { t } = useTranslation();
  const failure = useStore((s) => s.failure);
  if (!failure) return null;
  return (
    <Alert color="red" variant="filled" radius={0} py={6} className="failure" role="alert" withCloseButton closeButtonLabel={t('action.close')} onClose={() => receive({ failure: null })}>
      <Group gap="sm">
        <Text size="sm" fw={600}>{t('error.title')}</Text>
        <Text size="sm">{sentence(failure, t)}</Text>
        <Button size="compact-xs" mih={24} variant="white" color="red.9" onClick={() => void retry()}>{t('action.retry')}</Button>
      </Group>
    </Alert>
  );
}

export function Shell({ place, children }: { place: Place; children: ReactNode }) {
  const { t, i18n } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  const workspace = useStore((s) => s.workspace);
  const [forking, setForking] = useState(false);
  useHotkeys([['mod+Z', undo], ['mod+shift+Z', redo], ['mod+Y', redo], ['mod+S', () => void flush()]]);
  return (
    <div className="shell">
      <a className="skip" href="#content">{t('app.skip')}</a>
      <header className="bar">
        <Link href={to.workspaces()} className="brand"><img src="/icon.svg" width="24" height="24" alt="" /><span>meshstorm</span></Link>
        {place.workspace && <>
          <h1>{workspace?.name ?? place.workspace}</h1>
          <nav aria-label={t('nav.screens')} className="tabs">
            {screens.map((s) => <Link key={s} href={to[s](place.workspace!)} current={place.screen === s} className="tab">{t(`nav.${s}`)}</Link>)}
          </nav>
          <Group gap={4} wrap="nowrap">
            <Tooltip label={t('action.undo')}><ActionIcon variant="subtle" color="gray" onClick={undo} aria-label={t('action.undo')}><Icon name="undo" /></ActionIcon></Tooltip>
            <Tooltip label={t('action.redo')}><ActionIcon variant="subtle" color="gray" onClick={redo} aria-label={t('action.redo')}><Icon name="redo" /></ActionIcon></Tooltip>
          </Group>
          <SaveBadge />
          {workspace?.readOnly && <Button size="xs" onClick={() => setForking(true)}>{t('action.fork')}</Button>}
        </>}
        <Group gap={4} ml="auto" wrap="nowrap">
          <Button variant="default" size="xs" leftSection={<Icon name="search" size={14} />} rightSection={<Kbd size="xs">Ctrl K</Kbd>} onClick={openCommands} className="find">{t('action.search')}</Button>
          <Anchor component="button" size="sm" px={8} mih={24} lang={i18n.language === 'ko' ? 'en' : 'ko'} onClick={() => setLanguage(i18n.language === 'ko' ? 'en' : 'ko')} title={t('language.other')}>{i18n.language === 'ko' ? 'English' : '한국어'}</Anchor>
          <Tooltip label={dark ? t('theme.light') : t('theme.dark')}>
            <ActionIcon variant="subtle" color="gray" onClick={() => setColorScheme(dark ? 'light' : 'dark')} aria-label={dark ? t('theme.light') : t('theme.dark')}><Icon name={dark ? 'sun' : 'moon'} /></ActionIcon>
          </Tooltip>
        </Group>
      </header>
      <FailureBar />
      {place.workspace && workspace?.problem && <Alert color="orange" variant="light" radius={0} py={6}><Text size="sm">{workspace.problem}</Text></Alert>}
      <main id="content" tabIndex={-1}>{children}</main>
      {place.workspace && <ForkDialog opened={forking} close={() => setForking(false)} place={place} />}
      <CommandPalette place={place} fork={() => setForking(true)} />
    </div>
  );
}

export function Severity({ value }: { value: string }) {
  const colour = value === 'error' ? 'red.9' : value === 'warning' ? '#a34400' : 'blue.9';
  return <Badge size="sm" radius="sm" variant="filled" color={colour}>{value}</Badge>;
}
