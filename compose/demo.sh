#!/usr/bin/env bash
# The demonstration: sample data through the whole pipeline, on the stack that ./dev demo has started.
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
eval "$(./dev stack env)"
exec build/release/drover run --config schemas/samples/drover.yaml
