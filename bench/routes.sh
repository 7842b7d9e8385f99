#!/usr/bin/env bash
# Times route and check as whole processes: wall seconds and peak memory of the
# example, and of 1,000 services that each have a VirtualService and a
# DestinationRule (3,000 objects and a Gateway). Where an istioctl is on PATH, or
# named by ISTIOCTL, its analyze runs on the same file and the ratio is printed.
# Usage: bench/routes.sh [SERVICES]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-$PWD/bin/meshstorm}
count=${1:-1000}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

mesh() {
  printf 'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: main-gw}\nspec:\n  selector: {istio: ingressgateway}\n  servers:\n  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: ["*"]\n'
  for ((i = 0; i < $1; i++)); do
    cat <<YAML
---
apiVersion: v1
kind: Service
metadata: {name: s$i}
spec:
  selector: {app: s$i}
  ports: [{name: http, port: 8080}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: s$i}
spec:
  hosts: ["*"]
  gateways: [main-gw]
  http:
  - match:
    - uri: {exact: /s$i}
    - uri: {prefix: /s$i/}
    route:
    - destination: {host: s$i, subset: stable}
      weight: 90
    - destination: {host: s$i, subset: canary}
      weight: 10
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: s$i}
spec:
  host: s$i
  subsets:
  - {name: stable, labels: {app: s$i, track: stable}}
  - {name: canary, labels: {app: s$i, track: canary}}
YAML
  done
}

# measure LABEL COMMAND…: the best of three, as the machine's noise only adds.
# The exit code 1 ("no") is an answer as well.
measure() {
  local label=$1 best= rss=; shift
  for _ in 1 2 3; do
    local begin end took code=0
    begin=$(date +%s%N)
    "$@" >"$tmp/out" 2>"$tmp/err" &
    local pid=$! peak=0 now
    while kill -0 $pid 2>/dev/null; do
      now=$(awk '/VmHWM/{print $2}' /proc/$pid/status 2>/dev/null || true)
      [ -n "$now" ] && peak=$now
      read -rt 0.005 <> <(:) || true
    done
    wait $pid || code=$?
    if ((code > 1)); then echo "$label failed:"; cat "$tmp/err"; exit 1; fi
    end=$(date +%s%N)
    took=$(((end - begin) / 1000000))
    if [ -z "$best" ] || ((took < best)); then best=$took rss=$peak; fi
  done
  printf '%-44s %6d ms  %4d MB\n' "$label" "$best" "$((rss / 1024))"
  took_ms=$best
}

mesh "$count" >"$tmp/mesh.yaml"
printf 'objects: %d\n' "$(grep -c '^kind: ' "$tmp/mesh.yaml")"
measure "route, the example" "$bin" route -C examples/12st-mall GET http://shop.example/orders/1
cp -r examples/12st-mall "$tmp/mall"
"$bin" test "$tmp/mall" --init >/dev/null
measure "test --coverage, the example" "$bin" test "$tmp/mall" --coverage
measure "route, $count services" "$bin" route -f "$tmp/mesh.yaml" GET http://shop.example/s7/1
measure "check, $count services" "$bin" check "$tmp/mesh.yaml"
ours=$took_ms
istioctl=${ISTIOCTL:-$(command -v istioctl || true)}
if [ -n "$istioctl" ]; then
  measure "istioctl analyze, $count services" "$istioctl" analyze --use-kube=false "$tmp/mesh.yaml"
  awk -v a="$ours" -v b="$took_ms" 'BEGIN { printf "ratio check / istioctl analyze: %.2f\n", a / b }'
else
  echo "no istioctl at hand (ISTIOCTL=PATH): no ratio to it"
fi
