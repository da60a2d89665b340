#!/usr/bin/env bash
# The histogram of latencies against hdr-histogram-js: an implementation of its authors' form that is not ours.
set -euo pipefail

if ! command -v node > /dev/null || [ ! -d .deps/node/node_modules/hdr-histogram-js ]; then
  echo "not tested: node or hdr-histogram-js is not here (./dev test fetches it)"
  exit 0
fi
NODE_PATH=$PWD/.deps/node/node_modules node tests/e2e/histogram.cjs "$HISTOGRAM_TOOL"
