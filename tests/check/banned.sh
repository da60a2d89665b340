#!/usr/bin/env bash
# Functions that have hurt others: unbounded copies, silent parsers, calls with known losses.
. "$(dirname -- "$0")/lib.bash"

# NAME|why; the names are matched as whole identifiers before a parenthesis.
BANNED='strcpy|copies without a bound
strcat|copies without a bound
stpcpy|copies without a bound
sprintf|prints without a bound
vsprintf|prints without a bound
gets|reads without a bound
atoi|cannot say that it failed: text_parse_int64
atol|cannot say that it failed: text_parse_int64
atoll|cannot say that it failed: text_parse_int64
atof|cannot say that it failed
strtok|keeps hidden state
alloca|the stack has no limit check
tmpnam|races
mktemp|races
system|goes through a shell
popen|goes through a shell
rd_kafka_consume_batch|skips messages around seeks and rebalances (librdkafka 2.0.2)
rd_kafka_consume_batch_queue|skips messages around seeks and rebalances (librdkafka 2.0.2)
redisCommand|its format stops at NUL: use the Argv form
redisvCommand|its format stops at NUL: use the Argv form
redisAppendCommand|its format stops at NUL: use the Argv form
redisvAppendCommand|its format stops at NUL: use the Argv form
redisAsyncCommand|its format stops at NUL: use the Argv form
redisvAsyncCommand|its format stops at NUL: use the Argv form'

# PLACE|why a statement there may be built.
BUILT='common/io/postgres/pg_session.c|the wrapper for statements without values
common/io/postgres/pg_snapshot.c|COPY takes no parameters; its literals go through schema_sql_literal'

names() {
  awk -v banned="$BANNED" '
    BEGIN {
      count = split(banned, rows, "\n")
      for (i = 1; i <= count; i++) {
        split(rows[i], row, "|")
        why[row[1]] = row[2]
        all = all (i > 1 ? "|" : "") row[1]
      }
      pattern = "(^|[^A-Za-z0-9_])(" all ")[ \t]*\\("
    }
    {
      split($0, place, ":"); code = substr($0, length(place[1] place[2]) + 3)
      while (match(code, pattern)) {
        name = substr(code, RSTART, RLENGTH); gsub(/[^A-Za-z0-9_]/, "", name)
        print place[1] ":" place[2] " " name ": " why[name]; bad = 1
        code = substr(code, RSTART + RLENGTH)
      }
      if (place[1] != "control/main.c" && code ~ /(^|[^A-Za-z0-9_])exit[ \t]*\(/) {
        print place[1] ":" place[2] " exit: only control/main.c ends the program"; bad = 1
      }
    }
    END { exit bad }'
}

# PQexec with anything but a literal is how values get into statements. The argument may stand on
# the next line; a comma inside the first argument is not our style.
statements() {
  awk -v built="$BUILT" '
    BEGIN {
      count = split(built, rows, "\n")
      for (i = 1; i <= count; i++) { split(rows[i], row, "|"); may[row[1]] = 1 }
    }
    {
      split($0, place, ":"); code = substr($0, length(place[1] place[2]) + 3)
      if (pending) { rest = code; sub(/^[ \t]*/, "", rest); judge(rest) }
      if (!(place[1] in may) && match(code, /(^|[^A-Za-z0-9_])PQexec[ \t]*\([^,]*,?[ \t]*/)) {
        at = place[1] ":" place[2]; comma = substr(code, RSTART, RLENGTH) ~ /,/
        rest = substr(code, RSTART + RLENGTH)
        if (rest == "") pending = 1; else if (comma) judge(rest)
      }
    }
    function judge(rest) {
      pending = 0
      if (substr(rest, 1, 1) != "\"") { print at " PQexec: the statement is not a literal"; bad = 1 }
    }
    END { exit bad }'
}

check() {
  local files status=0 code
  mapfile -t files < <(sources)
  [ ${#files[@]} -gt 0 ] || return 0
  code=$(code_of "${files[@]}")
  names <<<"$code" || status=1
  statements <<<"$code" || status=1
  return $status
}

plant() { mkdir -p "$TREE/$(dirname -- "$1")" && printf '%s\n' "$2" > "$TREE/$1"; }

self_test() {
  plant control/main.c 'int main(void) { exit(1); }'
  plant worker/good.c '/* strcpy(a, b) */ x = "sprintf(x)"; my_strcpy(a); snprintf(a, 1, b); _exit(1);'
  plant worker/literal.c 'PQexec(conn, "BEGIN"); PQexec(conn,
      "COMMIT"); PQexecParams(conn, sql);'
  plant worker/argv.c 'redisCommandArgv(c, 1, v, s); fgets(a, 1, f);'
  plant tests/unit/test_x.c 'strcpy(a, b);'
  prove_it_passes "$TREE"
  plant worker/copy.c 'int a; strcpy(a, b);'
  plant worker/number.c '/* a
  */ b = "x\"" + atoi (a);'
  plant worker/batch.c 'rd_kafka_consume_batch_queue(q, 1, m, 2);'
  plant worker/redis.c 'if (redisAsyncCommand(c, f, d, "GET %s", key))'
  plant worker/end.c '    exit(1);'
  plant worker/sql.c 'PQexec(conn, buf_text(sql));'
  plant worker/sql2.c 'PQexec(conn,
         sql);'
  prove_it_fails "$TREE" worker/copy.c:1 worker/number.c:2 worker/batch.c:1 worker/redis.c:1 \
    worker/end.c:1 worker/sql.c:1 worker/sql2.c:1
}

run_check check self_test "$@"
