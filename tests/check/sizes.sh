#!/usr/bin/env bash
# Hard limits of the style: a function has at most 60 lines, a header 150, a file 500.
# Tests are free, as their tables grow with what they cover.
. "$(dirname -- "$0")/lib.bash"

# A function's body begins with { and ends with } in the first column: the formatter sees to it.
functions() {
  awk '
    FNR == 1 { start = 0 }
    /^[A-Za-z_].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); first = FNR }
    /^\{/ { start = first }
    /^\}/ && start {
      if (FNR - start + 1 > 60) {
        print FILENAME ":" start " " name " has " FNR - start + 1 " lines (60 at most)"; bad = 1
      }
      start = 0
    }
    END { exit bad }' "$@"
}

lengths() {
  awk '
    function judge() {
      most = file ~ /\.h$/ ? 150 : 500
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
  body just_fits 56 > "$TREE/worker/fits.c"
  body free_in_tests 600 > "$TREE/tests/unit/test_long.c"
  for _ in 1 2 3 4 5 6 7 8; do body f 56; done > "$TREE/worker/file.c" # 480 lines
  prove_it_passes "$TREE"
  body too_long 57 > "$TREE/worker/long.c"
  for _ in 1 2 3 4 5 6 7 8 9; do body f 56; done > "$TREE/worker/file.c"
  yes '/* */' | head -n 151 > "$TREE/worker/long.h" || true
  prove_it_fails "$TREE" 'too_long has 61 lines' 'worker/file.c has 540 lines' 'worker/long.h has 151'
}

run_check check self_test "$@"
