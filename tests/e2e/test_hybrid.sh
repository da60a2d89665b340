#!/usr/bin/env bash
# storage hybrid: PostgreSQL goes on while Redis is away, emptied, full or read-only; Redis is level again
# within seconds, and a worker's crash between the two costs nothing.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

export DROVER_STORAGE=hybrid AI_STORAGE_TYPE=hybrid
use_mapping json
start_redis
prepare
generate 6000 20 1 "$WORK/one.ndjson"
generate 6000 20 2 "$WORK/two.ndjson"
generate 6000 20 3 "$WORK/three.ndjson"
generate 6000 20 4 "$WORK/four.ndjson"

say "one pass, until the end: Redis equals the source"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/first.log" 2>&1
check_equal "$WORK/one.ndjson"
equal "values in Redis that differ" "$(redis_wrong "$WORK/one.ndjson")" 0
equal "sentinel" "$(sentinel)" 1

say "R02: Redis is killed; PostgreSQL goes on; R03: it comes back empty and is rebuilt"
start_worker A
wait_until 30 grep -q partition.claimed "$WORK/A.log"
kill_redis
drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 has_committed 12000
wait_until 30 grep -q redis.away "$WORK/A.log"
start_redis
wait_until 60 redis_is_level
wait_until 30 has_sentinel
equal "values in Redis that differ" "$(redis_wrong "$WORK/one.ndjson" "$WORK/two.ndjson")" 0
[ "$(grep -c redis.away "$WORK/A.log")" -le 3 ] || fail "a storm of messages in the log"

say "R03: FLUSHALL under load"
drover produce "$WORK/three.ndjson" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
wait_until 60 has_committed 13000
redis FLUSHALL > /dev/null
wait "$PRODUCER"
wait_until 60 has_committed 18000
wait_until 60 has_sentinel
wait_until 60 redis_is_level
wait_until 30 redis_equals "$WORK/one.ndjson" "$WORK/two.ndjson" "$WORK/three.ndjson"

say "R06: full, R05: read-only, R09: scripts forgotten; nothing is lost"
redis CONFIG SET maxmemory 1mb > /dev/null
drover produce "$WORK/four.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 has_committed 24000
wait_until 30 grep -q 'redis.retry' "$WORK/A.log"
[ "$(lag_of_redis)" -gt 0 ] || fail "a full Redis was taken for a done one"
redis CONFIG SET maxmemory 0 > /dev/null
wait_until 20 redis_is_level
redis REPLICAOF 127.0.0.1 1 > /dev/null
generate 600 20 5 "$WORK/five.ndjson"
drover produce "$WORK/five.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 has_committed 24600
redis SCRIPT FLUSH > /dev/null
redis REPLICAOF NO ONE > /dev/null
wait_until 30 redis_is_level
wait_until 30 redis_equals "$WORK/four.ndjson" "$WORK/five.ndjson"

say "R12: Redis restarts with an older snapshot: its sentinel is of another run, so it is levelled"
redis SAVE > /dev/null
generate 600 20 6 "$WORK/newer.ndjson"
drover produce "$WORK/newer.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 has_committed 25200
wait_until 30 redis_is_level
kill_redis
start_redis
rm "$REDIS_DIR/dump.rdb"
equal "sentinel of the snapshot" "$(sentinel)" 1
wait_until 30 redis_equals "$WORK/four.ndjson" "$WORK/newer.ndjson"

say "R01: workers killed under load: replayed from the watermark, PostgreSQL's rows untouched"
generate 6000 20 7 "$WORK/six.ndjson"
drover produce "$WORK/six.ndjson" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
wait_until 60 has_committed 25600
kill -9 "$A_PID"
wait "$PRODUCER"
start_worker B
wait_until 90 has_committed 31200
wait_until 30 redis_is_level
wait_until 60 redis_equals "$WORK/six.ndjson"

say "R16: strangers' keys are named and left alone; the rest goes on"
redis DEL event:t01:e3 event:t01:e3:v > /dev/null
redis LPUSH event:t01:e3 theirs > /dev/null
generate 600 20 8 "$WORK/seven.ndjson"
drover produce "$WORK/seven.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 has_committed 31800
wait_until 30 redis_is_level
equal "a stranger's key" "$(redis TYPE event:t01:e3)" list
grep -q 'redis.unowned' "$WORK/B.log" || fail "a stranger's key was not named"
redis DEL event:t01:e3 > /dev/null

say "two workers that see an empty Redis: one rebuild at a time, and no word of error"
start_worker C
wait_until 30 grep -q group.assigned "$WORK/C.log"
for _ in 1 2 3; do
  redis FLUSHALL > /dev/null
  wait_until 30 has_sentinel
done
stop_worker C
! grep -h 'error\[' "$WORK/B.log" "$WORK/C.log" || fail "a rebuild of a worker printed an error"
wait_until 30 redis_equals "$WORK/six.ndjson" "$WORK/seven.ndjson"

say "rebuild by hand gives the same; PostgreSQL is only read"
stop_worker B
before=$(written_rows)
redis FLUSHALL > /dev/null
drover rebuild redis --json > "$WORK/rebuild.json" 2> "$WORK/rebuild.log"
equal "rebuilt" "$(jq .applied "$WORK/rebuild.json")" 6000
equal "values in Redis that differ" "$(redis_wrong "$WORK/six.ndjson" "$WORK/seven.ndjson")" 0
drover rebuild redis --json > "$WORK/rebuild.json" 2> "$WORK/rebuild.log"
equal "unchanged by a second one" "$(jq .unchanged "$WORK/rebuild.json")" 6000
equal "rows written by rebuilding" "$(written_rows)" "$before"

say "R17: a wrong password ends the worker at once, and is nowhere in the log"
redis CONFIG SET requirepass sesame > /dev/null
begin=$SECONDS
REDIS_URL=redis://:canary-password@127.0.0.1:$REDIS_PORT expect_exit 4 drover work --until-end > "$WORK/wrong.log" 2>&1
[ $(( SECONDS - begin )) -le 60 ] || fail "it took $(( SECONDS - begin )) s"
! grep -q canary-password "$WORK/wrong.log" || fail "the password is in the log"
say "R19: TLS is refused with the reason"
REDIS_URL=rediss://127.0.0.1:$REDIS_PORT expect_exit 3 drover work --until-end > "$WORK/tls.log" 2>&1
grep -q DRV-R008 "$WORK/tls.log" || fail "no reason given"
say done
