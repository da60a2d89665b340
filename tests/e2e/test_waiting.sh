#!/usr/bin/env bash
# Time that passes is no fault of a record: children whose parents lie behind a backlog, or come after an outage, longer than
# work.parent_wait get in; at the end of everything those without a parent are named at once. And what became of those that waited
# adds up everywhere: run, status, report.
. "$(dirname "$0")/lib.sh"

mkdir "$WORK/family" "$WORK/sources"
cp "$PWD"/tests/e2e/data/family/*.yaml "$WORK/family"
sed 's/^collect:.*/collect: { files: ["event*.ndjson"] }/' "$PWD/tests/e2e/data/event.yaml" > "$WORK/family/event.yaml"
sed -i "s|^mappings:.*|mappings: [$WORK/family]|" "$WORK/drover.yaml"
echo 'work: { parent_wait: 2s, batch_records: 200 }' >> "$WORK/drover.yaml"
prepare

# family FROM TO: customers, and baskets that refer to them
family() {
  awk -v dir="$WORK" -v from="$1" -v to="$2" 'BEGIN {
    for (i = from; i < to; i++) {
      t = "t" i % 3
      printf "{\"id\":%d,\"tenant\":\"%s\",\"rev\":1,\"name\":\"n%d\"}\n", i, t, i > (dir "/customer.ndjson")
      printf "{\"customer\":%d,\"no\":1,\"tenant\":\"%s\",\"rev\":1}\n", i, t > (dir "/basket.ndjson")
    }
  }'
}
produce() { drover produce "$@" >> "$WORK/produce.log" 2>&1; }
waiting() { psql "$ADMIN" -Atc "SELECT count(*) FROM drover.waiting"; }
waits_for() { [ "$(waiting)" = "$1" ]; }
rows() { psql "$ADMIN" -Atc "SELECT count(*) FROM public.$1"; }
dead() { drover status --json 2> "$WORK/status.err" | jq '.counts.dead_lettered'; }

say "a backlog longer than the wait: the parents lie behind it"
slow_down 0.6
family 0 60
generate 12000 1 1 "$WORK/event.ndjson"
produce "$WORK/basket.ndjson"
produce "$WORK/event.ndjson"
produce "$WORK/customer.ndjson"
start_worker A
wait_until 120 is_drained
wait_until 60 waits_for 0
equal "children that got in" "$(rows basket)" 60
equal "dead letters" "$(dead)" 0
speed_up

say "an outage longer than the wait"
family 60 90
produce "$WORK/basket.ndjson"
wait_until 60 waits_for 30
psql "$ROOT_URL" -qc "ALTER DATABASE $NAME WITH ALLOW_CONNECTIONS false"
psql "$ROOT_URL" -Atqc "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$NAME'" > "$WORK/kill.log"
wait_until 30 grep -q postgres.away "$WORK/A.log"
wait_until 30 grep -q pending.away "$WORK/A.log"
produce "$WORK/customer.ndjson"
OUTAGE=$(( SECONDS + 4 ))
is_long() { [ "$SECONDS" -gt "$OUTAGE" ]; }
wait_until 30 is_long
psql "$ROOT_URL" -qc "ALTER DATABASE $NAME WITH ALLOW_CONNECTIONS true"
wait_until 120 waits_for 0
wait_until 60 is_drained
equal "children that got in" "$(rows basket)" 90
equal "dead letters" "$(dead)" 0
[ "$(grep -c pending.away "$WORK/A.log")" -le 2 ] || fail "an outage was said again and again"
grep -q 'pending.back tries=' "$WORK/A.log" || fail "nothing was said when the outage was over"

say "nothing else is produced: who has no parent is named when the wait is over"
echo '{"customer":4711,"no":1,"tenant":"t1","rev":1}' > "$WORK/basket.ndjson"
produce "$WORK/basket.ndjson"
has_dead() { [ "$(dead)" = "$1" ]; }
wait_until 60 has_dead 1
stop_worker A

say "until the end: at once"
sed -i 's/parent_wait: 2s/parent_wait: 30m/' "$WORK/drover.yaml"
echo '{"customer":4712,"no":1,"tenant":"t1","rev":1}' > "$WORK/basket.ndjson"
produce "$WORK/basket.ndjson"
expect_exit 0 timeout 90 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/end.log" 2>&1
equal "dead letters" "$(dead)" 2

say "run: children before their parents, and two without one; it ends at once, and everything adds up"
family 100 150
for id in 5001 5002; do echo "{\"customer\":$id,\"no\":1,\"tenant\":\"t1\",\"rev\":1}" >> "$WORK/basket.ndjson"; done
cp "$WORK/basket.ndjson" "$WORK/customer.ndjson" "$WORK/sources"
touch -d '2 hours ago' "$WORK/sources/basket.ndjson"
expect_exit 5 timeout 150 "$DROVER" run "$WORK/sources" --workers 2 --config "$WORK/drover.yaml" > "$WORK/run.log" 2>&1
grep -q '102 taken = 100 applied .* 2 dead-lettered' "$WORK/run.log" || fail "run does not add up: $(grep taken "$WORK/run.log")"
! grep -q "receipt of" "$WORK/run.log" || fail "$(grep 'receipt of' "$WORK/run.log")"
equal "warnings" "$(jq -c '.warnings' "$WORK/report/latest/report.json")" "[]"
drover status --json > "$WORK/status.json"
equal "classes of status" "$(jq '.counts | add' "$WORK/status.json")" "$(jq .total "$WORK/status.json")"
equal "dead letters" "$(dead)" 4
equal "still waiting" "$(jq .counts.pending "$WORK/status.json")" 0
equal "classes by partition" "$(jq '[.partitions[].counts | add] | add' "$WORK/status.json")" "$(jq .total "$WORK/status.json")"
say done
