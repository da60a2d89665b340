#!/usr/bin/env bash
# Includes only point down: common/base < model < policy < port < io < the roles < control.
# Roles do not know each other; the layers below io do no I/O, so they do not see its headers; those
# above it do not see the servers', and of the servers' folders the roles see what names a store, or
# asks one for more than its port gives.
. "$(dirname -- "$0")/lib.bash"

check() {
  local files
  files=$(sources)
  [ -n "$files" ] || return 0
  # shellcheck disable=SC2086 # one file a word: our names have no spaces
  awk '
    function level(path) {
      if (path ~ /^common\/base\//) return 1
      if (path ~ /^common\/model\//) return 2
      if (path ~ /^common\/policy\//) return 3
      if (path ~ /^common\/port\//) return 4
      if (path ~ /^common\/io\//) return 5
      if (path ~ /^(producer|worker|verifier)\//) return 6
      if (path ~ /^control\//) return 7
      return 0
    }
    function top(path) { sub(/\/.*/, "", path); return path }
    function offend(what) { print FILENAME ":" FNR " " what; bad = 1 }
    FNR == 1 && level(FILENAME) == 0 { offend("is in no layer") }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
      split($0, part, "\""); to = part[2]; here = level(FILENAME)
      if (level(to) == 0) offend("includes \"" to "\", which is not rooted at the top folder")
      else if (level(to) > here) offend("reaches up to " to)
      else if (here == 6 && to ~ /^common\/io\/(kafka|postgres|redis|filestore)\// &&
               to !~ /\/(kafka_bus|kafka_topics|redis_stage|redis_lookup|pg_lookup|pg_snapshot|pg_store_reader|redis_held|redis_rows|file_store)\.h$/)
        offend("reaches behind a port: " to)
      else if (here == 6 && level(to) == 6 && top(to) != top(FILENAME))
        offend("reaches into another role: " to)
    }
    /^[ \t]*#[ \t]*include[ \t]*</ && level(FILENAME) < 5 {
      if ($0 ~ /<(uv|libpq-fe|sqlite3|microhttpd|unistd|fcntl|poll|pthread|signal)\.h>/ ||
          $0 ~ /<(librdkafka|hiredis|sys|arpa|netinet|curl)\//) {
        if (FILENAME ~ /^common\/base\/mem\.c$/ && $0 ~ /<sys\/mman\.h>/) next # memory is what it gives
        split($0, part, /[<>]/)
        offend("does I/O below the I/O layer: " part[2])
      }
    }
    /^[ \t]*#[ \t]*include[ \t]*</ && level(FILENAME) >= 6 && $0 ~ /<(libpq-fe\.h|librdkafka\/|hiredis\/)/ {
      split($0, part, /[<>]/)
      offend("knows a server behind a port: " part[2])
    }
    END { exit bad }' $files
}

plant() { mkdir -p "$TREE/$(dirname -- "$1")" && printf '%s\n' "$2" > "$TREE/$1"; }

self_test() {
  plant common/base/text.h '#include <string.h>'
  plant common/io/loop.c '#include <uv.h>'
  plant worker/core.c '#include "common/base/text.h"'
  plant control/run/run.c '#include "worker/core.h"'
  prove_it_passes "$TREE"
  plant common/base/up.c '#include "worker/core.h"'
  plant common/model/level.c '#include "common/policy/retry.h"'
  plant producer/peer.c '#include "verifier/core.h"'
  plant verifier/over.c '#  include "control/run/run.h"'
  plant common/policy/io.c '#include <librdkafka/rdkafka.h>'
  plant verifier/behind.c '#include "common/io/kafka/kafka_reader.h"'
  plant worker/stores.c '#include "common/io/postgres/pg_sink.h"'
  plant worker/server.c '#include <libpq-fe.h>'
  plant control/status/server.c '#include <libpq-fe.h>'
  plant control/cmd_server.c '#include <hiredis/hiredis.h>'
  plant common/other/x.c ''
  plant worker/near.c '#include "core.h"'
  prove_it_fails "$TREE" common/base/up.c:1 common/model/level.c:1 producer/peer.c:1 \
    verifier/over.c:1 common/policy/io.c:1 worker/server.c:1 verifier/behind.c:1 worker/stores.c:1 \
    control/status/server.c:1 control/cmd_server.c:1 common/other/x.c:1 worker/near.c:1
}

run_check check self_test "$@"
