#!/usr/bin/env bash
# A record that is refused and whose dead letter cannot be stored is never lost: the dlq topic takes less than the
# record, the client's queue stays full, headers are many or large. And a receipt larger than its topic takes.
. "$(dirname "$0")/lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}

# begin PART [SETTING…]: a migration of its own; the settings are the dlq topic's
begin() {
  say "$1"
  export DROVER_MIGRATION=${NAME}_$1
  TOPIC=drover.$DROVER_MIGRATION
  shift
  [ $# = 0 ] || "$TOOL" create "$TOPIC.dlq" 6 "$@"
  drover topics apply > "$WORK/topics.log" 2>&1
}

next() { psql "$ADMIN" -Atc "SELECT coalesce(max(next_offset), 0) FROM drover.partition_progress WHERE topic = '$TOPIC.source' AND partition = $1"; }

dead_letters() { kcat -C -b "$KAFKA_BROKERS" -t "$TOPIC.dlq" -e -q -f '%h\t%S\n'; }

# message PARTITION ID KIND NOTE_BYTES HEADERS HEADER_BYTES
message() {
  jq -nc --argjson p "$1" --arg id "$2" --arg kind "$3" --argjson note "$4" --argjson n "$5" --argjson size "$6" '
    {partition: $p, value: ({id: $id, tenant: "t01", rev: 1, kind: $kind, note: ("n" * $note)} | tojson),
     headers: ([["drover-tenant", "t01"], ["drover-entity", "event"]] + [range($n) | ["h\(.)", ("x" * $size)]])}'
}

prepare

begin fits_not max.message.bytes=4000 cleanup.policy=delete
{ message 0 a1 good 10 0 0; message 0 a2 'a kind that is too long' 9000 0 0; message 0 a3 good 10 0 0; message 1 b1 good 10 0 0; } |
  "$TOOL" send "$TOPIC.source"
status=0
timeout 90 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/fits_not.log" 2>&1 || status=$?
[ "$(next 0)" -le 1 ] || [ "$(dead_letters | wc -l)" -ge 1 ] || fail "the offset went past a record that is in no class: next $(next 0), $(dead_letters | wc -l) dead letters, exit $status"
equal "exit code" "$status" 3
equal "partition 0 stands before the record" "$(next 0)" 0
equal "the other partition went on" "$(next 1)" 1
grep -q 'DRV-K010' "$WORK/fits_not.log" || fail "the worker does not say why it stopped"
grep -q 'dead_letters.room' "$WORK/fits_not.log" || fail "nothing was said at the start"
drover doctor > "$WORK/doctor.log" 2>&1 || true
grep -q 'max.message.bytes' "$WORK/doctor.log" || fail "doctor does not say it"

begin cut max.message.bytes=4000 cleanup.policy=delete
{ message 0 a1 good 10 0 0; message 0 a2 'a kind that is too long' 500 60 100; } | "$TOOL" send "$TOPIC.source"
timeout 90 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/cut.log" 2>&1 || fail "worker: exit $?"
equal "offset" "$(next 0)" 2
dead_letters > "$WORK/cut.dead_letters"
equal "dead letters" "$(wc -l < "$WORK/cut.dead_letters")" 1
grep -q 'drover-dlq-truncated=h' "$WORK/cut.dead_letters" || fail "the dead letter does not say what went"
equal "bytes of the value" "$(cut -f2 "$WORK/cut.dead_letters")" "$(message 0 a2 'a kind that is too long' 500 0 0 | jq -j .value | wc -c)"

begin headers
message 0 a1 'a kind that is too long' 10 150 5 | "$TOOL" send "$TOPIC.source"
timeout 90 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/headers.log" 2>&1 || fail "worker: exit $?"
equal "headers of others in the dead letter" "$(dead_letters | grep -o 'h[0-9]*=xxxxx' | wc -l)" 150

begin full_queue
for i in 1 2 3; do message 0 "a$i" 'a kind that is too long' 10 0 0; done | "$TOOL" send "$TOPIC.source"
# two dead letters are with the client for eleven seconds, the third waits for room all that time
timeout 120 "$DROVER" work --until-end --config "$WORK/drover.yaml" -X queue.buffering.max.messages=2 -X linger.ms=11000 \
  > "$WORK/full_queue.log" 2>&1 || fail "worker: exit $?, next $(next 0), $(dead_letters | wc -l) of 3 dead letters"
equal "dead letters" "$(dead_letters | wc -l)" 3
equal "offset" "$(next 0)" 3
# a dead letter owns its bytes: none left with another's headers
equal "each dead letter tells of its own record" \
  "$(kcat -C -b "$KAFKA_BROKERS" -t "$TOPIC.dlq" -e -q -f '%s %h\n' | sed -E 's/.*"id":"a([0-9]+)".*drover-dlq-id=[^,]*-([0-9]+).*/\1 \2/' | sort | tr '\n' ',')" "1 0,2 1,3 2,"

"$TOOL" create "drover.${NAME}_receipts.results" 6 max.message.bytes=9000 cleanup.policy=delete
begin receipts
message 0 a 'a kind that is too long' 10 0 0 | jq -c '.repeat = 1200' | "$TOOL" send "$TOPIC.source"
timeout 90 "$DROVER" work --until-end --breaker 0 --config "$WORK/drover.yaml" > "$WORK/receipts.log" 2>&1 || fail "worker: exit $?"
equal "receipts acknowledged up to" "$(psql "$ADMIN" -Atc "SELECT results_next FROM drover.partition_progress WHERE topic = '$TOPIC.source' AND partition = 0")" "$(next 0)"
equal "offsets told" "$(kcat -C -b "$KAFKA_BROKERS" -t "$TOPIC.results" -e -q | jq -s '[.[].rejected[].offset] | unique | length')" 1200
equal "counted once" "$(drover status --json | jq .counts.dead_lettered)" 1200
drover verify > "$WORK/verify.log" 2>&1 || true
! grep -q "worker's receipt" "$WORK/verify.log" || fail "the verifier does not add the receipts up"
say done
