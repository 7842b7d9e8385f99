import type { Kind } from './check';

/** A field of an object that the panels know: shown where it is set, offered by "add" where it is not. */
export interface Field {
  /** Below the part that is edited, as in YAML. */
  path: string;
  kind: Kind;
  /** Choices of a `select`; for texts, what is suggested. */
  options?: readonly string[];
  /** Fields that cannot be set together with this one; named by the beginning of their path. */
  not?: readonly string[];
}

const f = (path: string, kind: Kind = 'text', options?: readonly string[], not?: readonly string[]): Field => ({ path, kind, options, not });

const headers: Field[] = ['request', 'response'].flatMap((way) => [f(`headers.${way}.set`, 'map'), f(`headers.${way}.add`, 'map'), f(`headers.${way}.remove`, 'list')]);

const to = (host: string): Field[] => [f(`${host}host`), f(`${host}subset`), f(`${host}port.number`, 'port')];

export const destination: Field[] = [...to('destination.'), f('weight', 'number'), ...headers];
export const mirror: Field[] = [...to('destination.'), f('percentage.value', 'percent')];

export const redirect: Field[] = [
  f('redirect.uri'), f('redirect.authority'), f('redirect.scheme', 'select', ['http', 'https']), f('redirect.redirectCode', 'select', ['301', '302', '303', '307', '308']),
  f('redirect.port', 'port', undefined, ['redirect.derivePort']), f('redirect.derivePort', 'select', ['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'], ['redirect.port']),
];
export const directResponse: Field[] = [f('directResponse.status', 'status'), f('directResponse.body.string'), f('directResponse.body.bytes')];
export const delegate: Field[] = [f('delegate.name'), f('delegate.namespace')];

/** What a rule does with a request besides sending it on. */
export const actions: Field[] = [
  f('timeout', 'duration'),
  f('retries.attempts', 'number'), f('retries.perTryTimeout', 'duration'), f('retries.retryOn'), f('retries.retryRemoteLocalities', 'bool'),
  f('retries.backoff', 'duration'), f('retries.retryIgnorePreviousHosts', 'bool'),
  f('fault.delay.percentage.value', 'percent'), f('fault.delay.fixedDelay', 'duration'), f('fault.abort.percentage.value', 'percent'),
  f('fault.abort.httpStatus', 'status', undefined, ['fault.abort.grpcStatus']), f('fault.abort.grpcStatus', 'text', ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'INTERNAL'], ['fault.abort.httpStatus']),
  f('rewrite.uri', 'text', undefined, ['rewrite.uriRegexRewrite']), f('rewrite.authority'),
  f('rewrite.uriRegexRewrite.match', 'regex', undefined, ['rewrite.uri']), f('rewrite.uriRegexRewrite.rewrite', 'text', undefined, ['rewrite.uri']),
  ...headers,
  f('corsPolicy.allowOrigins', 'strings'), f('corsPolicy.allowMethods', 'list'), f('corsPolicy.allowHeaders', 'list'), f('corsPolicy.exposeHeaders', 'list'),
  f('corsPolicy.maxAge', 'duration'), f('corsPolicy.allowCredentials', 'bool'), f('corsPolicy.unmatchedPreflights', 'select', ['FORWARD', 'IGNORE']),
  ...to('mirror.'), f('mirrorPercentage.value', 'percent'),
];

const hash = 'loadBalancer.consistentHash';
const hashes = [`${hash}.httpHeaderName`, `${hash}.httpCookie`, `${hash}.useSourceIp`, `${hash}.httpQueryParameterName`];
const others = (own: string): string[] => ['loadBalancer.simple', ...hashes.filter((h) => h !== own)];

/** How a DestinationRule treats connections; for a whole host, one subset or one port. */
export const policy: Field[] = [
  f('loadBalancer.simple', 'select', ['LEAST_REQUEST', 'ROUND_ROBIN', 'RANDOM', 'PASSTHROUGH'], [hash]), f('loadBalancer.warmup.duration', 'duration'),
  f(`${hash}.httpHeaderName`, 'text', undefined, others(`${hash}.httpHeaderName`)), f(`${hash}.httpCookie.name`, 'text', undefined, others(`${hash}.httpCookie`)),
  f(`${hash}.httpCookie.path`, 'text', undefined, others(`${hash}.httpCookie`)), f(`${hash}.httpCookie.ttl`, 'duration', undefined, others(`${hash}.httpCookie`)),
  f(`${hash}.useSourceIp`, 'bool', undefined, others(`${hash}.useSourceIp`)),
  f(`${hash}.httpQueryParameterName`, 'text', undefined, others(`${hash}.httpQueryParameterName`)),
  f(`${hash}.ringHash.minimumRingSize`, 'number', undefined, [`${hash}.maglev`]), f(`${hash}.maglev.tableSize`, 'number', undefined, [`${hash}.ringHash`]),
  f('loadBalancer.localityLbSetting.enabled', 'bool'), f('loadBalancer.localityLbSetting.failoverPriority', 'list'),
  f('connectionPool.tcp.maxConnections', 'number'), f('connectionPool.tcp.connectTimeout', 'duration'), f('connectionPool.tcp.idleTimeout', 'duration'),
  f('connectionPool.tcp.maxConnectionDuration', 'duration'), f('connectionPool.tcp.tcpKeepalive.time', 'duration'),
  f('connectionPool.tcp.tcpKeepalive.interval', 'duration'), f('connectionPool.tcp.tcpKeepalive.probes', 'number'),
  f('connectionPool.http.http1MaxPendingRequests', 'number'), f('connectionPool.http.http2MaxRequests', 'number'), f('connectionPool.http.maxRequestsPerConnection', 'number'),
  f('connectionPool.http.maxRetries', 'number'), f('connectionPool.http.idleTimeout', 'duration'),
  f('connectionPool.http.h2UpgradePolicy', 'select', ['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']), f('connectionPool.http.useClientProtocol', 'bool'),
  f('outlierDetection.consecutive5xxErrors', 'number'), f('outlierDetection.consecutiveGatewayErrors', 'number'), f('outlierDetection.interval', 'duration'),
  f('outlierDetection.baseEjectionTime', 'duration'), f('outlierDetection.maxEjectionPercent', 'percent'), f('outlierDetection.minHealthPercent', 'percent'),
  f('outlierDetection.splitExternalLocalOriginErrors', 'bool'), f('outlierDetection.consecutiveLocalOriginFailures', 'number'),
  f('tls.mode', 'select', ['ISTIO_MUTUAL', 'DISABLE', 'SIMPLE', 'MUTUAL']), f('tls.clientCertificate'), f('tls.privateKey'), f('tls.caCertificates'),
  f('tls.credentialName'), f('tls.sni'), f('tls.subjectAltNames', 'list'), f('tls.insecureSkipVerify', 'bool'),
];

const below = (parent: string, fields: Field[]): Field[] => fields.map((x) => ({ ...x, path: `${parent}.${x.path}`, not: x.not?.map((n) => `${parent}.${n}`) }));

export const destinationRule: Field[] = [f('host'), f('exportTo', 'list'), ...below('trafficPolicy', policy)];
export const subset: Field[] = [f('name'), f('labels', 'map'), ...below('trafficPolicy', policy)];
export const portPolicy: Field[] = [f('port.number', 'port'), ...policy];

const versions = ['TLSV1_2', 'TLSV1_3'];
export const gateway: Field[] = [f('selector', 'map')];
export const server: Field[] = [
  f('name'), f('port.number', 'port'), f('port.name'), f('port.protocol', 'select', ['HTTP', 'HTTPS', 'GRPC', 'HTTP2', 'MONGO', 'TCP', 'TLS']), f('hosts', 'list'), f('bind'),
  f('tls.httpsRedirect', 'bool'), f('tls.mode', 'select', ['SIMPLE', 'MUTUAL', 'PASSTHROUGH', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL']), f('tls.credentialName'),
  f('tls.serverCertificate'), f('tls.privateKey'), f('tls.caCertificates'), f('tls.subjectAltNames', 'list'),
  f('tls.minProtocolVersion', 'select', versions), f('tls.maxProtocolVersion', 'select', versions), f('tls.cipherSuites', 'list'),
];
