#!/usr/bin/env bash
# The verifier finds each kind of damage, names it rightly, and never says "match" without having compared.
. "$(dirname "$0")/lib.sh"

prepare
generate 3000 10 5 "$WORK/first.ndjson"
drover produce "$WORK/first.ndjson" > "$WORK/produce.log" 2>&1
drover work --until-end > "$WORK/work.log" 2>&1
report() { jq -r "$1" "$WORK/report/latest/report.json"; }
sql() { psql "$ADMIN" -q -v ON_ERROR_STOP=1 "$@"; }

say "what is whole matches, in one pass or within the least memory, with the original file too"
expect_exit 0 drover verify --source "$WORK/first.ndjson" > "$WORK/verify.log"
grep -q '^3 000 source records = 3 000 match' "$WORK/verify.log" || fail "no identity in the report"
expect_exit 0 drover verify --memory 16m > "$WORK/verify.log"
expect_exit 0 drover verify --only-tenant t04 > "$WORK/verify.log"
equal "records of one tenant" "$(report .source_records)" 300
expect_exit 0 drover verify --only-tenant '' > "$WORK/verify.log"
equal "no tenant named: records and rows of all" "$(report '[.source_records, .rows] | join(" ")')" "3000 3000"
equal "mode of the report" "$(stat -c %a "$WORK/report/latest/report.json")" 600

say "each kind of damage is found and named"
sql <<'SQL'
CREATE TABLE public.whole AS SELECT * FROM public.event;
DELETE FROM event WHERE isolation_key = 't01' AND id = 'e1';
INSERT INTO event (isolation_key, id, tenant, rev, kind, amount, at, tags, extra, drover_version, drover_generation, drover_digest)
  SELECT isolation_key, 'x1', tenant, rev, kind, amount, at, tags, extra, drover_version, drover_generation, drover_digest
  FROM event WHERE isolation_key = 't01' AND id = 'e2';
UPDATE event SET kind = 'k' || (substr(kind, 2)::int + 1) WHERE isolation_key = 't01' AND id = 'e3';
UPDATE event SET kind = upper(kind) WHERE isolation_key = 't01' AND id = 'e4';
UPDATE event SET id = 'swap' WHERE isolation_key = 't01' AND id = 'e5';
UPDATE event SET id = 'e5' WHERE isolation_key = 't01' AND id = 'e6';
UPDATE event SET id = 'e6' WHERE isolation_key = 't01' AND id = 'swap';
UPDATE event SET isolation_key = 't77' WHERE isolation_key = 't01' AND id = 'e7';
UPDATE event SET drover_version = 4 WHERE isolation_key = 't01' AND id = 'e8';
UPDATE event SET extra = jsonb_set(extra, '{note}', '5') WHERE isolation_key = 't01' AND id = 'e9';
UPDATE event SET extra = extra || '{"new": null}' WHERE isolation_key = 't01' AND id = 'e10';
UPDATE event SET at = NULL WHERE isolation_key = 't01' AND id = 'e11';
UPDATE event SET extra = jsonb_set(extra, '{deep,x,0}', ((extra #>> '{deep,x,0}') || '.000000000000000000001')::jsonb)
 WHERE isolation_key = 't01' AND id = 'e12';
UPDATE event SET at = at + interval '1 hour' WHERE isolation_key = 't01' AND id = 'e13';
UPDATE event SET kind = kind || ' ' WHERE isolation_key = 't01' AND id = 'e14';
UPDATE event SET extra = jsonb_set(extra, '{note}', to_jsonb(left(extra ->> 'note', 2))) WHERE isolation_key = 't01' AND id = 'e15';
UPDATE event SET drover_version = 6 WHERE isolation_key = 't01' AND id = 'e16';
UPDATE event SET drover_deleted = true WHERE isolation_key = 't01' AND id = 'e17';
UPDATE event SET tags = array_remove(tags, NULL) WHERE isolation_key = 't01' AND id = 'e18';
UPDATE event SET amount = amount + 0.01 WHERE isolation_key = 't01' AND id = 'e19';
SQL
expect_exit 5 drover verify --show-values --json > "$WORK/found.json"
found() { # ID VERDICT [PATHS]
  equal "$1" "$(jq -r --arg id "$1" '.samples[] | select(.id == $id and .tenant == "t01") |
    [.verdict, ([.fields[]? | .path // "column " + .column] | sort | join(","))] | join(" ")' "$WORK/found.json")" "$2 ${3:-}"
}
found e1 missing
found x1 extra
found e3 different /kind
found e4 different /kind
found e5 different "/amount,/at,/deep/x,/kind,/note,/tags,column drover_digest"
found e6 different "/amount,/at,/deep/x,/kind,/note,/tags,column drover_digest"
found e7 missing
found e8 stale
found e9 different /note
found e10 different /new
found e11 different /at
found e12 different /deep/x
found e13 different /at
found e14 different /kind
found e15 different /note
found e16 target_newer
found e17 different "column drover_deleted"
found e18 different /tags
found e19 different /amount
equal "tenant swapped" "$(jq -r '.samples[] | select(.tenant == "t77") | [.verdict, .id] | join(" ")' "$WORK/found.json")" "unexpected_tenant e7"
equal "counts" "$(report '[.counts.match, .counts.missing, .counts.different, .counts.stale, .counts.target_newer, .beside.extra, .beside.unexpected_tenant] | join(" ")')" "2982 2 14 1 1 1 1"
equal "records add up" "$(report .reconciled)" true

say "values and ids stay masked unless asked for, places are always named"
expect_exit 5 drover verify > "$WORK/masked.log"
! grep -qE '[^0-9a-f]e19[^0-9a-f]|2024-01|näme' "$WORK/masked.log" "$WORK/report/latest/report.json" || fail "a value is shown"
grep -q 'from .*first.ndjson:' "$WORK/masked.log" || fail "no place in the source is named"
sql -c "TRUNCATE event" -c "INSERT INTO event SELECT * FROM whole" -c "DROP TABLE whole"
expect_exit 0 drover verify > "$WORK/verify.log"

say "no row that Drover writes looks like that: cells no document shows, Drover's own columns, bounds of an array"
sql <<'SQL'
CREATE TABLE public.whole AS SELECT * FROM public.event;
UPDATE event SET drover_digest = '\x00' WHERE isolation_key = 't01' AND id = 'e1';
UPDATE event SET drover_digest = overlay(drover_digest PLACING '\x00' FROM 16) WHERE isolation_key = 't01' AND id = 'e2';
UPDATE event SET extra = extra || '{"kind": "other"}' WHERE isolation_key = 't01' AND id = 'e3';
UPDATE event SET extra = extra || jsonb_build_object('kind', kind) WHERE isolation_key = 't01' AND id = 'e4';
UPDATE event SET tags = ('[0:1]=' || tags::text)::text[] WHERE isolation_key = 't01' AND id = 'e5';
UPDATE event SET tags = array_append(tags, 'x') WHERE isolation_key = 't01' AND id = 'e6';
SQL
expect_exit 5 drover verify --show-values --json > "$WORK/found.json"
found e1 different "column drover_digest"
found e2 different "column drover_digest"
found e3 different "column extra"
found e4 different "column extra"
found e5 different /tags
found e6 different /tags
equal "counts" "$(report '[.counts.match, .counts.different] | join(" ")')" "2994 6"
sql -c "TRUNCATE event" -c "INSERT INTO event SELECT * FROM whole" -c "DROP TABLE whole"
expect_exit 0 drover verify > "$WORK/verify.log"

say "a record of the file that is not in the topic is named; so is one that changed"
sed -e '7s/"kind":"k[0-9]*"/"kind":"kx"/' "$WORK/first.ndjson" > "$WORK/changed.ndjson"
echo '{"id":"unseen","tenant":"t01","rev":1,"kind":"k1"}' >> "$WORK/changed.ndjson"
echo '{"id":"refused","rev":1,"kind":"k1"}' >> "$WORK/changed.ndjson"
expect_exit 5 drover verify --source "$WORK/changed.ndjson" > "$WORK/verify.log"
equal "not produced, overtaken, rejected" "$(report '[.counts.not_produced, .beside.overtaken, .counts.rejected, .counts.match, .source_records, .reconciled] | join(" ")')" "1 1 1 3000 3002 true"

say "what the worker has not come to yet is lagging, not missing"
generate 20 10 6 "$WORK/newer.ndjson"
drover produce "$WORK/newer.ndjson" > "$WORK/newer.log" 2>&1
expect_exit 5 drover verify > "$WORK/verify.log"
equal "lagging" "$(report '[.counts.lagging, .counts.match, .counts.missing] | join(" ")')" "20 3000 0"

say "what is sent again and not applied yet is no second record; what is wrong of it by now is named"
drover produce --again "$WORK/first.ndjson" > "$WORK/newer.log" 2>&1
again() { report '[.source_records, .messages, .counts.match, .counts.different, .counts.lagging, .reconciled] | join(" ")'; }
expect_exit 5 drover verify > "$WORK/verify.log"
equal "again" "$(again)" "3020 6020 0 0 3020 true"
sql -c "UPDATE event SET kind = kind || ' ' WHERE isolation_key = 't01' AND id = 'e3'"
expect_exit 5 drover verify > "$WORK/verify.log"
equal "one is different" "$(again)" "3020 6020 0 1 3019 true"
sql -c "UPDATE event SET kind = rtrim(kind) WHERE isolation_key = 't01' AND id = 'e3'"
drover work --until-end > "$WORK/work2.log" 2>&1
expect_exit 0 drover verify > "$WORK/verify.log"
equal "superseded" "$(report '[.counts.match, .counts.superseded] | join(" ")')" "3000 20"

say "rows that cannot be seen are no match"
sql -c "DROP POLICY drover_verifier ON event"
expect_exit 5 drover verify > "$WORK/verify.log"
equal "missing" "$(report .counts.missing)" 3000
drover schema apply > "$WORK/repair.log" 2>&1
sql -c "REVOKE SELECT ON event FROM drover_verifier"
expect_exit 6 drover verify > "$WORK/verify.log" 2>&1
drover schema apply > "$WORK/repair.log" 2>&1
expect_exit 0 drover verify > "$WORK/verify.log"

say "nothing compared is NOT VERIFIED"
DROVER_MIGRATION=${NAME}_none drover topics apply > "$WORK/topics2.log" 2>&1
sql -c "TRUNCATE event"
DROVER_MIGRATION=${NAME}_none expect_exit 5 drover verify > "$WORK/verify.log"
grep -q 'NOT VERIFIED' "$WORK/verify.log" || fail "nothing compared, and it does not say so"
expect_exit 5 drover verify > "$WORK/verify.log"
equal "missing of an empty table" "$(report .counts.missing)" 3000
say done
