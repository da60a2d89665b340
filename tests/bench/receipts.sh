# shellcheck shell=bash
# Bytes of receipts a record, as they lie in the results topic (values; compression would only make them fewer).

bench_receipts() {
  local tenants RECORDS=$(( RECORDS < 400000 ? RECORDS : 400000 ))
  for tenants in 1 2000 100000; do
    data receipts.ndjson chat "$RECORDS" --tenants "$tenants"
    source_topic "receipts_$tenants" "$CHAT" "$WORK/receipts.ndjson"
    fresh_database
    drain "receipts_$tenants" "bench.$tenants" "$CHAT"
    record receipts "tenants_$tenants" drover bytes_a_record "$(kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.receipts_$tenants.results" -o beginning -f '%S\n' |
      awk -v n="$RECORDS" '{ size += $1 } END { printf "%.2f", size / n }')"
    rm -f "$WORK/receipts.ndjson"
  done
  delete_topics "drover\.receipts_.*"
}
