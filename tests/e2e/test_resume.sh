#!/usr/bin/env bash
# A halted partition is told of, says what it waits for, and goes on when somebody decides so: beside the worker that has
# it and when none runs, in every store that keeps checkpoints; behind numbers that are missing and offsets that are gone.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
sed -i 's/partitions: 6/partitions: 2/' "$WORK/drover.yaml"
keep_sessions
SOURCE=drover.$NAME.source

# message PARTITION ID RUN SEQ
message() {
  jq -nc --argjson partition "$1" --arg id "$2" --arg run "$3" --arg seq "$4" '
    {partition: $partition, value: ({id: $id, tenant: "t01", rev: 1, kind: "k"} | tojson),
     headers: [["drover-tenant", "t01"], ["drover-entity", "event"], ["drover-run", $run], ["drover-seq", $seq]]}'
}

rows() { psql "$ADMIN" -Atc "SELECT count(*) FROM public.event"; }
has_rows() { [ "$(rows)" = "$1" ]; }
checkpoint() { drover status --json | jq ".partitions[$1].next_offset"; }
epoch() { drover status --json | jq ".partitions[$1].epoch"; }
decisions() { kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.control" -e -q; }
has_halted() { grep -q 'event=partition.halted' "$WORK/$1.log"; }

prepare
say "a partition halts at a gap, the other goes on"
{ message 0 a0 r 0; message 0 a1 r 1; message 0 a4 r 4; message 0 a5 r 5; message 1 b0 r 0; } | "$TOOL" send "$SOURCE"
start_worker A
wait_until 60 has_halted A
wait_until 60 has_rows 3
equal "checkpoint" "$(checkpoint 0)" 2
grep 'event=partition.halted' "$WORK/A.log" > "$WORK/halted.log"
has "$WORK/halted.log" "2 messages of run r missing in the topic: number 2 was expected, 4 came"
has "$WORK/halted.log" "drover resume 0 --accept-gap"

say "doctor, status and verify lead to the command that helps"
doctor_warns() { drover doctor > "$WORK/doctor.log" 2>&1 || true; grep -q 'partition 0 is halted at offset 2: DRV-E002' "$WORK/doctor.log"; }
wait_until 30 doctor_warns
has "$WORK/doctor.log" "fix: drover resume 0 --accept-gap --reason TEXT"
! grep -q 'everything is ready' "$WORK/doctor.log" || fail "doctor: everything is ready"
expect_exit 5 drover verify > "$WORK/verify.log" 2>&1
has "$WORK/verify.log" "2 lagging"
has "$WORK/verify.log" "(it names halted partitions and what helps)"

say "what would be given up is said, and nothing is done without a reason"
expect_exit 6 drover resume 1 > "$WORK/running.log" 2>&1
has "$WORK/running.log" "DRV-W014"
is_told() { drover resume 0 --dry-run > "$WORK/dry.log" 2>&1; }
wait_until 30 is_told
has "$WORK/dry.log" "would give up 2 messages of run r, numbers 2 to 3"
expect_exit 6 drover resume 0 > "$WORK/refused.log" 2>&1
has "$WORK/refused.log" "DRV-W015"
has "$WORK/refused.log" "2 messages of run r, numbers 2 to 3"
expect_exit 2 drover resume 0 --accept-gap > "$WORK/usage.log" 2>&1
expect_exit 2 drover resume > "$WORK/usage.log" 2>&1
expect_exit 2 drover resume 7 > "$WORK/usage.log" 2>&1
equal "decisions" "$(decisions)" ""
equal "epoch" "$(epoch 0)" 1

say "accepted while the worker runs, it goes on"
expect_exit 0 drover resume 0 --accept-gap --reason "lost with the old cluster" --json > "$WORK/resumed.json" 2> "$WORK/resumed.log"
equal "answer" "$(jq -c '.partitions[0] | [.partition, .code, .gives_up, .run, .sequence_first, .sequence_last, .next_offset]' "$WORK/resumed.json")" \
  '[0,"DRV-E002",true,"r",2,3,2]'
wait_until 60 has_rows 5
equal "decision" "$(decisions | jq -c '[.decision, .why, .partition, .run]')" '["resumed","lost with the old cluster",0,"r"]'
expect_exit 6 drover resume 0 > "$WORK/again.log" 2>&1
has "$WORK/again.log" "DRV-W014"
stop_worker A
! grep -q 'error\[' "$WORK/A.log" || fail "a worker whose partition was resumed ends with an error"

say "accepted when no worker runs"
{ message 0 a9 r 9; message 1 b1 r 1; } | "$TOOL" send "$SOURCE"
expect_exit 1 drover work --until-end > "$WORK/B.log" 2>&1
expect_exit 0 drover resume --all --accept-gap --reason "the same" > "$WORK/down.log" 2>&1
has "$WORK/down.log" "gives up 3 messages of run r, numbers 6 to 8"
expect_exit 0 drover work --until-end > "$WORK/B.log" 2>&1
equal "rows" "$(rows)" 7
expect_exit 0 drover resume --all > "$WORK/none.log" 2>&1
has "$WORK/none.log" "no partition is halted"

say "offsets that are gone before they were applied"
{ for n in 10 11 12 13 14; do message 0 "a$n" r "$n"; done; for n in 0 1 2 3 4; do message 0 "n$n" new "$n"; done; } | "$TOOL" send "$SOURCE"
"$TOOL" trim "$SOURCE" 0 13
expect_exit 6 drover work --until-end > "$WORK/gone.log" 2>&1
has "$WORK/gone.log" "offsets 5 to 12 are gone from the topic"
expect_exit 6 drover resume 0 > "$WORK/refused.log" 2>&1
has "$WORK/refused.log" "8 offsets of the topic, 5 to 12"
expect_exit 0 drover resume 0 --accept-gap --reason "retention was too short" > "$WORK/resumed.log" 2>&1
has "$WORK/resumed.log" "gives up 8 offsets of the topic, 5 to 12"
equal "decision" "$(decisions | tail -n 1 | jq -c '[.partition, .from, .to]')" '[0,5,13]'
expect_exit 0 drover work --until-end > "$WORK/B.log" 2>&1
equal "rows" "$(rows)" 9 # n3 and n4, the first of their run that are left
{ message 0 n6 new 6; } | "$TOOL" send "$SOURCE"
expect_exit 1 drover work --until-end > "$WORK/B.log" 2>&1 # a gap is one again
has "$WORK/B.log" "1 message of run new missing"

start_redis
for storage in redis file; do
  say "the same in storage $storage"
  export AI_STORAGE_TYPE=$storage DROVER_STORAGE=$storage DROVER_MIGRATION=${NAME}_$storage
  SOURCE=drover.$DROVER_MIGRATION.source
  store=(--store-dir "$WORK/store"); [ $storage = file ] || store=()
  drover topics apply > "$WORK/topics.log" 2>&1
  { message 0 a0 r 0; message 0 a4 r 4; message 1 b0 r 0; } | "$TOOL" send "$SOURCE"
  start_worker "C_$storage" "${store[@]}"
  wait_until 60 has_halted "C_$storage"
  accepts() { drover resume 0 --accept-gap --reason test "${store[@]}" > "$WORK/resumed.log" 2>&1; }
  wait_until 30 accepts
  has "$WORK/resumed.log" "gives up 3 messages of run r, numbers 1 to 3"
  all_taken() { [ "$(drover status --json "${store[@]}" 2>/dev/null | jq .lag)" = 0 ]; }
  wait_until 60 all_taken
  stop_worker "C_$storage"
  { message 1 b7 r 7; } | "$TOOL" send "$SOURCE"
  expect_exit 1 drover work --until-end "${store[@]}" > "$WORK/B.log" 2>&1
  equal "owner" "$(drover status --json "${store[@]}" | jq '.partitions[1].owner')" null
  expect_exit 0 drover resume 1 --accept-gap --reason test "${store[@]}" > "$WORK/resumed.log" 2>&1
  expect_exit 0 drover work --until-end "${store[@]}" > "$WORK/B.log" 2>&1
  equal "lag" "$(drover status --json "${store[@]}" | jq .lag)" 0
done
say done
