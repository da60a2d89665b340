#!/usr/bin/env bash
# Every column of every screen adds up, and all screens say the same: two tenants; records rejected at the source, dead-lettered,
# waiting for their parents, unchanged, superseded; a worker killed between its commits and their receipts, and receipts made again that
# overlap those already told. What nobody can know any more is "recovered", never taken for applied.
. "$(dirname "$0")/lib.sh"

mkdir "$WORK/mappings" "$WORK/sources"
cp "$PWD"/tests/e2e/data/family/{customer,basket}.yaml "$WORK/mappings"
sed 's/^collect:.*/collect: { files: ["event*.ndjson"] }/' "$PWD/tests/e2e/data/event.yaml" > "$WORK/mappings/event.yaml"
sed -i "s|^mappings:.*|mappings: [$WORK/mappings]|" "$WORK/drover.yaml"
echo 'work: { parent_wait: 30m, batch_records: 64 }' >> "$WORK/drover.yaml"
prepare

screen() { local name=$1; shift; drover "$@" > "$WORK/$name" 2> "$WORK/$name.err"; }
adds_up() { python3 "$(dirname "$0")/sums.py" "$@" || fail "$(cat "$@")"; }
count() { jq ".counts.$1" "$WORK/status.json"; }
statuses() {
  screen status.json status --json
  screen status.txt status
  adds_up "$WORK/status.json" "$WORK/status.txt"
  equal "messages of all partitions" "$(jq '[.partitions[].messages] | add' "$WORK/status.json")" "$(jq .messages "$WORK/status.json")"
  equal "records of all sources, and at the source" \
    "$(jq '[.sources[].source_records] | add' "$WORK/status.json")" "$(jq .source_records "$WORK/status.json")"
}
has_receipts() { screen status.json status --json && [ "$(count no_receipt)" = 0 ] && [ "$(count to_do)" = 0 ]; }
waits_for() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM drover.waiting")" = "$1" ]; }

say "every class there is on the way"
generate 600 2 5 "$WORK/event.ndjson"
generate 40 2 4 "$WORK/event_older.ndjson"
head -n 100 "$WORK/event.ndjson" > "$WORK/event_again.ndjson"
{
  cat "$WORK/event.ndjson"
  for i in 1 2 3; do echo "{\"id\":\"no$i\",\"tenant\":\"t01\",\"rev\":1,\"kind\":\"far too long a kind\"}"; done
  echo '{"id":"no4","tenant":"t00","rev":1}'
  printf '%s\n' 'no JSON' '{"id":"x"' '{"id":"nobody","rev":1,"kind":"k"}'
} > "$WORK/sources/event.ndjson"
for i in 1 2 3 4 5 6; do echo "{\"customer\":$i,\"no\":1,\"tenant\":\"t01\",\"rev\":1}"; done > "$WORK/basket.ndjson"
expect_exit 5 screen produce.txt produce "$WORK/sources/event.ndjson"
expect_exit 0 screen produce2.txt produce "$WORK/event_older.ndjson" "$WORK/event_again.ndjson" "$WORK/basket.ndjson"
start_worker A
wait_until 90 waits_for 6
wait_until 90 has_receipts
stop_worker A
statuses
equal "on the way" "$(jq -c '.counts | [.applied, .unchanged, .superseded, .dead_lettered, .pending, .rejected, .recovered]' "$WORK/status.json")" \
  "[600,100,40,4,6,$(( 753 - 600 - 100 - 40 - 4 - 6 )),0]"
equal "dead letters by code" "$(jq '.dead_letters_by_code | add' "$WORK/status.json")" "$(count dead_lettered)"

say "killed between commits and receipts"
generate 300 2 7 "$WORK/event_b.ndjson"
expect_exit 0 screen produce3.txt produce "$WORK/event_b.ndjson"
BEFORE=$(committed)
start_worker B -X linger.ms=120000
wait_until 60 has_committed $(( BEFORE + 300 ))
kill -9 "$B_PID"
statuses
equal "committed, and nothing told of it" "$(count no_receipt)" 300
equal "applied" "$(count applied)" 600

say "made again, over some that were told of"
psql "$ADMIN" -qc "UPDATE drover.partition_progress SET results_next = greatest(results_next - 17, 0)"
sed -i 's/batch_records: 64/batch_records: 50/' "$WORK/drover.yaml"
start_worker C
wait_until 60 has_receipts
stop_worker C
statuses
equal "recovered" "$(jq -c '.counts | [.applied, .unchanged, .superseded, .dead_lettered, .pending, .recovered]' "$WORK/status.json")" "[600,100,40,4,6,300]"

say "the same store for another group: nothing is told of it; another store: said"
drover status --group somebody --json > "$WORK/other.json"
equal "of another group" "$(jq -c '[.counts.applied, .counts.no_receipt, .counts.to_do == .lag]' "$WORK/other.json")" "[0,0,true]"
psql "$ROOT_URL" -qc "CREATE DATABASE ${NAME}_2 TEMPLATE $NAME"
psql "${ADMIN}_2" -qc "UPDATE drover.partition_progress SET next_offset = 0, results_next = 0"
DATABASE_URL=${DATABASE_URL}_2 expect_exit 6 drover status > "$WORK/wrong.txt" 2>&1
psql "$ROOT_URL" -qc "DROP DATABASE ${NAME}_2"
grep -q 'DRV-W012.*receipts tell of records up to' "$WORK/wrong.txt" || fail "$(cat "$WORK/wrong.txt")"
# A path is there to be copied: the line that names the report is not broken.
say "the verifier, at every width: its records are those of status"
screen status.json status --json
for width in 60 80 100 200; do
  COLUMNS=$width expect_exit 5 screen "verify$width.txt" verify
  adds_up "$WORK/verify$width.txt"
  awk -v width="$width" '!/^(NOT EQUAL|Report: )/ && length($0) > width { print; found = 1 } END { exit found }' "$WORK/verify$width.txt" ||
    fail "wider than $width: $(cat "$WORK/verify$width.txt")"
done
expect_exit 5 screen verify.json verify --json
adds_up "$WORK/verify.json" "$WORK/report/latest/report.json"
for what in .source_records .counts.dead_lettered .counts.pending .counts.rejected; do
  equal "$what of verify and status" "$(jq "$what" "$WORK/verify.json")" "$(jq "$what" "$WORK/status.json")"
done
equal "problems" "$(jq -c '[.problems[] | [.verdict, .code, .count]]' "$WORK/verify.json")" \
  '[["dead_lettered","DRV-V004",3],["dead_lettered","DRV-V001",1],["rejected","DRV-J001",2],["rejected","DRV-T001",1],["pending",null,6]]'
grep -q '^  3 dead-lettered: DRV-V004' "$WORK/verify100.txt" || fail "$(cat "$WORK/verify100.txt")"
grep -q '^  1 dead-lettered: DRV-V001' "$WORK/verify100.txt" || fail "$(cat "$WORK/verify100.txt")"

say "a run: the children's wait ends with it; every line of it adds up"
cp "$WORK/basket.ndjson" "$WORK/sources/basket_again.ndjson"
expect_exit 5 drover run --again "$WORK/sources" --workers 2 > "$WORK/run.txt" 2>&1
adds_up "$WORK/run.txt"
statuses
equal "after the run" "$(jq -c '.counts | [.applied, .pending, .recovered, .no_receipt, .to_do]' "$WORK/status.json")" "[600,0,300,0,0]"
expect_exit 5 screen verify.json verify --json
equal "records of verify and status" "$(jq .source_records "$WORK/verify.json")" "$(jq .source_records "$WORK/status.json")"
screen stats.json dlq stats --json
OPEN=$(jq '[.by_state[] | select(.state == "open") | .count] | add' "$WORK/stats.json")
equal "dead letters of verify and dlq" "$(jq .counts.dead_lettered "$WORK/verify.json")" "$OPEN"
equal "dead letters of status" "$(jq .dead_letters.open "$WORK/status.json")" "$OPEN"
equal "dead letters of status by code" "$(jq -cS .dead_letters_by_code "$WORK/status.json")" \
  "$(drover dlq stats --json | jq -cS '[.by_code[] | {(.code): .count}] | add')"
expect_exit 5 drover run --again "$WORK/sources" --json > "$WORK/run.lines" 2> "$WORK/run.err"
tail -n 1 "$WORK/run.lines" > "$WORK/run.json"
equal "workers that were started" "$(jq .work.workers "$WORK/run.json")" "$(jq '[.children[] | select(.kind == "work")] | length' "$WORK/run.json")"
say "the live view of a second run over the same data: what was unchanged is in its sum, which is the summary's"
sum_of() { awk -F' [+] ' '{ for (i = 1; i <= NF; i++) { n = $i; sub(/ [a-z].*/, "", n); gsub(/ /, "", n); s += n } } END { print s + 0 }'; }
expect_exit 5 env -u NO_COLOR script -qec "stty cols 80 rows 24; '$DROVER' run --again '$WORK/sources' --config '$WORK/drover.yaml'" /dev/null > "$WORK/terminal.txt" < /dev/null
tr -d '\r' < "$WORK/terminal.txt" | sed -E 's/\x1b\[[0-9;?]*[A-Za-z]//g' > "$WORK/live.txt"
grep -E '^ +work .*%  ' "$WORK/live.txt" | tail -n 1 | sed -E 's/.*%  //; s/  done.*//' > "$WORK/live_work.txt"
taken=$(grep -Eo '^  work +[0-9 ]+ taken' "$WORK/live.txt" | grep -Eo '[0-9][0-9 ]*[0-9]' | tr -d ' ')
equal "sum of the last line of the work: $(cat "$WORK/live_work.txt")" "$(sum_of < "$WORK/live_work.txt")" "$taken"
[ "$taken" -gt 600 ] || fail "$(cat "$WORK/live.txt")"
grep -q unchanged "$WORK/live_work.txt" || fail "$(cat "$WORK/live_work.txt")"
adds_up "$WORK/run.json"

say "what a worker and a producer say at their end"
drover produce --again "$WORK/event.ndjson" --json > "$WORK/produce.json" 2> "$WORK/produce.err"
timeout 60 "$DROVER" work --until-end --json --config "$WORK/drover.yaml" > "$WORK/work.json" 2> "$WORK/work.err" || fail "worker: exit $?"
adds_up "$WORK/produce.json" "$WORK/work.json"
for name in produce.txt.err produce2.txt.err; do adds_up "$WORK/$name"; done
equal "of a worker" "$(jq -c '[.counts.unchanged, .counts.superseded, .taken]' "$WORK/work.json")" "[300,300,600]"

say "keys that come twice where no version tells which is meant; a misspelt tenant"
cat > "$WORK/mappings/note.yaml" <<'YAML'
entity: note
collect: { files: ["note*.ndjson"] }
table: note
key: [id]
tenant: { from: /tennant }
columns: [{ name: id, from: /id, type: text }]
rest: extra
YAML
printf '%s\n' '{"id":"a","tenant":"t1","v":1}' '{"id":"b","tenant":"t1"}' '{"id":"a","tenant":"t2","v":2}' '{"id":"b","tenant":"t1"}' > "$WORK/note1.ndjson"
printf '%s\n' '{"id":"b","tenant":"t1","v":3}' '{"id":"c","tenant":"t1"}' > "$WORK/note2.ndjson"
drover schema apply > "$WORK/schema2.log" 2>&1
screen note.txt produce "$WORK/note1.ndjson" "$WORK/note2.ndjson" --tenant t00
adds_up "$WORK/note.txt.err"
for line in '1 keys twice in one source' '1 keys in several sources' '6 name no tenant and got the one given, 0 name it themselves: is tenant.from spelt' \
  'note: its key came before in this source, written otherwise (.*note1.ndjson:3:1)' 'note: its key came before in another source, written otherwise (.*note2.ndjson:1:1)'; do
  grep -q "$line" "$WORK/note.txt.err" || fail "nobody says: $line: $(cat "$WORK/note.txt.err")"
done
say done
