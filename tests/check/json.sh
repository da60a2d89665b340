#!/usr/bin/env bash
# JSON for machines is written by common/base/json_out.h alone: no member's name stands in a literal
# by hand, but in the forms of the wire and of the data; and every name is in snake_case.
. "$(dirname -- "$0")/lib.bash"

# PLACE|why members are written by hand there.
BY_HAND='common/model/message/receipt.c|receipts on the wire (schemas/wire.md)
common/model/message/reading.c|how a reading is recognised (schemas/wire.md)
common/model/json/json_stream.c|a form of the data
common/model/message/tenant.c|the tenant context of the data
common/policy/apply/sequence.c|the stored sequence numbers
common/policy/collect/collect_localstorage.c|forms of localStorage
common/policy/collect/collect_localstorage_merge.c|forms of localStorage
common/io/source/chromium_reader.c|the form of a localStorage payload
common/io/log.c|log lines, written where memory is short'

check() {
  local files
  files=$(sources)
  [ -n "$files" ] || return 0
  # shellcheck disable=SC2086 # one file a word: our names have no spaces
  awk -v allowed="$BY_HAND" '
    BEGIN {
      count = split(allowed, rows, "\n")
      for (i = 1; i <= count; i++) { split(rows[i], row, "|"); free[row[1]] = 1 }
    }
    !(FILENAME in free) && /^[^\/*]*"[^"]*\\"[A-Za-z_%]+\\":/ {
      print FILENAME ":" FNR " writes a member by hand: json_out_*"; bad = 1
    }
    /json_out_[a-z]+\([^,]*, "[^"]*"/ {
      name = $0; sub(/.*json_out_[a-z]+\([^,]*, "/, "", name); sub(/".*/, "", name)
      if (name !~ /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/) {
        print FILENAME ":" FNR " a name that is not in snake_case: " name; bad = 1
      }
    }
    END { exit bad }' $files
}

plant() { mkdir -p "$TREE/$(dirname -- "$1")" && printf '%s\n' "$2" > "$TREE/$1"; }

self_test() {
  plant control/good.c '    json_out_count(out, "dead_letters", 1);'
  plant common/model/message/receipt.c '    printf("{\"kind\":\"batch\"}");'
  prove_it_passes "$TREE"
  plant control/hand.c '    printf("{\"records\":%d}", 1);'
  plant control/camel.c '    json_out_count(out, "deadLetters", 1);'
  prove_it_fails "$TREE" control/hand.c:1 control/camel.c:1
}

run_check check self_test "$@"
