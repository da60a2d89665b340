#!/usr/bin/env bash
# Records that cannot be written go to the dead letters, unchanged, and the rest of their batch commits:
# refused by the mapping, refused by PostgreSQL, and not even readable.
. "$(dirname "$0")/lib.sh"

prepare
psql "$ADMIN" -qc "ALTER TABLE public.event ADD CONSTRAINT no_evil CHECK (kind <> 'evil')"
generate 3000 5 1 "$WORK/good.ndjson"
{
  head -n 1000 "$WORK/good.ndjson"
  echo '{"id":"bad1","tenant":"t01","rev":1,"amount":1}'
  echo '{"id":"bad2","tenant":"t02","rev":1,"kind":"far too long a kind"}'
  echo '{"id":"bad3","tenant":"t03","rev":1,"kind":"evil","amount":1}'
  sed -n 1001,2000p "$WORK/good.ndjson"
  echo '{"id":"bad4","tenant":"t01","rev":1,"kind":"evil","note":"Zürich"}'
  echo '{"id":"bad5","tenant":"t01","rev":1,"kind":"k1","amount":"12"}'
  echo '{"id":"bad6","tenant":"t01","rev":1,"kind":"k1","amount":12.345}'
  tail -n +2001 "$WORK/good.ndjson"
} > "$WORK/mixed.ndjson"
drover produce "$WORK/mixed.ndjson" > "$WORK/produce.log" 2>&1
kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -p 0 -H drover-tenant=t01 -H drover-entity=event <<< '{"id":'
kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -p 0 -H drover-tenant=t01 -H drover-entity=evnt <<< '{"id":"x"}'
kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -p 0 -H drover-entity=event <<< '{"id":"x"}'
timeout 60 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/worker.log" 2>&1 || fail "worker: exit $?"
check_equal "$WORK/good.ndjson"
drover status --json > "$WORK/status.json"
drover status > "$WORK/status.txt"
CODES=$(grep '^dead letters:' "$WORK/status.txt" | grep -o 'DRV-[A-Z][0-9]*')
equal "dead letters by code" "$CODES" "$(sort <<< "$CODES")"
[ "$(wc -l <<< "$CODES")" -gt 2 ] || fail "too few codes to say anything of their order"
equal "dead letters" "$(jq .counts.dead_lettered "$WORK/status.json")" 9
equal "by code" "$(jq -cS .dead_letters_by_code "$WORK/status.json")" \
  '{"DRV-E001":1,"DRV-J009":1,"DRV-M004":1,"DRV-P110":2,"DRV-V001":1,"DRV-V002":1,"DRV-V003":1,"DRV-V004":1}'
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.dlq" -e -q -f '%s %h\n' > "$WORK/dead_letters"
grep -q '^{"id":"bad4","tenant":"t01","rev":1,"kind":"evil","note":"Zürich"} .*__connect.errors.topic=drover.'"$NAME"'.source.*drover-error-code=DRV-P110' "$WORK/dead_letters" \
  || fail "the dead letter is not the message as it was"
grep -c 'drover-dlq-id=' "$WORK/dead_letters" | { read -r n; equal "dead letters with an id" "$n" 9; }
! grep -q 'Zürich' "$WORK/worker.log" || fail "a value reached the log"
expect_exit 5 drover verify > "$WORK/verify.log" 2>&1
equal "verifier's count" "$(jq '.counts.deadLettered // .counts["dead-lettered"] // .counts.dead_lettered' "$WORK/report/latest/report.json")" 9
say done
