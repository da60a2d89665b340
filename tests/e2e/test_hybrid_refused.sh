#!/usr/bin/env bash
# storage hybrid: what else happens to a batch is nothing to a row that was written. Batches of random
# unchanged, older, newer, new and refused records; after each, Redis holds what PostgreSQL's rows hold.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

SEED=${DROVER_SEED:-$RANDOM}
echo "seed $SEED"
export DROVER_STORAGE=hybrid AI_STORAGE_TYPE=hybrid
use_mapping json
sed -i 's/partitions: 6/partitions: 2/' "$WORK/drover.yaml"
start_redis
prepare
psql "$ADMIN" -qc "ALTER TABLE public.event ADD CONSTRAINT small CHECK (amount < 1000)"

# round NUMBER FILE: 60 records of 12 keys in 3 tenants; revisions about the round's number, a tenth refused
round() {
  awk -v round="$1" -v seed="$SEED$1" 'BEGIN {
    srand(seed)
    for (i = 0; i < 60; i++)
      printf "{\"id\":\"k%d\",\"tenant\":\"t%d\",\"rev\":%d,\"kind\":\"k\",\"amount\":%d}\n", int(rand() * 12),
        int(rand() * 3), round + int(rand() * 4), rand() < 0.1 ? 5000 : int(rand() * 2)
  }' > "$2"
}

rows() { psql "$ADMIN" -qAt -c "SELECT isolation_key || ':' || id || ' ' || rev || ' ' || amount::int FROM public.event ORDER BY 1"; }

values() {
  redis --scan --pattern 'event:*' | grep -v ':v$' | sort > "$WORK/keys" || true
  sed 's/^/GET /' "$WORK/keys" | redis | jq -r '"\(.tenant):\(.id) \(.rev) \(.amount)"' | sort
}

same() { diff <(rows | LC_ALL=C sort) <(values | LC_ALL=C sort) > "$WORK/diff"; }

say "1 unchanged, 2 newer, 3 new, 4 refused in one batch"
printf '{"id":"%s","tenant":"t1","rev":1,"kind":"k","amount":1}\n' 1 2 > "$WORK/first.ndjson"
printf '{"id":"%s","tenant":"t1","rev":%s,"kind":"k","amount":%s}\n' 1 1 1  2 2 1  3 1 1  4 1 5000 > "$WORK/second.ndjson"
for file in first second; do
  drover produce "$WORK/$file.ndjson" > "$WORK/produce.log" 2>&1
  expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
done
equal "rows" "$(rows | tr '\n' ' ')" "t1:1 1 1 t1:2 2 1 t1:3 1 1 "
equal "values" "$(values | tr '\n' ' ')" "t1:1 1 1 t1:2 2 1 t1:3 1 1 "

say "twelve random rounds"
for number in {1..12}; do
  round "$number" "$WORK/round.ndjson"
  drover produce "$WORK/round.ndjson" > "$WORK/produce.log" 2>&1
  expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
  same || fail "round $number: rows (<) and values (>) differ: $(head -c 600 "$WORK/diff")"
done
[ "$(drover status --json | jq '.counts.dead_lettered')" -gt 10 ] || fail "no round refused anything"
say done
