#!/usr/bin/env bash
# An alarm, no target: a function of more than 80 lines, a header of more than 400, a file of more than 1,200
# is usually two ideas. One idea stays in one file, however long. Tests are free, as their tables grow with
# what they cover.
. "$(dirname -- "$0")/lib.bash"

# A function's body begins with { and ends with } in the first column: the formatter sees to it.
functions() {
  awk '
    FNR == 1 { start = 0 }
    /^[A-Za-z_].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); first = FNR }
    /^\{/ { start = first }
    /^\}/ && start {
      if (FNR - start + 1 > 80) {
        print FILENAME ":" start " " name " has " FNR - start + 1 " lines (80 at most)"; bad = 1
      }
      start = 0
    }
    END { exit bad }' "$@"
}

lengths() {
  awk '
    function judge() {
      most = file ~ /\.h$/ ? 400 : 1200
      if (lines > most) { print file " has " lines " lines (" most " at most)"; bad = 1 }
    }
    FNR == 1 && NR > 1 { judge() }
    { file = FILENAME; lines = FNR }
    END { if (NR) judge(); exit bad }' "$@"
}

check() {
  local c_files all_files status=0
  mapfile -t c_files < <(sources)
  mapfile -t all_files < <(sources; project_files | grep -E '^(dev|(compose|web)/.*\.(sh|js|css|html))$' || true)
  if [ ${#c_files[@]} -gt 0 ]; then functions "${c_files[@]}" || status=1; fi
  if [ ${#all_files[@]} -gt 0 ]; then lengths "${all_files[@]}" || status=1; fi
  return $status
}

body() {
  printf 'int %s(int a,\n    int b)\n{\n' "$1"
  yes '    b++;' | head -n "$2" || true
  printf '}\n'
}

self_test() {
  mkdir -p "$TREE/worker" "$TREE/tests/unit"
  body just_fits 76 > "$TREE/worker/fits.c"
  body free_in_tests 600 > "$TREE/tests/unit/test_long.c"
  for _ in {1..15}; do body f 76; done > "$TREE/worker/file.c" # 1,200 lines
  prove_it_passes "$TREE"
  body too_long 77 > "$TREE/worker/long.c"
  for _ in {1..16}; do body f 76; done > "$TREE/worker/file.c"
  yes '/* */' | head -n 401 > "$TREE/worker/long.h" || true
  prove_it_fails "$TREE" 'too_long has 81 lines' 'worker/file.c has 1280 lines' 'worker/long.h has 401'
}

run_check check self_test "$@"
