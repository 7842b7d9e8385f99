import { useTranslation } from 'react-i18next';
import type { GraphNode } from '../../../api/types';
import { idOf, useObject } from '../../../workspace/object';
import { at } from '../../../yaml/plain';
import { Fields, Items } from './Fields';
import { gateway, server } from './fields';

/** A Gateway: the proxies it runs on, and what they listen for. */
export function GatewayPanel({ node }: { node: GraphNode }) {
  const { t } = useTranslation();
  const object = useObject(node.file, idOf(node));
  if (!object?.value) return <p className="muted">{t('rules.loading')}</p>;
  const title = (item: unknown, i: number) => {
    const port = [at(item, ['port', 'protocol']), at(item, ['port', 'number'])].filter((v) => v !== undefined).join(' ');
    return port || t('rules.serverN', { n: i + 1 });
  };
  return <>
    <h3>{t('rules.selector')}</h3>
    <Fields object={object} base={['spec']} fields={gateway} always={['selector']} />
    <h3>{t('rules.gatewayServers')}</h3>
    <Items object={object} list={['spec', 'servers']} fields={server} always={['port.number', 'port.name', 'port.protocol', 'hosts']} title={t('rules.gatewayServers')} titleOf={title}
      fresh={(n) => ({ port: { number: n === 0 ? 80 : 443, name: n === 0 ? 'http' : `https-${n}`, protocol: n === 0 ? 'HTTP' : 'HTTPS' }, hosts: ['*'], ...(n === 0 ? {} : { tls: { mode: 'SIMPLE', credentialName: 'tls' } }) })}
      add={t('rules.addServer')} />
  </>;
}
