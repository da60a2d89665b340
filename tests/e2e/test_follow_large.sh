#!/usr/bin/env bash
# produce --follow of many files and of a large one. DROVER_TEST_FULL=1: 20,000 files and 2 GiB; else 1,500 and 48 MiB.
. "$(dirname "$0")/lib.sh"

if [ -n "${DROVER_TEST_FULL:-}" ]; then FILES=20000 LINES=10500 PATIENCE=1500; else FILES=1500 LINES=250 PATIENCE=300; fi
IN=$WORK/in
mkdir -p "$IN/a" "$IN/b"
prepare
start_worker worker
python3 - "$IN" "$FILES" <<'EOF_PY'
import sys
for i in range(int(sys.argv[2])):
    with open("%s/%s/f%d.json" % (sys.argv[1], "ab"[i % 2], i), "w") as file:
        file.write('{"id": "f%d", "tenant": "north", "rev": 1, "kind": "k"}\n' % i)
EOF_PY
row_is() { [ "$(psql "$ADMIN" -Atc "$1")" = "$2" ]; }
count_is() { row_is "SELECT count(*) FROM event WHERE NOT drover_deleted AND $1" "$2"; }
memory_kib() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$FOLLOWER/status"; }
cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$FOLLOWER/stat"; }
"$DROVER" produce --follow "$IN" --entity event --scan 1s --config "$WORK/drover.yaml" --log-format logfmt > "$WORK/follow.log" 2>&1 &
FOLLOWER=$!
PIDS+=("$FOLLOWER")

say "$FILES files, each once"
wait_until "$PATIENCE" grep -q follow.waiting "$WORK/follow.log"
wait_until "$PATIENCE" count_is true "$FILES"
equal "messages" "$(messages_in "drover.$NAME.source")" "$FILES"
printf 'first scan: %s ticks of processor time, %s KiB\n' "$(cpu_ticks)" "$(memory_kib)"

say "one of them, a folder renamed, and some that are gone"
printf '{"id": "f7", "tenant": "north", "rev": 2, "kind": "k"}\n' > "$IN/b/f7.json"
wait_until 120 count_is "id = 'f7' AND rev = 2" 1
mv "$IN/a" "$IN/c"
rm "$IN"/b/f1?.json # f11 to f19, the odd ones
wait_until "$PATIENCE" count_is true $((FILES - 5))
wait_until "$PATIENCE" count_is "id IN ('f11', 'f13', 'f15', 'f17', 'f19')" 0
equal "none of the renamed folder was deleted" \
  "$(psql "$ADMIN" -Atc "SELECT count(*) FROM event WHERE drover_deleted")" 5

say "a large file: bounded memory, and what is appended is not all of it"
BEFORE=$(memory_kib)
python3 - "$IN/large.ndjson" "$LINES" <<'EOF_PY'
import os, sys
path, pad = sys.argv[1], "x" * 200000
with open(path + ".tmp", "w") as file:
    for i in range(int(sys.argv[2])):
        file.write('{"id": "large%d", "tenant": "north", "rev": %d, "kind": "k", "pad": "%s"}\n' % (i % 200, i, pad))
os.rename(path + ".tmp", path)
EOF_PY
wait_until "$PATIENCE" count_is "id LIKE 'large%'" 200
wait_until "$PATIENCE" count_is "id = 'large$(((LINES - 1) % 200))' AND rev = $((LINES - 1))" 1
# the sanitizer of a test's build keeps up to 256 MiB that was freed
GREW=$(($(memory_kib) - BEFORE))
[ "$GREW" -lt 600000 ] || fail "a file of $(du -m "$IN/large.ndjson" | cut -f1) MiB took $GREW KiB"
for i in 1 2 3; do
  printf '{"id": "more%d", "tenant": "north", "rev": 1, "kind": "k"}\n' "$i" >> "$IN/large.ndjson"
  wait_until "$PATIENCE" count_is "id = 'more$i'" 1 # the first one may find all of it being read again: a second scan is to see the same
done
kill -TERM "$FOLLOWER"
wait "$FOLLOWER" || true
say done
