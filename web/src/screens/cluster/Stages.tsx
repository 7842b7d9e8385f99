import { Loader } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { type Stage, type StageState, stageText, stateOf, waitsFor } from './stages';

const signs: Record<StageState, string> = { later: '○', running: '', done: '✓', failed: '✗', nothing: '–' };
const most = 4; // objects that a waiting stage names

/** The stages of a job, live: which are done, which runs and what it waits for, which are to come. */
export function Stages({ stages, job }: { stages: Stage[]; job: 'running' | 'done' | 'failed' | 'stopped' }) {
  const { t } = useTranslation();
  if (stages.length === 0) return null;
  return <ol className="stages" aria-label={t('stage.title')}>{stages.map((s) => {
    const state = stateOf(s, job), key = stageText(s.name), waits = waitsFor(s), refused = Object.entries(s.objects).filter(([, o]) => o.state === 'refused');
    const count = Object.keys(s.objects).length;
    return <li key={s.name} className={state} aria-current={state === 'running' ? 'step' : undefined}>
      <span className="sign" role="img" aria-label={t(`stage.${state}`)}>{state === 'running' ? <Loader size={12} aria-hidden="true" /> : signs[state]}</span>
      <span>{key ? t(key) : s.name}</span>
      {count > 0 && <span className="muted"> {t('stage.objects', { count })}</span>}
      {s.ended > 0 && <span className="muted"> {((s.ended - s.began) / 1000).toFixed(1)} s</span>}
      {state === 'running' && waits.length > 0 && <div className="muted">{t('stage.waits')} {waits.slice(0, most).join(', ')}{waits.length > most && ` +${waits.length - most}`}</div>}
      {state === 'running' && waits.length === 0 && s.note && <div className="muted" lang="en">{s.note}</div>}
      {refused.map(([name, o]) => <div key={name} className="bad">{name}: {o.message}</div>)}
    </li>;
  })}</ol>;
}
