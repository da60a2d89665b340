# shellcheck shell=bash
# What a record costs each process, and how much disk it takes, at a size where nothing fits into a cache: the figures that
# docs/scaling.md sizes a migration by. Not part of a whole run: ./dev bench scale --records 20000000.

bench_scale() {
  local tenants=$(( RECORDS / 10000 > 100 ? RECORDS / 10000 : 100 )) before
  POSTGRES_DATA=$(psql "$ADMIN_SERVER/drover" -Atc "SHOW data_directory")
  KAFKA_LOGS=${POSTGRES_DATA%/*}/kafka # both are of ./dev bench's own stack
  configure scale "$CHAT"
  fresh_database
  "$TOOLS/dataset" chat "$RECORDS" --tenants "$tenants" > "$WORK/scale.ndjson"
  record scale chat source bytes_a_record "$(per_record "$(stat -c %s "$WORK/scale.ndjson")")"
  quietly drover topics apply
  scale_step produce "$DROVER" produce "$WORK/scale.ndjson" --config "$WORK/drover.yaml"
  record scale chat topic bytes_a_record "$(per_record "$(topic_bytes drover.scale.source)")"
  before=$(admin -c "SELECT pg_current_wal_insert_lsn()")
  scale_step work "$DROVER" work --until-end --config "$WORK/drover.yaml"
  record scale chat wal bytes_a_record "$(per_record "$(admin -c "SELECT pg_current_wal_insert_lsn() - '$before'")")"
  record scale chat table bytes_a_record "$(per_record "$(admin -c "SELECT pg_table_size('chat')")")"
  record scale chat indexes bytes_a_record "$(per_record "$(admin -c "SELECT pg_indexes_size('chat')")")"
  record scale chat receipts bytes_a_record "$(per_record "$(topic_bytes drover.scale.results)")"
  scale_step verify "$DROVER" verify --config "$WORK/drover.yaml"
  [ "$(jq .counts.match "$WORK/report/latest/report.json")" = "$RECORDS" ] || { say "verify did not match all records"; return 1; }
  rm -f "$WORK/scale.ndjson"
  delete_topics "drover\.scale\..*"
}

per_record() { jq -n "100 * $1 / $RECORDS | round / 100"; }

# scale_step NAME COMMAND…: its own cost and that of the servers meanwhile
scale_step() {
  local name=$1 postgres kafka
  shift
  # A process that had nothing to do has no row.
  spent() { [ "$2" -eq 0 ] || record scale "$name" "$1" cpu_us "$(per_record "$2 * 10000")"; }
  postgres=$(postgres_ticks) kafka=$(kafka_ticks)
  measured scale "$@"
  record scale "$name" drover rate "$(jq "$RECORDS / .seconds | floor" "$WORK/scale.json")"
  record scale "$name" drover cpu_us "$(per_record "1000000 * $(jq .cpu_seconds "$WORK/scale.json")")"
  record scale "$name" drover peak_mib "$(jq .peak_mib "$WORK/scale.json")"
  spent postgresql $(( $(postgres_ticks) - postgres ))
  spent kafka $(( $(kafka_ticks) - kafka ))
}

# Hundredths of a second: the postmaster, what it waited for, and the processes it has now.
postgres_ticks() {
  local postmaster
  postmaster=$(sed -n 1p "$POSTGRES_DATA/postmaster.pid")
  cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^\([0-9]*\) (.*) /\1 x /' | awk -v p="$postmaster" '
    $1 == p { n += $14 + $15 + $16 + $17 } $4 == p { n += $14 + $15 } END { print n }'
}

kafka_ticks() { sed 's/^\([0-9]*\) (.*) /\1 x /' "/proc/$(pgrep -f "kafka\.Kafka .*${KAFKA_LOGS%/*}")/stat" | awk '{ print $14 + $15 }'; }

topic_bytes() { # TOPIC: of its partitions' logs
  find "${KAFKA_LOGS:?}" -path "*/$1-*" -name '*.log' -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'
}
