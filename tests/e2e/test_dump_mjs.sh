#!/usr/bin/env bash
# schemas/js/dump.mjs with Node: there and back, flat memory; and the samples are what it writes
# (tests/unit/test_collect_maps.c reads those with the codec). Needs no server.
set -euo pipefail

if ! command -v node > /dev/null; then
  echo "not tested: node is not installed"
  exit 0
fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

echo "== there and back"
node tests/e2e/data/dump_mjs.mjs

echo "== the samples"
node schemas/samples/maps/make.mjs "$WORK"
for sample in maps.ndjson maps.json; do
  cmp "$WORK/$sample" "schemas/samples/maps/$sample"
done
