import { ActionIcon, Badge, Button, Code, Group, Text, Tooltip } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { clusters } from '../../api/cluster';
import type { TextKey } from '../../i18n';
import { Icon } from '../../shell/icons';
import { Stages } from './Stages';
import { type Followed, fail } from './state';

/** The command line that does the same, to learn from. */
export function Command({ words }: { words: string[] }) {
  const { t } = useTranslation();
  const clipboard = useClipboard();
  const line = words.map((w) => (/[^\w@%+=:,./-]/.test(w) ? `'${w.replaceAll("'", `'\\''`)}'` : w)).join(' ');
  return <Group gap={4} wrap="nowrap" align="flex-start">
    <Code block style={{ flex: 1, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', padding: '4px 8px' }}>{line}</Code>
    <Tooltip label={clipboard.copied ? t('cluster.copied') : t('cluster.copy')}>
      <ActionIcon variant="subtle" color="gray" onClick={() => clipboard.copy(line)} aria-label={t('cluster.copy')}><Icon name="copy" /></ActionIcon>
    </Tooltip>
  </Group>;
}

const colours = { running: 'blue.8', done: '#237032', failed: 'red.9', stopped: 'gray.7' } as const;

export function JobView({ followed, close }: { followed: Followed; close: () => void }) {
  const { t } = useTranslation();
  const { job, lines, stages, own } = followed;
  const card = useRef<HTMLElement>(null);
  // What came of a press of a button is seen from where the button is.
  useEffect(() => { if (own) card.current?.scrollIntoView({ block: 'nearest' }); }, [job.id, job.state, own]);
  const log = useRef<HTMLPreElement>(null);
  useEffect(() => { if (log.current) log.current.scrollTop = log.current.scrollHeight; }, [lines.length]);
  return <section ref={card} className="card job" aria-label={t('cluster.job')}>
    <Group justify="space-between" wrap="nowrap">
      <Group gap="xs"><h2>{t(`verb.${job.verb}` as TextKey)}</h2><Badge color={colours[job.state]} variant="filled" role="status">{t(`cluster.job.${job.state}`)}</Badge></Group>
      {job.state === 'running'
        ? <Button size="compact-sm" mih={24} variant="default" onClick={() => void clusters.stop(job.id).catch(fail)}>{t('cluster.stop')}</Button>
        : <ActionIcon variant="subtle" color="gray" onClick={close} aria-label={t('action.close')}><Icon name="close" /></ActionIcon>}
    </Group>
    {(job.command ?? []).length > 0 && <Command words={job.command!} />}
    <Stages stages={stages} job={job.state} />
    {lines.length > 0 && <details className="joblog" open={stages.length === 0 || job.state === 'failed' || undefined}><summary>{t('cluster.log')}</summary><pre className="log" ref={log} tabIndex={0} aria-label={t('cluster.log')}>{lines.map((l) => l.text).join('\n')}</pre></details>}
    {job.error && !lines.some((l) => l.text.includes(job.error!)) && <Text size="sm" role="alert" className="bad" style={{ whiteSpace: 'pre-wrap' }}>{job.error}</Text>}
  </section>;
}
