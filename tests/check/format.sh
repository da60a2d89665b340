#!/usr/bin/env bash
# C files are as clang-format writes them (.clang-format). --fix rewrites those that are not.
. "$(dirname -- "$0")/lib.bash"

c_files() {
  project_files | grep -E '\.[ch]$' || true
}

if ! command -v clang-format >/dev/null; then
  echo "clang-format is not installed: the format was not checked"
  exit 0
fi
case ${1:-} in
  --fix) c_files | tr '\n' '\0' | xargs -0 -r clang-format -i ;;
  "")
    answer=$(c_files | tr '\n' '\0' | xargs -0 -r -n 16 -P 2 clang-format --dry-run -Werror 2>&1 || true)
    [ -n "$answer" ] || exit 0
    sed -nE 's/^([^ :]+):[0-9]+:[0-9]+: error: .*/\1 is not as clang-format writes it/p' <<<"$answer" |
      sort -u | grep . || printf '%s\n' "$answer" # not understood: shown as it is
    echo "tests/check/format.sh --fix rewrites them"
    exit 1
    ;;
  *) echo "usage: format.sh [--fix]"; exit 2 ;;
esac
