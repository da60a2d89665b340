#!/usr/bin/env bash
# `work --until-end` ends where Kafka has nothing more to give: behind transaction markers, behind an aborted
# transaction, in a range that is read again and ends in a hole, and with a halted partition, whose code it exits with; and not
# before what another worker holds is written too.
. "$(dirname "$0")/lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
SOURCE=drover.$NAME.source

# messages PARTITION FIRST LAST
messages() {
  jq -nc --argjson p "$1" --argjson from "$2" --argjson to "$3" '
    range($from; $to + 1) | {partition: $p, value: ({id: "p\($p)-\(.)", tenant: "t01", rev: 1, kind: "k"} | tojson),
      headers: [["drover-tenant", "t01"], ["drover-entity", "event"]]}'
}

work() { timeout 60 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/$1.log" 2>&1; }

row() { psql "$ADMIN" -Atc "SELECT $2 FROM drover.partition_progress WHERE topic = '$SOURCE' AND partition = $1"; }

prepare
say "markers of committed and aborted transactions at the end"
messages 0 1 3 | "$TOOL" send "$SOURCE" commit
messages 1 1 4 | "$TOOL" send "$SOURCE" commit
messages 1 5 9 | "$TOOL" send "$SOURCE" abort
messages 2 1 2 | "$TOOL" send "$SOURCE" abort
work markers || fail "worker behind transaction markers: exit $?, next offsets $(row 0 next_offset), $(row 1 next_offset)"
equal "rows" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM public.event")" 7
equal "offsets" "$(row 0 next_offset) $(row 1 next_offset)" "3 4"
equal "status behind markers" "$(drover status --json | jq -c '[.lag, .source_records, .counts.applied, .counts.to_do, .counts.no_receipt]')" "[0,7,7,0,0]"

say "a range that is read again, and ends in a hole"
psql "$ADMIN" -qc "UPDATE drover.partition_progress SET next_offset = 4, results_next = 0 WHERE topic = '$SOURCE' AND partition = 0"
work again || fail "worker in a range that ends in a hole: exit $?"
messages 0 4 5 | "$TOOL" send "$SOURCE" commit
work more || fail "worker behind the hole: exit $?"
equal "offsets behind the hole" "$(row 0 next_offset) $(row 0 results_next)" "6 6"
equal "rows" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM public.event")" 9

drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"
! grep -q "receipt" "$WORK/verify.log" || fail "the verifier takes offsets that are no messages for records: $(grep receipt "$WORK/verify.log" | head -1)"

say "a halted partition has ended, and is the exit code"
messages 3 1 1 | jq -c '.headers += [["drover-run", "r"], ["drover-seq", "5"]]' | "$TOOL" send "$SOURCE"
messages 4 1 3 | "$TOOL" send "$SOURCE"
status=0
work halted || status=$?
equal "exit code (1: messages are missing)" "$status" 1
equal "the others are written" "$(row 4 next_offset)" 3
say "a run ends behind markers"
export DROVER_MIGRATION=${NAME}_run
drover topics apply > "$WORK/topics2.log" 2>&1
messages 0 1 3 | "$TOOL" send "drover.${NAME}_run.source" commit
messages 1 1 3 | "$TOOL" send "drover.${NAME}_run.source" abort
generate 50 1 1 "$WORK/source.ndjson"
status=0
timeout 120 "$DROVER" run "$WORK/source.ndjson" --config "$WORK/drover.yaml" > "$WORK/run.txt" 2>&1 || status=$?
[ "$status" = 0 ] || [ "$status" = 5 ] || fail "run: exit $status: $(tail -5 "$WORK/run.txt")" # 5: the table has rows of the other migration
grep -q '53 taken = 50 applied + 3 unchanged' "$WORK/run.txt" || fail "$(tail -5 "$WORK/run.txt")"
say "a worker waits for what another one has, and takes it over when that one is killed"
export DROVER_MIGRATION=${NAME}_shared
SOURCE=drover.${NAME}_shared.source
drover topics apply > "$WORK/topics3.log" 2>&1
generate 6000 1 2 "$WORK/shared.ndjson"
drover produce "$WORK/shared.ndjson" > "$WORK/produce3.log" 2>&1
is_locked() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_locks WHERE relation = 'public.event'::regclass AND mode = 'ExclusiveLock' AND granted")" = 1 ]; }
lock() { # so that neither writes before both have their share
  psql "$ADMIN" -qc "BEGIN; LOCK TABLE public.event IN EXCLUSIVE MODE; SELECT pg_sleep(600)" > "$WORK/lock.log" 2>&1 &
  wait_until 30 is_locked
}
unlock() { end_sessions "query LIKE '%pg_sleep(600)'"; }
lock
start_worker OTHER
wait_until 30 grep -q group.assigned "$WORK/OTHER.log"
start_worker WAITS --until-end
wait_until 60 grep -q 'group.assigned.*partitions=3' "$WORK/WAITS.log"
kill -9 "$OTHER_PID"
unlock
status=0
wait "$WAITS_PID" || status=$?
equal "exit code" "$status" 0
equal "messages that are not written" "$(lag)" 0
grep -q end.waits "$WORK/WAITS.log" || fail "it waited for nobody: $(tail -3 "$WORK/WAITS.log")"

say "two that wait for each other end, also behind markers"
for partition in 0 1 2 3 4 5; do messages "$partition" 100000 100200 | "$TOOL" send "$SOURCE" commit; done
lock
start_worker ONE --until-end
start_worker TWO --until-end
wait_until 60 grep -q 'group.assigned.*partitions=3' "$WORK/ONE.log"
wait_until 60 grep -q 'group.assigned.*partitions=3' "$WORK/TWO.log"
unlock
for pid in "$ONE_PID" "$TWO_PID"; do
  status=0
  wait "$pid" || status=$?
  equal "exit code" "$status" 0
done
equal "messages that are not written" "$(lag)" 0
say done
