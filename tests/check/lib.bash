# Sourced by the checks. Each check is run without arguments from anywhere: it examines the tree,
# then proves in a small tree of its own, with planted violations, that it is able to fail.
# CHECK_ROOT names another tree to examine.
set -euo pipefail
export LC_ALL=C

SELF=$(readlink -f -- "$0")
ROOT=${CHECK_ROOT:-$(cd -- "$(dirname -- "$SELF")/../.." && pwd -P)}
cd -- "$ROOT"

# Our C sources below the folders given, tests not among them.
sources() {
  local folders=() folder
  for folder in common producer worker verifier control; do
    if [ -d "$folder" ]; then folders+=("$folder"); fi
  done
  if [ ${#folders[@]} -gt 0 ]; then find "${folders[@]}" -name '*.[ch]' | sort; fi
}

# Every file that is or would be in the repository.
project_files() {
  if [ -e .git ]; then
    git ls-files --cached --others --exclude-standard | while IFS= read -r file; do
      if [ -f "$file" ]; then printf '%s\n' "$file"; fi
    done
  else
    # An archive's checkout, maybe built in: without what .gitignore names.
    find . \( -path ./build -o -path ./.deps -o -path ./.stack -o -path ./.bench -o -path ./drover-report -o -name drover-demo -o -name .cache -o -path ./.drover \) -prune \
      -o -type f ! -name '*.o' ! -name '*~' ! -name compile_commands.json -print | sed 's,^\./,,' | sort
  fi
}

# C without comments and with the insides of strings and character constants blanked out, each
# line as "file:line:code", so that a search finds code only. Quotes and line numbers stay.
code_of() {
  awk '
    FNR == 1 { inside = 0 }
    {
      out = ""; line = $0; n = length(line); i = 1
      while (i <= n) {
        c = substr(line, i, 1); two = substr(line, i, 2)
        if (inside) {
          if (two == "*/") { inside = 0; i += 2 } else i++
        } else if (two == "/*") { inside = 1; i += 2
        } else if (two == "//") { break
        } else if (c == "\"" || c == "'\''") {
          for (j = i + 1; j <= n && substr(line, j, 1) != c; j++)
            if (substr(line, j, 1) == "\\") j++
          out = out c c; i = j + 1
        } else { out = out c; i++ }
      }
      printf "%s:%d:%s\n", FILENAME, FNR, out
    }' "$@"
}

# The planted tree must fail, and each of the offenders given must be named.
prove_it_fails() {
  local tree=$1 output offender
  shift
  if output=$(CHECK_ROOT=$tree bash "$SELF" --tree-only 2>&1); then
    echo "self-test: the planted violations were not found"
    return 1
  fi
  for offender in "$@"; do
    if ! grep -qF -- "$offender" <<<"$output"; then
      echo "self-test: \"$offender\" was not named; the answer was:"
      echo "$output"
      return 1
    fi
  done
}

# The same tree without its violations must pass: a check that always fails proves nothing.
prove_it_passes() {
  local output
  if ! output=$(CHECK_ROOT=$1 bash "$SELF" --tree-only 2>&1); then
    echo "self-test: a clean tree was refused:"
    echo "$output"
    return 1
  fi
}

# run_check CHECK SELF_TEST "$@": what the arguments ask for; both without any.
run_check() {
  local check=$1 self_test=$2
  shift 2
  case ${1:-} in
    --tree-only) "$check" ;;
    --self-test) run_self_test "$self_test" ;;
    "") "$check" && run_self_test "$self_test" ;;
    *) echo "usage: $(basename -- "$SELF") [--tree-only|--self-test]"; exit 2 ;;
  esac
}

run_self_test() {
  TREE=$(mktemp -d)
  trap 'rm -rf -- "$TREE"' EXIT
  "$1" "$TREE"
}
