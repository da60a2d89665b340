#!/usr/bin/env bash
# A process that is started with one of its standard streams closed works as any other, and none of its files or connections gets its place.
. "$(dirname "$0")/lib.sh"

prepare
record() { printf '{"id": "%s", "tenant": "north", "rev": 1, "kind": "k"}\n' "$1"; }
record a > "$WORK/in.ndjson"
drover produce "$WORK/in.ndjson" --entity event > "$WORK/produce.log" 2>&1
# begin STREAM COMMAND…: in the background, with that stream closed
begin() {
  local closed=$1
  shift
  case $closed in
    0) "$DROVER" "$@" --config "$WORK/drover.yaml" > "$WORK/out" 2> "$WORK/err" <&- & ;;
    1) "$DROVER" "$@" --config "$WORK/drover.yaml" < /dev/null 2> "$WORK/err" >&- & ;;
    2) "$DROVER" "$@" --config "$WORK/drover.yaml" < /dev/null > "$WORK/out" 2>&- & ;;
  esac
  PROCESS=$!
  PIDS+=("$PROCESS")
}
is_null() { [ "$(readlink "/proc/$PROCESS/fd/$1")" = /dev/null ]; }
sockets() { find "/proc/$PROCESS/fd" -lname 'socket:*' 2> /dev/null | wc -l; }
is_connected() { kill -0 "$PROCESS" || fail "it has ended"; [ "$(sockets)" -ge 2 ]; }
followed() { drover status --json 2> /dev/null | jq -e '.verifiers | length > 0' > /dev/null; }
# ends STREAM COMMAND EXIT
ends() {
  local status=0
  kill -TERM "$PROCESS"
  wait "$PROCESS" || status=$?
  equal "exit code of $2 without stream $1" "$status" "$3"
}
for stream in 0 1 2; do
  say "stream $stream is closed"
  begin "$stream" work
  wait_until 90 is_connected
  is_null "$stream" || fail "stream $stream of the worker is $(readlink "/proc/$PROCESS/fd/$stream")"
  wait_until 90 is_drained
  ends "$stream" work 0
  begin "$stream" verify --follow --full-every 0
  wait_until 90 is_connected
  is_null "$stream" || fail "stream $stream of the verifier is $(readlink "/proc/$PROCESS/fd/$stream")"
  wait_until 90 followed
  status=0
  kill -TERM "$PROCESS"
  wait "$PROCESS" || status=$?
  [ "$status" -lt 128 ] || fail "the verifier without stream $stream ends with $status"
done

say "an answer that goes nowhere is not given"
drover status > "$WORK/status.log"
expect_exit 1 "$DROVER" status --config "$WORK/drover.yaml" >&- 2> "$WORK/err"
has "$WORK/err" 'standard output: Bad file descriptor'
say done
