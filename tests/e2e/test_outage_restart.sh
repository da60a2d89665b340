#!/usr/bin/env bash
# PostgreSQL restarted under load, then killed, then Kafka restarted: workers and producer wait it out, say
# so once, lose nothing.
. "$(dirname "$0")/lib.sh"

prepare
generate 30000 30 1 "$WORK/one.ndjson"
start_worker A
start_worker B
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
wait_until 60 has_committed 3000
say "orderly restart"
./dev stack restart postgres > "$WORK/restart.log" 2>&1
wait_until 60 has_committed 10000
say "kill -9"
./dev stack kill postgres > "$WORK/kill.log" 2>&1
./dev stack up > "$WORK/up.log" 2>&1
wait "$PRODUCER" || fail "produce failed"
wait_until 60 has_committed 20000
say "Kafka restarted while a second file is produced"
generate 30000 30 2 "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" > "$WORK/produce2.log" 2>&1 &
PRODUCER=$!
wait_until 60 has_committed 33000
./dev stack restart kafka > "$WORK/kafka.log" 2>&1
wait "$PRODUCER" || fail "the second produce failed"
wait_until 120 is_drained
kill -0 "$A_PID" || fail "worker A ended"
kill -0 "$B_PID" || fail "worker B ended"
stop_worker A
stop_worker B
check_equal "$WORK/one.ndjson" "$WORK/two.ndjson"
equal "dead letters" "$(drover status --json | jq .counts.dead_lettered)" 0
[ "$(grep -c postgres.away "$WORK/A.log" || true)" -le 6 ] || fail "a storm of messages in the log"
drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"
say done
