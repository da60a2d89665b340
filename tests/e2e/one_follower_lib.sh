# shellcheck shell=bash
# For tests with one drover verify --follow at a time, which says on in follow.out and follow.log over its starts.

FOLLOWER_FLAGS=() # of each start
: > "$WORK/follow.out"

start_follower() {
  "$DROVER" verify --follow --config "$WORK/drover.yaml" --log-format logfmt "${FOLLOWER_FLAGS[@]}" "$@" >> "$WORK/follow.out" 2>> "$WORK/follow.log" &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
}
# end_follower EXIT: SIGTERM
end_follower() {
  local status=0
  kill -TERM "$FOLLOWER"
  wait "$FOLLOWER" || status=$?
  equal "exit code of the follower" "$status" "$1"
}
has_begun() { [ "$(grep -c follow.begun "$WORK/follow.log")" -ge "$1" ]; }
last() { tail -n 1 "$WORK/follow.out" | jq -r "$1"; }
# is EXPRESSION [VALUE]: of its last document
is() { [ "$(last "$1" 2> /dev/null)" = "${2:-true}" ]; }
has_compared() { is ".compared == $1 and .behind == 0 and .suspects == 0"; }
