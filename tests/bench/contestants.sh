# shellcheck shell=bash
# The same records by Drover and by the tools people use now, in turn, each into an empty table with the same indexes; Drover and the
# ceiling under forced row level security, the others without any. Time is from the first to the last commit, by PostgreSQL's own
# note of it (track_commit_timestamp), so no program's start counts. A table that does not end right is not counted.

bench_contestants() {
  local round
  install_peers
  note_commit_times
  data chat.ndjson chat "$RECORDS"
  source_topic contestants "$CHAT" "$WORK/chat.ndjson"
  peer_topic chat "$RECORDS"
  start_connect
  debezium warm_up 0 >/dev/null
  for (( round = 1; round <= ROUNDS; round++ )); do
    by_ceiling
    by_drover
    by_bulk
    debezium "round_$round" "$round"
    by_python
    by_node
  done
  stop_connect
  delete_topics "drover\.contestants\..*"
  delete_topics "bench\.flat"
}

# counted WHO FILE RECORDS: of the round
counted() {
  local seconds
  is_right "$2" || { record contestants chat "$1" wrong "$(admin -c 'SELECT count(*) FROM public.chat')" "$round"; return 0; }
  seconds=$(commit_seconds)
  record contestants chat "$1" rate "$(figure "$3 / ([$seconds, 0.001] | max)")" "$round"
}

by_ceiling() {
  configure contestants "$CHAT"
  fresh_database
  ceiling "$CHAT" "$WORK/chat.ndjson"
  counted ceiling "$WORK/chat.ndjson" "$RECORDS"
}

by_drover() {
  fresh_database
  drain contestants "bench.$round" "$CHAT"
  counted drover "$WORK/chat.ndjson" "$RECORDS"
  record contestants chat drover cpu_us "$CPU_US" "$round"
}

# Its time is the worker's own, to the last index built; rows committed before that are not yet a table.
by_bulk() {
  local LOAD=bulk
  has_bulk || return 0
  configure contestants "$CHAT"
  fresh_database
  drain_in_bulk contestants "bench.bulk.$round" "$CHAT"
  judge_table "$WORK/chat.ndjson" "drover, load: bulk"
  record contestants chat drover_bulk rate "$RATE" "$round"
}

# The JVM runs on from round to round; its first round is not counted.
debezium() { # NAME ROUND
  local cpu
  empty_database
  peer_table
  admin -c CHECKPOINT
  cpu=$(cpu_seconds_of "$CONNECT_PID")
  connector "$1"
  until_still
  cpu=$(jq -n "100 * ($(cpu_seconds_of "$CONNECT_PID") - $cpu) * 1000000 / $RECORDS | round / 100")
  remove_connector "$1"
  [ "$2" = 0 ] && return
  counted debezium "$WORK/chat.ndjson" "$RECORDS"
  record contestants chat debezium cpu_us "$cpu" "$2"
}

by_python() {
  local first second
  empty_database
  peer_table
  admin -c CHECKPOINT
  "$TOOLS/measure" "$WORK/python.1.json" "$CACHE/python/bin/python" tests/bench/peers/copy_upsert.py "$PEER_TOPIC" "python.$round" > "$WORK/python.1.log" 2>&1 & first=$!
  "$TOOLS/measure" "$WORK/python.2.json" "$CACHE/python/bin/python" tests/bench/peers/copy_upsert.py "$PEER_TOPIC" "python.$round" > "$WORK/python.2.log" 2>&1 & second=$!
  wait "$first" "$second" || tail -n 3 "$WORK"/python.?.log >&2
  counted python "$WORK/chat.ndjson" "$RECORDS"
  record contestants chat python cpu_us "$(jq -s "100 * (map(.cpu_seconds) | add) * 1000000 / $RECORDS | round / 100" "$WORK"/python.?.json)" "$round"
}

by_node() {
  local count=$(( RECORDS < 20000 ? RECORDS : 20000 ))
  head -n "$count" "$WORK/chat.ndjson" > "$WORK/node.ndjson"
  empty_database
  peer_table
  node "$CACHE/node/loop.js" "$WORK/node.ndjson"
  counted node "$WORK/node.ndjson" "$count"
}
