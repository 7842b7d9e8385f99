#!/usr/bin/env bash
# Measures apply beside kubectl on a cluster with Istio, such as the lab: objects
# without pods (ConfigMaps, Services, DestinationRules and VirtualServices, a
# quarter each) are created, and applied again unchanged, by `kubectl apply
# --server-side` of the lab's Kubernetes version and by `meshstorm apply`. The
# tools take turns, each in a namespace of its own that is deleted afterwards.
# Usage: KUBECONFIG=FILE bench/apply.sh [OBJECTS] [ROUNDS]
# BIN and KUBECTL name other programs than those of this repository; TOOLS names
# those to measure, "kubectl meshstorm" unless set. On one machine the cluster
# and the tools share its cores; DELAY=5ms puts a way of that length, in each
# direction, between them, as a cluster elsewhere has it.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-1000}
rounds=${2:-3}
bin=${BIN:-$PWD/bin/meshstorm}
tools=${TOOLS:-kubectl meshstorm}
[ -n "${KUBECONFIG:-}" ] || { echo "KUBECONFIG must name the cluster to measure on, such as: meshstorm lab kubeconfig --out FILE" >&2; exit 2; }
tmp=$(mktemp -d)
namespace=
cleanup() {
  [ -z "$namespace" ] || "$kubectl" delete namespace "$namespace" --ignore-not-found --wait=false >/dev/null || true
  [ -z "${way:-}" ] || kill "$way" 2>/dev/null || true
  rm -rf "$tmp"
}

# The version is that of the module's k8s.io libraries: v0.37.2 is v1.37.2.
kubectl=${KUBECTL:-$tmp/kubectl}
if [ -z "${KUBECTL:-}" ]; then
  version=$(cd bench/kubectl && go list -m -f '{{.Version}}' k8s.io/kubectl)
  CGO_ENABLED=0 go build -C bench/kubectl -o "$kubectl" -ldflags "-X k8s.io/component-base/version.gitVersion=v1${version#v0}" .
fi
trap cleanup EXIT

if [ -n "${DELAY:-}" ]; then
  CGO_ENABLED=0 go build -o "$tmp/delay" ./bench/delay
  server=$("$kubectl" config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
  "$tmp/delay" "${server#https://}" "$DELAY" >"$tmp/way" &
  way=$!
  until [ -s "$tmp/way" ]; do kill -0 "$way"; done
  "$kubectl" config view --minify --raw | sed "s,$server,https://$(cat "$tmp/way")," >"$tmp/kubeconfig"
  export KUBECONFIG=$tmp/kubeconfig
fi

# objects writes $count objects, one file for each kind and the same at each run.
objects() {
  local i n=$((count / 4))
  mkdir "$tmp/objects"
  for ((i = 0; i < count - 3 * n; i++)); do
    printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d, labels: {bench: apply}}\ndata:\n  application.yml: |\n    server: {port: 8080}\n    service: {name: s%d, workers: %d}\n  log.level: info\n' "$i" "$i" $((i % 7))
  done >"$tmp/objects/configmaps.yaml"
  for ((i = 0; i < n; i++)); do
    printf -- '---\napiVersion: v1\nkind: Service\nmetadata: {name: s%d, labels: {bench: apply, app: s%d}}\nspec:\n  selector: {app: s%d}\n  ports: [{name: http, port: 8080, targetPort: http}]\n' "$i" "$i" "$i"
  done >"$tmp/objects/services.yaml"
  for ((i = 0; i < n; i++)); do
    cat <<YAML
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: s$i, labels: {bench: apply}}
spec:
  host: s$i
  exportTo: ["."]
  subsets:
  - {name: stable, labels: {track: stable}}
  - {name: canary, labels: {track: canary}}
YAML
  done >"$tmp/objects/destinationrules.yaml"
  for ((i = 0; i < n; i++)); do
    cat <<YAML
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: s$i, labels: {bench: apply}}
spec:
  hosts: [s$i]
  exportTo: ["."]
  http:
  - name: writes
    match:
    - {method: {exact: POST}}
    - {method: {exact: PATCH}}
    route:
    - {destination: {host: s$i, subset: stable}, weight: 90}
    - {destination: {host: s$i, subset: canary}, weight: 10}
    retries: {attempts: 0}
  - name: primary
    route:
    - {destination: {host: s$i, subset: stable}, weight: 90}
    - {destination: {host: s$i, subset: canary}, weight: 10}
YAML
  done >"$tmp/objects/virtualservices.yaml"
}

# measure ROUND TOOL PHASE: a whole process, in milliseconds.
measure() {
  local begin code=0
  local -a command=("$kubectl" apply --server-side -n "$namespace" -f "$tmp/objects")
  [ "$2" = kubectl ] || command=("$bin" apply -n "$namespace" -f "$tmp/objects" --wait=false --yes)
  begin=$(date +%s%N)
  "${command[@]}" >"$tmp/out" 2>"$tmp/err" </dev/null || code=$?
  printf '%s %s %s %d\n' "$1" "$2" "$3" $((($(date +%s%N) - begin) / 1000000)) | tee -a "$tmp/times" >&2
  ((code == 0)) || { echo "$2 failed ($3, exit $code):" >&2; tail -20 "$tmp/out" "$tmp/err" >&2; exit 1; }
}

# versions lists every object with its resourceVersion.
versions() {
  "$kubectl" get -n "$namespace" -l bench=apply configmaps,services,destinationrules.networking.istio.io,virtualservices.networking.istio.io \
    -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}'
}

# turn is one tool's part of a round. That the namespace is gone is waited for:
# nobody's objects are deleted while the other one is measured.
turn() {
  namespace=bench-apply-$2-$$-$1
  "$kubectl" create namespace "$namespace" >/dev/null
  "$kubectl" label namespace "$namespace" istio-injection=enabled >/dev/null
  measure "$1" "$2" created
  versions >"$tmp/versions"
  [ "$(wc -l <"$tmp/versions")" -eq "$count" ] || { echo "$2 left $(wc -l <"$tmp/versions") objects, expected $count" >&2; exit 1; }
  measure "$1" "$2" again
  versions | cmp -s - "$tmp/versions" || { echo "the second apply of $2 changed objects" >&2; exit 1; }
  "$kubectl" delete namespace "$namespace" >/dev/null
  namespace=
}

objects
"$kubectl" api-resources >/dev/null # kubectl keeps what it learns here
echo "$(cat "$tmp"/objects/*.yaml | grep -c '^kind: ') objects, kubectl $("$kubectl" version --client | sed -n 's/^Client Version: //p'), $rounds rounds${DELAY:+, $DELAY each way}" >&2
for ((round = 1; round <= rounds; round++)); do
  order=$tools
  ((round % 2)) || order=$(tr ' ' '\n' <<<"$tools" | tac | xargs)
  for tool in $order; do turn "$round" "$tool"; done
done

awk -v count="$count" '
  { all[$3, $2, ++n[$3, $2]] = $4 / 1000 }
  function median(phase, tool,   i, j, t, v, k) {
    k = n[phase, tool]
    if (!k) return 0
    for (i = 1; i <= k; i++) v[i] = all[phase, tool, i]
    for (i = 1; i <= k; i++) for (j = i + 1; j <= k; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
    return (v[int((k + 1) / 2)] + v[int(k / 2) + 1]) / 2
  }
  function seconds(s) { return s ? sprintf("%.2f s", s) : "-" }
  function row(title, phase,   a, b) {
    a = median(phase, "kubectl"); b = median(phase, "meshstorm")
    printf "%-32s %12s %12s %12s\n", title, seconds(a), seconds(b), a && b ? sprintf("%.1f", a / b) : "-"
  }
  END {
    printf "%-32s %12s %12s %12s\n", "median", "kubectl", "meshstorm", "times faster"
    row(count " objects created", "created")
    row("applied again, unchanged", "again")
  }' "$tmp/times"
