#!/usr/bin/env bash
# A dump that is written anew again and again, in place, is at every moment empty, cut or whole: the follower goes on,
# and has what it holds in the end. (One that was cut between two scans of one reading ended the run: no mapping collects it.)
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
mkdir "$IN"
cp tests/e2e/data/pref.yaml "$WORK/pref.yaml"
sed -i "s#^mappings:.*#mappings: [$WORK/pref.yaml]#" "$WORK/drover.yaml"
prepare
start_worker worker

dump() { printf '{"cookies":[],"origins":[{"origin":"https://app","localStorage":[{"name":"pref_a","value":"{\\"tenant\\":\\"t0\\",\\"n\\":%d}"}]}]}' "$1"; }
row_is() { [ "$(psql "$ADMIN" -Atc "SELECT n FROM pref WHERE name = 'a' AND NOT drover_deleted")" = "$1" ]; }

dump 0 > "$IN/state.json"
"$DROVER" produce --follow "$IN" --scan 100ms --config "$WORK/drover.yaml" > "$WORK/follow.log" 2>&1 &
FOLLOWER=$!
PIDS+=("$FOLLOWER")
wait_until 60 row_is 0

say "written anew, cut and emptied, ${WRITES:=6000} times"
for (( i = 1; i <= WRITES; i++ )); do
  dump "$i" > "$IN/state.json"
  if (( i % 2 )); then : > "$IN/state.json"; else printf '{"cook' > "$IN/state.json"; fi
  kill -0 "$FOLLOWER" 2>/dev/null || { tail -n 5 "$WORK/follow.log" >&2; fail "the follower ended after $i writes"; }
done

say "what it holds in the end is stored"
dump 123456 > "$IN/state.json"
wait_until 60 row_is 123456
kill -TERM "$FOLLOWER"
STATUS=0
wait "$FOLLOWER" || STATUS=$?
equal "exit code" "$STATUS" 143
stop_worker worker
say done
