import { useMantineColorScheme } from '@mantine/core';
import { Spotlight, type SpotlightActionGroupData, spotlight } from '@mantine/spotlight';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { setLanguage } from '../i18n';
import { type Place, navigate, to } from '../router';
import { stickers } from '../screens/model/document';
import { redo, undo, useStore } from '../workspace/store';

export const openCommands = () => spotlight.open();

export function CommandPalette({ place, fork }: { place: Place; fork: () => void }) {
  const { t, i18n } = useTranslation();
  const { toggleColorScheme } = useMantineColorScheme();
  const document = useStore((s) => s.document);
  const graph = useStore((s) => s.graph);
  const files = useStore((s) => s.files);
  const readOnly = useStore((s) => s.workspace?.readOnly);
  const w = place.workspace;
  const actions = useMemo(() => {
    const groups: SpotlightActionGroupData[] = [{
      group: t('spot.screens'),
      actions: [
        ...(w ? (['model', 'code', 'deploy', 'cluster', 'traffic'] as const).map((s) => ({ id: `screen-${s}`, label: t(`nav.${s}`), onClick: () => navigate(to[s](w)) })) : []),
        { id: 'screen-workspaces', label: t('nav.workspaces'), onClick: () => navigate(to.workspaces()) },
      ],
    }, {
      group: t('spot.actions'),
      actions: [
        ...(w ? [{ id: 'undo', label: t('action.undo'), onClick: undo }, { id: 'redo', label: t('action.redo'), onClick: redo }] : []),
        ...(w && readOnly ? [{ id: 'fork', label: t('action.fork'), onClick: fork }] : []),
        { id: 'theme', label: `${t('theme.dark')} / ${t('theme.light')}`, onClick: toggleColorScheme },
        { id: 'language', label: t('language.other'), onClick: () => setLanguage(i18n.language === 'ko' ? 'en' : 'ko') },
      ],
    }];
    if (w && document) groups.push({ group: t('spot.stickers'), actions: stickers(document).map((s) => ({ id: `sticker-${s.id}`, label: `${s.element.name ?? ''}`, description: `${t(`kind.${s.kind}`)} ${s.element.displayName ?? ''}`, onClick: () => navigate(to.model(w, s.id)) })) });
    if (w && graph) groups.push({ group: t('spot.objects'), actions: graph.nodes.map((n) => ({ id: `node-${n.id}`, label: n.name, description: `${n.kind} ${n.service ?? ''}`, onClick: () => navigate(to.deploy(w, n.id)) })) });
    if (w) groups.push({ group: t('spot.files'), actions: files.map((f) => ({ id: `file-${f.path}`, label: f.path, onClick: () => navigate(to.code(w, f.path)) })) });
    return groups;
  }, [w, document, graph, files, readOnly, t, i18n.language, fork, toggleColorScheme]);
  return <Spotlight attributes={{ content: { 'aria-label': t('action.search') } }} actions={actions} shortcut={['mod + K']} limit={12} scrollable maxHeight={420} highlightQuery nothingFound={t('spot.nothing')} searchProps={{ placeholder: t('spot.placeholder'), 'aria-label': t('spot.placeholder') }} />;
}
