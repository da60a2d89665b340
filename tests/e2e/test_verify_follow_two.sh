#!/usr/bin/env bash
# Two drover verify --follow share the partitions: each message is judged by one of them; what one that was killed had, the
# other one goes on with.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/follower_lib.sh"

prepare

# start_follower NAME: in the background; its documents go on in NAME.out
start_follower() {
  "$DROVER" verify --follow --json --id "$1" --full-every 0 --report "$WORK/report-$1" --config "$WORK/drover.yaml" --log-format logfmt \
    >> "$WORK/$1.out" 2>> "$WORK/$1.log" &
  PIDS+=($!)
  printf -v "${1}_PID" '%s' "$!"
}
has_partitions() { grep -q "follow.begun partitions=$2" "$WORK/$1.log"; }
compared() { echo $(( $(last a .compared) + $(last b .compared) )); }
have_compared() { [ "$(compared)" = "$1" ]; }

say "each has half of the partitions, and together they compare everything once"
: > "$WORK/a.out"; : > "$WORK/b.out"
start_follower a
wait_until 60 has_partitions a 6
start_follower b
wait_until 60 has_partitions a 3
wait_until 60 has_partitions b 3
start_worker worker
generate 4000 10 1 "$WORK/one.ndjson"
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
wait_until 90 have_compared 4000
[ "$(last a .compared)" -gt 0 ] && [ "$(last b .compared)" -gt 0 ] || fail "one of them did all of it"

say "one is killed: the other one takes its partitions, and goes on where it was"
has_told() { [ "$(standing a .compared)" = "$(last a .compared)" ]; } # and it has committed before that, which nobody waits for
wait_until 60 has_told
kill_follower a
before_a=$(last a .compared)
generate 4000 10 2 "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
has_rest() { [ "$(last b .compared)" -ge $(( 8000 - before_a )) ] && [ "$(last b .behind)" = 0 ]; }
wait_until 120 has_rest
equal "discrepancies" "$(last b .discrepancies)" 0
status=0
kill -TERM "$b_PID"
wait "$b_PID" || status=$?
equal "exit code of the one that stayed" "$status" 0
equal "compared" "$(last b .compared)" $(( 8000 - before_a ))
stop_worker worker
say done
