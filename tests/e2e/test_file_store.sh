#!/usr/bin/env bash
# storage file: the files are what counts. Whatever is done to the folder is named, place by place; nothing
# that somebody edited is overwritten; a bad place costs one file; a worker ends well only when every file is
# written; `drover rebuild files` writes what is missing or different; a kill at any moment loses nothing.
. "$(dirname "$0")/lib.sh"

STORE=$WORK/store
SEED=${DROVER_TEST_SEED:-$RANDOM}
EDITS=$(dirname "$0")/file_edits.py
unset DATABASE_URL
echo "store: { dir: $STORE }" >> "$WORK/drover.yaml"
export AI_STORAGE_TYPE=file
drover topics apply > "$WORK/topics.log" 2>&1
echo "seed $SEED (DROVER_TEST_SEED)"

report() { jq -r "$1" "$WORK/report/latest/report.json"; }
state() { sqlite3 -cmd '.timeout 5000' "$STORE/.drover/state.db" "$1"; }
same_file() { [ "$(md5sum < "$1")" = "$2" ]; }

generate 1200 12 1 "$WORK/one.ndjson"
expect_exit 0 drover run "$WORK/one.ndjson" > "$WORK/run.log" 2>&1
grep -q '^files of the store: 12 as written' "$WORK/run.log" || fail "the files were not looked at"
cp -a "$STORE" "$WORK/whole"

for round in 1 2 3; do
  say "edits of the folder, round $round: each is named, and nothing else"
  rm -rf "$STORE" && cp -a "$WORK/whole" "$STORE"
  python3 "$EDITS" edit "$STORE" event $(( SEED + round )) "$WORK/wanted.json"
  expect_exit 5 drover verify --show-values --samples 5000 > "$WORK/verify.log" 2>&1
  python3 "$EDITS" check "$WORK/wanted.json" "$WORK/report/latest/report.json" || fail "seed $SEED, round $round"
done

say "rebuild: a dry run changes nothing, what somebody put there stays until it is said, then it is kept beside"
before=$(cd "$STORE" && find . -type f -exec md5sum {} + | grep -v '\.drover' | sort)
expect_exit 5 drover rebuild files --dry-run > "$WORK/dry.log" 2>&1
equal "the folder after a dry run" "$(cd "$STORE" && find . -type f -exec md5sum {} + | grep -v '\.drover' | sort)" "$before"
expect_exit 5 drover rebuild files --json > "$WORK/rebuild.json" 2> "$WORK/rebuild.log"
equal "left, written" "$(jq -r '[.left, .written] | join(" ")' "$WORK/rebuild.json")" "$(jq -r '[.files[] | select(. != "missing")] | length - 3' "$WORK/wanted.json") $(jq -r '[.files[] | select(. == "missing")] | length' "$WORK/wanted.json")"
expect_exit 0 drover rebuild files --replace-edited > "$WORK/rebuild.log" 2>&1
[ -n "$(find "$STORE" -name '*.kept-*' | head -n 1)" ] || fail "nothing was kept"
rm -rf "$STORE/more.json" "$STORE"/t*/more.json "$STORE/nobody"
expect_exit 0 drover verify > "$WORK/verify.log" 2>&1
for file in "$WORK"/whole/t*/event.json; do
  cmp -s "$file" "$STORE/${file#"$WORK"/whole/}" || fail "${file#"$WORK"/whole/} is not what it was"
done

say "a worker: an edited file and a stranger's cost themselves, the exit code says it, the others are written"
rm -rf "$STORE" && cp -a "$WORK/whole" "$STORE"
sed -i '2s/"kind":"[^"]*"/"kind":"by hand"/' "$STORE/t03/event.json"
rm "$STORE/t05/event.json" && mkdir "$STORE/t05/event.json"
edited=$(md5sum < "$STORE/t03/event.json")
generate 1200 12 2 "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 5 drover work --until-end > "$WORK/work.log" 2>&1
grep -q 'DRV-F004.*2 files of the store are not written' "$WORK/work.log" || fail "what is left is not said"
same_file "$STORE/t03/event.json" "$edited" || fail "an edit was overwritten"
equal "records written" "$(jq '[.[] | select(.rev == 2)] | length' "$STORE/t04/event.json")" 100
equal "files that wait" "$(state 'SELECT group_concat(tenant) FROM file WHERE dirty = 1')" "t03,t05"
expect_exit 5 drover run "$WORK/two.ndjson" > "$WORK/run.log" 2>&1
expect_exit 0 drover rebuild files --replace-edited > "$WORK/rebuild.log" 2>&1
expect_exit 0 drover verify > "$WORK/verify.log" 2>&1

say "killed in the middle of writing, again and again: nothing is taken for an edit, nothing is lost"
rev=3
for round in 1 2 3 4 5 6; do
  generate 1200 12 $rev "$WORK/more.ndjson"
  drover produce "$WORK/more.ndjson" > "$WORK/produce.log" 2>&1
  start_worker A
  wait_until 30 grep -q partition.claimed "$WORK/A.log"
  read -rt "0.$(( RANDOM % 10 ))" <> <(:) || true # a moment by chance: what is tested is any
  kill -9 "$A_PID" && wait "$A_PID" 2>/dev/null || true
  rev=$(( rev + 1 ))
done
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 drover verify > "$WORK/verify.log" 2>&1
equal "files" "$(report '.files | [.match, .edited, .missing, .unwritten, .unowned] | join(" ")')" "12 0 0 0 0"

say "a full disk: no good end while files wait; once there is room they are written"
DISK=$WORK/disk
mkdir "$DISK"
if mount -t tmpfs -o size=16m none "$DISK" 2>/dev/null; then
  trap 'status=$?; set +e; umount -l "$DISK"; (exit "$status"); cleanup' EXIT
  sed -i "s|^store: .*|store: { dir: $DISK/store }|" "$WORK/drover.yaml"
  export DROVER_MIGRATION=${NAME}_disk
  drover topics apply > "$WORK/topics.log" 2>&1
  generate 6000 1 1 "$WORK/one.ndjson"
  drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
  expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
  generate 1 1 2 "$WORK/two.ndjson"
  drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
  # room for a batch in the database, and none for a file of 900 KiB
  python3 - "$DISK/fill" "$DISK" <<'PY'
import os, sys
size = os.statvfs(sys.argv[2])
open(sys.argv[1], "wb").write(b"x" * (size.f_bavail * size.f_bsize - 600 * 1024))
PY
  status=0
  timeout 60 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/full.log" 2>&1 || status=$?
  [ "$status" != 0 ] || fail "a good end on a full disk"
  grep -q 'file.away.*No space left\|No space left' "$WORK/full.log" || fail "the full disk is not said"
  start_worker B
  wait_until 30 grep -q 'file.away' "$WORK/B.log"
  rm "$DISK/fill"
  wait_until 30 grep -q 'file.back' "$WORK/B.log"
  stop_worker B
  expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
  expect_exit 0 drover verify > "$WORK/verify.log" 2>&1
else
  say "(no tmpfs can be mounted here: left out)"
fi
say done
