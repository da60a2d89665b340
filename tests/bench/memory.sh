# shellcheck shell=bash
# Peak resident memory of each role as a process of its own.

bench_memory() {
  local worker
  data chat.ndjson chat "$RECORDS"
  configure memory "$CHAT"
  fresh_database
  quietly drover topics apply
  "$DROVER" work --config "$WORK/drover.yaml" > "$WORK/worker.log" 2>&1 &
  worker=$!
  until [ "$(grep -c partition.claimed "$WORK/worker.log")" = "$PARTITIONS" ]; do kill -0 "$worker"; nap 0.1; done
  record memory idle worker peak_mib "$(awk '/VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$worker/status")"
  kill -TERM "$worker"; wait "$worker" || true
  measured produce "$DROVER" produce "$WORK/chat.ndjson" --config "$WORK/drover.yaml"
  record memory ndjson producer peak_mib "$(jq .peak_mib "$WORK/produce.json")"
  drain memory bench.memory "$CHAT"
  record memory full worker peak_mib "$PEAK_MIB"
  measured verify "$DROVER" verify --group bench.memory --config "$WORK/drover.yaml"
  record memory full verifier peak_mib "$(jq .peak_mib "$WORK/verify.json")"
  delete_topics "drover\.memory\..*"
  memory_of_sources
}

# Sources that are read as one: an array of 2 GiB, a body of 64 MiB that is held whole, a dump of 1 GiB that is read twice (one below
# 140 MiB lacks what its join asks for).
memory_of_sources() {
  local name peak mib=2048
  [ "$RECORDS" -ge 1000000 ] || mib=64
  DROVER=$DROVER tests/bench/produce_memory.sh "$mib" > "$WORK/sources" || { cat "$WORK/sources" >&2; return 1; }
  DROVER=$DROVER tests/bench/collect_memory.sh "$(( mib < 320 ? 160 : mib / 2 ))" >> "$WORK/sources" || { cat "$WORK/sources" >&2; return 1; }
  while read -r name peak mib _; do
    [ "$peak" != peak ] || record memory "$name" producer peak_mib "$mib"
  done < "$WORK/sources"
}
