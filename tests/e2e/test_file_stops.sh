#!/usr/bin/env bash
# storage file: a writing of files stopped at any point of it, any number of times in a row, between batches and
# edits by hand (drawn at random, seed printed): what Drover wrote is never taken for an edit, an edit never
# overwritten (file_stops.py). DROVER_TEST_FULL=1: 40 times as long.
. "$(dirname "$0")/lib.sh"

STORE=$WORK/store
SEED=${DROVER_TEST_SEED:-$RANDOM}
unset DATABASE_URL
echo "store: { dir: $STORE }" >> "$WORK/drover.yaml"
export AI_STORAGE_TYPE=file
drover topics apply > "$WORK/topics.log" 2>&1
echo "seed $SEED (DROVER_TEST_SEED)"

state() { sqlite3 -cmd '.timeout 5000' "$STORE/.drover/state.db" "$1"; }
files() { jq -r '.files | [.match, .edited, .missing, .unwritten, .unowned] | join(" ")' "$WORK/report/latest/report.json"; }

generate 120 5 1 "$WORK/one.ndjson"
expect_exit 0 drover run "$WORK/one.ndjson" > "$WORK/run.log" 2>&1
cp -a "$STORE" "$WORK/whole"

say "stopped before its first file had its name: that file is not written yet, and not missing"
rm "$STORE/t01/event.json"
state "UPDATE file SET dirty = 1, next_digest = digest, digest = NULL WHERE tenant = 't01'"
expect_exit 5 drover verify > "$WORK/verify.log" 2>&1
equal "match, edited, missing, unwritten, unowned" "$(files)" "4 0 0 1 0"

say "marked as not written, and right: no difference; deleted by hand as well: missing"
rm -rf "$STORE" && cp -a "$WORK/whole" "$STORE"
state "UPDATE file SET dirty = 1 WHERE tenant IN ('t02', 't03')"
rm "$STORE/t03/event.json"
expect_exit 5 drover verify > "$WORK/verify.log" 2>&1
equal "match, edited, missing, unwritten, unowned" "$(files)" "4 0 1 0 0"

say "batches, edits and stops"
rm -rf "$STORE" && cp -a "$WORK/whole" "$STORE"
steps=60
[ -z "${DROVER_TEST_FULL:-}" ] || steps=2400
python3 "$(dirname "$0")/file_stops.py" "$DROVER" "$WORK/drover.yaml" "$STORE" event "$SEED" "$steps"
say done
