#!/usr/bin/env bash
# Measures the lab: time to the first answer (fresh and again), memory, and the
# gateway's throughput and p99 at 64 connections against nginx as a reverse proxy
# to the same backend, in turns, three times. Needs wrk and nginx (Debian:
# apt-get install wrk nginx-light) and nothing else that keeps the machine busy.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-$PWD/bin/meshstorm}
for tool in wrk nginx curl; do
  command -v $tool >/dev/null || { echo "missing: $tool" >&2; exit 1; }
done
tmp=$(mktemp -d)
export XDG_DATA_HOME=$tmp
trap '"$bin" lab down >/dev/null 2>&1; [ ! -e $tmp/nginx.pid ] || kill "$(cat $tmp/nginx.pid)"; rm -rf "$tmp"' EXIT

now() { date +%s%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f s", (b - a) / 1e9 }'; }
field() { "$bin" lab status -o json | sed -n "s/.*\"$1\": \"\\(http:[^\"]*\\)\".*/\\1/p" | head -1; }
first() { until [ "$(curl -s -o /dev/null -m 2 -w '%{http_code}' "$gateway/orders")" = 200 ]; do sleep 0.05; done; }

t=$(now)
"$bin" lab up --detach -f examples/12st-mall >/dev/null 2>&1
gateway=$(field url)
first
echo "up, fresh, to the first 200 of /orders: $(since "$t")"
"$bin" lab down >/dev/null 2>&1
t=$(now)
"$bin" lab up --detach >/dev/null 2>&1
gateway=$(field url)
first
echo "up, again, to the first 200 of /orders: $(since "$t")"
sleep 5
"$bin" lab status | awk '$1 == "all" { print "memory (sum of Pss): " $2, $3 }'

# The backend: a stand-in without a sidecar, asked for its health, which costs it
# next to nothing.
cat >"$tmp/bench.yaml" <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: bench, namespace: default}
spec:
  selector: {matchLabels: {app: order, track: bench}}
  template:
    metadata: {labels: {app: order, track: bench, sidecar.istio.io/inject: "false"}}
    spec: {containers: [{name: order, image: bench:v1, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: bench, namespace: default}
spec: {selector: {track: bench}, ports: [{name: http, port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bench, namespace: default}
spec:
  hosts: ["*"]
  gateways: [main-gw]
  http: [{match: [{uri: {exact: /actuator/health}}], route: [{destination: {host: bench, port: {number: 8080}}}]}]
YAML
"$bin" lab up --detach -f "$tmp/bench.yaml" >/dev/null 2>&1
ip=$("$bin" lab logs >/dev/null; "$bin" lab kubeconfig >"$tmp/kc"; kubectl=${KUBECTL:-kubectl}; "$kubectl" --kubeconfig "$tmp/kc" get pods -l track=bench -o 'jsonpath={.items[0].status.podIP}')
backend=127.${ip#10.}:8080
until [ "$(curl -s -o /dev/null -w '%{http_code}' "$gateway/actuator/health")" = 200 ]; do sleep 0.1; done
cat >"$tmp/nginx.conf" <<CONF
pid $tmp/nginx.pid; error_log $tmp/nginx.err; worker_processes auto;
events { worker_connections 1024; }
http {
  access_log $tmp/nginx.log;
  upstream backend { server $backend; keepalive 64; }
  server { listen 127.0.0.1:18081; location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
CONF
nginx -c "$tmp/nginx.conf"
for round in 1 2 3; do
  for which in "nginx http://127.0.0.1:18081" "gateway $gateway" "backend http://$backend"; do
    set -- $which
    wrk -t2 -c64 -d8s --latency "$2/actuator/health" |
      awk -v name="$1" -v round="$round" '$1 == "99%" { p = $2 } /Requests.sec/ { r = $2 } /Non-2xx/ { bad = $0 } END { print round, name, r, "requests/s, p99", p, bad }'
  done
done | tee "$tmp/rates"
awk '{ best[$2] = ($3 > best[$2]) ? $3 : best[$2] } END { printf "gateway : nginx = %.2f\n", best["gateway"] / best["nginx"] }' "$tmp/rates"
