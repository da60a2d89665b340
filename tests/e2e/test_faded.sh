#!/usr/bin/env bash
# What time took from Redis is no fault, also when the same records are produced again; what is
# pending is no match, and has its sealed values when it gets in; a topic that ends before what was
# committed halts its partition.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

export DROVER_STORAGE=hybrid AI_STORAGE_TYPE=hybrid
cat > "$WORK/node.yaml" <<'YAML'
entity: node
collect: { files: ["*.ndjson"] }
table: node
key: [id]
tenant: { from: /tenant }
version: { from: /rev, as: number }
columns:
  - { name: id, from: /id, type: text }
  - { name: up, from: /up, type: text }
  - { name: secret, from: /secret, type: text, seal: true }
rest: extra
references: [ { columns: [up], entity: node } ]
redis: { key: "node:{isolation_key}:{id}", ttl: 2s }
YAML
sed -i "s|^mappings: .*|mappings: [$WORK/node.yaml]|; s/partitions: 6/partitions: 1/" "$WORK/drover.yaml"
drover secret keygen "$WORK/key" > /dev/null
export DROVER_KEY_FILE=$WORK/key
start_redis
prepare

say "children that waited have their sealed values in the vault"
printf '{"tenant":"t","id":"c%d","rev":1,"up":"p%d","secret":"s%d"}\n' 1 1 1 2 2 2 3 3 3 > "$WORK/children.ndjson"
printf '{"tenant":"t","id":"p%d","rev":1,"secret":"q%d"}\n' 1 1 2 2 3 3 > "$WORK/parents.ndjson"
waiting() { psql "$ADMIN" -Atc "SELECT count(*) FROM drover.waiting WHERE state IS NULL"; }
three_wait() { [ "$(waiting)" = 3 ]; }
none_waits() { [ "$(waiting)" = 0 ]; }
start_worker A
drover produce "$WORK/children.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 three_wait
say "while they wait, nobody says MATCH"
expect_exit 5 drover verify > "$WORK/verify.log" 2>&1
grep -q '3 pending' "$WORK/verify.log" || fail "verify does not say what waits"
drover produce "$WORK/parents.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 none_waits
wait_until 60 redis_is_level
equal "boxes" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM drover.credential_vault")" 6
stop_worker A
equal "classes" "$(drover status --json | jq -c '[.counts.applied, .counts.superseded, .counts.pending]')" "[6,0,0]"

say "values that faded, and the same records once more"
all_faded() { [ "$(redis --scan --pattern 'node:*' | grep -vc ':v$' || true)" = 0 ]; }
wait_until 30 all_faded
expect_exit 0 drover verify > "$WORK/verify.log" 2>&1
drover produce --again "$WORK/parents.ndjson" "$WORK/children.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 drover verify > "$WORK/verify.log" 2>&1

say "the topic ends before what was committed"
psql "$ADMIN" -qc "UPDATE drover.partition_progress SET next_offset = 500, redis_next = 500"
expect_exit 6 drover work --until-end > "$WORK/anew.log" 2>&1
grep -q 'the topic ends at 12, but 500 has been committed' "$WORK/anew.log" || fail "not said why"
say done
