#!/usr/bin/env bash
# produce --follow between two scans: what changes is produced because the system says so, whichever way an editor writes it,
# many files at once, and none but the file that changed is read. The next scan is an hour away.
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
mkdir -p "$IN/sub"
prepare
record() { printf '{"id": "%s", "tenant": "north", "rev": %d, "kind": "k"}\n' "$1" "$2"; }
start_worker worker
for i in $(seq 300); do record "f$i" 1 > "$IN/f$i.json"; done
PAD=$(printf '%20000s' "" | tr ' ' x)
for i in $(seq 301 500); do printf '{"id": "f%d", "tenant": "north", "rev": 1, "kind": "k", "pad": "%s"}\n' "$i" "$PAD" > "$IN/f$i.json"; done
"$DROVER" produce --follow "$IN" --entity event --scan 1h --config "$WORK/drover.yaml" --log-format logfmt > "$WORK/follow.log" 2>&1 &
FOLLOWER=$!
PIDS+=("$FOLLOWER")
wait_until 120 grep -q follow.waiting "$WORK/follow.log"
revs() { psql "$ADMIN" -Atc "SELECT string_agg(rev::text, ',' ORDER BY id) FROM event WHERE NOT drover_deleted AND id IN ($1)"; }
revs_are() { [ "$(revs "$1")" = "$2" ]; }
read_bytes() { sed -n 's/^rchar: //p' "/proc/$FOLLOWER/io"; }
wait_until 120 revs_are "'f1','f500'" 1,1
equal "each was sent once" "$(messages_in "drover.$NAME.source")" 500
BEFORE=$(read_bytes)

say "in place, by rename, by unlink and create, by a swap file and back"
record f1 2 > "$IN/f1.json"
wait_until 60 revs_are "'f1'" 2
record f1 3 > "$IN/.f1.json.swp"
mv "$IN/.f1.json.swp" "$IN/f1.json"
wait_until 60 revs_are "'f1'" 3
rm "$IN/f1.json"
record f1 4 > "$IN/f1.json"
wait_until 60 revs_are "'f1'" 4
mv "$IN/f1.json" "$IN/f1.json~"
record f1 5 > "$IN/f1.json.new"
mv "$IN/f1.json.new" "$IN/f1.json"
rm "$IN/f1.json~"
wait_until 60 revs_are "'f1'" 5
touch -d '2001-01-01' "$IN/f2.json" # a clock set back
record f2 2 > "$WORK/old.json"
touch -d '2001-01-01' "$WORK/old.json"
mv "$WORK/old.json" "$IN/f2.json"
wait_until 60 revs_are "'f2'" 2
READ=$(($(read_bytes) - BEFORE))
[ "$READ" -lt 2000000 ] || fail "files of 4 MB that did not change were read: $READ bytes"

say "new files, in new folders, in folders moved in, and below"
record g1 1 > "$IN/g1.json"
mkdir "$IN/new"
record g2 1 > "$IN/new/g2.json"
mkdir -p "$WORK/moved/deep"
record g3 1 > "$WORK/moved/deep/g3.json"
mv "$WORK/moved" "$IN/moved"
wait_until 60 revs_are "'g1','g2','g3'" 1,1,1
record g3 2 > "$IN/moved/deep/g3.json"
wait_until 60 revs_are "'g3'" 2
mv "$IN/moved" "$IN/elsewhere"
record g3 3 > "$IN/elsewhere/deep/g3.json"
wait_until 60 revs_are "'g3'" 3

say "one that is half written is waited for, and the others are not"
printf '{"id": "f3", "ten' > "$IN/f3.json"
record f4 2 > "$IN/f4.json"
wait_until 60 revs_are "'f4'" 2
equal "f3" "$(revs "'f3'")" 1
printf 'ant": "north", "rev": 2, "kind": "k"}' >> "$IN/f3.json"
wait_until 60 revs_are "'f3'" 2

say "all of them at once, again and again: the last content of each"
for round in $(seq 10 20); do
  for i in $(seq 5 300); do record "f$i" "$round" > "$IN/.tmp"; mv "$IN/.tmp" "$IN/f$i.json"; done
done
all_are() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM event WHERE rev = 20")" = 296 ]; }
wait_until 120 all_are

say "one file, as often as it goes"
rewrites() { python3 - "$IN/f5.json" <<'EOF_PY'
import os, sys, time
path, until, rev = sys.argv[1], time.monotonic() + 3, 100
while time.monotonic() < until:
    rev += 1
    with open(path, "w") as file:
        file.write('{"id": "f5", "tenant": "north", "rev": %d, "kind": "k"}\n' % rev)
    time.sleep(0.01)
print(rev)
EOF_PY
}
LAST=$(rewrites)
wait_until 60 revs_are "'f5'" "$LAST"
kill -TERM "$FOLLOWER"
wait "$FOLLOWER" || true
say done
