// The kinds that the Deploy screen's palette adds, what it asks for each, and
// the object that the answers make.
import { stringify } from 'yaml';
import type { GraphNode, Layer } from '../../../api/types';

export type Answers = Record<string, string>;

/** What an answer may be: free text, a number, one of a list, or an object of the graph. */
export interface Question {
  key: 'image' | 'replicas' | 'port' | 'schedule' | 'workload' | 'service' | 'min' | 'max' | 'host' | 'size' | 'entry' | 'value' | 'protocol' | 'action' | 'mode' | 'issuer' | 'jwks' | 'resource' | 'role' | 'account' | 'gateway' | 'path';
  given?: string;
  optional?: boolean;
  number?: boolean;
  of?: readonly string[];
  /** Kinds of the graph's objects to choose from. */
  objects?: readonly string[];
}

export interface Addition {
  kind: string;
  apiVersion: string;
  layer: Layer;
  ask: Question[];
  make: (a: Answers, find: (id: string) => GraphNode | undefined) => Record<string, unknown>;
}

export const workloads = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Rollout', 'Pod', 'Job', 'CronJob'] as const;
export const isWorkload = (kind: string): boolean => (workloads as readonly string[]).includes(kind);
const scaled = ['Deployment', 'StatefulSet', 'ReplicaSet'] as const;

/** The labels that pick a workload's pods: app alone where it has one, for other labels change with versions. */
export function podLabels(node: GraphNode | undefined): Record<string, string> {
  const labels = node?.data?.labels ?? {};
  return labels.app ? { app: labels.app } : labels;
}

const image: Question = { key: 'image', given: 'nginx:1.29' };
const someWorkload: Question = { key: 'workload', objects: workloads, optional: true };
const apiVersionOf = (kind: string) => (kind === 'Rollout' ? 'argoproj.io/v1alpha1' : 'apps/v1');

function pods(name: string, a: Answers, port = true) {
  return {
    metadata: { labels: { app: name } },
    spec: { containers: [{ name, image: a.image, ...(port && a.port ? { ports: [{ name: 'http', containerPort: Number(a.port) }] } : {}) }] },
  };
}
const runs = (a: Answers, more: object = {}) => ({ spec: { ...(a.replicas ? { replicas: Number(a.replicas) } : {}), selector: { matchLabels: { app: a.name } }, ...more, template: pods(a.name!, a) } });
const once = (a: Answers) => { const p = pods(a.name!, a, false); return { ...p, spec: { restartPolicy: 'Never', ...p.spec } }; };
const selecting = (a: Answers, find: (id: string) => GraphNode | undefined) => (a.workload ? { selector: { matchLabels: podLabels(find(a.workload)) } } : {});
const replicas: Question = { key: 'replicas', given: '1', number: true };
const port: Question = { key: 'port', given: '8080', number: true };
const service: Question = { key: 'service', objects: ['Service'] };

export const catalogue: Addition[] = [
  { kind: 'Deployment', apiVersion: 'apps/v1', layer: 'routing', ask: [image, replicas, port], make: (a) => runs(a) },
  { kind: 'StatefulSet', apiVersion: 'apps/v1', layer: 'routing', ask: [image, replicas, port], make: (a) => runs(a, { serviceName: a.name }) },
  { kind: 'DaemonSet', apiVersion: 'apps/v1', layer: 'routing', ask: [image, port], make: (a) => runs(a) },
  { kind: 'Service', apiVersion: 'v1', layer: 'routing', ask: [{ key: 'workload', objects: workloads }, port], make: (a, find) => ({ spec: { selector: podLabels(find(a.workload!)), ports: [{ name: 'http', port: Number(a.port), targetPort: Number(a.port) }] } }) },
  { kind: 'Ingress', apiVersion: 'networking.k8s.io/v1', layer: 'routing', ask: [service, { key: 'host', optional: true }, { key: 'path', given: '/' }], make: (a, find) => ({ spec: { rules: [{ ...(a.host ? { host: a.host } : {}), http: { paths: [backend(find(a.service!), a.path!)] } }] } }) },
  { kind: 'Gateway', apiVersion: 'networking.istio.io/v1', layer: 'routing', ask: [{ key: 'host', given: '*' }, { key: 'port', given: '80', number: true }], make: (a) => ({ spec: { selector: { istio: 'ingressgateway' }, servers: [{ port: { number: Number(a.port), name: 'http', protocol: 'HTTP' }, hosts: [a.host] }] } }) },
  { kind: 'VirtualService', apiVersion: 'networking.istio.io/v1', layer: 'routing', ask: [service, { key: 'host' }, { key: 'gateway', objects: ['Gateway'], optional: true }], make: virtualService },
  { kind: 'DestinationRule', apiVersion: 'networking.istio.io/v1', layer: 'routing', ask: [service], make: (a, find) => ({ spec: { host: find(a.service!)?.name, subsets: [{ name: 'stable', labels: { track: 'stable' } }] } }) },
  { kind: 'HorizontalPodAutoscaler', apiVersion: 'autoscaling/v2', layer: 'configuration', ask: [{ key: 'workload', objects: scaled }, { key: 'min', given: '1', number: true }, { key: 'max', given: '5', number: true }], make: autoscaler },
  { kind: 'PodDisruptionBudget', apiVersion: 'policy/v1', layer: 'configuration', ask: [{ key: 'workload', objects: workloads }], make: (a, find) => ({ spec: { minAvailable: 1, ...selecting(a, find) } }) },
  { kind: 'PersistentVolumeClaim', apiVersion: 'v1', layer: 'configuration', ask: [{ key: 'size', given: '1Gi' }], make: (a) => ({ spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: a.size } } } }) },
  { kind: 'ConfigMap', apiVersion: 'v1', layer: 'configuration', ask: [{ key: 'entry', given: 'KEY' }, { key: 'value', optional: true }], make: (a) => ({ data: { [a.entry!]: a.value ?? '' } }) },
  { kind: 'Secret', apiVersion: 'v1', layer: 'configuration', ask: [{ key: 'entry', given: 'PASSWORD' }, { key: 'value', optional: true }], make: (a) => ({ type: 'Opaque', stringData: { [a.entry!]: a.value ?? '' } }) },
  { kind: 'ServiceAccount', apiVersion: 'v1', layer: 'configuration', ask: [], make: () => ({}) },
  { kind: 'Job', apiVersion: 'batch/v1', layer: 'configuration', ask: [image], make: (a) => ({ spec: { backoffLimit: 3, template: once(a) } }) },
  { kind: 'CronJob', apiVersion: 'batch/v1', layer: 'configuration', ask: [image, { key: 'schedule', given: '0 3 * * *' }], make: (a) => ({ spec: { schedule: a.schedule, jobTemplate: { spec: { template: once(a) } } } }) },
  { kind: 'Sidecar', apiVersion: 'networking.istio.io/v1', layer: 'configuration', ask: [someWorkload], make: (a, find) => ({ spec: { ...(a.workload ? { workloadSelector: { labels: podLabels(find(a.workload)) } } : {}), egress: [{ hosts: ['./*', 'istio-system/*'] }] } }) },
  { kind: 'Telemetry', apiVersion: 'telemetry.istio.io/v1', layer: 'configuration', ask: [someWorkload], make: (a, find) => ({ spec: { ...selecting(a, find), accessLogging: [{ providers: [{ name: 'envoy' }] }] } }) },
  { kind: 'EnvoyFilter', apiVersion: 'networking.istio.io/v1alpha3', layer: 'configuration', ask: [someWorkload], make: envoyFilter },
  { kind: 'ServiceEntry', apiVersion: 'networking.istio.io/v1', layer: 'external', ask: [{ key: 'host' }, { key: 'port', given: '443', number: true }, { key: 'protocol', given: 'TLS', of: ['HTTP', 'HTTPS', 'TLS', 'TCP', 'GRPC'] }], make: (a) => ({ spec: { hosts: [a.host], location: 'MESH_EXTERNAL', resolution: 'DNS', ports: [{ number: Number(a.port), name: a.protocol!.toLowerCase(), protocol: a.protocol }] } }) },
  { kind: 'AuthorizationPolicy', apiVersion: 'security.istio.io/v1', layer: 'security', ask: [someWorkload, { key: 'action', given: 'ALLOW', of: ['ALLOW', 'DENY', 'AUDIT'] }], make: (a, find) => ({ spec: { ...selecting(a, find), action: a.action, rules: [{ to: [{ operation: { methods: a.action === 'DENY' ? ['DELETE'] : ['*'] } }] }] } }) },
  { kind: 'PeerAuthentication', apiVersion: 'security.istio.io/v1', layer: 'security', ask: [someWorkload, { key: 'mode', given: 'STRICT', of: ['STRICT', 'PERMISSIVE', 'DISABLE'] }], make: (a, find) => ({ spec: { ...selecting(a, find), mtls: { mode: a.mode } } }) },
  { kind: 'RequestAuthentication', apiVersion: 'security.istio.io/v1', layer: 'security', ask: [someWorkload, { key: 'issuer' }, { key: 'jwks' }], make: (a, find) => ({ spec: { ...selecting(a, find), jwtRules: [{ issuer: a.issuer, jwksUri: a.jwks }] } }) },
  { kind: 'NetworkPolicy', apiVersion: 'networking.k8s.io/v1', layer: 'security', ask: [someWorkload], make: (a, find) => ({ spec: { podSelector: a.workload ? { matchLabels: podLabels(find(a.workload)) } : {}, policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: {} }] }] } }) },
  { kind: 'Role', apiVersion: 'rbac.authorization.k8s.io/v1', layer: 'security', ask: [{ key: 'resource', given: 'configmaps' }], make: (a) => ({ rules: [{ apiGroups: [''], resources: [a.resource], verbs: ['get', 'list', 'watch'] }] }) },
  { kind: 'RoleBinding', apiVersion: 'rbac.authorization.k8s.io/v1', layer: 'security', ask: [{ key: 'role', objects: ['Role', 'ClusterRole'] }, { key: 'account', objects: ['ServiceAccount'] }], make: (a, find) => ({ roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: find(a.role!)?.kind, name: find(a.role!)?.name }, subjects: [{ kind: 'ServiceAccount', name: find(a.account!)?.name, namespace: find(a.account!)?.namespace }] }) },
];

/** An Ingress path that leads to a Service. */
export const backend = (to: GraphNode | undefined, path: string) => {
  const p = to?.data?.ports?.[0];
  return { path, pathType: 'Prefix', backend: { service: { name: to?.name, port: p?.name ? { name: p.name } : { number: p?.port ?? 80 } } } };
};

function virtualService(a: Answers, find: (id: string) => GraphNode | undefined) {
  const to = find(a.service!), gateway = a.gateway ? find(a.gateway) : undefined;
  return {
    spec: {
      hosts: [a.host], ...(gateway ? { gateways: [gateway.namespace === a.namespace ? gateway.name : `${gateway.namespace}/${gateway.name}`] } : {}),
      http: [{ name: 'primary', route: [{ destination: { host: to?.namespace === a.namespace ? to?.name : to?.data?.host } }] }],
    },
  };
}

function autoscaler(a: Answers, find: (id: string) => GraphNode | undefined) {
  const w = find(a.workload!);
  return {
    spec: {
      scaleTargetRef: { apiVersion: apiVersionOf(w?.kind ?? ''), kind: w?.kind, name: w?.name }, minReplicas: Number(a.min), maxReplicas: Number(a.max),
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }],
    },
  };
}

/** A filter that limits requests of each proxy: something to start from that works as it is. */
function envoyFilter(a: Answers, find: (id: string) => GraphNode | undefined) {
  return {
    spec: {
      ...(a.workload ? { workloadSelector: { labels: podLabels(find(a.workload)) } } : {}),
      configPatches: [{
        applyTo: 'HTTP_FILTER', match: { context: 'SIDECAR_INBOUND', listener: { filterChain: { filter: { name: 'envoy.filters.network.http_connection_manager' } } } },
        patch: {
          operation: 'INSERT_BEFORE',
          value: {
            name: 'envoy.filters.http.local_ratelimit',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', stat_prefix: 'http_local_rate_limiter',
              token_bucket: { max_tokens: 100, tokens_per_fill: 100, fill_interval: '1s' },
              filter_enabled: { default_value: { numerator: 100, denominator: 'HUNDRED' } }, filter_enforced: { default_value: { numerator: 100, denominator: 'HUNDRED' } },
            },
          },
        },
      }],
    },
  };
}

/** The YAML document of a new object. */
export function documentOf(addition: Addition, answers: Answers, find: (id: string) => GraphNode | undefined): string {
  const { name, namespace, context } = answers;
  return stringify({
    apiVersion: addition.apiVersion, kind: addition.kind,
    metadata: { name, ...(namespace ? { namespace } : {}), ...(context ? { labels: { app: context } } : {}) },
    ...addition.make(answers, find),
  }, { lineWidth: 0 });
}

/** Why a name cannot be one; null where it can. */
export function nameProblem(kind: string, name: string, namespace: string, nodes: GraphNode[]): 'objects.nameBad' | 'objects.nameTaken' | null {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return 'objects.nameBad';
  return nodes.some((n) => n.kind === kind && n.name === name && n.namespace === namespace) ? 'objects.nameTaken' : null;
}

/** What a name must be free among. */
export type Named = Pick<GraphNode, 'id' | 'kind' | 'name' | 'namespace'>;

/** A name that no object of the kind has yet. */
export function freeName(kind: string, wish: string, namespace: string, nodes: Named[]): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wish : `${wish.slice(0, 58)}-${n}`;
    if (!nodes.some((x) => x.kind === kind && x.name === name && x.namespace === namespace)) return name;
  }
}
