#!/usr/bin/env bash
# The measured table of docs/secrets.md is what detection does. --write makes it so; --print shows it.
. "$(dirname -- "$0")/lib.bash"

readonly BEGIN='<!-- measured: tests/check/secrets_md.sh --write -->' END='<!-- end -->'

program() {
  cat <<'C'
#include "tests/support/token_measure.h"

static void row(const char *what, size_t values, size_t hits, const char *verb)
{
    printf("| %s | %zu | %zu %s |\n", what, values, hits, verb);
}

int main(void)
{
    size_t values = 0, hits = 0, all = 0, taken = 0;
    printf("| | values | |\n|---|---|---|\n");
    for (size_t i = 0; i < TOKEN_KIND_COUNT; i++) {
        struct measured measured = measure_kind(&TOKEN_KINDS[i], NULL);
        values += measured.values;
        hits += measured.hits;
    }
    char what[80];
    snprintf(what, sizeof what, "**%zu kinds of keys and tokens**", TOKEN_KIND_COUNT);
    printf("| %s | %zu | **%zu found (%.2f %%)** |\n", what, values, hits,
           100.0 * (double)hits / (double)values);
    for (size_t i = 0; i < ORDINARY_COUNT;) {
        const char *kind = ORDINARY[i].kind;
        for (values = hits = 0; i < ORDINARY_COUNT && strcmp(ORDINARY[i].kind, kind) == 0; i++) {
            struct measured measured = measure_row(&ORDINARY[i], NULL);
            values += measured.values;
            hits += measured.hits;
        }
        row(kind, values, hits, "taken");
        all += values;
        taken += hits;
    }
    printf("| **ordinary members** | %zu | **%zu taken** |\n", all, taken);
    return 0;
}
C
}

table() {
  local folder status
  folder=$(mktemp -d)
  # shellcheck disable=SC2046 # flags, one a word
  program | ${CC:-cc} -std=c17 -O1 -D_GNU_SOURCE -I. -x c - -x none common/base/token_*.c common/base/buf.c common/base/mem.c \
    common/base/text.c common/base/text_utf8.c $(pkg-config --cflags --libs libsodium) -lm -o "$folder/measure" && "$folder/measure"
  status=$?
  rm -rf -- "$folder"
  return $status
}

page() {
  local new
  new=$(table) || return 1
  awk -v begin="$BEGIN" -v end="$END" -v new="$new" '
    $0 == end { inside = 0 }
    !inside { print }
    $0 == begin { inside = 1; print new }' docs/secrets.md
}

case ${1:-} in
  --print) table ;;
  --write) new=$(page) && printf '%s\n' "$new" > docs/secrets.md ;;
  "")
    new=$(page)
    if ! difference=$(diff docs/secrets.md <(printf '%s\n' "$new")); then
      echo "the measured table of docs/secrets.md is not what detection does (tests/check/secrets_md.sh --write):"
      echo "$difference"
      exit 1
    fi
    ;;
  *) echo "usage: secrets_md.sh [--print|--write]"; exit 2 ;;
esac
