#!/usr/bin/env bash
# Small records of a wide table in large batches: a batch is full when its rows are, not only when its
# messages are, and no record is refused for the company it came in.
. "$(dirname "$0")/lib.sh"

{
  printf 'entity: wide\ntable: wide\nkey: [id]\ncolumns:\n  - { name: id, from: /id, type: int4 }\n'
  for i in $(seq 150); do printf '  - { name: c%d, from: /c%d, type: text }\n' "$i" "$i"; done
} > "$WORK/wide.yaml"
sed -i "s|^mappings:.*|mappings: [$WORK/wide.yaml]|" "$WORK/drover.yaml"
prepare
seq 6000 | sed 's/.*/{"id":&}/' > "$WORK/wide.ndjson"
drover produce --tenant t "$WORK/wide.ndjson" > "$WORK/produce.log" 2>&1
timeout 200 "$DROVER" work --until-end --batch-records 100000 --max-record-bytes 4KiB \
  --config "$WORK/drover.yaml" > "$WORK/worker.log" 2>&1 || fail "worker: exit $?"
equal "rows" "$(psql "$ADMIN" -qAtc 'SELECT count(*) FROM public.wide')" 6000
drover status --json > "$WORK/status.json"
equal "dead letters" "$(jq .counts.dead_lettered "$WORK/status.json")" 0
say ok
