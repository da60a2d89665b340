#!/usr/bin/env bash
# docs/json.md shows every golden document of tests/e2e/golden/json as it is; --write renews it.
set -euo pipefail
cd -- "$(dirname -- "$0")/../.."
python3 tests/support/json_examples.py "$@"
