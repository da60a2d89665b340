# shellcheck shell=bash
# drover run from files to the verified report, against the time a bare program needs to write the same rows.
# 2,000 tenants; of a new migration, with its topics and its table still to be made.

bench_run() {
  local round mode
  data tenants.ndjson chat "$RECORDS" --tenants 2000
  for (( round = 1; round <= ROUNDS; round++ )); do
    configure run "$CHAT"
    fresh_database
    ceiling "$CHAT" "$WORK/tenants.ndjson"
    record run chat ceiling seconds "$(jq -n "$RECORDS / $RATE")" "$round"
    for mode in upsert bulk; do
      [ "$mode" = upsert ] || has_bulk || continue
      run_once "$mode" "$round"
    done
  done
  rm -f "$WORK/tenants.ndjson"
}

run_once() { # MODE ROUND
  local LOAD=
  ! has_bulk || LOAD=$1
  configure "run_$1_$2" "$CHAT"
  empty_database
  admin -c CHECKPOINT
  measured run "$DROVER" run "$WORK/tenants.ndjson" --config "$WORK/drover.yaml"
  judge_table "$WORK/tenants.ndjson" drover
  record run chat "drover$([ "$1" = upsert ] || echo "_$1")" seconds "$(jq .seconds "$WORK/run.json")" "$2"
  delete_topics "drover\.run_.*"
}

# The setting `load` is asked for, not assumed.
has_bulk() { "$DROVER" config show 2>/dev/null | grep -q '^load:'; }
