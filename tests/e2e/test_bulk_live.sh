#!/usr/bin/env bash
# A bulk load that begins, and ends, under workers that run already: the group's own take it up and go back to upserts by
# themselves, those of another group wait, and what reads the table for that group says why it does not.
. "$(dirname "$0")/lib.sh"

sed -i "s|^mappings:.*|mappings: [$PWD/tests/e2e/data/event.yaml, $PWD/tests/e2e/data/note.yaml]|" "$WORK/drover.yaml"
BATCH=(--batch-records 100)

# notes FIRST COUNT REV FILE
notes() {
  awk -v first="$1" -v n="$2" -v rev="$3" 'BEGIN {
    for (i = first; i < first + n; i++)
      printf "{\"id\":\"n%d\",\"tenant\":\"t%02d\",\"rev\":%d,\"kind\":\"k%d\",\"amount\":1.50,\"text\":\"note %d\"}\n", i, i % 20, rev, i % 7, i
  }' > "$4"
}
of_group() { psql "$ADMIN" -Atc "SELECT coalesce(sum(next_offset), 0) FROM drover.partition_progress WHERE \"group\" = '$1'"; }
group_has() { [ "$(of_group "$1")" -ge "$2" ]; }
number() { psql "$ADMIN" -Atc "$1"; }
runs() { kill -0 "$2" 2> /dev/null || { tail -5 "$WORK/$1.log" >&"$TELL"; fail "worker $1 has ended"; }; }

prepare
generate 300 10 1 "$WORK/a.ndjson"
OWN=$(drover config show | sed -n 's/^ *group: *\([^ ]*\).*/\1/p' | head -1)
say "group $OWN"
start_worker A "${BATCH[@]}"
start_worker O --group other "${BATCH[@]}"
drover produce "$WORK/a.ndjson" > "$WORK/produce_a.log" 2>&1
wait_until 60 group_has other 300
wait_until 60 is_drained

say "a load begins"
drover load begin > "$WORK/begin.log" 2>&1 || fail "load begin: exit $?"
has "$WORK/begin.log" "public.note: bulk"
has "$WORK/begin.log" "public.event: upsert, because it is not empty"
drover load begin --group other > "$WORK/begin_other.log" 2>&1 || fail "load begin of another group: exit $?"
has "$WORK/begin_other.log" "loads it: until that is finished its records wait"
notes 0 3000 1 "$WORK/a.notes"
drover produce "$WORK/a.notes" > "$WORK/produce_n.log" 2>&1
wait_until 60 is_drained
notes 0 40 2 "$WORK/again.notes" # in batches of their own
drover produce "$WORK/again.notes" > "$WORK/produce_again.log" 2>&1
wait_until 60 is_drained
wait_until 30 grep -q 'DRV-P010' "$WORK/O.log"
has "$WORK/O.log" "group $OWN loads it"
has "$WORK/O.log" "drover load finish, or abort, with the --migration of that group"
runs A "$A_PID"
runs O "$O_PID"
equal "rows in the table while it is loaded" "$(number 'SELECT count(*) FROM public.note')" 0
expect_exit 5 drover verify --group other > "$WORK/verify_other.log" 2>&1
has "$WORK/verify_other.log" "DRV-P010"
has "$WORK/verify_other.log" "loads it, and the table is empty until that is finished"

say "and ends"
drover load finish > "$WORK/finish.log" 2>&1 || fail "load finish: exit $?"
has "$WORK/finish.log" "public.note: 3000 rows"
! grep -E 'DRV-|error' "$WORK/finish.log" || fail "a finish that ended well names an error"
wait_until 60 group_has other 3340
notes 0 500 2 "$WORK/b.notes"
drover produce "$WORK/b.notes" > "$WORK/produce_b.log" 2>&1
wait_until 60 is_drained
wait_until 60 group_has other 3840
runs A "$A_PID"
runs O "$O_PID"
stop_worker A
stop_worker O
equal "rows" "$(number 'SELECT count(*) FROM public.note')" 3000
equal "rows of the later version" "$(number 'SELECT count(*) FROM public.note WHERE rev = 2')" 500
! grep -h 'DRV-P006' "$WORK/A.log" "$WORK/O.log" || fail "a worker missed a right"
equal "dead letters" "$(drover status --json | jq '.counts.dead_lettered')" 0
drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"
