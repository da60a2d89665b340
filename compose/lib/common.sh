# shellcheck shell=bash disable=SC2034
# What every part of ./dev uses: where things are, how it speaks, how it locks.

readonly DEPS="$ROOT/.deps"

# Exit codes are Drover's own: see docs/architecture.md.
readonly EXIT_FAILURE=1 EXIT_USAGE=2 EXIT_DEPENDENCY=4 EXIT_REFUSED=6

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  readonly RED=$'\e[31m' GREEN=$'\e[32m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
  readonly RED='' GREEN='' DIM='' PLAIN=''
fi

say()  { printf '%s\n' "$*" >&2; }
ok() { printf '%s✓%s %s\n' "$GREEN" "$PLAIN" "$*" >&2; }
bad()  { printf '%s✗%s %s\n' "$RED" "$PLAIN" "$*" >&2; }

# die CODE TEXT: the last line before a failing exit.
die() {
  local code=$1
  shift
  printf '%serror%s: %s\n' "$RED" "$PLAIN" "$*" >&2
  exit "$code"
}

have() { command -v "$1" >/dev/null 2>&1; }

# A path as a person in this folder would type it.
short_path() { case $1 in "$ROOT"/*) printf '%s' "${1#"$ROOT"/}" ;; *) printf '%s' "$1" ;; esac; }

# Hundredths of a second, without starting a process.
now() {
  local t=$EPOCHREALTIME
  printf '%s' "$(( ${t/[.,]/} / 10000 ))"
}
# since START: the time passed, as "1.23s".
since() {
  local passed=$(( $(now) - $1 ))
  printf '%d.%02ds' $(( passed / 100 )) $(( passed % 100 ))
}

# unknown_word PROGRAM WORD CHOICES: says which of the choices was probably meant.
unknown_word() {
  local best
  best=$(nearest "$2" "$3")
  say "error: $1 has no command '$2'${best:+      did you mean '$best'?}"
  say "       $1 without a command lists them."
  exit "$EXIT_USAGE"
}

# nearest WORD CHOICES: the choice within an edit distance of 2, or that the word begins; nothing when none is near.
nearest() {
  awk -v word="$1" -v choices="$2" '
    function min(a, b) { return a < b ? a : b }
    function distance(a, b,    i, j, d) {
      for (i = 0; i <= length(a); i++) d[i, 0] = i
      for (j = 0; j <= length(b); j++) d[0, j] = j
      for (i = 1; i <= length(a); i++)
        for (j = 1; j <= length(b); j++)
          d[i, j] = min(min(d[i-1, j] + 1, d[i, j-1] + 1),
                        d[i-1, j-1] + (substr(a, i, 1) != substr(b, j, 1)))
      return d[length(a), length(b)]
    }
    BEGIN {
      least = 3
      n = split(choices, choice, " ")
      for (k = 1; k <= n; k++) {
        d = length(word) > 1 && index(choice[k], word) == 1 ? 0 : distance(word, choice[k])
        if (d < least) { least = d; best = choice[k] }
      }
      if (best != "") print best
    }'
}

# with_lock FILE COMMAND...: one holder at a time, so that two calls in one folder do not disturb each other.
# An interrupted holder takes the same lock again on its way out, which must not wait for itself.
# Long-lived children must not inherit the lock: start them through spawn (stack/proc.sh), which closes it.
LOCKED=
with_lock() {
  local file=$1 fd status=0 outer=$LOCKED
  shift
  if [ "$LOCKED" = "$file" ]; then "$@"; return; fi
  mkdir -p "$(dirname "$file")"
  exec {fd}>"$file"
  if ! flock -n "$fd"; then
    say "waiting for another ./dev in this folder"
    flock "$fd"
  fi
  LOCKED=$file
  "$@" || status=$?
  LOCKED=$outer
  exec {fd}>&-
  return "$status"
}
