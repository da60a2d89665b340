#!/usr/bin/env bash
# restarted.sh TEST: runs a test that stops and kills servers on a second stack, so that the tests beside it keep theirs. The stack
# starts with the first such test; for the next one, what a failed one left down or frozen is started anew. `./dev test` stops it.
# By hand a test takes the stack it is given: bash tests/e2e/test_outage_restart.sh
set -euo pipefail
[ -n "${DROVER_STACK_DIR:-}" ] || { echo "no stack: run ./dev test" >&2; exit 2; }

export DROVER_STACK_DIR=$DROVER_STACK_DIR.restarted
./dev stack up
servers=$(./dev stack env)
eval "$servers"
exec bash "$1"
