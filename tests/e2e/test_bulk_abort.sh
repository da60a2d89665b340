#!/usr/bin/env bash
# A bulk load that cannot be finished, as an index does not take a row: the error names the index and the record, and
# never its value; `load abort` gives the load up, the workers read again what was only in the load table, also those that
# run, and the end is what upserts would have made.
. "$(dirname "$0")/lib.sh"

sed -i "s|^mappings:.*|mappings: [$PWD/tests/e2e/data/event.yaml, $PWD/tests/e2e/data/essay.yaml]|" "$WORK/drover.yaml"
OPTIONS=(--batch-records 100 --stall-after 2s)

# essays FIRST COUNT REV FILE
essays() {
  awk -v first="$1" -v n="$2" -v rev="$3" 'BEGIN {
    for (i = first; i < first + n; i++)
      printf "{\"id\":\"n%d\",\"tenant\":\"t%02d\",\"rev\":%d,\"text\":\"essay %d\"}\n", i, i % 20, rev, i
  }' >> "$4"
}
one() { psql "$ADMIN" -Atc "$1"; }
places() { one 'SELECT partition, next_offset, sequences FROM drover.partition_progress ORDER BY 1'; }

prepare
generate 300 10 1 "$WORK/a.ndjson"
start_worker A "${OPTIONS[@]}"
drover produce "$WORK/a.ndjson" > "$WORK/produce_a.log" 2>&1
wait_until 60 is_drained
places > "$WORK/places_before"

say "a row that an index does not take"
drover load begin > "$WORK/begin.log" 2>&1 || fail "load begin: exit $?"
has "$WORK/begin.log" "public.essay: bulk"
essays 0 1500 1 "$WORK/a.essays"
LONG=$(head -c 9000 /dev/urandom | base64 -w 0)
printf '{"id":"n4711","tenant":"t77","rev":1,"text":"%s"}\n' "$LONG" >> "$WORK/a.essays"
essays 1500 1500 1 "$WORK/a.essays"
essays 100 200 2 "$WORK/a.essays"
drover produce "$WORK/a.essays" > "$WORK/produce_e.log" 2>&1
wait_until 60 is_drained
for turn in 1 2; do # as often as it is tried
  expect_exit 5 drover load finish > "$WORK/finish.log" 2>&1
  has "$WORK/finish.log" "DRV-P110"
  has "$WORK/finish.log" "index essay_text cannot be built"
  has "$WORK/finish.log" "public.essay, record t77/n4711, partition "
  has "$WORK/finish.log" "drover load abort"
  ! grep -qF "${LONG:0:24}" "$WORK/finish.log" || fail "the value is in the error"
done
PLACE=$(sed -n 's/.*record t77.n4711, partition \([0-9]*\) offset \([0-9]*\).*/\1@\2/p' "$WORK/finish.log" | head -1)

say "given up, while the worker runs"
essays 3000 500 1 "$WORK/b.essays"
drover produce "$WORK/b.essays" > "$WORK/produce_b.log" 2>&1
drover load abort --json > "$WORK/abort.json" 2> "$WORK/abort.log" || fail "load abort: exit $?"
equal "what was given up" "$(jq -c '[.tables, (.records > 3000)]' "$WORK/abort.json")" '[["public.essay"],true]'
equal "loads left" "$(one "SELECT count(*) FROM drover.load")" 0
equal "load tables left" "$(one "SELECT count(*) FROM pg_class WHERE relnamespace = 'drover_load'::regnamespace")" 0
expect_exit 0 drover load abort > "$WORK/abort2.log" 2>&1
has "$WORK/abort2.log" "no table is being loaded"
all_read() { [ "$(one 'SELECT count(*) FROM public.essay')" = 3500 ] && is_drained; }
wait_until 120 all_read
stop_worker A
places | cut -d'|' -f1 > "$WORK/partitions_after"
cut -d'|' -f1 "$WORK/places_before" | cmp - "$WORK/partitions_after" || fail "partitions were lost"
equal "rows of the later version" "$(one 'SELECT count(*) FROM public.essay WHERE rev = 2')" 200
equal "events" "$(one 'SELECT count(*) FROM public.event')" 300
drover status > "$WORK/status.log" 2>&1 || fail "status: exit $?"
expect_exit 5 drover verify --json > "$WORK/verify.json" 2> "$WORK/verify.log"
cat "$WORK/verify.log" >> "$WORK/finish.log"
equal "what is not in the table" "$(jq -c '[.counts.dead_lettered, .counts.missing, .counts.different]' "$WORK/verify.json")" '[1,0,0]'
equal "where the dead letter came from" "$(kcat -b "$KAFKA_BROKERS" -C -e -q -t "drover.$NAME.dlq" -f '%h\n' | tr ',' '\n' | sed -n 's/^drover-dlq-id=.*-\([0-9]*\)-\([0-9]*\)$/\1@\2/p' | sort -u)" "$PLACE"

say "exactly where it began"
start_worker B "${OPTIONS[@]}"
essays 9000 300 1 "$WORK/c.essays"
psql "$ADMIN" -qc 'TRUNCATE public.essay'
places > "$WORK/places_begin"
drover load begin > "$WORK/begin_again.log" 2>&1 || fail "load begin: exit $?"
drover produce "$WORK/c.essays" > "$WORK/produce_c.log" 2>&1
wait_until 60 is_drained
stop_worker B
! places | cmp -s - "$WORK/places_begin" || fail "nothing was loaded"
drover load abort > "$WORK/abort3.log" 2>&1 || fail "load abort: exit $?"
has "$WORK/abort3.log" "300 records in"
places | diff "$WORK/places_begin" - || fail "the checkpoints are not those of the beginning"
expect_exit 6 drover status > "$WORK/status_behind.log" 2>&1
has "$WORK/status_behind.log" "DRV-W012"
has "$WORK/status_behind.log" "a load was given up (drover load abort) and is not read again yet"
has "$WORK/status_behind.log" "start the workers"
start_worker C "${OPTIONS[@]}"
loaded() { [ "$(one 'SELECT count(*) FROM public.essay')" = 300 ] && is_drained; }
wait_until 60 loaded
stop_worker C
