#!/usr/bin/env bash
# `drover run` off a terminal says each outage once, under its own name, and each end of one: PostgreSQL and Kafka away at the
# same time while it works, Kafka once more while it verifies.
. "$(dirname "$0")/lib.sh"

is_held() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_locks WHERE relation = 'public.event'::regclass AND NOT granted")" -ge 1 ]; }
events() { sed -En 's/.* component=run event=([^ ]*).*/\1/p' "$WORK/run.log" | sort | uniq -c | awk '{ printf "%s %s, ", $2, $1 }'; }
says() { [[ "$(events)" == *"$1, "* ]]; }
verifies() { VERIFY=$(pgrep -P "$RUN" -f "drover verify"); }

prepare
generate 30000 30 1 "$WORK/one.ndjson"
psql "$ADMIN" -qc 'BEGIN; LOCK TABLE public.event IN SHARE MODE; SELECT pg_sleep(300)' > /dev/null 2>&1 &
PIDS+=($!)
# what the log keeps of an event must not lie on a stack that is used anew
ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_stack_use_after_return=1 "$DROVER" run "$WORK/one.ndjson" --config "$WORK/drover.yaml" > "$WORK/run.log" 2>&1 &
RUN=$!
PIDS+=("$RUN")
wait_until 60 is_held

say "both are away"
{ ./dev stack kill postgres & ./dev stack kill kafka; wait $!; } > "$WORK/kill.log" 2>&1
wait_until 60 says 'kafka.away 1'
wait_until 60 says 'postgres.away 1'
./dev stack up > "$WORK/up.log" 2>&1
wait_until 60 says 'kafka.back 1'
wait_until 60 says 'postgres.back 1'

say "Kafka is away while it verifies"
wait_until 120 verifies
kill -STOP "$VERIFY"
./dev stack kill kafka > "$WORK/kill.log" 2>&1
wait_until 60 says 'kafka.away 2'
./dev stack up > "$WORK/up.log" 2>&1
wait_until 60 says 'kafka.back 2'
kill -CONT "$VERIFY"
status=0
wait "$RUN" || status=$?
# 4: the verifier was stopped while it waited for an answer, for longer than a server may be silent
[ "$status" = 0 ] || [ "$status" = 4 ] || fail "run: exit $status"
equal "what was said" "$(events)" 'kafka.away 2, kafka.back 2, postgres.away 1, postgres.back 1, '
check_equal "$WORK/one.ndjson"
say done
