#!/usr/bin/env bash
# Peak memory of the producer over a JSON array far larger than it: as a file when the disk has room, and as a pipe.
#   eval "$(./dev stack env)"; tests/bench/produce_memory.sh [MIB]      (default 2048; needs build/release/drover)
# Not part of the tests. The topics it makes are deleted in the end.
set -euo pipefail
cd -- "$(dirname -- "$0")/../.."

MIB=${1:-2048}
LIMIT_MIB=64
DROVER=${DROVER:-$PWD/build/release/drover}
[ -x "$DROVER" ] || { echo "build it first: ninja -C build/release drover" >&2; exit 2; }
[ -n "${KAFKA_BROKERS:-}" ] || { echo 'no stack: eval "$(./dev stack env)"' >&2; exit 2; }
WORK=$(mktemp -d)
export DROVER_MIGRATION=produce_memory_$$ NO_COLOR=1
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

# One array of MIB MiB. A block of records is repeated, so that generating is not what is measured.
make_block() {
  awk -v most=$(( 8 * 1024 * 1024 )) 'BEGIN { srand(7)
    while (size < most) {
      line = sprintf(",\n{\"tenant\":\"t%02d\",\"model_name\":\"model-%d\",\"rev\":1,\"mse\":0.%06d,\"accuracy\":0.%04d," \
        "\"training_samples\":%d,\"validation_samples\":%d,\"metadata\":{\"layers\":[64,128,%d],\"framework\":\"pytorch\"}," \
        "\"note\":\"run %d of the night\"}", i % 50, i / 50, rand() * 1e6, rand() * 1e4, rand() * 90000, rand() * 9000, i % 512, i)
      printf "%s", line
      size += length(line); i++
    }
  }' > "$WORK/block"
}

array() {
  printf '[{"tenant":"t00","model_name":"first","rev":1}'
  for (( i = 0; i < MIB / 8; i++ )); do cat "$WORK/block"; done
  printf ']\n'
}

# watch NAME PID: the peak while it runs, in KiB, to NAME.peak
watch() {
  local peak
  while peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$2/status" 2>/dev/null) && [ -n "$peak" ]; do
    echo "$peak" > "$WORK/$1.peak"
    read -rt 0.05 <> <(:) || true
  done
}

# measure NAME SOURCE, standard input is the producer's
measure() {
  local pid peak
  "$DROVER" produce "$2" --mapping tests/bench/metric.yaml --state-dir "$WORK/state" <&0 > "$WORK/$1.log" 2>&1 &
  pid=$!
  watch "$1" "$pid"
  wait "$pid" || { cat "$WORK/$1.log" >&2; exit 1; }
  peak=$(cat "$WORK/$1.peak")
  awk -v name="$1" -v kib="$peak" -v limit="$LIMIT_MIB" 'BEGIN { printf "%-5s peak %.1f MiB (limit %d MiB)\n", name, kib / 1024, limit }'
  grep -E '^  (records read|source bytes)' "$WORK/$1.log"
  [ "$peak" -le $(( LIMIT_MIB * 1024 )) ] || STATUS=1
}

make_block
"$DROVER" topics apply > "$WORK/topics.log" 2>&1 || { cat "$WORK/topics.log" >&2; exit 1; }
measure pipe - < <(array)
if [ "$(df -Pm "$WORK" | awk 'NR == 2 { print $4 }')" -gt $(( MIB * 3 )) ]; then
  array > "$WORK/array.json"
  measure file "$WORK/array.json"
else
  echo "file  skipped: the disk has no room"
fi
exit "$STATUS"
