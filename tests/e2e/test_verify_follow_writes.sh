#!/usr/bin/env bash
# verify --follow says how long writes take: from the message to its commit, to Redis, and until it was found right; held
# against clocks of the test's own.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

use_mapping json
export DROVER_STORAGE=hybrid
start_redis
prepare

. "$(dirname "$0")/one_follower_lib.sh"
FOLLOWER_FLAGS=(--full-every 0)
now_ms() { date +%s%3N; }
have_waited() { [ $(( $(now_ms) - PRODUCED )) -ge "$1" ]; }

say "what is committed at once, and what waits for a worker"
BEGAN=$(now_ms)
start_worker worker
wait_until 60 has_sentinel
start_follower --json
wait_until 60 has_begun 1
stop_worker worker
generate 1000 10 1 "$WORK/one.ndjson"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
PRODUCED=$(now_ms)
wait_until 60 have_waited 2000
STARTED=$(now_ms)
start_worker worker
wait_until 90 has_compared 1000
generate 500 10 2 "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 90 has_compared 1500
end_follower 0
ENDED=$(now_ms)
writes() { last ".write_latency.$1"; }
equal "messages" "$(writes 'since_start | [.committed.count, .seen_in_redis.count, .verified.count] | join(" ")')" "1500 1500 1500"
equal "in order" "$(writes 'since_start | [.committed, .seen_in_redis, .verified] | map(.p50_seconds <= .p95_seconds and .p95_seconds <= .p99_seconds and .p99_seconds <= .max_seconds) | all')" true
equal "one after the other" "$(writes 'since_start | .committed.p50_seconds <= .seen_in_redis.p50_seconds and .seen_in_redis.p50_seconds <= .verified.p50_seconds')" true
equal "those that waited are charged for it" "$(writes "since_start.committed.p50_seconds * 1000 >= $STARTED - $PRODUCED")" true
equal "within the test" "$(writes "since_start.verified.max_seconds * 1000 <= $ENDED - $BEGAN")" true
equal "the newest" "$(writes 'five_minutes.verified.count > 0 and .write_latency.clock_ahead == 0')" true

say "the same in the report, and in the state topic"
equal "report.json" "$(jq -c .write_latency.since_start "$WORK/report/latest/report.json")" "$(last '.write_latency.since_start | tojson')"
grep -q '<section id="writes">' "$WORK/report/latest/report.html" || fail "no section in report.html"
equal "in the state topic" "$(kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.$NAME.state" 2> /dev/null | jq -s -r '[.[] | select(.kind == "verify")] | last | .write_latency.since_start.verified.count')" 1500

say "a line for people; it begins anew with the process"
start_follower
wait_until 60 has_begun 2
generate 100 10 3 "$WORK/three.ndjson"
drover produce "$WORK/three.ndjson" >> "$WORK/produce.log" 2>&1
reported() { [ "$(kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.$NAME.state" 2> /dev/null | jq -s -r '[.[] | select(.kind == "verify")] | last | .write_latency.since_start.verified.count')" = 100 ]; }
wait_until 90 reported
end_follower 0
grep '^compared ' "$WORK/follow.out" | tail -n 1 | grep -qE ' · p99 of 5 min: committed [0-9.]+ m?s, seen in Redis [0-9.]+ m?s, verified [0-9.]+ m?s' || fail "its line: $(tail -n 1 "$WORK/follow.out")"
stop_worker worker
say done
