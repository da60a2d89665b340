#!/usr/bin/env bash
# A verifier that a run holds reads the files while the rest is written, and asks the store only when it is let go: what is
# committed meanwhile is compared. One that is killed while it is held keeps nothing from being written.
. "$(dirname "$0")/lib.sh"

RECORDS=12000
report() { jq -r "$1" "$WORK/report/latest/report.json"; }
# FILE: read, and closed again
has_read() {
  [ "$(awk '/^rchar/ { print $2 }' "/proc/$PID/io")" -gt "$(stat -c %s "$1")" ] && [ -z "$(find "/proc/$PID/fd" -lname "$1" 2> /dev/null)" ]
}

# hold FILE: a verifier of FILE, held until descriptor 9 is closed, that has opened and read it; sets PID
hold() {
  rm -f "$WORK/hold"; mkfifo "$WORK/hold"
  DROVER_HELD=1 "$DROVER" verify --config "$WORK/drover.yaml" --source "$1" < "$WORK/hold" > "$WORK/held.log" 2>&1 &
  PID=$!
  PIDS+=("$PID")
  exec 9> "$WORK/hold"
  wait_until 60 has_read "$1"
}

let_go() { exec 9>&-; wait "$PID"; }

prepare
generate $RECORDS 4 1 "$WORK/one.ndjson"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1

say "the files are read while it is held, the rows after"
hold "$WORK/one.ndjson"
mv "$WORK/one.ndjson" "$WORK/moved.ndjson"
drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 let_go
equal "of all, match" "$(report '[.source_records, .counts.match] | join(" ")')" "$RECORDS $RECORDS"
mv "$WORK/moved.ndjson" "$WORK/one.ndjson"

say "so many messages come while it is held that its table is not the topic's"
hold "$WORK/one.ndjson"
generate $RECORDS 4 2 "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 let_go
equal "rows, and what another file took over" "$(report '[.counts.match, .counts.superseded, .beside.overtaken] | join(" ")')" "$RECORDS $RECORDS 0"

say "not held: standard input is nobody's business"
expect_exit 0 timeout 60 "$DROVER" verify --config "$WORK/drover.yaml" --source "$WORK/two.ndjson" < /dev/zero > "$WORK/verify.log"

say "a run whose verifier is killed while it is held writes all there is"
psql "$ADMIN" -q <<'SQL'
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON public.event FOR EACH ROW EXECUTE FUNCTION public.slow();
SQL
generate $RECORDS 4 3 "$WORK/three.ndjson"
"$DROVER" run --config "$WORK/drover.yaml" "$WORK/three.ndjson" > "$WORK/run.log" 2>&1 &
RUN_PID=$!
PIDS+=("$RUN_PID")
verifier() { VERIFIER=$(pgrep -P "$RUN_PID" -f 'drover verify'); }
wait_until 60 verifier
[ "$(psql "$ADMIN" -Atc 'SELECT count(*) FROM public.event WHERE rev = 3' 2>/dev/null)" -lt "$RECORDS" ] || fail "it was not held"
kill -9 "$VERIFIER"
expect_exit 1 wait "$RUN_PID"
check_equal "$WORK/three.ndjson"
