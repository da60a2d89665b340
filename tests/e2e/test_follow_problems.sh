#!/usr/bin/env bash
# What a follower says of sources that it cannot read and records that it rejects, long after the first of them: each source is named when
# something is wrong with it and when nothing is any more, also by drover status; of rejected records so many a minute, and how many more there were.
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
LOG=$WORK/follow.log
mkdir "$IN"
sed -i "s#^state_dir:.*#&\nproduce: { scan: 200ms }#" "$WORK/drover.yaml"
prepare
record() { printf '{"id": "%s", "tenant": "north", "rev": 1, "kind": "%s"}\n' "$1" "$2"; }
bad() { record "$1" 'half \ud83d'; }
for (( i = 0; i < 25; i++ )); do bad "b$i"; done > "$IN/many.ndjson"
record a k > "$IN/good.ndjson"
ln -s early.json "$IN/early.json" # before it starts
"$DROVER" produce --follow "$IN" --entity event --config "$WORK/drover.yaml" --log-format logfmt > "$LOG" 2>&1 &
FOLLOWER=$!
PIDS+=("$FOLLOWER")
wait_until 60 grep -q follow.waiting "$LOG"
count() { grep -c "$1" "$LOG" || true; }
equal "rejected records shown at first" "$(count 'where: .*many.ndjson:')" 11

wait_until 60 grep -q 'where: .*/early.json' "$LOG"
rm "$IN/early.json"

say "sources that cannot be read are named, and the first record of each, though ten records were"
names() { drover status --json | jq -c '[.followers[].problem_sources[] | [.code, (.source | split("/") | last)]] | sort'; }
names_are() { [ "$(names)" = "$1" ]; }
printf '[{"id": "x", "ten' > "$IN/cut.json"
printf '\xff\xfe{\0}\0' > "$IN/utf16.json"
ln -s loop.json "$IN/loop.json"
bad c > "$IN/more.ndjson"
wait_until 60 names_are '[["DRV-J009","cut.json"],["DRV-S001","loop.json"]]'
for name in cut.json loop.json utf16.json more.ndjson:1; do
  wait_until 60 grep -q "where: .*/$name" "$LOG"
done
drover status > "$WORK/status.log"
grep -q 'cannot be read: DRV-S001 .*/loop.json' "$WORK/status.log" || fail "status does not name the source"
grep -q 'looked at again by itself' "$LOG" || fail "it is not said that it is looked at again"

say "what is wrong already is not said again when the source changes"
{ bad c; bad d; record e k; } > "$IN/more.ndjson"
wait_until 60 grep -q 'follow.produced.*more.ndjson' "$LOG"
printf '[{"id": "x", "tenant"' > "$IN/cut.json"
: > "$IN/empty.json"
wait_until 60 grep -q 'where: .*/empty.json' "$LOG"
equal "cut.json" "$(count 'where: .*cut.json')" 1

say "put right, removed: said as well"
record c k > "$IN/more.ndjson"
echo '[]' > "$IN/cut.json"
rm "$IN/loop.json" "$IN/empty.json"
wait_until 60 names_are '[]'
over() { grep -q "note: the source $1 (.*/$2)" "$LOG"; }
wait_until 60 over 'can be read again' cut.json
wait_until 60 over 'is gone' early.json
wait_until 60 over 'is gone' loop.json
wait_until 60 over 'is gone' empty.json
wait_until 60 grep -q 'note: nothing of the source is rejected any more (.*more.ndjson)' "$LOG"
equal "nothing else is over" "$(count '^note:')" 5

say "more sources than status names"
for (( i = 10; i < 23; i++ )); do : > "$IN/empty$i.json"; done
all() { [ "$(drover status --json | jq '.followers[0] | .problems * 100 + (.problem_sources | length)')" = 1310 ]; }
wait_until 60 all
drover status > "$WORK/status.log"
has "$WORK/status.log" "… and 3 more: the follower's log names them"

say "when the minute is over, it is said how many more were rejected, and records are shown again"
wait_until 150 grep -q '… and [0-9]* more rejected in the last minute' "$LOG"
kill -0 "$FOLLOWER" || fail "the follower has ended"
{ for (( i = 0; i < 25; i++ )); do bad "b$i"; done; bad new; } > "$IN/many.ndjson"
shown_again() { [ "$(count 'where: .*many.ndjson:26:')" = 1 ]; }
wait_until 60 shown_again
kill -TERM "$FOLLOWER"
wait "$FOLLOWER" || true
! sed -n '/^stopped run/,$p' "$LOG" | grep '^error' || fail "a source's error is said to be the run's"
say done
