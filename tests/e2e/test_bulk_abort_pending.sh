#!/usr/bin/env bash
# A load is given up while children wait for their parents: they are read again, in batches cut anew, and some get in at
# once. Each is told of once: nobody is called pending when nobody is.
. "$(dirname "$0")/lib.sh"

mapping() { # NAME EXTRA
  printf 'entity: %s\ncollect: { files: ["%s*.ndjson"] }\ntable: %s\nkey: [id]\ntenant: { from: /tenant }\nversion: { from: /rev, as: number }\n' "$1" "$1" "$1"
  printf 'columns:\n  - { name: id, from: /id, type: text }\n  - { name: p, from: /p, type: text }\nrest: extra\n%s\n' "$2"
}
mkdir "$WORK/m"
mapping big 'indexes: [{ name: big_p, columns: [p] }]' > "$WORK/m/big.yaml"
mapping par '' > "$WORK/m/par.yaml"
mapping chi 'references: [{ columns: [p], entity: par }]' > "$WORK/m/chi.yaml"
sed -i "s|^mappings:.*|mappings: [$WORK/m]|; s|partitions: 6|partitions: 3|" "$WORK/drover.yaml"
records() { # ENTITY COUNT
  for i in $(seq 0 $(( $2 - 1 ))); do printf '{"id":"%s%d","tenant":"t","rev":1,"p":"par%d"}\n' "$1" "$i" $(( i % 100 )); done > "$WORK/$1.ndjson"
}
records big 300
records chi 300
records par 100
waiting() { psql "$ADMIN" -Atc 'SELECT count(*) FROM drover.waiting'; }
all_wait() { [ "$(waiting)" = 300 ] && is_drained; }

prepare
drover load begin > "$WORK/begin.log" 2>&1 || fail "load begin: exit $?"
drover produce "$WORK/chi.ndjson" "$WORK/big.ndjson" > "$WORK/produce.log" 2>&1
start_worker A --parent-wait 600s
wait_until 60 all_wait

say "given up; the parents come; all is read again"
drover load abort > "$WORK/abort.log" 2>&1 || fail "load abort: exit $?"
drover produce "$WORK/par.ndjson" > "$WORK/produce_p.log" 2>&1
stop_worker A
drover work --until-end > "$WORK/work.log" 2>&1 || fail "work: exit $?"
equal "waiting" "$(waiting)" 0
drover status --json > "$WORK/status.json" 2> "$WORK/status.log" || fail "status: exit $?"
equal "classes" "$(jq -c '[.source_records, .counts.pending, .counts.no_receipt, .counts.applied + .counts.unchanged]' "$WORK/status.json")" '[700,0,0,700]'
expect_exit 0 drover verify > "$WORK/verify.log"

say "done"
