#!/usr/bin/env bash
# The same `drover run --load bulk` again, after one whose finish was killed, or failed: it ends what was begun before it
# produces anything, or says at once what stands in the way.
. "$(dirname "$0")/lib.sh"

sed -i "s|^mappings:.*|mappings: [$PWD/tests/e2e/data/essay.yaml]|" "$WORK/drover.yaml"

essays() { # FIRST COUNT
  awk -v first="$1" -v n="$2" 'BEGIN {
    for (i = first; i < first + n; i++)
      printf "{\"id\":\"n%d\",\"tenant\":\"t%02d\",\"rev\":1,\"text\":\"essay %d\"}\n", i, i % 20, i
  }'
}
one() { psql "$ADMIN" -Atc "$1"; }
is_finalising() { [ "$(one "SELECT count(*) FROM drover.load WHERE state = 'finalising'")" = 1 ]; }
reads() { [ "$(one "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'in_the_way' AND wait_event = 'PgSleep'")" = 1 ]; }
release() { end_sessions "application_name = 'in_the_way'"; }

say "killed while it waits for a reader of the table"
prepare
drover load begin > "$WORK/begin.log" 2>&1 || fail "load begin: exit $?" # which has to lock the table as well
essays 0 1000 > "$WORK/a.essays"
PGAPPNAME=in_the_way psql "$ADMIN" -qc 'BEGIN; SELECT count(*) FROM public.essay; SELECT pg_sleep(600)' > /dev/null 2>&1 &
READER=$!
wait_until 30 reads
"$DROVER" run "$WORK/a.essays" --load bulk --config "$WORK/drover.yaml" > "$WORK/run_killed.log" 2>&1 &
RUN=$!
wait_until 90 is_finalising
kill -9 "$RUN"
wait "$RUN" 2> /dev/null || true
is_finalising || fail "the finish ended before its reader"
release
wait "$READER" 2> /dev/null || true
drover run "$WORK/a.essays" --load bulk > "$WORK/run_again.log" 2>&1 || fail "run again: exit $?"
has "$WORK/run_again.log" "public.essay: 1000 rows, as an earlier run had begun to finish it"
has "$WORK/run_again.log" "MATCH"
equal "rows" "$(one 'SELECT count(*) FROM public.essay')" 1000

say "an index that does not take a row"
psql "$ADMIN" -qc 'TRUNCATE public.essay'
LONG=$(head -c 9000 /dev/urandom | base64 -w 0)
{ essays 1000 200; printf '{"id":"n4711","tenant":"t77","rev":1,"text":"%s"}\n' "$LONG"; } > "$WORK/b.essays"
expect_exit 5 drover run "$WORK/b.essays" --load bulk > "$WORK/run_refused.log" 2>&1
has "$WORK/run_refused.log" "index essay_text cannot be built"
has "$WORK/run_refused.log" "or drover load abort"
END=$(drover status --json | jq .total)
expect_exit 5 drover run "$WORK/b.essays" --load bulk > "$WORK/run_refused_again.log" 2>&1
has "$WORK/run_refused_again.log" "drover load abort"
equal "messages after a run that could not begin" "$(drover status --json | jq .total)" "$END"
drover load abort > "$WORK/abort.log" 2>&1 || fail "load abort: exit $?"
drover work --until-end > "$WORK/work.log" 2>&1 || fail "work: exit $?"
equal "rows" "$(one 'SELECT count(*) FROM public.essay')" 200
