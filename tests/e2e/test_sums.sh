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
  equal "classes of all partitions, and at the source" \
    "$(jq '[.partitions[].source_records] | add' "$WORK/status.json")" "$(jq '.source_records - .counts.rejected - .counts.withheld' "$WORK/status.json")"
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
equal "dead letters by code" "$(jq '.dead_letters | add' "$WORK/status.json")" "$(count dead_lettered)"

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
say done
