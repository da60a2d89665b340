# shellcheck shell=bash
# What the measurements of the producer's peak memory share: a migration of their own, whose topics are deleted in the end,
# and a watch over /proc. The caller has set MIGRATION and LIMIT_MIB and stands in the project's folder.
DROVER=${DROVER:-$PWD/build/release/drover}
[ -x "$DROVER" ] || { echo "build it first: ninja -C build/release drover" >&2; exit 2; }
[ -n "${KAFKA_BROKERS:-}" ] || { echo 'no stack: eval "$(./dev stack env)"' >&2; exit 2; }
WORK=$(mktemp -d)
export DROVER_MIGRATION=${MIGRATION}_$$ NO_COLOR=1
STATUS=0

cleanup() {
  local pid
  for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
  delete_topics || true
  rm -rf "$WORK"
}
trap cleanup EXIT

delete_topics() {
  java -Xmx128m -cp "$PWD/.deps/kafka/libs/*" org.apache.kafka.tools.TopicCommand --bootstrap-server "$KAFKA_BROKERS" \
    --delete --topic "drover\\.$DROVER_MIGRATION\\..*" >/dev/null 2>&1 || echo "topics drover.$DROVER_MIGRATION.* are left" >&2
}

make_topics() { "$DROVER" topics apply > "$WORK/topics.log" 2>&1 || { cat "$WORK/topics.log" >&2; exit 1; }; }

# watch NAME PID: the peak while it runs, in KiB, to NAME.peak
watch() {
  local peak
  while peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$2/status" 2>/dev/null) && [ -n "$peak" ]; do
    echo "$peak" > "$WORK/$1.peak"
    read -rt 0.05 <> <(:) || true
  done
}

# measure NAME SOURCE FLAG…: standard input is the producer's
measure() {
  local name=$1 pid peak
  shift
  "$DROVER" produce "$@" --state-dir "$WORK/state" <&0 > "$WORK/$name.log" 2>&1 &
  pid=$!
  watch "$name" "$pid"
  wait "$pid" || { cat "$WORK/$name.log" >&2; exit 1; }
  peak=$(cat "$WORK/$name.peak")
  awk -v name="$name" -v kib="$peak" -v limit="$LIMIT_MIB" 'BEGIN { printf "%-14s peak %.1f MiB (limit %d MiB)\n", name, kib / 1024, limit }'
  grep -E '^  [0-9 ]+ source records =' "$WORK/$name.log"
  [ "$peak" -le $(( LIMIT_MIB * 1024 )) ] || STATUS=1
}
