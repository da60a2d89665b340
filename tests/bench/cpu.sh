# shellcheck shell=bash
# The worker's own CPU a record, all its threads, user and system; with perf also instructions, which a busy machine
# does not change.

bench_cpu() {
  local round
  data chat.ndjson chat "$RECORDS"
  source_topic cpu "$CHAT" "$WORK/chat.ndjson"
  for (( round = 1; round <= ROUNDS; round++ )); do
    fresh_database
    drain cpu "bench.$round" "$CHAT"
    record cpu chat drover cpu_us "$CPU_US" "$round"
  done
  fresh_database
  if perf stat -x, -e instructions:u -o "$WORK/perf.csv" "$DROVER" work --until-end --config "$WORK/drover.yaml" --group bench.perf \
    > "$WORK/worker.log" 2>&1 && grep -q '^[0-9].*instructions' "$WORK/perf.csv"; then
    record cpu chat drover instructions "$(awk -F, -v n="$RECORDS" '/instructions/ { printf "%.0f", $1 / n }' "$WORK/perf.csv")"
  else
    note cpu "instructions were not counted: this machine's perf cannot"
  fi
  delete_topics "drover\.cpu\..*"
}
