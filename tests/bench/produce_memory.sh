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
