# shellcheck shell=bash
# test and bench: each with servers of its own, so neither disturbs the stack that someone works with.

run_tests() {
  local status=0 filter=. words=() word
  FORM=(--timeout 600) # for tests that have a long form: the others have limits of their own
  for word in "$@"; do
    case $word in
      --full) FORM=(-C Full --timeout 7500); export DROVER_TEST_FULL=1 ;;
      -*) die "$EXIT_USAGE" "test has no option '$word'      did you mean '--full'?" ;;
      *) words+=("$word") ;;
    esac
  done
  set -- "${words[@]}"
  setup
  node_packages
  build dev
  # Names are joined to one expression: a test runs when its name contains any of them.
  [ $# = 0 ] || filter=$(IFS='|'; printf '%s' "$*")
  some_test_matches "$filter"
  own_stack test
  start_own_stack
  # psql itself: each call of Debian's wrapper, a Perl program, costs more than most of the tests' queries
  PATH=$(postgres_bin):$PATH
  run_in_group ctest --test-dir "$ROOT/build/dev" --output-on-failure --no-tests=error "-j$AT_ONCE" "${FORM[@]}" \
    --output-junit "$STACK/results.xml" -R "$filter" || status=$?
  summarise "$STACK/results.xml" || status=$(( status ? status : EXIT_FAILURE ))
  OWN_STATUS=$status
  end_own_stack
  trap - EXIT
  printf '%s\n' "$SUMMARY"
  exit "$status"
}

run_bench() {
  [ -x "$ROOT/tests/bench/run" ] || die "$EXIT_USAGE" "there are no benchmarks: tests/bench/run is missing"
  local status=0 word
  for word in "$@"; do
    case $word in -h|--help|--page) exec "$ROOT/tests/bench/run" "$@" ;; esac
  done
  BENCH_WORDS_ONLY=1 "$ROOT/tests/bench/run" "$@" || exit
  setup
  bench_packages
  build release
  own_stack bench
  start_own_stack
  run_in_group "$ROOT/tests/bench/run" "$@" || status=$?
  OWN_STATUS=$status
  exit "$status"
}

# What only the benchmarks need: the other tools come through these.
bench_packages() {
  local missing=()
  have npm || missing+=(npm)
  have curl || missing+=(curl)
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  [ ${#missing[@]} = 0 ] || with_lock "$DEPS/.lock" install_packages "${missing[@]}"
}

some_test_matches() {
  local found
  found=$(ctest --test-dir "$ROOT/build/dev" -N "${FORM[@]}" -R "$1")
  case $found in *"Total Tests: 0"*) die "$EXIT_USAGE" "no test's name matches $1      all names: ctest --test-dir build/dev -N" ;; esac
}

# Tests at once, on two processors: most of them wait for servers.
readonly AT_ONCE=4

# What `--full` adds: the tests of ctest's configuration Full, DROVER_TEST_FULL for those that have a long form, and the time for it.
FORM=()

# own_stack NAME: .stack/NAME, or .stack/NAME.2 and so on while other runs hold those; held until this run ends.
own_stack() {
  local number=1 dir
  dir="$ROOT/.stack/$1"
  mkdir -p "$ROOT/.stack"
  until hold "$dir.lock"; do
    number=$(( number + 1 ))
    dir="$ROOT/.stack/$1.$number"
  done
  use_stack "$dir"
}

hold() {
  exec {HELD}>"$1"
  flock -n "$HELD" || { exec {HELD}>&-; return 1; }
}

# Each run begins with empty servers, unless the one before was told to leave them for it.
start_own_stack() {
  OWN_STATUS=$EXIT_FAILURE
  trap end_own_stack EXIT
  trap 'interrupted 130' INT
  trap 'interrupted 143' TERM
  if [ -n "${DROVER_KEEP_STACK:-}" ]; then stack_up; else with_restarted stack_clear && stack_locked stack_reset; fi ||
    die "$EXIT_DEPENDENCY" "the servers for this run did not start"
  # shellcheck source=/dev/null
  . "$STACK/env"
}

end_own_stack() {
  if [ -n "${DROVER_KEEP_STACK:-}" ]; then
    left_running
    with_restarted left_running
    return 0
  fi
  with_restarted take_down
  take_down
}

left_running() { say "the stack is left running: DROVER_STACK_DIR=$(short_path "$STACK") ./dev stack status"; }

take_down() {
  stack_locked stack_stop || true
  if [ "$OWN_STATUS" = 0 ]; then stack_forget; else say "the servers' logs: $(short_path "$STACK/log")"; fi
}

stack_clear() { stack_locked stack_stop && stack_forget; }

# with_restarted COMMAND: for the second stack, which tests/e2e/restarted.sh starts, when there is one.
with_restarted() {
  local dir
  dir=$(restarted_stack)
  [ ! -e "$dir/ports" ] || (use_stack "$dir" && "$@")
}

# run_in_group COMMAND...: in a process group of its own, so that an interrupt reaches the command's children as well,
# and this script, which must take the servers down, at once.
run_in_group() {
  local status=0
  set -m
  "$@" </dev/null {HELD}>&- &
  GROUP=$!
  set +m
  wait "$GROUP" || status=$?
  GROUP=
  return "$status"
}
GROUP=

# What runs here is the tests' group or, earlier, the starts of the servers.
interrupted() {
  local job
  trap '' INT TERM
  [ -z "$GROUP" ] || kill -TERM -- "-$GROUP" 2>/dev/null || true
  for job in $(jobs -p); do kill -TERM "$job" 2>/dev/null || true; done
  wait
  OWN_STATUS=$1
  exit "$1"
}

# summarise FILE: what ctest counted, as one line; a run that never wrote its result has failed, and so has a test
# whose program is missing, which ctest itself calls "not run", like one that asked to be skipped.
summarise() {
  local passed failed skipped
  SUMMARY='0 passed, 1 failed'
  [ -s "$1" ] || return 1
  read -r passed failed skipped < <(awk '
    /<testcase /       { passed += / status="run"/; failed += / status="fail"/; skipped += / status="disabled"/ }
    /<skipped message/ { if (/"SKIP_/) skipped++; else failed++ }
    END                { print passed + 0, failed + 0, skipped + 0 }' "$1")
  SUMMARY="$passed passed, $failed failed"
  [ "$skipped" = 0 ] || SUMMARY+=", $skipped skipped"
  [ "$passed" -gt 0 ] && [ "$failed" = 0 ]
}

# The unit tests once more, without sanitizers, under valgrind: uninitialised reads and leaks.
run_valgrind() {
  local suite name passed=0 failed=0 log
  setup
  build plain
  log=$(mktemp)
  for suite in "$ROOT"/build/plain/tests/unit_*; do
    name=$(basename "$suite")
    [ $# = 0 ] || case " $* " in *" ${name#unit_} "*) ;; *) continue ;; esac
    if CK_FORK=no CK_DEFAULT_TIMEOUT=900 DROVER_SOURCE_DIR=$ROOT valgrind -q --error-exitcode=99 --leak-check=full \
         "$suite" > "$log" 2>&1; then
      passed=$(( passed + 1 ))
    else
      failed=$(( failed + 1 ))
      printf '%s\n' "$name"
      cat "$log"
    fi
  done
  rm -f "$log"
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
