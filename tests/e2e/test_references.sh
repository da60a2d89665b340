#!/usr/bin/env bash
# Children before their parents (FAULTS P26): articles refer to baskets, baskets to customers. They are
# produced in the worst order, over several partitions; a worker is killed while they wait; whose
# parent never comes ends in the dead letters with DRV-P111, and verify names it.
. tests/e2e/lib.sh

sed -i "s|^mappings:.*|mappings: [$PWD/tests/e2e/data/family]|" "$WORK/drover.yaml"
prepare
equal "foreign keys" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conname = 'drover_fk_1'")" 2
drover schema apply > "$WORK/schema2.log" 2>&1
grep -q 'up to date' "$WORK/schema2.log" || fail "a second schema apply changes something"

# 600 customers of 3 tenants, one basket and one article each
awk -v dir="$WORK" 'BEGIN {
  for (i = 0; i < 600; i++) {
    t = "t" i % 3; id = int(i / 3)
    printf "{\"id\":%d,\"tenant\":\"%s\",\"rev\":1,\"name\":\"n%d\"}\n", id, t, i > (dir "/customer.ndjson")
    printf "{\"customer\":%d,\"no\":1,\"tenant\":\"%s\",\"rev\":1}\n", id, t > (dir "/basket.ndjson")
    printf "{\"id\":\"a%d\",\"customer\":%d,\"basket\":1,\"tenant\":\"%s\",\"rev\":1}\n", id, id, t > (dir "/article.ndjson")
  }
}'

waiting() { psql "$ADMIN" -Atc "SELECT count(*) FROM drover.waiting WHERE state IS NULL"; }
rows() { psql "$ADMIN" -Atc "SELECT count(*) FROM public.$1 WHERE NOT drover_deleted"; }
waits_for() { [ "$(waiting)" = "$1" ]; }
has_rows() { [ "$(rows "$1")" = "$2" ]; }
is_empty() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM drover.waiting")" = 0 ]; }

say "grandchildren and children first: all of them wait"
drover produce "$WORK/article.ndjson" > "$WORK/produce.log" 2>&1
drover produce "$WORK/basket.ndjson" >> "$WORK/produce.log" 2>&1
start_worker one
wait_until 40 is_drained
wait_until 60 waits_for 1200
equal "articles" "$(rows article)" 0
equal "dead letters" "$(drover status --json | jq .counts.dead_lettered)" 0

say "killed while they wait"
kill -9 "$one_PID"
start_worker two

say "then the parents"
drover produce "$WORK/customer.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 40 has_rows article 600
wait_until 40 is_empty
equal "baskets" "$(rows basket)" 600
equal "customers" "$(rows customer)" 600
equal "dead letters" "$(drover status --json | jq .counts.dead_lettered)" 0
stop_worker two
drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"

say "parents and children in one file's order of tenants: the same batches hold both"
awk '{ sub(/"rev":1/, "\"rev\":2"); print }' "$WORK/basket.ndjson" > "$WORK/basket2.ndjson"
drover produce "$WORK/basket2.ndjson" >> "$WORK/produce.log" 2>&1
drover work --until-end > "$WORK/three.log" 2>&1 || fail "worker: exit $?"
is_empty || fail "a record waits though its parent is there"

say "a parent that never comes"
printf '{"customer":%d,"no":9,"tenant":"t0","rev":1}\n' 990001 990002 990003 > "$WORK/basket3.ndjson"
printf '{"id":"orphan","customer":990001,"basket":9,"tenant":"t0","rev":1}\n' > "$WORK/article3.ndjson"
drover produce "$WORK/basket3.ndjson" >> "$WORK/produce.log" 2>&1
drover produce "$WORK/article3.ndjson" >> "$WORK/produce.log" 2>&1
start_worker four --parent-wait 2s
dead_letters() { kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.dlq" -e -q -f '%s\t%h\n' 2>/dev/null; }
has_dead_letters() { [ "$(dead_letters | grep -c DRV-P111)" = "$1" ]; }
wait_until 40 has_dead_letters 4
wait_until 60 is_empty
dead_letters | grep -q '^{"id":"orphan","customer":990001,"basket":9,"tenant":"t0","rev":1}	' \
  || fail "the orphan's message is not in its dead letter as it was"
stop_worker four
expect_exit 5 drover verify > "$WORK/verify2.log" 2>&1
grep -q 'DRV-P111' "$WORK/verify2.log" || fail "verify does not name DRV-P111"
equal "verifier's count" "$(jq '.counts.deadLettered // .counts["dead-lettered"] // .counts.dead_lettered' "$WORK/report/latest/report.json")" 4
say ok
