#!/usr/bin/env bash
# Two contents of one version, one taken and one refused: the refused one is not made good by the other, however often that comes;
# and what a replay lands although another dead letter of its record came later.
. "$(dirname "$0")/lib.sh"

LONG='much too long a kind'
# record FILE REV KIND [MEMBERS]
record() { printf '{"id":"a","tenant":"t01","rev":%s,"kind":"%s"%s}\n' "$2" "$3" "${4:-}" >> "$WORK/$1.ndjson"; }
work() { timeout 90 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/work.log" 2>&1 || fail "worker: exit $?"; }
# verdict EXIT COUNTS: of verify, and the classes that have any
verdict() {
  expect_exit "$1" drover verify --json > "$WORK/verify.json" 2> "$WORK/verify.log"
  equal "classes" "$(jq -c '.counts | with_entries(select(.value > 0))' "$WORK/verify.json")" "$2"
}
widen() {
  sed 's/varchar(12)/text/' tests/e2e/data/event.yaml > "$WORK/event.yaml"
  sed -i "s|^mappings: .*|mappings: [$WORK/event.yaml]|" "$WORK/drover.yaml"
  drover schema apply --allow widen > "$WORK/widen.log" 2>&1
}

prepare
say "the other one is sent once more: it says nothing of the one that was refused"
record first 5 ok
record second 5 "$LONG"
drover produce "$WORK/first.ndjson" > "$WORK/produce.log" 2>&1
drover produce "$WORK/second.ndjson" >> "$WORK/produce.log" 2>&1
work
verdict 5 '{"match":1,"dead_lettered":1}'
drover produce --again "$WORK/first.ndjson" >> "$WORK/produce.log" 2>&1
work
verdict 5 '{"match":1,"dead_lettered":1}'

say "when it gets in it is in conflict, and stays so"
widen
start_worker one
expect_exit 5 drover dlq replay --state all --json > "$WORK/replay.json" 2> "$WORK/replay.log"
stop_worker one
equal "landed, in conflict" "$(jq -c '[.landed, .conflict]' "$WORK/replay.json")" '[0,1]'
verdict 5 '{"match":1,"conflict":1}'
equal "stored" "$(psql "$ADMIN" -Atc "SELECT kind FROM event")" ok

say "its source gives it another version: all is right"
rm "$WORK/second.ndjson"
record second 6 "$LONG"
drover produce "$WORK/second.ndjson" >> "$WORK/produce.log" 2>&1
work
verdict 0 '{"match":1,"superseded":1}'

say "a dead letter whose place a later one took lands by a replay: its row is its own"
export DROVER_MIGRATION=${NAME}_landed
psql "$ADMIN" -qc "TRUNCATE public.event"
sed -i "s|^mappings: .*|mappings: [$PWD/tests/e2e/data/event.yaml]|" "$WORK/drover.yaml"
psql "$ADMIN" -qc "DROP TABLE public.event CASCADE"
psql "$ADMIN" -qc "DELETE FROM drover.mapping_generation"
prepare
record two 1 "$LONG"
record two 2 ok ',"amount":"wrong"'
drover produce "$WORK/two.ndjson" >> "$WORK/produce.log" 2>&1
work
verdict 5 '{"superseded":1,"dead_lettered":1}'
widen
expect_exit 5 drover replay --rewrite > "$WORK/rewrite.log" 2>&1
equal "stored" "$(psql "$ADMIN" -Atc "SELECT rev FROM event")" 1
verdict 5 '{"match":1,"dead_lettered":1}'
expect_exit 0 drover dlq discard --code DRV-V002 --reason "a test" --yes > "$WORK/discard.log" 2>&1
verdict 0 '{"match":1,"discarded":1}'
say done
