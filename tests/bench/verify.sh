# shellcheck shell=bash
# drover verify of a drained table: against the topic alone, and against the original file as well.

bench_verify() {
  local round
  data chat.ndjson chat "$RECORDS"
  source_topic verify "$CHAT" "$WORK/chat.ndjson"
  fresh_database
  drain verify bench.verify "$CHAT"
  configure verify "$CHAT"
  for (( round = 1; round <= ROUNDS; round++ )); do
    verified topic
    verified source --source "$WORK/chat.ndjson"
  done
  delete_topics "drover\.verify\..*"
}

verified() { # SET [OPTION…]
  local set=$1
  shift
  measured verify "$DROVER" verify "$@" --group bench.verify --config "$WORK/drover.yaml"
  [ "$(jq .counts.match "$WORK/report/latest/report.json")" = "$RECORDS" ] || { say "verify did not match all records"; return 1; }
  record verify "$set" drover rate "$(jq "$RECORDS / .seconds | floor" "$WORK/verify.json")" "$round"
  record verify "$set" drover rate_per_cpu_second "$(jq "$RECORDS / .cpu_seconds | floor" "$WORK/verify.json")" "$round"
  record verify "$set" drover peak_mib "$(jq .peak_mib "$WORK/verify.json")" "$round"
}
