#!/usr/bin/env bash
# storage redis: no PostgreSQL at all. Checkpoint and records move in one script, so killed workers and a
# killed Redis cost nothing; unowned keys end as dead letters.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

export AI_STORAGE_TYPE=redis
use_mapping json
unset DATABASE_URL
start_redis --appendonly yes
drover topics apply > "$WORK/topics.log" 2>&1
generate 6000 20 1 "$WORK/one.ndjson"
generate 6000 20 2 "$WORK/two.ndjson"
generate 6000 20 3 "$WORK/three.ndjson"

moved() { # records that the checkpoint in Redis has behind it
  redis --scan --pattern "drover:progress:*:drover.$DROVER_MIGRATION.source:*" | sed 's/$/ next_offset/; s/^/HGET /' |
    redis | awk '{ n += $1 } END { print n + 0 }'
}
has_moved() { [ "$(moved)" -ge "$1" ]; }

say "one pass until the end"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/first.log" 2>&1
equal "records behind the checkpoint" "$(moved)" 6000
equal "values that differ" "$(redis_wrong "$WORK/one.ndjson")" 0

say "workers killed under load; the same file again changes nothing"
drover produce --again "$WORK/two.ndjson" "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
start_worker steady
for goal in 7000 12000; do
  start_worker "victim$goal"
  wait_until 60 has_moved "$goal"
  pid_name=victim${goal}_PID
  kill -9 "${!pid_name}"
  wait "${!pid_name}" 2>/dev/null || true
done
wait "$PRODUCER"
wait_until 90 has_moved 18000
equal "values that differ" "$(redis_wrong "$WORK/one.ndjson" "$WORK/two.ndjson")" 0

say "Redis killed under load, back with its data"
drover produce "$WORK/three.ndjson" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
wait_until 60 has_moved 19000
kill_redis
wait "$PRODUCER"
wait_until 30 grep -q redis.away "$WORK/steady.log"
start_redis --appendonly yes
wait_until 60 has_moved 24000
equal "values that differ" "$(redis_wrong "$WORK/one.ndjson" "$WORK/two.ndjson" "$WORK/three.ndjson")" 0

say "R06, R09: a full Redis is waited for, forgotten scripts are sent again"
generate 3000 20 4 "$WORK/four.ndjson"
redis CONFIG SET maxmemory 1mb > /dev/null
drover produce "$WORK/four.ndjson" > "$WORK/produce.log" 2>&1
wait_until 30 grep -q 'batch.retry.*DRV-R003' "$WORK/steady.log"
equal "records taken for done" "$(moved)" 24000
redis SCRIPT FLUSH > /dev/null
redis CONFIG SET maxmemory 0 > /dev/null
wait_until 30 has_moved 27000

say "R16: strangers' keys: dead letters, and the keys as they were"
redis DEL event:t01:e3 event:t01:e3:v event:t02:e3 event:t02:e3:v > /dev/null
redis LPUSH event:t01:e3 theirs > /dev/null
redis SET event:t02:e3 theirs > /dev/null
generate 200 20 5 "$WORK/five.ndjson"
drover produce "$WORK/five.ndjson" > "$WORK/produce.log" 2>&1
wait_until 30 has_moved 27200
equal "a stranger's list" "$(redis TYPE event:t01:e3)" list
equal "a stranger's text" "$(redis GET event:t02:e3)" theirs
stop_worker steady
equal "dead letters" "$(kcat -C -b "$KAFKA_BROKERS" -t "drover.$DROVER_MIGRATION.dlq" -e -q -f '%h\n' | grep -c 'drover-error-code=DRV-R005')" 2

say "Redis emptied under a worker's feet: it begins again at the topic's beginning"
start_worker late
wait_until 30 grep -q partition.claimed "$WORK/late.log"
redis FLUSHALL > /dev/null
generate 6000 20 6 "$WORK/six.ndjson"
drover produce "$WORK/six.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 has_moved 33200
grep -q checkpoint.lost "$WORK/late.log" || fail "the loss was not said"
equal "values that differ" "$(redis_wrong "$WORK"/six.ndjson)" 0
stop_worker late

say "Redis emptied between two workers"
redis FLUSHALL > /dev/null
expect_exit 0 drover work --until-end > "$WORK/again.log" 2>&1
equal "values that differ" "$(redis_wrong "$WORK"/one.ndjson "$WORK"/two.ndjson "$WORK"/three.ndjson "$WORK"/five.ndjson "$WORK"/six.ndjson)" 0

say "hash form"
use_mapping hash
redis FLUSHALL > /dev/null
expect_exit 0 drover work --until-end > "$WORK/hash.log" 2>&1
equal "a field" "$(redis HGET event:t01:e0 rev)" 6
equal "a list's field" "$(redis HGET event:t00:e0 tags)" '{"a0",NULL}'
say done
