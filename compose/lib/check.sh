# shellcheck shell=bash
# check: every script in tests/check is one check; it passes when it exits 0. What it prints is shown when it fails.

run_checks() {
  local script name output passed=0 failed=0
  for script in "$ROOT"/tests/check/*.sh; do
    [ -e "$script" ] || continue
    name=$(basename "$script" .sh)
    if output=$(cd "$ROOT" && bash "$script" 2>&1 </dev/null); then
      ok "$name"
      passed=$(( passed + 1 ))
    else
      bad "$name"
      printf '%s\n' "$output" | sed 's/^/    /' >&2
      failed=$(( failed + 1 ))
    fi
  done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
