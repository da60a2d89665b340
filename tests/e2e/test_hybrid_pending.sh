#!/usr/bin/env bash
# storage hybrid with references: records that waited for their parents reach Redis too, strings and
# hashes, and only then they are forgotten as pending. What `hash` mappings get from a worker and from a
# rebuild is the same.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

export AI_STORAGE_TYPE=hybrid
mkdir "$WORK/family"
cp "$PWD"/tests/e2e/data/family/*.yaml "$WORK/family"
echo 'redis: { key: "article:{isolation_key}:{id}", value: hash }' >> "$WORK/family/article.yaml"
echo 'redis: { key: "basket:{isolation_key}:{id}" }' >> "$WORK/family/basket.yaml"
sed -i "s|^mappings:.*|mappings: [$WORK/family]|" "$WORK/drover.yaml"
start_redis
prepare
awk -v dir="$WORK" 'BEGIN {
  for (i = 0; i < 60; i++) {
    t = "t" i % 3; id = int(i / 3)
    printf "{\"id\":%d,\"tenant\":\"%s\",\"rev\":1,\"name\":\"n%d\"}\n", id, t, i > (dir "/customer.ndjson")
    printf "{\"customer\":%d,\"no\":1,\"tenant\":\"%s\",\"rev\":1}\n", id, t > (dir "/basket.ndjson")
    printf "{\"id\":\"a%d\",\"customer\":%d,\"basket\":1,\"tenant\":\"%s\",\"rev\":1}\n", id, id, t > (dir "/article.ndjson")
  }
}'

keys() { redis --scan --pattern "$1:*" | grep -vc ':v$' || true; }
has_keys() { [ "$(keys "$1")" = "$2" ]; }
waiting() { psql "$ADMIN" -Atc "SELECT count(*) FROM drover.waiting"; }
waits_for() { [ "$(waiting)" = "$1" ]; }

say "children first: they wait, and Redis has none of them"
start_worker A
drover produce "$WORK/article.ndjson" > "$WORK/produce.log" 2>&1
drover produce "$WORK/basket.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 40 waits_for 120
equal "articles in Redis" "$(keys article)" 0

say "the parents come while Redis is away: nothing is forgotten"
kill_redis
drover produce "$WORK/customer.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 40 has_committed 180
wait_until 60 grep -q redis.away "$WORK/A.log"
equal "still pending" "$(waiting)" 120
start_redis
wait_until 40 waits_for 0
wait_until 60 has_keys article 60
wait_until 60 has_keys basket 60
wait_until 60 has_sentinel

say "a worker's hash and a rebuilt one are the same"
redis HGETALL article:t1:a7 | paste - - | sort > "$WORK/by_worker"
grep -q . "$WORK/by_worker" || fail "no article"
stop_worker A
redis FLUSHALL > /dev/null
drover rebuild redis --json > "$WORK/rebuild.json" 2> "$WORK/rebuild.log"
equal "rebuilt" "$(jq .applied "$WORK/rebuild.json")" 120
redis HGETALL article:t1:a7 | paste - - | sort > "$WORK/by_rebuild"
diff "$WORK/by_worker" "$WORK/by_rebuild" || fail "the two differ"
say "SIGTERM while a sweep waits for a lock: the worker ends in time"
start_worker B
sed 's/"customer":/"customer":9/' "$WORK/basket.ndjson" > "$WORK/basket_lonely.ndjson"
drover produce "$WORK/basket_lonely.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 40 waits_for 60
psql "$ADMIN" -q > "$WORK/lock.log" 2>&1 <<< 'BEGIN; LOCK TABLE drover.waiting; SELECT pg_sleep(300)' &
LOCK_PID=$!
PIDS+=("$LOCK_PID")
sweep_waits() {
  [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_stat_activity WHERE datname = '$NAME' AND
    application_name = 'drover-pending' AND wait_event_type = 'Lock'")" -gt 0 ]
}
wait_until 60 sweep_waits
stop_worker B
kill "$LOCK_PID" 2> /dev/null || true
end_sessions "query LIKE '%pg_sleep%'"
psql "$ADMIN" -qc 'DELETE FROM drover.waiting'

say "until the end, with children that wait for nobody any more"
expect_exit 0 drover work --until-end > "$WORK/end.log" 2>&1
say done
