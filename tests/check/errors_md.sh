#!/usr/bin/env bash
# docs/errors.md is what common/base/error_codes.h says. --write makes it so; --print shows it.
. "$(dirname -- "$0")/lib.bash"

# The list itself is compiled, so that the page cannot misread it.
program() {
  cat <<'C'
#include <stdio.h>
#include <stdlib.h>
#include "common/base/error_codes.h"

static const char *title(char letter)
{
    switch (letter) {
    case 'C': return "Configuration and usage";
    case 'M': return "Mappings";
    case 'J': return "JSON";
    case 'V': return "Values";
    case 'T': return "Tenants";
    case 'S': return "Sources";
    case 'E': return "Envelope";
    case 'K': return "Kafka";
    case 'P': return "PostgreSQL";
    case 'R': return "Redis";
    case 'W': return "Worker";
    case 'Y': return "Verifier";
    case 'A': return "Alerts";
    case 'G': return "Gates and switching";
    case 'H': return "HTTP";
    case 'X': return "Safety and the program itself";
    case 'F': return "File and memory stores";
    default: fprintf(stderr, "errors_md.sh: no title for the letter %c\n", letter); exit(1);
    }
}

static void cell(const char *text)
{
    for (printf(" "); *text; text++)
        printf(*text == '|' || *text == '<' || *text == '*' || *text == '_' ? "\\%c" : "%c", *text);
    printf(" |");
}

struct row {
    const char *id;
    int exit_code;
    const char *meaning, *advice;
};

int main(void)
{
    static const struct row ROWS[] = {
#define X(name, id, exit_code, meaning, advice) {id, exit_code, meaning, advice},
        ERROR_CODES(X)
#undef X
    };
    static const char LETTERS[] = "CMJVTSEKPRFWYAGHX";
    size_t count = sizeof(ROWS) / sizeof(ROWS[0]);
    for (size_t i = 1; i < count; i++)
        title(ROWS[i].id[4]);
    for (const char *letter = LETTERS; *letter; letter++) {
        int first = 1;
        for (size_t i = 1; i < count; i++) {
            if (ROWS[i].id[4] != *letter)
                continue;
            if (first)
                printf("\n## %s\n\n| code | meaning | what to do | exit |\n|---|---|---|---|\n",
                       title(*letter));
            first = 0;
            printf("| `%s` |", ROWS[i].id);
            cell(ROWS[i].meaning);
            cell(ROWS[i].advice);
            printf(" %d |\n", ROWS[i].exit_code);
        }
    }
    return 0;
}
C
}

page() {
  local folder
  folder=$(mktemp -d)
  program | ${CC:-cc} -std=c17 -I. -x c - -o "$folder/list" && cat <<'EOF_PAGE' && "$folder/list"
# Error codes

Every error of the program begins with its code, which stays the same across releases:
`drover explain CODE` prints its row. The last column is the exit code of a command that stops
for it; an error of one record does not stop a command, but is counted and listed.

This page is printed from `common/base/error_codes.h` by `tests/check/errors_md.sh --write`.
EOF_PAGE
  local status=$?
  rm -rf -- "$folder"
  return $status
}

case ${1:-} in
  --print) page ;;
  --write) new=$(page) && printf '%s\n' "$new" > docs/errors.md ;;
  "")
    new=$(page)
    if ! difference=$(diff docs/errors.md <(printf '%s\n' "$new")); then
      echo "docs/errors.md is not what common/base/error_codes.h says (tests/check/errors_md.sh --write):"
      echo "$difference"
      exit 1
    fi
    ;;
  *) echo "usage: errors_md.sh [--print|--write]"; exit 2 ;;
esac
