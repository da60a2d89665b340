#!/usr/bin/env bash
# Peak memory of the producer over a JSON array far larger than it: as a file when the disk has room, and as a pipe.
#   eval "$(./dev stack env)"; tests/bench/produce_memory.sh [MIB]      (default 2048; needs build/release/drover)
# Not part of the tests. The topics it makes are deleted in the end.
set -euo pipefail
cd -- "$(dirname -- "$0")/../.."

MIB=${1:-2048}
LIMIT_MIB=64
MIGRATION=produce_memory
. tests/bench/memory_lib.sh

# One array of MIB MiB. A block of records is repeated, so that generating is not what is measured.
make_block() { "$(dirname "$DROVER")/tests/bench/dataset" chat 33500 | sed 's/^/,/' > "$WORK/block"; }

array() {
  printf '[{"tenant":"t00","id":"first","rev":1,"session":"s","content":"","at":"2024-01-01T00:00:00.000Z"}'
  for (( i = 0; i < MIB / 8; i++ )); do cat "$WORK/block"; done
  printf ']\n'
}

make_block
make_topics
measure pipe - --mapping tests/bench/chat.yaml < <(array)
if [ "$(df -Pm "$WORK" | awk 'NR == 2 { print $4 }')" -gt $(( MIB * 3 )) ]; then
  array > "$WORK/array.json"
  measure file "$WORK/array.json" --mapping tests/bench/chat.yaml
else
  echo "file  skipped: the disk has no room"
fi
exit "$STATUS"
