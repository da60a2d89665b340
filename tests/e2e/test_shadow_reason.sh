#!/usr/bin/env bash
# drover shadow and verify --follow that end with 5 say why in words, with what the last full pass found, and what helps then.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/shadow_lib.sh"

start_shadow() {
  "$DROVER" shadow --config "$CONFIG" --workers 1 "$@" > "$WORK/shadow.out" 2> "$WORK/shadow.log" &
  SHADOW=$!
  PIDS+=("$SHADOW")
}
end_shadow() {
  kill -TERM "$SHADOW"
  expect_exit "$1" wait "$SHADOW"
  tail -n 5 "$WORK/shadow.log" > "$WORK/end"
}
says() { wait_until 90 grep -Eq -- "$1" "$WORK/shadow.log"; }

CONFIG=$WORK/drover.yaml
start_redis
load --fill --tenants 2 > "$WORK/fill.out"

say "nothing was compared"
start_shadow --no-verify
wait_until 90 is_same
end_shadow 0
sed 's/^verify: {/verify: { full_every: 0,/' "$WORK/drover.yaml" > "$WORK/no_pass.yaml"
CONFIG=$WORK/no_pass.yaml start_shadow
says '^shadow .* compared=0 '
end_shadow 5
has "$WORK/end" "verify: NOT VERIFIED: nothing was compared"
has "$WORK/end" "Report: $WORK/report/"
has "$WORK/end" "shadow ended: told to end"
has "$WORK/end" "Next:  drover verify compares what is there; this one compares what is written while it runs"

say "a record is rejected at its source, and put right: the number of now, the verdict and the exit code"
change() { node --input-type=module -e "import { Store } from '$APP/app.mjs'; new Store('$APP/data').$1;"; }
CONFIG=$WORK/no_pass.yaml start_shadow
change "put('tenant-new', 'users', 'ada', { id: 'ada', name: '\\ud83d', plan: 'free' })"
says '^shadow .* rejected=1( |$)'
end_shadow 5
grep -Eq '^verify: NOT EQUAL: 1 record of .*users\.json is rejected$' "$WORK/shadow.log" || fail "it does not say what is rejected"
has "$WORK/shadow.log" "Next:  drover status names the sources"
CONFIG=$WORK/no_pass.yaml start_shadow --json
change "put('tenant-new', 'users', 'ada', { id: 'ada', name: 'Ada', plan: 'free' })"
none_is() { jq -e 'select(.kind == "shadow_progress") | .produce.rejected == 0 and .verify.compared > 0' "$WORK/shadow.out" | grep -q true; }
wait_until 90 none_is
end_shadow 0
equal "the last document" "$(tail -n 1 "$WORK/shadow.out" | jq -c '[.produce.rejected, (.reason | startswith("MATCH: "))]')" '[0,true]'

say "the full pass found something: on the line, at the end, in the documents"
psql "$ADMIN" -qc "UPDATE app_user SET name = 'evil' WHERE id = (SELECT min(id) FROM app_user)"
start_shadow
says '^shadow .* full_pass_problems=[1-9]'
end_shadow 5
grep -Eq '^verify: NOT EQUAL: the last full pass found [0-9]+ problems? \(full pass of 20[0-9-]+ [0-9:]+ UTC: [1-9][0-9]* different( · [0-9]+ beside the records)?\)$' "$WORK/end" || fail "it does not say what the pass found"
has "$WORK/end" "Next:  drover verify --show-values"
start_shadow --json
told() { jq -e 'select(.kind == "shadow_progress") | .verify.full_pass.problems > 0 and .verify.full_pass.not_whole == false' "$WORK/shadow.out" | grep -q true; }
wait_until 60 told
end_shadow 5
cp "$WORK/shadow.out" "$DROVER_TEST_DOCUMENTS/shadow_reason"
equal "the last document" "$(tail -n 1 "$WORK/shadow.out" | jq '.reason | startswith("NOT EQUAL: the last full pass found ")')" true

say "verify --follow alone says the same"
"$DROVER" verify --follow --config "$WORK/drover.yaml" > "$WORK/follow.out" 2> "$WORK/follow.log" &
FOLLOWER=$!
PIDS+=("$FOLLOWER")
wait_until 60 grep -q follow.begun "$WORK/follow.log"
kill -TERM "$FOLLOWER"
expect_exit 5 wait "$FOLLOWER"
grep -q '^NOT EQUAL: the last full pass found ' "$WORK/follow.out" || fail "the follower does not say why"
has "$WORK/follow.out" "Next:  drover verify --show-values"
say done
