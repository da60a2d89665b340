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
    status=0
    while IFS= read -r file; do
      if ! clang-format --dry-run -Werror "$file" 2>/dev/null; then
        echo "$file is not as clang-format writes it"
        status=1
      fi
    done < <(c_files)
    [ $status = 0 ] || echo "tests/check/format.sh --fix rewrites them"
    exit $status
    ;;
  *) echo "usage: format.sh [--fix]"; exit 2 ;;
esac
