#!/usr/bin/env bash
# A worker that owns a partition reads it, or says why not: workers that join while others are above work.memory or Redis's limit,
# a partition fenced behind its worker's back, and the line that tells of a partition that stands still.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

is_stalled() { grep -q "event=partition.stalled.* $2" "$WORK/$1.log"; }

prepare
echo 'work: { memory: 1MiB, batch_records: 200, stall_after: 3s }' >> "$WORK/drover.yaml"

say "workers join while the first is above its budget"
generate 20000 4 1 "$WORK/one.ndjson"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
of_database() { psql "$ADMIN" -Atc "SELECT count(*) FROM pg_stat_activity WHERE datname = '$NAME' AND $1"; }
is_locked() { [ "$(of_database "query LIKE '%pg_sleep(300)' AND wait_event = 'PgSleep'")" = 1 ]; }
lock() {
  psql "$ADMIN" -qc 'SET idle_in_transaction_session_timeout = 0' -c 'BEGIN; LOCK public.event IN EXCLUSIVE MODE; SELECT pg_sleep(300)' > "$WORK/lock.log" 2>&1 &
  PIDS+=($!)
  wait_until 60 is_locked
}
unlock() { end_sessions "query LIKE '%pg_sleep(300)'"; }
waits_for_lock() { [ "$(of_database "application_name = 'drover-worker' AND wait_event_type = 'Lock'")" -ge 1 ]; }
lock
start_worker A
wait_until 60 waits_for_lock # and more than 1 MiB was read by then, in the first turn
for name in B C; do
  start_worker "$name"
  wait_until 60 grep -q partition.claimed "$WORK/$name.log"
done
stop_worker B
unlock
wait_until 90 is_drained
check_equal "$WORK/one.ndjson"

say "a partition fenced behind its worker's back"
ASSIGNED=$(grep -c 'group.assigned partitions=6' "$WORK/A.log" || true)
has_all() { awk -v since="$ASSIGNED" '/group.assigned partitions=6/ { times++; claimed = 0 } /partition.claimed/ { claimed++ }
  END { exit !(times > since && claimed >= 6) }' "$WORK/A.log"; }
stop_worker C
wait_until 60 has_all
psql "$ADMIN" -qc 'UPDATE drover.partition_progress SET epoch = epoch + 1 WHERE partition IN (1, 4)'
generate 6000 4 2 "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" > "$WORK/produce2.log" 2>&1
wait_until 60 grep -q partition.fenced "$WORK/A.log"
wait_until 60 is_drained
is_stalled A "state=fenced.*action=claim" || fail "nothing was said of the fenced partition"
check_equal "$WORK/one.ndjson" "$WORK/two.ndjson"

say "a transaction that stands still without an error is told of, and not written twice"
stalls() { grep -c 'event=partition.stalled.* state=reading.*current=sink.*action=wait' "$WORK/A.log" || true; }
STALLS=$(stalls) # it was locked out before
is_told() { [ "$(stalls)" -gt "$STALLS" ]; }
lock
generate 2000 4 3 "$WORK/three.ndjson"
drover produce "$WORK/three.ndjson" > "$WORK/produce3.log" 2>&1
wait_until 60 is_told
unlock
wait_until 90 is_drained
stop_worker A
check_equal "$WORK/one.ndjson" "$WORK/two.ndjson" "$WORK/three.ndjson"
drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"

say "a worker joins while the others wait for Redis"
export DROVER_STORAGE=hybrid AI_STORAGE_TYPE=hybrid DROVER_REDIS_LAG_RECORDS=300
use_mapping json
start_redis
drover schema apply > "$WORK/schema.log" 2>&1
start_worker D
wait_until 60 has_sentinel
wait_until 90 redis_is_level # what was written without Redis
kill -STOP "$REDIS_PID"
generate 6000 4 4 "$WORK/four.ndjson"
drover produce "$WORK/four.ndjson" > "$WORK/produce4.log" 2>&1
wait_until 60 has_committed 28300
start_worker E
wait_until 60 grep -q partition.claimed "$WORK/E.log"
kill -CONT "$REDIS_PID"
wait_until 90 is_drained
wait_until 60 redis_is_level
stop_worker D
stop_worker E
check_equal "$WORK/one.ndjson" "$WORK/two.ndjson" "$WORK/three.ndjson" "$WORK/four.ndjson"
say done
