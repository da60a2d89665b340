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

make_block
make_topics
measure pipe - --mapping tests/bench/metric.yaml < <(array)
if [ "$(df -Pm "$WORK" | awk 'NR == 2 { print $4 }')" -gt $(( MIB * 3 )) ]; then
  array > "$WORK/array.json"
  measure file "$WORK/array.json" --mapping tests/bench/metric.yaml
else
  echo "file  skipped: the disk has no room"
fi
exit "$STATUS"
