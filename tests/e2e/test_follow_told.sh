#!/usr/bin/env bash
# What a follower tells in the state topic, and drover status shows of it: also of one that was killed or has ended, of
# verifiers that say little, and when the migration has no such topic.
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
STATE=drover.$NAME.state
mkdir "$IN"
prepare
event() { printf '{"id": "%s", "tenant": "north", "rev": %d, "kind": "k"}\n' "$1" "$2"; }
follow() {
  "$DROVER" produce --follow "$IN" --entity event --scan 200ms --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follow.log" 2>&1 &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
}
followers() { drover status --json | jq -c ".followers[] | $1"; }
follower_is() { [ "$(followers "$1")" = "$2" ]; }

say "nobody follows"
equal "followers" "$(drover status --json | jq -c '[.followers, .verifiers]')" '[[],[]]'

say "files, records, what was produced and when"
event a 1 > "$IN/one.ndjson"
{ event b 1; event c 1; } > "$IN/two.ndjson"
follow
wait_until 60 follower_is '[.files, .records, .upserts, .deletes, .unread, .problems, .behind_seconds, .ended]' '[2,3,3,0,0,0,0,false]'
equal "it is said when" "$(followers '[.last_change, .at] | map(type) | unique' )" '["string"]'
drover status | tr -s ' \n' ' ' > "$WORK/status.log"
grep -qE 'follower .*-[0-9a-f]{8} 2 files 3 records nothing behind last change 20[^ ]*Z said [0-9]+ s ago' "$WORK/status.log" || fail "status does not show it"

say "one that ends says so, and stays in the list"
kill -TERM "$FOLLOWER"
wait "$FOLLOWER" || true
equal "ended" "$(followers .ended)" true
drover status | tr -s ' \n' ' ' > "$WORK/status.log"
grep -qE 'follower .* ended [0-9]+ s ago' "$WORK/status.log" || fail "status does not show its end"

say "started again it is the same one"
rm "$IN/two.ndjson"
follow
wait_until 60 follower_is '[.files, .records, .deletes, .ended]' '[1,1,2,false]'
printf '{"id": "x", "ten' > "$IN/cut.ndjson"
wait_until 60 follower_is .problems 1
kill -9 "$FOLLOWER"
wait "$FOLLOWER" || true
equal "a killed one is as it was" "$(followers .ended)" false

say "entries of others: a verifier that says little, one taken back, what is no entry"
put() { printf '%s' "$2" | kcat -P -b "$KAFKA_BROKERS" -t "$STATE" -p 0 -k "$1" "${@:3}"; }
put verify/v1 '{"kind":"verify","id":"v1","compared":29956,"discrepancies":0,"discrepancy_upper":0.0001,"more":[1]}'
put verify/v2 '{"kind":"verify","id":"v2"}'
put verify/v3 '{"kind":"verify","id":"v3"}'
printf 'verify/v3:\n' | kcat -P -b "$KAFKA_BROKERS" -t "$STATE" -p 0 -K: -Z
put verify/v4 '{"kind":"follow","id":"v4"}'
put verify/ '{"kind":"verify"}'
put else/v5 '{"kind":"verify"}'
put verify/v6 'no JSON'
equal "verifiers" "$(drover status --json | jq -c '[.verifiers[] | [.id, .compared, .discrepancy_upper, .behind_seconds]]')" '[["v1",29956,0.0001,null],["v2",null,null,null]]'
drover status | tr -s ' \n' ' ' > "$WORK/status.log"
grep -q "verifier v1 29.956 compared 0 discrepancies at most 0.0100 % wrong (95 %)" "$WORK/status.log" || fail "status does not show the verifier"

say "a migration without the topic works, and is told what makes it"
"$KAFKA_TOOL" remove "$STATE"
rm "$IN/cut.ndjson"
: > "$WORK/follow.log"
event d 1 > "$IN/four.ndjson"
follow
wait_until 60 grep -q follow.not_told "$WORK/follow.log"
has "$WORK/follow.log" 'drover topics apply'
wait_until 60 grep -q 'follow.produced.*four' "$WORK/follow.log"
equal "status works" "$(drover status --json | jq -c .followers)" '[]'
say "its parent knows what its scan did, though nothing moves any more"
mkdir "$WORK/parent"
{ event p 1; event q 1; printf '{"id": "r", "tenant": "north", "rev": 1, "kind": "half \\ud83d"}\n'; } > "$WORK/parent/in.ndjson"
DROVER_PROGRESS_FD=7 "$DROVER" produce --follow "$WORK/parent" --entity event --config "$WORK/drover.yaml" --state-dir "$WORK/parent_state" \
  7> "$WORK/parent.out" > "$WORK/parent.log" 2>&1 &
PARENTED=$!
PIDS+=("$PARENTED")
parent_knows() { [ "$(tail -n 1 "$WORK/parent.out" | jq -c '[.produced, .rejected]')" = "$1" ]; }
wait_until 60 parent_knows '[2,1]'
kill -9 "$PARENTED"
wait "$PARENTED" 2> /dev/null || true

say done
