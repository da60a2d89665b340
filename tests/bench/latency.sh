# shellcheck shell=bash
# From a line written to the producer's standard input to the row seen by a query, at 1,000 records a second.

bench_latency() {
  local round worker count=$(( RECORDS < 30000 ? RECORDS : 30000 ))
  for (( round = 1; round <= ROUNDS; round++ )); do
    configure "latency_$round" "$CHAT"
    fresh_database
    admin -c "CREATE INDEX ON chat (rev)" # the query that looks for rows must cost nothing
    quietly drover topics apply
    "$DROVER" work --config "$WORK/drover.yaml" > "$WORK/worker.log" 2>&1 &
    worker=$!
    until [ "$(grep -c partition.claimed "$WORK/worker.log")" = "$PARTITIONS" ]; do
      kill -0 "$worker" || { cat "$WORK/worker.log" >&2; return 1; }
      nap 0.1
    done
    LATENCY_DATABASE_URL=$ADMIN "$TOOLS/latency" 1000 "$count" "$WORK/latency.json" |
      drover produce - > "$WORK/produce.log" 2>&1
    kill -TERM "$worker"; wait "$worker" || true
    record latency chat drover p50_ms "$(jq .p50_ms "$WORK/latency.json")" "$round"
    record latency chat drover p99_ms "$(jq .p99_ms "$WORK/latency.json")" "$round"
    record latency chat poll p50_ms "$(jq .poll_ms "$WORK/latency.json")" "$round"
  done
  delete_topics "drover\.latency_.*"
}
