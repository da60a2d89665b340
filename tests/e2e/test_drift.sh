#!/usr/bin/env bash
# What changes under a running migration (FAULTS D04 to D06): records gain and lose members and change
# their types; tables are altered under a worker; the mapping file is edited while one runs.
. "$(dirname "$0")/lib.sh"

MAPPING=$WORK/event.yaml
KEPT=tests/e2e/data/event.yaml
cp "$KEPT" "$MAPPING"
sed "s|^mappings:.*|mappings: [$PWD/$KEPT]|" "$WORK/drover.yaml" > "$WORK/producer.yaml"
sed -i "s|^mappings:.*|mappings: [$MAPPING]|" "$WORK/drover.yaml"

# the producer keeps its mapping, whatever becomes of the workers'
produce() { "$DROVER" produce --config "$WORK/producer.yaml" "$@" >> "$WORK/produce.log" 2>&1; }
edit_mapping() { sed 's|from: /kind, type: varchar(12), required: true|from: /note, type: varchar(12)|' "$KEPT" > "$MAPPING"; }
alter() { psql "$ADMIN" -qc "ALTER TABLE public.event $1"; }
rows() { psql "$ADMIN" -Atc "SELECT count(*) FROM public.event WHERE $1"; }
status() { drover status --json 2>/dev/null | jq -cS "$1"; }
dead() { status .counts.dead_lettered; }
ended() { ! kill -0 "$1" 2>/dev/null; }
holds() { [ "$(check_wrong "$@")" = 0 ]; }

# halts NAME TEXT: worker NAME ends by itself within 10 s, with exit 3, DRV-P005 and TEXT in its log
halts() {
  local pid_name=${1}_PID got=0
  wait_until 60 ended "${!pid_name}"
  wait "${!pid_name}" || got=$?
  equal "exit code of worker $1" "$got" 3
  grep -q 'DRV-P005' "$WORK/$1.log" || fail "worker $1 does not say DRV-P005"
  grep -qF "$2" "$WORK/$1.log" || fail "worker $1 does not say '$2'"
}

# goes_on NAME REV: worker NAME, running, brings the table to revision REV of all records
goes_on() {
  local pid_name=${1}_PID
  generate 2000 10 "$2" "$WORK/rev.ndjson"
  produce "$WORK/rev.ndjson"
  wait_until 40 holds "$WORK/rev.ndjson"
  kill -0 "${!pid_name}" || fail "worker $1 is gone"
}

prepare

say "D05: a column is added, types are widened, a column the mapping does not know goes: work goes on"
start_worker one
goes_on one 1
alter "ADD COLUMN of_others int DEFAULT 7"
goes_on one 2
alter "ALTER COLUMN kind TYPE text, ALTER COLUMN amount TYPE numeric(20,2)"
goes_on one 3
alter "DROP COLUMN of_others"
goes_on one 4
alter "ALTER COLUMN kind TYPE varchar(12), ALTER COLUMN amount TYPE numeric(12,2)"
equal "dead letters" "$(dead)" 0
! grep -q 'DRV-P' "$WORK/one.log" || fail "the worker noticed what it should not"

say "D05: a mapped column is renamed: the worker halts, and goes on when it is back"
alter "RENAME COLUMN tags TO labels"
generate 2000 10 5 "$WORK/rev.ndjson"
produce "$WORK/rev.ndjson"
halts one tags
expect_exit 3 drover work --until-end > "$WORK/again.log" 2>&1
equal "rows of the new revision" "$(rows 'rev = 5')" 0
alter "RENAME COLUMN labels TO tags"
start_worker two
wait_until 40 holds "$WORK/rev.ndjson"
equal "dead letters" "$(dead)" 0

say "D05: a mapped column is dropped: the worker halts; schema apply makes it anew"
alter "DROP COLUMN tags"
generate 2000 10 6 "$WORK/rev.ndjson"
produce "$WORK/rev.ndjson"
halts two tags
drover schema apply > "$WORK/schema2.log" 2>&1
start_worker three
wait_until 40 holds "$WORK/rev.ndjson"

say "D05: a type the values do not fit halts too: no record is blamed for the table"
alter "ALTER COLUMN tags TYPE int USING 0"
generate 2000 10 7 "$WORK/rev.ndjson"
produce "$WORK/rev.ndjson"
halts three tags
equal "dead letters" "$(dead)" 0
alter "DROP COLUMN tags"
drover schema apply > "$WORK/schema3.log" 2>&1
start_worker four
wait_until 40 holds "$WORK/rev.ndjson"
equal "dead letters" "$(dead)" 0
stop_worker four
drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"

say "D06: the mapping file is edited, and broken, while a worker runs: it keeps what it loaded"
start_worker five
for rev in 11 12 13 14 15 16; do
  generate 2000 10 "$rev" "$WORK/rev.ndjson"
  produce "$WORK/rev.ndjson" &
  PRODUCER=$!
  wait_until 20 has_committed $(( (rev - 4) * 2000 + 1 )) # in the middle of it
  case $rev in
    11 | 14) edit_mapping ;;
    12 | 15) head -c 200 "$KEPT" > "$MAPPING" ;;
    *) cp "$KEPT" "$MAPPING" ;;
  esac
  wait "$PRODUCER"
done
wait_until 40 holds "$WORK/rev.ndjson"
equal "rows by another mapping" "$(rows "kind NOT LIKE 'k%'")" 0
head -c 200 "$KEPT" > "$MAPPING"
expect_exit 3 drover work --until-end > "$WORK/refused.log" 2>&1

say "D06: SIGHUP is no order to load it again: it ends the worker, and the next one refuses the edited file"
edit_mapping
GOT=0
kill -HUP "$five_PID"
wait "$five_PID" || GOT=$?
equal "exit code at SIGHUP" "$GOT" 129
generate 2000 10 17 "$WORK/rev.ndjson"
produce "$WORK/rev.ndjson"
expect_exit 3 drover work --until-end > "$WORK/refused.log" 2>&1
grep -q 'drover schema apply' "$WORK/refused.log" || fail "the refusal does not name the way on"
equal "rows written by who was refused" "$(rows 'rev = 17')" 0
drover schema apply > "$WORK/schema4.log" 2>&1
grep -q 'take the new mappings over' "$WORK/schema4.log" || fail "schema apply does not take the mapping over"
expect_exit 0 drover work --until-end > "$WORK/taken.log" 2>&1
equal "rows by the new mapping" "$(rows "rev = 17 AND kind LIKE 'näme %' AND extra->>'kind' LIKE 'k%'")" 2000
drover verify > "$WORK/verify2.log" 2>&1 || fail "verify: exit $?"
cp "$KEPT" "$MAPPING"
drover schema apply > "$WORK/schema5.log" 2>&1

# From the middle on: new members, others gone, members of the rest with another type. Every 100th record
# of the second half breaks the mapping: by turns a required one gone, a string for a number, a number
# for a time, an object for a list.
say "D04: records gain, lose and change members in the middle of a file"
generate 6000 10 18 "$WORK/plain.ndjson"
jq -c --argjson half 3000 '
  (input_line_number - 1) as $i | if $i < $half then . else
    .color = "c\($i)" | .nested = {a: [null, {b: 100}], "": ""} | .empty = null
    | if $i % 2 == 0 then del(.tags, .amount, .deep) else . end
    | if $i % 3 == 0 then .note = $i elif $i % 3 == 1 then .note = [.note] else . end
    | if $i % 5 == 0 then .deep = "flat" else . end
    | if $i % 100 == 0 then
        [del(.kind), (.amount = "12.00"), (.at = 1700000000), (.tags = {a: 1})][$i / 100 % 4]
      else . end
  end' "$WORK/plain.ndjson" > "$WORK/drift.ndjson"
jq -c 'select((input_line_number - 1) as $i | $i >= 3000 and $i % 100 == 0 | not)' \
  "$WORK/drift.ndjson" > "$WORK/good.ndjson"
equal "records made to fit" "$(wc -l < "$WORK/good.ndjson")" 5970
start_worker six
produce "$WORK/drift.ndjson"
wait_until 40 holds "$WORK/good.ndjson"
wait_until 20 is_drained
stop_worker six
equal "new members kept" "$(rows "extra->>'color' LIKE 'c%' AND extra->'nested' = '{\"a\": [null, {\"b\": 100}], \"\": \"\"}' AND extra->'empty' = 'null'")" 2970
equal "dead letters" "$(status .dead_letters_by_code)" '{"DRV-V001":7,"DRV-V002":23}'

# verified MATCH STALE: so many that match and that are stale by mapping, 30 dead letters, and nothing else
verified() {
  expect_exit 5 drover verify > "$WORK/verify3.log" 2>&1
  equal "match, stale by mapping, dead-lettered, anything else" "$(jq -c '.counts | [.match, .stale_by_mapping, .dead_lettered]
    + [del(.source, .match, .stale_by_mapping, .superseded, .dead_lettered) | add]' "$WORK/report/latest/report.json")" "[$1,$2,30,0]"
}
verified 5970 0

# takes_over: workers refuse the mapping until schema apply has taken it over
takes_over() {
  expect_exit 3 drover work --until-end > "$WORK/refused2.log" 2>&1
  drover schema apply > "$WORK/schema6.log" 2>&1
  expect_exit 0 drover work --until-end > "$WORK/taken2.log" 2>&1
}

say "D04: source and mapping gain a member together: earlier records have none"
sed -i 's|^rest:|  - { name: shade, from: /shade, type: text }\n&|' "$MAPPING"
generate 500 10 19 "$WORK/plain.ndjson"
jq -c '.shade = "s" + .id' "$WORK/plain.ndjson" > "$WORK/shade.ndjson"
produce "$WORK/shade.ndjson"
takes_over
equal "rows with a shade" "$(rows "shade = 's' || id AND rev = 19 AND NOT extra ? 'shade'")" 500
verified 5970 0

say "D04: the mapping learns a member late: earlier records keep it in the rest, and verify names them"
sed -i 's|^rest:|  - { name: color, from: /color, type: text }\n&|' "$MAPPING"
generate 500 10 20 "$WORK/plain.ndjson"
jq -c '.color = "c" + .id' "$WORK/plain.ndjson" > "$WORK/color.ndjson"
produce "$WORK/color.ndjson"
takes_over
equal "rows with it in the column" "$(rows "color = 'c' || id AND rev = 20 AND NOT extra ? 'color'")" 500
equal "rows with it in the rest" "$(rows "color IS NULL AND rev = 18 AND extra->>'color' LIKE 'c%'")" 2970
verified 3000 2970
grep -q '/color  source string' "$WORK/verify3.log" || fail "verify does not name the member"
say ok
