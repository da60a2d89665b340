# shellcheck shell=bash
# A first load with `load: bulk`, from the first record to the last index built, against the ceiling of guarded upserts.

bench_bulk() {
  local round LOAD
  has_bulk || { note bulk "left out: this build has no setting 'load'"; return 0; }
  data chat.ndjson chat "$RECORDS"
  source_topic bulk "$CHAT" "$WORK/chat.ndjson"
  for (( round = 1; round <= ROUNDS; round++ )); do
    LOAD=upsert configure bulk "$CHAT"
    fresh_database
    ceiling "$CHAT" "$WORK/chat.ndjson"; record bulk chat ceiling rate "$RATE" "$round"
    for LOAD in upsert bulk; do
      configure bulk "$CHAT"
      fresh_database
      if [ "$LOAD" = bulk ]; then drain_in_bulk bulk "bench.$LOAD.$round" "$CHAT"; else drain bulk "bench.$LOAD.$round" "$CHAT"; fi
      judge_table "$WORK/chat.ndjson" "drover, load: $LOAD"
      record bulk chat "drover_$LOAD" rate "$RATE" "$round"
      record bulk chat "drover_$LOAD" cpu_us "$CPU_US" "$round"
      [ "$LOAD" = upsert ] || record bulk chat drover_finish seconds "$FINISH_SECONDS" "$round"
    done
  done
  delete_topics "drover\.bulk\..*"
}
