#!/usr/bin/env bash
# Deletes (FAULTS D01 to D03): tombstones, soft and hard deletes; a delete of what never was; older
# versions after a delete; messages with a null value that say nothing else.
. tests/e2e/lib.sh

sed -i "s|^mappings:.*|mappings: [$PWD/tests/e2e/data/deletes]|" "$WORK/drover.yaml"
prepare
for entity in kept soft hard; do
  printf '{"id":"x%d","tenant":"t1","rev":10,"note":"n"}\n' 1 2 3 4 > "$WORK/$entity.ndjson"
  drover produce "$WORK/$entity.ndjson" >> "$WORK/produce.log" 2>&1
done

# gone ENTITY ID VERSION
gone() {
  printf 't1/%s/%s\t\n' "$1" "$2" \
    | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -K '\t' -Z -X partitioner=murmur2 \
      -H drover-tenant=t1 -H "drover-entity=$1" -H "drover-id=$2" -H "drover-version=$3"
}

say "deletes: newer, older, and of what is not there"
for entity in kept soft hard; do
  gone "$entity" x1 11
  gone "$entity" x2 9
  gone "$entity" never 5
  printf '{"id":"never","tenant":"t1","rev":4,"note":"late"}\n' > "$WORK/${entity}_late.ndjson"
  drover produce "$WORK/${entity}_late.ndjson" >> "$WORK/produce.log" 2>&1
done
drover work --until-end --tombstone-life 1h > "$WORK/one.log" 2>&1 || fail "worker: exit $?"

# rows WHERE of one table, as its tenant sees them
seen() {
  psql "$DATABASE_URL" -qAt <<SQL
SELECT set_config('app.current_tenant_key', 't1', false) \\g /dev/null
SELECT coalesce(string_agg(id || '=' || status, ' ' ORDER BY id), '') FROM public.$1;
SQL
}
all() { psql "$ADMIN" -Atc "SELECT coalesce(string_agg(id || ':' || drover_version || CASE WHEN drover_deleted THEN 'x' ELSE '' END, ' ' ORDER BY id COLLATE \"C\"), '') FROM public.$1"; }
equal "kept, as its tenant sees it" "$(seen kept)" "x2=active x3=active x4=active"
equal "soft, as its tenant sees it" "$(seen soft)" "x1=deleted x2=active x3=active x4=active"
equal "hard, as its tenant sees it" "$(seen hard)" "x2=active x3=active x4=active"
equal "kept" "$(all kept)" "never:5x x1:11x x2:10 x3:10 x4:10"
equal "soft" "$(all soft)" "never:5x x1:11 x2:10 x3:10 x4:10"
equal "hard" "$(all hard)" "never:5x x1:11x x2:10 x3:10 x4:10"
drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"

say "a record comes back with a newer version"
for entity in kept soft hard; do
  printf '{"id":"x1","tenant":"t1","rev":12,"note":"back"}\n' > "$WORK/${entity}_back.ndjson"
  drover produce "$WORK/${entity}_back.ndjson" >> "$WORK/produce.log" 2>&1
  gone "$entity" x4 20
done
drover work --until-end --tombstone-life 1h > "$WORK/two.log" 2>&1 || fail "worker: exit $?"
equal "soft again" "$(seen soft)" "x1=active x2=active x3=active x4=deleted"
equal "hard again" "$(seen hard)" "x1=active x2=active x3=active"

say "hard tombstones go after their life, living rows and other policies stay"
is_purged() { [ "$(all hard)" = "x1:12 x2:10 x3:10" ]; }
start_worker three --tombstone-life 100ms
wait_until 40 is_purged
stop_worker three
equal "kept tombstones" "$(all kept)" "never:5x x1:12 x2:10 x3:10 x4:20x"

say "null values without a word of what they delete"
for i in $(seq 100); do printf 'k%d\t\n' "$i"; done \
  | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -K '\t' -Z
drover work --until-end > "$WORK/four.log" 2>&1 || fail "worker: exit $?"
equal "dead letters" "$(drover status --json | jq .counts.dead_lettered)" 100

say "an id in another spelling, and versions, as schemas/wire.md says"
# sent KEY VALUE [HEADER…]: a record of kept from a client of somebody else's
sent() {
  local key=$1 value=$2 header args=()
  shift 2
  for header; do args+=(-H "$header"); done
  printf '%s\t%s\n' "$key" "$value" \
    | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -K '\t' -Z -X partitioner=murmur2 \
      -H drover-tenant=t1 -H drover-entity=kept "${args[@]}"
}
note='"tenant":"t1","note":"n"'
sent t1/kept/%C3%A4 "{\"id\":\"ä\",\"rev\":1,$note}"
sent t1/kept/%C3%A4 '' drover-id=%c3%a4 drover-version=2   # the same row, in one batch with it
sent t1/kept/late "{\"id\":\"late\",\"rev\":5,$note}" drover-version=9 # the header goes before
sent t1/kept/bare "{\"id\":\"bare\",$note}" drover-version=3             # and serves without the member
sent t1/kept/none "{\"id\":\"none\",$note}"                            # neither: refused
sent t1/kept/late ''                                                   # a delete without it
sent t1/kept/late '' drover-id=other drover-version=10                 # two ids
sent t1/kept/late '' drover-id=%00 drover-version=10                   # none
drover work --until-end > "$WORK/five.log" 2>&1 || fail "worker: exit $?"
equal "rows" "$(all kept)" "bare:3 late:9 never:5x x1:12 x2:10 x3:10 x4:20x ä:2x"
equal "dead letters" "$(drover status --json | jq .counts.dead_lettered)" 104
say ok
