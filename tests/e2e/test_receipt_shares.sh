#!/usr/bin/env bash
# Receipts do not grow with the number of tenants: a batch of more than 64 of them sums shares of the tenants. The
# sums are the tenants' own, made here once more from what the tables hold.
. "$(dirname "$0")/lib.sh"

prepare
jq -nc 'range(6000) | {id: "r\(.)", tenant: "t\(. % 2000)", rev: 1, kind: "k"}' > "$WORK/many.ndjson"
drover produce "$WORK/many.ndjson" > "$WORK/produce.log" 2>&1 || fail "produce: exit $?"
"$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/work.log" 2>&1 || fail "worker: exit $?"
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.results" -e -q -f '%s\n' | jq -c 'select(.kind == "batch")' > "$WORK/receipts"
equal "applied" "$(jq -s 'map(.groups[].applied) | add' "$WORK/receipts")" 6000
equal "receipts of more than 64 groups" "$(jq -s 'map(select(.groups | length > 64)) | length' "$WORK/receipts")" 0
[ "$(jq -s 'map(.groups[] | select(.share)) | length' "$WORK/receipts")" -ge 32 ] || fail "no receipt tells of shares"
bytes=$(jq -s 'map(tostring | length) | add' "$WORK/receipts")
[ "$bytes" -le $((6000 * 8)) ] || fail "$bytes bytes of receipts for 6,000 records: $(wc -l < "$WORK/receipts") batches"
psql "$ADMIN" -AtF ' ' -c "SELECT encode(drover_digest, 'hex') FROM public.event" > "$WORK/digests"
python3 - "$WORK/digests" "$WORK/receipts" <<'PY' || fail "the shares' sums are not those of the rows"
import json, sys
rows = sum(int(line, 16) for line in open(sys.argv[1])) % 2**128
told = sum(int(group["sum"], 16) for line in open(sys.argv[2]) for group in json.loads(line)["groups"]) % 2**128
sys.exit(rows != told)
PY
say done
