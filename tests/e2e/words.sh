# shellcheck shell=bash
# The words tests are written in. TELL is a descriptor of the test's own standard error.

say() { printf '== %s\n' "$*"; }

fail() { printf 'FAILED: %s\n' "$*" >&"$TELL"; exit 1; }

# equal WHAT ACTUAL EXPECTED
equal() { [ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"; }

# has FILE TEXT
has() { grep -qF -- "$2" "$1" || { cat "$1" >&"$TELL"; fail "$1 does not say: $2"; }; }

# expect_exit CODE COMMAND…
expect_exit() {
  local want=$1 got=0
  shift
  "$@" || got=$?
  equal "exit code of: $*" "$got" "$want"
}

tell_logs() { tail -n "${LOG_LINES:-15}" "$WORK"/*.log >&"$TELL" 2>/dev/null || true; }
