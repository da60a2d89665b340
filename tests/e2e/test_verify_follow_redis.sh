#!/usr/bin/env bash
# drover verify --follow with storage hybrid: what Redis holds is compared with the row once Redis has followed; a key that
# somebody changed is found; a Redis that is away, or was emptied, is waited for and is no discrepancy.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

use_mapping json
export DROVER_STORAGE=hybrid
start_redis
prepare

# start_follower: in the background; its documents go on in follow.out
start_follower() {
  "$DROVER" verify --follow --json --full-every 0 --backlog 1000 --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follow.out" 2>> "$WORK/follow.log" &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
}
kill_follower() { kill -9 "$FOLLOWER"; wait "$FOLLOWER" 2> /dev/null || true; }
last() { tail -n 1 "$WORK/follow.out" | jq -r "$1"; }
has_begun() { [ "$(grep -c follow.begun "$WORK/follow.log")" -ge "$1" ]; }
has_compared() { [ "$(last .compared)" = "$1" ] && [ "$(last .behind)" = 0 ] && [ "$(last .suspects)" = 0 ]; }
said() { grep -qF -- "$1" "$WORK/follow.log"; }

say "all of it matches, in PostgreSQL and in Redis"
start_worker worker
wait_until 60 has_sentinel
: > "$WORK/follow.out"
start_follower
wait_until 60 has_begun 1
generate 2000 10 1 "$WORK/one.ndjson"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
wait_until 90 has_compared 2000
equal "discrepancies" "$(last .discrepancies)" 0
kill_follower

say "keys that were changed, and one that was removed, before they were looked at"
generate 1000 10 2 "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 is_drained
wait_until 60 redis_is_level
redis SET event:t03:e7 '{"id":"e7"}' > /dev/null
redis DEL event:t04:e8 > /dev/null
start_follower
wait_until 90 has_compared 3000
equal "different" "$(last '.verdicts[] | select(.verdict == "different") | .count')" 1
equal "missing" "$(last '.verdicts[] | select(.verdict == "missing") | .count')" 1
equal "match" "$(last '.verdicts[] | select(.verdict == "match") | .count')" 2998

say "Redis is killed, and comes back empty: nobody is judged until it is filled again, and then everybody, however many they are"
kill_redis
generate 1500 10 3 "$WORK/three.ndjson"
drover produce "$WORK/three.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 said redis.away
start_redis
drover rebuild redis > "$WORK/rebuild.log" 2>&1 || true
wait_until 90 has_sentinel
wait_until 120 has_compared 4500
equal "discrepancies" "$(last .discrepancies)" 2
kill -TERM "$FOLLOWER"
status=0
wait "$FOLLOWER" || status=$?
equal "exit code of the follower" "$status" 5
stop_worker worker
say done
