import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { TrafficEdge } from '../../api/cluster';
import { line } from './layout';

const span = 900, width = 300, height = 60;

function Lines({ name, unit, values, more, times, now }: { name: string; unit: string; values: number[]; more?: number[]; times: number[]; now: number }) {
  const { t } = useTranslation();
  const top = Math.max(1, ...values, ...(more ?? []));
  const last = values.at(-1) ?? 0;
  return <figure className="chart">
    <figcaption><b>{name}</b> {last.toFixed(last < 10 ? 1 : 0)} {unit} <span className="muted">{t('traffic.top', { top: top.toFixed(top < 10 ? 1 : 0), unit })}</span></figcaption>
    <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={t('traffic.chart', { name, last: last.toFixed(1), unit, top: top.toFixed(1) })}>
      <polyline points={line(values, times, now, span, top, width, height)} className="line" />
      {more && <polyline points={line(more, times, now, span, top, width, height)} className="line bad-line" />}
    </svg>
  </figure>;
}

/** The last 15 minutes of an edge: all of them where somebody else keeps them, else since somebody looked. */
export function Charts({ edge, kept }: { edge: TrafficEdge; kept: boolean }) {
  const { t } = useTranslation();
  const title = kept ? t('traffic.kept') : t('traffic.minutes');
  const points = edge.series ?? [];
  const times = points.map((p) => p.t), now = times.at(-1) ?? 0;
  return <section aria-label={title}>
    <h2>{edge.from} → {edge.to}</h2>
    <Text size="sm" className="muted">{title}</Text>
    <Lines name={t('traffic.rate')} unit={t('traffic.perSecond')} values={points.map((p) => p.rate)} more={points.map((p) => p.errors)} times={times} now={now} />
    <Text size="xs" className="muted">{t('traffic.errorsLine')}</Text>
    <Lines name="p95" unit="ms" values={points.map((p) => p.p95 ?? 0)} times={times} now={now} />
  </section>;
}
