#!/usr/bin/env bash
# Times the whole program on synthetic models: wall seconds and peak memory of
# new, generate (first, unchanged, and after one context changed) and check.
# Usage: bench/generate.sh [CONTEXTS]...
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-$PWD/bin/meshstorm}
counts=("$@")
((${#counts[@]})) || counts=(10 100 1000 2000)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# measure LABEL COMMAND…: the best of three, as the machine's noise only adds.
measure() {
  local label=$1 best= rss=; shift
  for _ in 1 2 3; do
    [ -n "${BEFORE:-}" ] && eval "$BEFORE"
    local begin end took
    begin=$(date +%s%N)
    "$bin" "$@" >"$tmp/out" 2>"$tmp/err" &
    local pid=$! peak=0 now
    while kill -0 $pid 2>/dev/null; do
      now=$(awk '/VmHWM/{print $2}' /proc/$pid/status 2>/dev/null || true)
      [ -n "$now" ] && peak=$now
      read -rt 0.005 <> <(:) || true
    done
    wait $pid || { echo "$label failed:"; cat "$tmp/err"; exit 1; }
    end=$(date +%s%N)
    took=$(((end - begin) / 1000000))
    if [ -z "$best" ] || ((took < best)); then best=$took rss=$peak; fi
  done
  printf '%-34s %6d ms  %4d MB\n' "$label" "$best" "$((rss / 1024))"
}

measure version version
for n in "${counts[@]}"; do
  go run ./internal/gen/mall "$n" >"$tmp/$n.json"
  printf -- '-- %d contexts, model of %d kB\n' "$n" "$(($(stat -c %s "$tmp/$n.json") / 1024))"
  w=$tmp/w$n
  BEFORE="rm -rf '$w'" measure "new" new "$w" --from "$tmp/$n.json"
  BEFORE="rm -rf '$w/kubernetes' '$w/.meshstorm/base'" measure "generate, first" generate "$w"
  printf '   objects: %d\n' "$(cat "$w"/kubernetes/template/*.yml | grep -c '^kind: ')"
  BEFORE= measure "generate, nothing changed" generate "$w"
  BEFORE= measure "check" check "$w"
  sed -i 's/weight: 100/weight: 90/; s/weight: 0$/weight: 10/' "$w/kubernetes/template/istio.yml"
  cp -r "$w" "$tmp/keep"
  BEFORE="rm -rf '$w'; cp -r '$tmp/keep' '$w'; printf 'image: {tag: v2}\n' >>'$w/meshstorm.yaml'" measure "generate, all edited and changed" generate "$w"
  rm -rf "$tmp/keep"
done
