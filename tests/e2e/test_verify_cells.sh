#!/usr/bin/env bash
# Every cell is compared, whatever fills it: columns from outside the record, the mark of a soft delete, SQL NULL beside JSON null,
# what a deleted row still holds. And what only looks like a fault: tombstones whose life is over, boxes of superseded records.
. "$(dirname "$0")/lib.sh"

report() { jq -r "$1" "$WORK/report/latest/report.json"; }
sql() { psql "$ADMIN" -q -v ON_ERROR_STOP=1 "$@"; }
mapping() { # NAME EXTRA-LINES
  printf 'entity: %s\ncollect: { local_storage: ["%s_*"] }\ntable: %s\nkey: [id]\nversion: { from: /rev, as: number }\ncolumns:
  - { name: id,   from: /id, type: int8 }
  - { name: rev,  from: /rev, type: int8 }
  - { name: usr,  from: $user, type: text }
  - { name: org,  from: $origin, type: text }
  - { name: skey, from: $key, type: text }
  - { name: suf,  from: $key_suffix, type: text }
  - { name: at_,  from: $index1, type: int4 }
  - { name: ten,  from: $isolation_key, type: text }
  - { name: ctx,  from: $tenant_context, type: jsonb }
  - { name: status, from: /status, type: text, default: new }
  - { name: doc,  from: /doc, type: jsonb }
  - { name: num,  from: /num, type: "numeric(12,2)" }
rest: extra\n%s\n' "$1" "$1" "$1" "$2" > "$WORK/$1.yaml"
}
mapping soft 'on_delete: { column: status, value: deleted }'
mapping hard 'on_delete: hard'
mapping tomb ''
sed -i "s|^mappings: .*|mappings: [$WORK/soft.yaml, $WORK/hard.yaml, $WORK/tomb.yaml]|; s|partitions: 6|partitions: 1|" "$WORK/drover.yaml"
prepare
records() { jq -nc '[range(30) | {id: ., rev: 3, status: "live", doc: (if . % 3 == 0 then null else {a: ., b: [1.50, null]} end), num: (. / 4), more: {x: .}}] | tostring'; }
jq -n --argjson r "$(records)" '{soft_a: $r, hard_a: $r, tomb_a: $r}' > "$WORK/storage.json"
drover produce --tenant t1 --user u1 "$WORK/storage.json" > "$WORK/produce.log" 2>&1
delete() { printf '%s\t' "t1/$1/$2" | kcat -P -b "$KAFKA_BROKERS" -t "drover.$DROVER_MIGRATION.source" -K $'\t' -Z \
  -H drover-tenant=t1 -H "drover-entity=$1" -H "drover-id=$2" -H drover-version=4; }
for entity in soft hard tomb; do for id in 0 1 2 3; do delete "$entity" "$id"; done; done
work() { drover work --until-end > "$WORK/work.log" 2>&1; }
work

say "nothing edited: a match"
expect_exit 0 drover verify > "$WORK/verify.log"
equal "match" "$(report '[.counts.match, .counts.superseded] | join(" ")')" "90 12"

say "each cell edited alone is named, and nothing else"
sql -c "CREATE TABLE whole AS SELECT * FROM tomb"
edit() { # SET ID PATH
  sql -c "UPDATE tomb SET $1 WHERE id = $2"
  expect_exit 5 drover verify --show-values --json > "$WORK/found.json"
  equal "$1" "$(jq -r '[.samples[] | select(.verdict != "match") | [.verdict, .id, ([.fields[]? | .path // "column " + .column] | join(","))] | join(" ")] | join(";")' "$WORK/found.json")" "different $2 $3"
  sql -c "TRUNCATE tomb" -c "INSERT INTO tomb SELECT * FROM whole"
}
edit "usr = 'u2'" 10 'column usr'
edit "usr = NULL" 10 'column usr'
edit "org = 'https://x'" 10 'column org'
edit "skey = 'tomb_b'" 10 'column skey'
edit "suf = 'b'" 10 'column suf'
edit "at_ = 99" 10 'column at_'
edit "ten = 't2'" 10 'column ten'
edit "ctx = '{}'" 10 'column ctx'
edit "status = 'LIVE'" 10 /status
edit "num = 2.51" 10 /num
edit "doc = 'null'" 12 'column doc'
edit "doc = NULL" 10 /doc
edit "doc = jsonb_set(doc, '{a}', '11')" 10 /doc/a
edit "extra = extra || '{\"usr\": 1}'" 10 /usr
edit "extra = extra || '{\"num\": 2.5}'" 10 'column extra'
edit "extra = extra || '{\"num\": 3}'" 10 'column extra'
edit "extra = NULL" 10 /more
edit "drover_digest = '\\x'" 10 'column drover_digest'
edit "drover_deleted = true" 10 'column drover_deleted'
edit "drover_deleted = false" 1 'column drover_deleted'
edit "usr = 'u1'" 1 'column usr'

say "V4: a soft deleted row brought back, a living one marked"
soft() { # SET ID PATH
  sql -c "CREATE TABLE kept AS SELECT * FROM soft" -c "UPDATE soft SET $1 WHERE id = $2"
  expect_exit 5 drover verify --show-values --json > "$WORK/found.json"
  equal "$1" "$(jq -r '[.samples[] | [.verdict, .id, ([.fields[]? | .path // "column " + .column] | join(","))] | join(" ")] | join(";")' "$WORK/found.json")" "different $2 $3"
  sql -c "TRUNCATE soft" -c "INSERT INTO soft SELECT * FROM kept" -c "DROP TABLE kept"
}
soft "status = 'live'" 1 'column status'
soft "status = NULL" 1 'column status'
soft "status = 'deleted'" 10 /status
soft "drover_deleted = true" 1 'column rev'
expect_exit 0 drover verify > "$WORK/verify.log"

say "V5: a hard delete's tombstone may be gone when its life is over, and only then"
sql -c "DELETE FROM hard WHERE id IN (0, 1, 2, 3)"
expect_exit 5 drover verify > "$WORK/verify.log"
equal "missing tombstones" "$(report .counts.missing)" 4
gone_is_fine() { DROVER_WORK_TOMBSTONE_LIFE=1s drover verify > "$WORK/verify.log"; }
wait_until 30 gone_is_fine
equal "match" "$(report '[.counts.match, .counts.missing] | join(" ")')" "90 0"
sql -c "DELETE FROM hard WHERE id = 10" -c "DELETE FROM tomb WHERE id = 1"
DROVER_WORK_TOMBSTONE_LIFE=1s expect_exit 5 drover verify > "$WORK/verify.log"
equal "missing" "$(report .counts.missing)" 2
say done
