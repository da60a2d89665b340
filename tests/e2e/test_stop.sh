#!/usr/bin/env bash
# Every stop ends in time, whatever is frozen and whatever is in flight; the second signal ends a process at once; and what was in
# flight is neither lost nor written from memory that is gone (the sanitizers of the dev build watch).
. "$(dirname "$0")/lib.sh"

STACK_ROOT=$PWD
FROZEN=
thaw() { [ -z "$FROZEN" ] || "$STACK_ROOT/dev" stack resume "$FROZEN" > "$WORK/thaw.log" 2>&1; FROZEN=; }
freeze() { FROZEN=$1; "$STACK_ROOT/dev" stack pause "$1" > "$WORK/freeze.log" 2>&1; }
trap 'STATUS=$?; thaw; exit_with "$STATUS" || cleanup' EXIT

exit_with() { return "$1"; }

# The process just started; waiting for something forgets $!
follow_pid() { PID=$!; PIDS+=("$PID"); }

now_ms() { date +%s%3N; }

# ends_within WHAT MS PID [CODE…]: the process ends in that time, with one of these codes
ends_within() {
  local what=$1 limit=$2 pid=$3 begin status=0 took
  shift 3
  begin=$(now_ms)
  while kill -0 "$pid" 2>/dev/null && [ $(( $(now_ms) - begin )) -lt 70000 ]; do read -rt 0.05 <> <(:) || true; done
  took=$(( $(now_ms) - begin ))
  kill -9 "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || status=$?
  [ "$took" -le "$limit" ] || fail "$what took $took ms to end, $limit are promised"
  [ $# = 0 ] || case " $* " in *" $status "*) ;; *) fail "$what ended with $status, not $*" ;; esac
  say "$what: ended after $took ms with $status"
}

pause_ms() { read -rt "$(awk -v ms="$1" 'BEGIN { printf "%.3f", ms / 1000 }')" <> <(:) || true; }

sanitizers_are_silent() {
  ! grep -hE 'ERROR: (Address|Leak)Sanitizer|runtime error' "$WORK"/*.log >&"$TELL" || fail "a sanitizer spoke"
}

# Slower machines than a promise assumes get this much more.
SLACK=3000

prepare
generate 4000 8 1 "$WORK/one.ndjson"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1

say "a batch in its search for refused records, SIGTERM at random moments (seed ${SEED:=$RANDOM})"
RANDOM=$SEED
psql "$ADMIN" -q <<'SQL'
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON public.event FOR EACH ROW EXECUTE FUNCTION public.slow();
ALTER TABLE public.event ADD CONSTRAINT odd CHECK (rev < 1 OR kind <> 'k3');
SQL
sed 's/^verify:/work: { drain: 100ms, batch_records: 100 }\nverify:/' "$WORK/drover.yaml" > "$WORK/short.yaml"
for round in 1 2 3 4 5 6 7 8; do
  "$DROVER" work --config "$WORK/short.yaml" > "$WORK/search$round.log" 2>&1 &
  follow_pid
  wait_until 60 grep -q partition.claimed "$WORK/search$round.log"
  pause_ms $(( RANDOM % 1500 ))
  kill -TERM "$PID"
  ends_within "worker in its search" $(( 4100 + SLACK )) "$PID"
  sanitizers_are_silent
done
psql "$ADMIN" -qc 'DROP TRIGGER slow ON public.event'

say "a frozen Kafka: the worker"
start_worker frozen
wait_until 60 grep -q partition.claimed "$WORK/frozen.log"
freeze kafka
pause_ms 7000 # a commit of offsets is on its way
kill -TERM "$frozen_PID"
ends_within "worker, Kafka frozen" $(( 12000 + SLACK )) "$frozen_PID" 0
thaw

say "a frozen Kafka: the second signal"
start_worker twice
wait_until 60 grep -q partition.claimed "$WORK/twice.log"
freeze kafka
kill -TERM "$twice_PID"
pause_ms 1200
kill -TERM "$twice_PID"
ends_within "worker at its second signal" $(( 500 + SLACK )) "$twice_PID" 143 0
thaw

say "a frozen PostgreSQL"
start_worker still
wait_until 60 grep -q partition.claimed "$WORK/still.log"
freeze postgres
pause_ms 500
kill -TERM "$still_PID"
ends_within "worker, PostgreSQL frozen" $(( 12000 + SLACK )) "$still_PID" 0
thaw

total() { drover status --json 2> "$WORK/status.err" | jq -e .total || echo -1; }
topic_is_known() { TOTAL=$(total); [ "$TOTAL" -ge 0 ]; }
topic_grows() { [ "$(total)" -gt "$TOTAL" ]; }

# More than any machine produces before Kafka is frozen
without_end() { while cat "$WORK/two.ndjson" 2>/dev/null; do :; done; }

say "produce, Kafka frozen"
wait_until 60 topic_is_known
generate 60000 8 2 "$WORK/two.ndjson"
"$DROVER" produce - --entity event --config "$WORK/drover.yaml" < <(without_end) > "$WORK/half.log" 2>&1 &
follow_pid
wait_until 60 topic_grows
freeze kafka
pause_ms 1500
kill -TERM "$PID"
ends_within "produce, Kafka frozen" $(( 12000 + SLACK )) "$PID"
thaw
wait_until 60 topic_is_known
"$DROVER" produce - --entity event --config "$WORK/drover.yaml" < <(without_end) > "$WORK/half2.log" 2>&1 &
follow_pid
wait_until 60 topic_grows
freeze kafka
kill -INT "$PID"
pause_ms 300
kill -INT "$PID"
ends_within "produce at its second signal" $(( 500 + SLACK )) "$PID"
thaw
sanitizers_are_silent

say "produce --follow, Kafka frozen"
mkdir "$WORK/followed"
cp "$WORK/one.ndjson" "$WORK/followed/event.ndjson"
"$DROVER" produce --follow "$WORK/followed" --config "$WORK/drover.yaml" > "$WORK/follow.log" 2>&1 &
follow_pid
wait_until 60 grep -q follow.waiting "$WORK/follow.log"
freeze kafka
cp "$WORK/two.ndjson" "$WORK/followed/event.ndjson.new" && mv "$WORK/followed/event.ndjson.new" "$WORK/followed/event.ndjson"
pause_ms 2500
kill -TERM "$PID"
ends_within "produce --follow, Kafka frozen" $(( 12000 + SLACK )) "$PID"
thaw

for server in kafka postgres; do
  say "run, $server frozen"
  "$DROVER" run "$WORK/two.ndjson" --workers 1 --config "$WORK/drover.yaml" > "$WORK/run$server.log" 2>&1 &
  follow_pid
  wait_until 60 grep -q "run .*committed=" "$WORK/run$server.log"
  freeze "$server"
  pause_ms 1500
  kill -TERM "$PID"
  ends_within "run, $server frozen" $(( 15000 + SLACK )) "$PID" 7
  thaw
done
say "run, its second signal: nothing stays behind"
"$DROVER" run "$WORK/two.ndjson" --workers 1 --config "$WORK/drover.yaml" > "$WORK/runtwice.log" 2>&1 &
follow_pid
wait_until 60 grep -q "run .*committed=" "$WORK/runtwice.log"
freeze kafka
kill -TERM "$PID"
pause_ms 300
kill -TERM "$PID"
ends_within "run at its second signal" $(( 500 + SLACK )) "$PID" 143 7
pause_ms 200
! pgrep -f "drover work.*$WORK" > /dev/null || fail "a worker stayed behind"
thaw

say "verify, frozen servers: a signal ends it at once"
for server in kafka postgres; do
  freeze "$server"
  "$DROVER" verify --config "$WORK/drover.yaml" > "$WORK/verify$server.log" 2>&1 &
  follow_pid
  pause_ms 1000
  kill -TERM "$PID"
  ends_within "verify, $server frozen" $(( 500 + SLACK )) "$PID"
  thaw
done
sanitizers_are_silent

say "nothing was lost by all of that"
psql "$ADMIN" -qc 'ALTER TABLE public.event DROP CONSTRAINT odd'
drover produce --again "$WORK/two.ndjson" > "$WORK/last.log" 2>&1 # also what was acknowledged, and refused by that constraint
start_worker last
wait_until 120 is_drained
stop_worker last
check_equal "$WORK/two.ndjson"
sanitizers_are_silent
say done
