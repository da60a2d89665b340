#!/usr/bin/env bash
# verify --follow --compare-reads: what was found right is read from the old store and the new ones while it goes on; an old
# store that is away stops and slows nothing; a limit that is enforced decides about the exit code.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

export no_proxy=127.0.0.1
use_mapping json
export DROVER_STORAGE=hybrid
start_redis
prepare

. "$(dirname "$0")/one_follower_lib.sh"
FOLLOWER_FLAGS=(--compare-reads 100/s --compare-timeout 20s)
start_old() {
  python3 tests/e2e/old_store.py "$WORK/records.ndjson" "$WORK/port" >> "$WORK/old_store.log" 2>&1 &
  OLD=$!
  PIDS+=("$OLD")
  wait_until 30 test -s "$WORK/port"
}

# records FROM TO: as the old application has them
records() { seq "$1" "$2" | sed 's/.*/{"id":"e&","tenant":"t1","rev":1,"kind":"k","amount":&}/'; }
records 1 500 > "$WORK/records.ndjson"
start_old
export DROVER_COMPARE_OLD=http DROVER_COMPARE_HEADER='X-Key: k3y-of-the-old'
export DROVER_COMPARE_URL="http://reader:s3cret-word@127.0.0.1:$(cat "$WORK/port")/api/{tenant}/{entity}/{id}?token=t0k3n-of-the-old"

say "the same records are read from all three, while it compares; a full pass beside it reads none"
start_worker worker
wait_until 60 has_sentinel
start_follower --json --compare-limit 1000 --compare-enforce --full-every 3s
wait_until 60 has_begun 1
records 1 300 > "$WORK/one.ndjson"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
wait_until 120 is '.compared == 300 and ([.reads_compared.stores[] | .reads >= 200] | all)'
AFTER=$(date -u +%FT%T)
wait_until 120 is ".full_pass.began > \"$AFTER\" and .full_pass.problems == 0 and (.full_pass.failed | not)"
equal "stores" "$(last '[.reads_compared.stores[].store] | join(" ")')" "http PostgreSQL Redis"
equal "what became of reads" "$(last '[.reads_compared.stores[] | .not_found + .refused + .errors] | add')" 0
equal "keys" "$(last .reads_compared.keys)" 300
equal "percentiles in order" "$(last '[.reads_compared.stores[] | .p50_seconds > 0 and .p50_seconds <= .p95_seconds and .p95_seconds <= .p99_seconds and .p99_seconds <= .max_seconds] | all')" true
equal "without an end" "$(last '.reads_compared | [.for_seconds == null, .enforced, .verdict] | join(" ")')" "true true holds"

say "a record that is deleted is read no more"
for i in 1 2 3; do
  printf 't1/event/e%d\t\n' "$i" | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -K '\t' -Z -X partitioner=murmur2 \
    -H drover-tenant=t1 -H drover-entity=event -H "drover-id=e$i" -H drover-version=9
done
wait_until 90 is '.compared == 303 and .reads_compared.keys == 297'

say "the limit is held: exit code 0; figures in the report, and by minute"
end_follower 0
requests=$(python3 -c 'import json, sys, urllib.request as u; print(json.load(u.urlopen(u.Request(sys.argv[1], method="POST"), timeout=60))["requests"])' "http://127.0.0.1:$(cat "$WORK/port")/")
beyond=$(( requests - $(last '.reads_compared.stores[0].reads') ))
[ "$beyond" -ge 0 ] && [ "$beyond" -lt 500 ] || fail "the old store was asked $beyond times more than the follower counted"
equal "report.json" "$(jq -r '.reads_compared | [.verdict, (.stores | length)] | join(" ")' "$WORK/report/latest/report.json")" "holds 3"
equal "by minute" "$(jq -r '[.minutes[] | select(.old_p99_ms != null and .new_p50_ms != null)] | length > 0' "$WORK/report/latest/report.json")" true
grep -q '<section id="reads">' "$WORK/report/latest/report.html" || fail "no section in report.html"

say "an old store that is away: it is said, and the comparing goes on"
: > "$WORK/follow.out"
start_follower --json --compare-limit 1000 --compare-enforce --full-every 0
wait_until 60 has_begun 2
records 301 400 > "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 90 is '.compared == 403 and .reads_compared.stores[0].reads > 0'
kill -9 "$OLD"
wait "$OLD" 2> /dev/null || true
wait_until 120 is '.reads_compared.stores[0].errors >= 200'
records 401 500 > "$WORK/three.ndjson"
drover produce "$WORK/three.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 90 has_compared 503
equal "the others" "$(last '[.reads_compared.stores[1:][] | .errors] | add')" 0
end_follower 5 # of a limit that is enforced nothing can be said
equal "no discrepancy" "$(last .discrepancies)" 0
equal "in the report" "$(jq -r '[.verdict, .reads_compared.verdict, .exit_code] | join(" ")' "$WORK/report/latest/report.json")" "discrepancy unknown 5"
grep -q 'TOO SLOW' "$WORK/report/latest/report.html" || fail "report.html does not say TOO SLOW"

say "a limit that nobody holds, not enforced: said in the line, exit code 0"
rm "$WORK/port"
start_old
DROVER_COMPARE_URL="http://127.0.0.1:$(cat "$WORK/port")/api/{tenant}/{entity}/{id}?token=t0k3n-of-the-old"
: > "$WORK/follow.out"
start_follower --compare-limit 0.0001 --full-every 0
wait_until 60 has_begun 3
records 301 500 | sed 's/"rev":1/"rev":2/' > "$WORK/four.ndjson"
drover produce "$WORK/four.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 90 grep -q 'slower than 0.0001 times' "$WORK/follow.out"
end_follower 0
last_line=$(grep '^compared ' "$WORK/follow.out" | tail -n 1)
grep -qE ' · reads p99: http [0-9.]+ ms, PostgreSQL [0-9.]+ ms, Redis [0-9.]+ ms \(slower than 0.0001 times\)' <<< "$last_line" || fail "its line: $last_line"

say "what cannot be compared is refused at once; no secret is told"
DROVER_COMPARE_URL=http://h/{key} expect_exit 3 drover verify --follow --compare-reads 10/s > "$WORK/refused.log" 2>&1
has "$WORK/refused.log" "there is no {key} here"
python3 "$CHECKER" "$WORK/report/latest/report.json" >&"$TELL" || fail "the report does not fit its schema"
if grep -rnE 's3cret-word|t0k3n-of-the-old|k3y-of-the-old' "$WORK"/*.log "$WORK/follow.out" "$WORK/report"; then fail "a secret was told"; fi
stop_worker worker
say done
