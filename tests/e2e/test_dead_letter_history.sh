#!/usr/bin/env bash
# Dead letters are sent before their batch is committed. Here that fails: the worker is killed while the batch waits for a
# lock. The mapping is corrected, and the records get in, at the same offsets: but for the one that is dead for good their
# dead letters are history.
. "$(dirname "$0")/lib.sh"

cat > "$WORK/thing.yaml" <<'EOF_YAML'
entity: thing
collect: { files: ["things*"] }
table: thing
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: int4 }
  - { name: n,  from: /n, type: text, allow: [few] }
rest: extra
EOF_YAML
sed -i "s#^mappings:.*#mappings: [$WORK/thing.yaml]#; s/partitions: 6/partitions: 1/" "$WORK/drover.yaml"
prepare
for i in $(seq 30); do
  word=many
  [ $(( i % 3 )) != 0 ] || word=few
  [ "$i" != 20 ] || word=none
  printf '{"tenant":"t","id":%d,"n":"%s"}\n' "$i" "$word"
done > "$WORK/things.ndjson"
sql() { psql "$ADMIN" -Atqc "$1"; }
dead_letters() { kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.dlq" -e -q -f '%o\n' 2>/dev/null | wc -l; }
found() { jq -c "$1" "$WORK/report/latest/report.json"; }

say "dead letters are sent, and their batch is not committed"
PGAPPNAME=drover-killed start_worker A
is_claimed() { [ "$(sql "SELECT count(*) FROM drover.partition_progress WHERE owner <> ''")" = 1 ]; }
wait_until 60 is_claimed
psql "$ADMIN" -qc 'BEGIN' -c 'SELECT 1 FROM drover.partition_progress FOR UPDATE' -c 'SELECT pg_sleep(600)' > "$WORK/lock.log" 2>&1 &
PIDS+=("$!")
is_locked() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND datname = current_database()")" = 1 ]; }
wait_until 30 is_locked
drover produce "$WORK/things.ndjson" > "$WORK/produce.log" 2>&1
is_sent() { [ "$(dead_letters)" = 20 ]; }
wait_until 60 is_sent
kill -9 "$A_PID"
wait "$A_PID" 2>/dev/null || true
end_sessions "application_name = 'drover-killed'" # before the lock goes, for which its batch waits
end_sessions "query = 'SELECT pg_sleep(600)'"
equal "rows" "$(sql 'SELECT count(*) FROM public.thing')" 0

say "with the corrected mapping they get in, all but one"
sed -i 's/allow: \[few\]/allow: [few, many]/' "$WORK/thing.yaml"
drover schema apply > "$WORK/schema.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/again.log" 2>&1
equal "rows" "$(sql 'SELECT count(*) FROM public.thing')" 29
expect_exit 5 drover verify > "$WORK/verify.log" 2>&1
equal "match, dead, extra, missing" "$(found '[.counts.match, .counts.dead_lettered, .beside.extra, .counts.missing]')" '[29,1,0,0]'
equal "warnings" "$(found .warnings)" '[]'
say done
