# shellcheck shell=bash
# For tests of drover verify --follow: followers in the background, and what their documents say.

# start_follower NAME [OPTION…]: its documents go on in NAME.out, its log in NAME.log; waits until it has begun
start_follower() {
  local name=$1 begun
  shift
  touch "$WORK/$name.out" "$WORK/$name.log"
  begun=$(grep -c follow.begun "$WORK/$name.log" || true)
  "$DROVER" verify --follow --json --id "$name" --full-every 0 --config "$WORK/drover.yaml" --log-format logfmt "$@" >> "$WORK/$name.out" 2>> "$WORK/$name.log" &
  PIDS+=($!)
  printf -v "${name}_PID" '%s' "$!"
  wait_until 90 has_begun "$name" $(( begun + 1 ))
}
has_begun() { [ "$(grep -c follow.begun "$WORK/$1.log")" -ge "$2" ]; }
kill_follower() { local pid_name=${1}_PID; kill -9 "${!pid_name}"; wait "${!pid_name}" 2> /dev/null || true; }
# end_follower NAME EXIT: SIGTERM
end_follower() {
  local pid_name=${1}_PID status=0
  kill -TERM "${!pid_name}"
  wait "${!pid_name}" || status=$?
  equal "exit code of the follower $1" "$status" "$2"
  cp "$WORK/$1.out" "$DROVER_TEST_DOCUMENTS/follower.$1"
  cp "$WORK/report/latest/report.json" "$DROVER_TEST_DOCUMENTS/report.$1"
}
# last NAME MEMBER: of its last document
last() { tail -n 1 "$WORK/$1.out" | jq -r "$2"; }
# verdict NAME VERDICT: how many of them
verdict() { last "$1" "[.verdicts[] | select(.verdict == \"$2\") | .count] | add // 0"; }
# standing NAME MEMBER: of what it told everybody last, every five seconds
standing() {
  kcat -C -b "$KAFKA_BROKERS" -t "${DROVER_TOPIC_PREFIX:-drover}.$DROVER_MIGRATION.state" -p 0 -o beginning -e -q -K '\t' 2> /dev/null |
    awk -F '\t' -v key="verify/$1" '$1 == key { last = $2 } END { print last }' | jq -r "$2"
}
# is_level NAME COMPARED: so many were compared in all, and nothing is open
is_level() { [ "$(standing "$1" '"\(.compared) \(.behind) \(.suspects)"')" = "$2 0 0" ]; }
