#!/usr/bin/env bash
# What people get wrong: each a clear message and the right exit code, and nothing changed.
. "$(dirname "$0")/lib.sh"

# complains CODE TEXT COMMAND…: exits with CODE and says TEXT
complains() {
  local code=$1 text=$2
  shift 2
  expect_exit "$code" "$@" > "$WORK/out.log" 2>&1
  grep -qF -- "$text" "$WORK/out.log" || { cat "$WORK/out.log" >&2; fail "'$text' is not said by: $*"; }
}
with() { "$DROVER" "$@"; }

say "usage"
complains 2 'produce' with prodcue
complains 2 '--workers' with run --workerz 2
expect_exit 0 with --help > "$WORK/out.log"
expect_exit 0 with help work > "$WORK/out.log"
expect_exit 0 with version > "$WORK/out.log"

say "settings"
printf 'kafka:\n  borkers: x\n' > "$WORK/bad.yaml"
complains 3 'bad.yaml:2:3' with config check --config "$WORK/bad.yaml"
grep -q 'brokers' "$WORK/out.log" || fail "no suggestion"
printf 'kafka:\n\tbrokers: x\n' > "$WORK/tab.yaml"
complains 3 'tab.yaml:2' with config check --config "$WORK/tab.yaml"
complains 3 'missing.yaml' with config check --config "$WORK/missing.yaml"

say "a setting's old name: read, and said once"
printf 'database: { lanes: 9 }\n' > "$WORK/old.yaml"
expect_exit 0 with config show --config "$WORK/old.yaml" > "$WORK/out.log" 2> "$WORK/err.log"
grep -q 'connections: 9' "$WORK/out.log" || fail "the old key is not read"
equal "notes" "$(cat "$WORK/err.log")" "note: database.lanes is called database.connections now ($WORK/old.yaml:1:20)"
expect_exit 0 env DROVER_DATABASE_LANES=3 "$DROVER" config show > "$WORK/out.log" 2> "$WORK/err.log"
grep -q 'connections: 3' "$WORK/out.log" || fail "the old variable is not read"
grep -qx 'note: DROVER_DATABASE_LANES is called DROVER_DATABASE_CONNECTIONS now' "$WORK/err.log" || fail "the old variable is not noted"

say "mappings"
sed 's/columns:/colums:/' tests/e2e/data/event.yaml > "$WORK/typo.yaml"
complains 3 'typo.yaml:' with config check --mapping "$WORK/typo.yaml"
grep -q 'columns' "$WORK/out.log" || fail "no suggestion"

say "servers that are not there, or refuse"
complains 4 'DRV-P001' env DATABASE_URL=postgresql://x:y@127.0.0.1:1/x "$DROVER" schema apply --config "$WORK/drover.yaml"
complains 4 'DRV-P002' env DATABASE_URL="$(sed 's#//drover:[^@]*@#//drover:wrong@#' <<< "$DATABASE_URL")" "$DROVER" schema apply --config "$WORK/drover.yaml"
! grep -q 'wrong' "$WORK/out.log" || fail "the password is shown"
complains 3 'createdb' env DATABASE_URL="${DATABASE_URL%/*}/nowhere" "$DROVER" schema apply --config "$WORK/drover.yaml"
! grep -q 'schema apply' "$WORK/out.log" || fail "the advice for a missing database is the command that failed"
complains 4 'DRV-K001' with topics print --config "$WORK/drover.yaml" --brokers 127.0.0.1:1

say "topics and tables that are missing or other than pinned"
generate 10 2 1 "$WORK/few.ndjson"
complains 3 'DRV-K003' drover produce "$WORK/few.ndjson"
drover topics apply > "$WORK/topics.log" 2>&1
complains 3 'DRV-P005' drover work --until-end
drover schema apply > "$WORK/schema.log" 2>&1
complains 6 'DRV-K004' drover produce --partitions 12 "$WORK/few.ndjson"
complains 6 'DRV-K004' drover work --until-end --partitions 12
drover produce "$WORK/few.ndjson" > "$WORK/produce.log" 2>&1
timeout 60 "$DROVER" work --until-end --lanes 2 --config "$WORK/drover.yaml" > "$WORK/worker.log" 2>&1 || fail "worker: exit $?"
equal "notes of the old flag" "$(grep -c '^note: --lanes is called --connections now$' "$WORK/worker.log")" 1
check_equal "$WORK/few.ndjson"

say "an index whose name another table's index has"
sed -e 's/^table: note/table: other_note/' -e 's/^entity: note/entity: other_note/' tests/e2e/data/note.yaml > "$WORK/other.yaml"
complains 3 'DRV-P013' drover schema apply --mapping tests/e2e/data/note.yaml --mapping "$WORK/other.yaml"

say "a full disk is named, whenever it was found"
complains 1 'standard output: No space left on device' eval 'drover status 2>&1 > /dev/full'

say "a group goes on with other mappings only when told so"
sed "s#$PWD/tests/e2e/data/event.yaml#$WORK/event.yaml#" "$WORK/drover.yaml" > "$WORK/other.yaml"
sed '$a indexes: [{ name: event_kind, columns: [kind] }]' tests/e2e/data/event.yaml > "$WORK/event.yaml"
complains 3 'drover schema apply' with work --until-end --config "$WORK/other.yaml"
complains 0 'take the new mappings over' with schema apply --config "$WORK/other.yaml"
timeout 60 "$DROVER" work --until-end --config "$WORK/other.yaml" > "$WORK/worker2.log" 2>&1 || fail "worker: exit $?"
drover schema apply > "$WORK/schema2.log" 2>&1

say "roles that would void row level security"
complains 6 'DRV-X001' env DATABASE_URL="$ADMIN" "$DROVER" work --until-end --worker-role '' --config "$WORK/drover.yaml"

say "a migration that is not there: those that are, and nothing is made"
for command in status verify; do
  complains 3 'there is no migration nosuch' drover "$command" --migration nosuch
  complains 3 'give --migration one of these:' drover "$command" --migration nosuch
done

say "nothing to compare is never a match"
psql "$ADMIN" -qc "TRUNCATE drover.partition_progress"
complains 5 'NOT VERIFIED' drover verify
say done
