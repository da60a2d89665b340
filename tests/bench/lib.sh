# shellcheck shell=bash
# What the benchmarks share: data sets, databases, topics, a worker's rate, results. The caller stands in the project's folder
# and has started servers; a benchmark is bench_NAME of the file NAME.sh.
: "${RECORDS:=2000000}" "${ROUNDS:=3}" "${PARTITIONS:=8}" "${CONNECTIONS:=4}"
BUILD=${BENCH_BUILD:-$PWD/build/release}
DROVER=$BUILD/drover
TOOLS=$BUILD/tests/bench
CACHE=${BENCH_DIR:-$PWD/.bench}
: "${BENCH_DATABASE:=bench}"
WORK=$CACHE/work.$$
RESULTS=$WORK/results.jsonl
CHAT=$PWD/tests/bench/chat.yaml
WIDE=$PWD/tests/bench/wide.yaml
SERVER=${DATABASE_URL%/*}
ADMIN_SERVER=${DROVER_ADMIN_DATABASE_URL%/*}
ADMIN=$ADMIN_SERVER/$BENCH_DATABASE
unset DROVER_ADMIN_DATABASE_URL
export NO_COLOR=1 DATABASE_URL=$SERVER/$BENCH_DATABASE

say() { printf '%s\n' "$*" >&2; }
nap() { read -rt "$1" <> <(:) || true; }

# Ends what this run started in the background, and its files.
end_bench() {
  local pid
  for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  [ -n "${BENCH_KEEP:-}" ] || rm -rf "$WORK"
}

begin_bench() {
  mkdir -p "$WORK"
  : > "$RESULTS"
  trap end_bench EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# record BENCH SET WHO METRIC VALUE [ROUND]: one measured figure
record() {
  jq -cn --arg bench "$1" --arg set "$2" --arg who "$3" --arg metric "$4" --argjson value "$5" --argjson round "${6:-1}" \
    '{$bench, $set, $who, $metric, $value, $round}' >> "$RESULTS"
  say "  $1 $2: $3 $4 $5"
}

note() { # BENCH TEXT: said on the page
  jq -cn --arg bench "$1" --arg note "$2" '{$bench, $note}' >> "$RESULTS"
  say "  $1: $2"
}

# ---- data ----------------------------------------------------------------------------------

# data FILE SET RECORDS [OPTION…]: made once a run; FILE is below $WORK
data() {
  local file=$WORK/$1
  shift
  [ -s "$file" ] || "$TOOLS/dataset" "$@" > "$file"
}

# ---- servers -------------------------------------------------------------------------------

# As a superuser's, for preparing and checking; what is measured never runs as one.
admin() { psql "$ADMIN" -XqAt -v ON_ERROR_STOP=1 "$@"; }

drop_database() { psql "$ADMIN_SERVER/drover" -Xqc "DROP DATABASE IF EXISTS $BENCH_DATABASE WITH (FORCE)" 2>/dev/null; }

empty_database() {
  drop_database
  psql "$SERVER/drover" -Xqc "CREATE DATABASE $BENCH_DATABASE"
}

# configure MIGRATION MAPPING [STORAGE]
configure() {
  cat > "$WORK/drover.yaml" <<YAML
migration: $1
mappings: [$2]
state_dir: $WORK/state
kafka: { partitions: $PARTITIONS }
database: { connections: $CONNECTIONS }
storage: ${3:-database}
verify: { report: $WORK/report }
YAML
  [ -z "${LOAD:-}" ] || echo "load: $LOAD" >> "$WORK/drover.yaml"
}

drover() { "$DROVER" "$@" --config "$WORK/drover.yaml"; }

quietly() { # COMMAND…: what it prints is shown only when it fails
  "$@" > "$WORK/quiet.log" 2>&1 || { local status=$?; tail -n 20 "$WORK/quiet.log" >&2; say "failed ($status): $*"; return "$status"; }
}

# A database with the configured mapping's table and nothing in it; what was written before is on disk.
fresh_database() {
  empty_database
  quietly drover schema apply
  admin -c CHECKPOINT
}

TOPIC_TOOL=(java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$PWD/.deps/kafka/libs/*" org.apache.kafka.tools.TopicCommand)

delete_topics() { "${TOPIC_TOOL[@]}" --bootstrap-server "$KAFKA_BROKERS" --delete --topic "$1" >/dev/null 2>&1 || true; }

# ---- drover --------------------------------------------------------------------------------

# source_topic MIGRATION MAPPING FILE [STORAGE]: its topics anew, FILE in them
source_topic() {
  configure "$1" "$2" "${4:-database}"
  quietly drover topics apply
  quietly drover produce --again "$3"
}

# drain MIGRATION GROUP MAPPING [STORAGE]: a worker writes everything in the topic; sets RATE, CPU_US (a record), PEAK_MIB.
# Time is the worker's own log: from the first claim to the moment it sees that everything is written (within 50 ms).
# A group of its own reads the topic again from its beginning.
drain() {
  configure "$1" "$3" "${4:-database}"
  "$TOOLS/measure" "$WORK/measured.json" "$DROVER" work --until-end --config "$WORK/drover.yaml" --group "$2" --log-format json \
    > "$WORK/worker.log" 2>&1 || { tail -n 5 "$WORK/worker.log" >&2; return 1; }
  DONE=$(topic_records "drover.$1.source")
  SECONDS_TAKEN=$(jq -rs '
    def at(e): map(select(.event == e))[0].ts | (.[0:19] + "Z" | fromdate) + (.[20:23] | tonumber) / 1000;
    at("worker.stopping") - at("partition.claimed")' "$WORK/worker.log")
  RATE=$(figure "$DONE / $SECONDS_TAKEN")
  CPU_US=$(jq "100 * .cpu_seconds * 1000000 / $DONE | round / 100" "$WORK/measured.json")
  PEAK_MIB=$(jq .peak_mib "$WORK/measured.json")
}

# The same with `load: bulk`: of a table that is empty, its indexes built and the table in its place. RATE counts the worker's
# time and the finish's.
drain_in_bulk() {
  local began
  LOAD=bulk configure "$1" "$3"
  quietly drover load begin --group "$2" || return
  LOAD=bulk drain "$@" || return
  began=$(date +%s.%N)
  quietly drover load finish --group "$2" || return
  FINISH_SECONDS=$(jq -n "$(date +%s.%N) - $began")
  RATE=$(figure "$DONE / ($SECONDS_TAKEN + $FINISH_SECONDS)")
}

figure() { jq -n "$1 | floor"; }

# Offsets, not messages: nothing of ours leaves holes.
topic_records() { kcat -Q -b "$KAFKA_BROKERS" $(for (( p = 0; p < PARTITIONS; p++ )); do printf -- '-t %s:%d:-1 ' "$1" "$p"; done) 2>/dev/null | awk '{ n += $NF } END { print n + 0 }'; }

# ceiling MAPPING FILE: the same rows by a bare program into the database as it stands; sets RATE
ceiling() { RATE=$("$TOOLS/ceiling" "$1" "$2" "$PARTITIONS" "$CONNECTIONS" | jq .rate); }

# How often rows were written since the database was made, by PostgreSQL's own count.
rows_written() { nap 1.2; admin -c "SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0) FROM pg_stat_user_tables WHERE relname = '$1'"; }

# measured NAME COMMAND…: its cost to NAME.json
measured() {
  local name=$1
  shift
  quietly "$TOOLS/measure" "$WORK/$name.json" "$@"
}
