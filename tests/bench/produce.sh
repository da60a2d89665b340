# shellcheck shell=bash
# drover produce of NDJSON and of one JSON array, against `kcat -P -l` of the same lines, which neither parses nor adds keys
# and headers. The mapping names tenant, key and version in the record, so drover has to find them in each.

bench_produce() {
  local round form
  data chat.ndjson chat "$RECORDS"
  data chat.json chat "$RECORDS" --form array
  configure produce "$CHAT"
  for (( round = 1; round <= ROUNDS; round++ )); do
    quietly drover topics apply
    measured kcat kcat -P -b "$KAFKA_BROKERS" -t drover.produce.source -l "$WORK/chat.ndjson" \
      -X acks=all -X enable.idempotence=true -X linger.ms=20 -z lz4
    produced kcat chat
    for form in ndjson json; do
      measured produce "$DROVER" produce "$WORK/chat.$form" --again --config "$WORK/drover.yaml"
      if [ "$form" = json ]; then produced produce array; else produced produce ndjson; fi
    done
    delete_topics "drover\.produce\..*"
  done
  rm -f "$WORK/chat.json"
}

produced() { # NAME SET: of the round
  local who=$1
  [ "$who" = kcat ] || who=drover
  record produce "$2" "$who" rate "$(jq "$RECORDS / .seconds | floor" "$WORK/$1.json")" "$round"
  record produce "$2" "$who" cpu_us "$(jq "100 * .cpu_seconds * 1000000 / $RECORDS | round / 100" "$WORK/$1.json")" "$round"
  record produce "$2" "$who" peak_mib "$(jq .peak_mib "$WORK/$1.json")" "$round"
}
