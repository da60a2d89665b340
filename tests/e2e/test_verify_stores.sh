#!/usr/bin/env bash
# The verifier over every store: redis and file instead of the tables, Redis beside them in hybrid, and what
# stands beside the records: rows of unexpected tenants, orphans, sealed values, soft deletes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

report() { jq -r "$1" "$WORK/report/latest/report.json"; }
sql() { psql "$ADMIN" -q -v ON_ERROR_STOP=1 "$@"; }

start_redis
use_mapping json
export AI_STORAGE_TYPE=hybrid
prepare
generate 2000 10 5 "$WORK/first.ndjson"
drover produce "$WORK/first.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1

say "hybrid: Redis is compared with the tables"
expect_exit 0 drover verify --source "$WORK/first.ndjson" > "$WORK/verify.log"
equal "redis" "$(report '.redis | [.match, .different, .missing, .extra] | join(" ")')" "2000 0 0 0"

say "V16: a hundred edits in Redis alone, each is found"
for i in $(seq 0 39); do
  redis SET "event:t01:e$i" "$(redis GET "event:t01:e$i" | jq -c '.kind = "edited"')" > /dev/null
  redis DEL "event:t02:e$i" "event:t02:e$i:v" > /dev/null
done
sql -c "CREATE TABLE whole AS SELECT * FROM event WHERE isolation_key = 't03' AND rev = 5 AND id < 'e12'" \
  -c "DELETE FROM event AS e USING whole AS w WHERE (e.isolation_key, e.id) = (w.isolation_key, w.id)"
GONE=$(psql "$ADMIN" -Atc "SELECT count(*) FROM whole")
expect_exit 5 drover verify > "$WORK/verify.log"
equal "redis" "$(report '.redis | [.match, .different, .missing, .extra] | join(" ")')" "$(( 1920 - GONE )) 40 40 $GONE"
equal "the tables" "$(report '[.counts.match, .counts.different, .counts.missing, .verdict] | join(" ")')" \
  "$(( 2000 - GONE )) 0 $GONE discrepancy"
grep -q '^redis against the tables: .* match, 40 different, 40 missing' "$WORK/verify.log" || fail "no line about Redis"
sql -c "INSERT INTO event SELECT * FROM whole" -c "DROP TABLE whole"

say "rows of a tenant the source does not have are foreign, others extra"
sql <<'SQL'
INSERT INTO event (isolation_key, id, tenant, rev, kind, amount, at, tags, extra, drover_version, drover_generation, drover_digest)
  SELECT 'stranger', id, tenant, rev, kind, amount, at, tags, extra, drover_version, drover_generation, drover_digest
  FROM event WHERE isolation_key = 't01' AND id IN ('e1', 'e2');
INSERT INTO event (isolation_key, id, tenant, rev, kind, amount, at, tags, extra, drover_version, drover_generation, drover_digest)
  SELECT isolation_key, 'more', tenant, rev, kind, amount, at, tags, extra, drover_version, drover_generation, drover_digest
  FROM event WHERE isolation_key = 't01' AND id = 'e3';
SQL
AI_STORAGE_TYPE=database expect_exit 5 drover verify --show-values > "$WORK/verify.log"
equal "foreign, extra" "$(report '[.beside.unexpected_tenant, .beside.extra, .counts.match] | join(" ")')" "2 1 2000"
equal "samples" "$(report '[.samples[] | [.verdict, .tenant] | join(" ")] | unique | join(",")')" "extra t01,unexpected_tenant stranger"
sql -c "DELETE FROM event WHERE isolation_key = 'stranger' OR id = 'more'"

for storage in redis file; do
  say "storage $storage: read through its own store"
  export AI_STORAGE_TYPE=$storage DROVER_MIGRATION=${NAME}_$storage
  [ "$storage" = file ] || redis FLUSHALL > /dev/null
  drover topics apply > "$WORK/topics.log" 2>&1
  drover produce "$WORK/first.ndjson" > "$WORK/produce.log" 2>&1
  expect_exit 0 drover work --until-end --store-dir "$WORK/store" > "$WORK/work_$storage.log" 2>&1
  expect_exit 0 drover verify --store-dir "$WORK/store" --source "$WORK/first.ndjson" > "$WORK/verify.log"
  equal "match" "$(report '[.counts.match, .source_records, .rows] | join(" ")')" "2000 2000 2000"
done

say "storage file: damage is found and named"
sqlite() { python3 - "$WORK/store/.drover/state.db" "$1" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(sys.argv[2])
db.commit()
PY
}
sqlite "UPDATE record SET json = replace(json, '\"kind\"', '\"kin\"') WHERE tenant = 't01' AND id = 'e1'"
sqlite "DELETE FROM record WHERE tenant = 't01' AND id = 'e2'"
sqlite "UPDATE record SET version = 4 WHERE tenant = 't01' AND id = 'e3'"
sqlite "UPDATE record SET id = 'e4x' WHERE tenant = 't01' AND id = 'e4'"
expect_exit 5 drover verify --store-dir "$WORK/store" > "$WORK/verify.log"
# records are read where they lie: what was changed in the database alone shows in versions, ids and the file that no longer fits
equal "file" "$(report '[.counts.match, .counts.different, .counts.missing, .counts.stale, .beside.extra, .files.edited] | join(" ")')" "1997 0 2 1 1 1"

say "storage redis: a delete that spells the id in its own way is the record's, and the verdict is what Redis holds"
export AI_STORAGE_TYPE=redis DROVER_MIGRATION=${NAME}_redis
printf 't01/event/%%65199\t' | kcat -P -b "$KAFKA_BROKERS" -t "drover.$DROVER_MIGRATION.source" -K $'\t' -Z \
  -H drover-tenant=t01 -H drover-entity=event -H drover-id=%65199 -H drover-version=9
expect_exit 0 drover work --until-end > "$WORK/work_redis.log" 2>&1
equal "the record is gone" "$(redis EXISTS event:t01:e199)" 0
expect_exit 0 drover verify > "$WORK/verify.log"
redis SET event:t01:e199 "$(redis GET event:t01:e198)" > /dev/null
expect_exit 5 drover verify > "$WORK/verify.log"
redis DEL event:t01:e199 > /dev/null

say "storage redis: damage is found and named"
redis SET event:t01:e1 "$(redis GET event:t01:e1 | jq -c 'del(.kind)')" > /dev/null
redis DEL event:t01:e2 event:t01:e2:v > /dev/null
expect_exit 5 drover verify > "$WORK/verify.log"
equal "redis" "$(report .counts.different)" 1
redis EXPIRE event:t01:e3 600 > /dev/null
expect_exit 5 drover verify > "$WORK/verify.log"
equal "a key that will vanish" "$(report '[.counts.different, (.samples[] | select(.reason // "" | test("ttl")) | .reason)] | join(" ")')" "2 the key has a ttl, its mapping has none"
redis PERSIST event:t01:e3 > /dev/null
redis SET event:t01:of_nobody '{"id":"of_nobody"}' > /dev/null
redis SET event:t02:junk:v 'none of ours' > /dev/null
expect_exit 5 drover verify --show-values > "$WORK/verify.log"
equal "keys of nobody" "$(report '[.counts.different, .redis.unowned] | join(" ")') $(report '[.redis_samples[]?.name] | sort | join(" ")')" "1 2 event:t01:of_nobody event:t02:junk:v"
grep -q "redis, beside the records: 2 unowned" "$WORK/verify.log" || fail "it is not told"
redis DEL event:t01:of_nobody event:t02:junk:v > /dev/null
[ "$(report .counts.missing)" -ge 1 ] || fail "the key that is gone is not missed"

say "storage redis: a Redis that lost everything is named, and is no match"
redis FLUSHDB > /dev/null
expect_exit 5 drover verify > "$WORK/verify.log" 2>&1
grep -q 'DRV-W012: the receipts tell of records up to offset' "$WORK/verify.log" || fail "the loss is not named: $(tail -n 3 "$WORK/verify.log")"

say "sealed values are compared with the key, orphans are counted"
export AI_STORAGE_TYPE=database DROVER_MIGRATION=${NAME}_storage
sed -i "s|^mappings: .*|mappings: [$PWD/schemas/mappings]|" "$WORK/drover.yaml"
drover secret keygen --key-file "$WORK/drover.key" > "$WORK/keygen.log" 2>&1
prepare
STORAGE=$WORK/acme.json
jq 'del(.auth_token, .ai_agents_globex, .ui_preferences_globex, .chat_session_lost, .chat_session_cut)' \
  schemas/samples/local_storage/acme.json > "$STORAGE"
drover produce --tenant acme --user u1 --key-file "$WORK/drover.key" "$STORAGE" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work_storage.log" 2>&1
expect_exit 0 drover verify --tenant acme --user u1 --key-file "$WORK/drover.key" --source "$STORAGE" > "$WORK/verify.log"
equal "sealed" "$(report '.sealed | [.match, .different, .missing, .not_compared] | join(" ")')" "3 0 0 0"
expect_exit 0 drover verify --tenant acme --user u1 --source "$STORAGE" > "$WORK/verify.log"
grep -q 'sealed values in all messages: 3 not compared' "$WORK/verify.log" || fail "what was not compared is not said"

say "V5: boxes of superseded records are no fault when they were swept, or never written"
jq '.user_llm_configs_acme |= gsub("nobody-0001"; "nobody-0002")' "$STORAGE" > "$WORK/next.json" && cat "$WORK/next.json" > "$STORAGE"
drover produce --tenant acme --user u1 --key-file "$WORK/drover.key" "$STORAGE" > "$WORK/produce.log" 2>&1
jq '.user_llm_configs_acme |= gsub("nobody-0002"; "nobody-0003")' "$STORAGE" > "$WORK/next.json" && cat "$WORK/next.json" > "$STORAGE"
drover produce --tenant acme --user u1 --key-file "$WORK/drover.key" "$STORAGE" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work_storage.log" 2>&1
sql -c "UPDATE drover.credential_vault SET created_at = created_at - interval '2 hours'"
[ "$(drover secret sweep --json | jq .removed)" -ge 1 ] || fail "nothing was swept"
expect_exit 0 drover verify --key-file "$WORK/drover.key" > "$WORK/verify.log"
equal "sealed" "$(report '.sealed | [.different, .missing] | join(" ")')" "0 0"

say "V14: a damaged box is named as a row is"
sql -c "UPDATE drover.credential_vault SET ciphertext = (SELECT ciphertext FROM drover.credential_vault WHERE field = '/endpoint' ORDER BY reference LIMIT 1)
         WHERE field = '/apiKey'"
expect_exit 5 drover verify --key-file "$WORK/drover.key" > "$WORK/verify.log"
equal "sealed" "$(report '.sealed.different')" 1
equal "named" "$(report '[.sealed_samples[] | [.verdict, .tenant, .entity, .name] | join(" ")] | join(",")')" "different acme llm_config /apiKey"
grep -q 'different: .*acme/llm_config key h:.* name=/apiKey' "$WORK/verify.log" || fail "it is not named for people"
grep -q '1 wrong in the vault' "$WORK/verify.log" || fail "the last line does not say it"
sql -c "DELETE FROM drover.credential_vault"
expect_exit 5 drover verify --key-file "$WORK/drover.key" > "$WORK/verify.log"
equal "sealed" "$(report '.sealed.missing')" 3
sql -c "ALTER TABLE chat_message DROP CONSTRAINT drover_fk_1" \
  -c "DELETE FROM chat_sessions WHERE session_id = 's1'"
expect_exit 5 drover verify > "$WORK/verify.log"
equal "orphans" "$(report '.orphans | map([.entity, .parent] | join(" ")) | join(",")')" "chat_message chat_session"
grep -q 'orphans: ' "$WORK/verify.log" || fail "orphans are not named"
say done
