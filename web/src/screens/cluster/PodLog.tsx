import { Button, Group, NativeSelect, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { followLog } from '../../api/cluster';
import { get } from '../../workspace/store';

const kept = 3000; // lines

/** A container's log as it is written, until somebody holds it. */
export function PodLog({ pod, context, containers }: { pod: string; context: string; containers: string[] }) {
  const { t } = useTranslation();
  const [container, setContainer] = useState('');
  const [lines, setLines] = useState<string[] | null>(null);
  const [ended, setEnded] = useState<string | null>(null);
  const [held, setHeld] = useState(false);
  const log = useRef<HTMLPreElement>(null);
  const shown = containers.includes(container) ? container : containers[0] ?? '';
  useEffect(() => {
    if (held || !shown) return;
    setLines(null);
    setEnded(null);
    return followLog(get().id, context, pod, shown, (more) => setLines((now) => [...(now ?? []), ...more].slice(-kept)), (why) => { setLines((now) => now ?? []); setEnded(why); });
  }, [pod, shown, context, held]);
  useEffect(() => { if (!held && log.current) log.current.scrollTop = log.current.scrollHeight; }, [lines, held]);
  return <>
    <Group justify="space-between" align="flex-end" mt="md"><h3 style={{ margin: 0 }}>{t('cluster.log')}</h3>
      <Group gap="xs">
        <NativeSelect size="xs" aria-label={t('pod.container')} data={containers} value={shown} onChange={(e) => setContainer(e.currentTarget.value)} />
        <Button size="xs" variant="default" aria-pressed={held} onClick={() => setHeld(!held)}>{held ? t('pod.follow') : t('pod.hold')}</Button>
      </Group>
    </Group>
    {ended && <Text size="sm" role="alert" className="bad">{t('pod.logFailed', { why: ended })}</Text>}
    <pre className="log tall" tabIndex={0} ref={log} aria-label={t('cluster.log')}>{lines === null ? '…' : lines.length === 0 && ended === '' ? t('pod.noLog') : lines.join('\n')}</pre>
  </>;
}
