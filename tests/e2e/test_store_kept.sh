#!/usr/bin/env bash
# What a group is pinned to: workers with another storage are refused, and what storage database wrote
# in between is in Redis when hybrid comes back. A ttl that the mapping no longer has goes; one it has
# now comes, also for records that are unchanged.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

moved() { psql "$ADMIN" -Atc "SELECT coalesce(sum(redis_next), 0) FROM drover.partition_progress"; }
ttl_mapping() { use_mapping "$1"; [ -z "${2:-}" ] || sed -i "s/^redis: {/& ttl: $2,/" "$WORK/event.yaml"; }

start_redis
use_mapping json
export AI_STORAGE_TYPE=hybrid
prepare
generate 600 6 1 "$WORK/one.ndjson"
generate 600 6 2 "$WORK/two.ndjson"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/hybrid.log" 2>&1
equal "records that Redis has" "$(moved)" 600

say "a worker with storage database is refused in a group that works with hybrid"
drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 3 drover work --until-end --storage database > "$WORK/refused.log" 2>&1
grep -q 'DRV-W013.*works with storage hybrid' "$WORK/refused.log" || fail "the refusal is not said"
grep -q 'schema apply .*--storage database' "$WORK/refused.log" || fail "what to do is not said"

say "taken over, it writes and leaves Redis' place as it is; hybrid again fills what is missing there"
drover schema apply --storage database > "$WORK/schema.log" 2>&1
expect_exit 0 drover work --until-end --storage database > "$WORK/database.log" 2>&1
check_equal "$WORK/one.ndjson" "$WORK/two.ndjson"
equal "records that Redis has" "$(moved)" 600
expect_exit 3 drover work --until-end > "$WORK/refused.log" 2>&1
drover schema apply > "$WORK/schema.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/hybrid.log" 2>&1
wait_until 20 redis_equals "$WORK/one.ndjson" "$WORK/two.ndjson"
equal "records that Redis has" "$(moved)" 1200

export AI_STORAGE_TYPE=redis
for form in hash json; do
  say "storage redis, $form: a ttl that its mapping no longer has goes, one that it has now comes"
  redis FLUSHALL > /dev/null
  ttl_mapping "$form" 1h
  expect_exit 0 drover work --until-end > "$WORK/ttl.log" 2>&1
  [ "$(redis TTL event:t01:e1)" -gt 3000 ] || fail "no ttl: $(redis TTL event:t01:e1)"
  redis DEL "drover:pins:drover.$DROVER_MIGRATION.worker" > /dev/null
  ttl_mapping "$form"
  generate 6 6 3 "$WORK/three.ndjson" # e0 of each tenant is newer, the rest unchanged
  drover produce --again "$WORK/two.ndjson" "$WORK/three.ndjson" > "$WORK/produce.log" 2>&1
  expect_exit 0 drover work --until-end > "$WORK/ttl.log" 2>&1
  equal "the ttl of a newer one" "$(redis TTL event:t01:e0)" -1
  equal "the ttl of an unchanged one" "$(redis TTL event:t01:e1)" -1
  [ "$form" = hash ] || equal "its meta's" "$(redis TTL event:t01:e1:v)" -1
  redis DEL "drover:pins:drover.$DROVER_MIGRATION.worker" > /dev/null
  ttl_mapping "$form" 30m
  drover produce --again "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
  expect_exit 0 drover work --until-end > "$WORK/ttl.log" 2>&1
  [ "$(redis TTL event:t01:e1)" -gt 1500 ] || fail "no ttl: $(redis TTL event:t01:e1)"
done
say done
