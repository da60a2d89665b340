# shellcheck shell=bash
# The same load under what grows: rows already there, partitions, tenants, the size of a batch. A step that the ceiling does not
# have as well is Drover's own.

bench_growth() {
  growth_rows
  growth_partitions
  growth_tenants
  growth_batches
}

# A tenth more into a table of 0, RECORDS and, with --full, 10,000,000 rows of other keys.
growth_rows() {
  local there part=$(( RECORDS / 10 )) steps="0 $RECORDS"
  [ -z "$FULL" ] || steps="0 1000000 10000000"
  data part.ndjson chat "$part" --seed 8
  source_topic growth_rows "$CHAT" "$WORK/part.ndjson"
  for there in $steps; do
    fresh_database
    fill_table "$there"
    ceiling "$CHAT" "$WORK/part.ndjson"
    record growth "rows_$there" ceiling rate "$RATE"
    fresh_database
    fill_table "$there"
    drain growth_rows "bench.$there" "$CHAT"
    record growth "rows_$there" drover rate "$RATE"
  done
  delete_topics "drover\.growth_.*"
}

fill_table() { # RECORDS: by the ceiling's program, a million at a time
  local left=$1 some seed=100
  while [ "$left" -gt 0 ]; do
    some=$(( left < 1000000 ? left : 1000000 ))
    "$TOOLS/dataset" chat "$some" --seed "$seed" > "$WORK/fill.ndjson"
    ceiling "$CHAT" "$WORK/fill.ndjson"
    left=$(( left - some )) seed=$(( seed + 1 ))
  done
  rm -f "$WORK/fill.ndjson"
  admin -c "VACUUM ANALYZE chat" -c CHECKPOINT
}

growth_partitions() {
  local PARTITIONS steps="1 8 64"
  [ -z "$FULL" ] || steps="1 8 64 1000"
  data part.ndjson chat "$(( RECORDS / 10 ))" --seed 8
  for PARTITIONS in $steps; do growth_step "partitions_$PARTITIONS" "$WORK/part.ndjson"; done
}

growth_tenants() {
  local tenants
  for tenants in 1 1000 100000; do
    "$TOOLS/dataset" chat "$(( RECORDS / 10 ))" --tenants "$tenants" > "$WORK/tenants.ndjson"
    growth_step "tenants_$tenants" "$WORK/tenants.ndjson"
  done
  rm -f "$WORK/tenants.ndjson"
}

growth_batches() {
  local batch count
  for batch in 1 10 100 1000 2000 10000 50000; do
    count=$(( RECORDS / 10 ))
    [ "$batch" -gt 10 ] || count=$(( RECORDS / 100 ))
    "$TOOLS/dataset" chat "$count" > "$WORK/batches.ndjson"
    DROVER_WORK_BATCH_RECORDS=$batch DROVER_WORK_BATCH_BYTES=64MiB growth_step "batch_$batch" "$WORK/batches.ndjson"
  done
  rm -f "$WORK/batches.ndjson"
}

growth_step() { # SET FILE: a topic of its own, an empty table
  source_topic "growth_$1" "$CHAT" "$2"
  fresh_database
  drain "growth_$1" bench "$CHAT"
  record growth "$1" drover rate "$RATE"
  delete_topics "drover\.growth_$1\..*"
}
