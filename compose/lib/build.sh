# shellcheck shell=bash
# build: configure once, then let CMake decide what is out of date.

readonly PRESETS="dev release tsan plain"

build() {
  local preset=$1
  case " $PRESETS " in *" $preset "*) ;; *) unknown_preset "$preset" ;; esac
  with_lock "$ROOT/build/.$preset.lock" build_locked "$preset"
}

unknown_preset() {
  local best
  best=$(nearest "$1" "$PRESETS")
  say "error: no preset '$1'${best:+      did you mean '$best'?}   ($PRESETS)"
  exit "$EXIT_USAGE"
}

# All of it goes to standard error: standard output is for data.
build_locked() (
  preset=$1 options=()
  [ -z "$(yyjson_root)" ] || options+=("-DYYJSON_ROOT=$(yyjson_root)")
  cd "$ROOT" || exit
  if [ ! -e "build/$preset/build.ninja" ]; then
    cmake --preset "$preset" "${options[@]}" >"build/.$preset.configure.log" 2>&1 || {
      cat "build/.$preset.configure.log" >&2
      die "$EXIT_FAILURE" "cmake could not configure the preset $preset"
    }
  fi
  run_ninja "$preset" || die "$EXIT_FAILURE" "the build failed (preset $preset)"
)

# On a terminal with ninja's own progress; elsewhere only what a compiler has to say.
run_ninja() {
  if [ -t 2 ]; then cmake --build --preset "$1" >&2; return; fi
  cmake --build --preset "$1" -- --quiet 2>&1 | { grep -v '^ninja: no work to do' || true; } >&2
  return "${PIPESTATUS[0]}"
}

# The data of a stack may lie outside its folder (see stack/postgres.sh), so each is told to forget its own.
clean() {
  local dir
  case ${1:-} in ''|--all) ;; *) die "$EXIT_USAGE" "clean takes --all or nothing" ;; esac
  for dir in "$ROOT"/.stack/*/ "$ROOT"/.stack; do
    if [ -e "$dir/ports" ]; then
      use_stack "$dir"
      stack_locked stack_stop
      stack_forget
    fi
  done
  rm -rf "$ROOT/build" "$ROOT/.stack"
  [ "${1:-}" != --all ] || rm -rf "$DEPS"
}
