#!/usr/bin/env bash
# A mapping that refuses everything opens the breaker: the worker says which code did it, of what, and where one is.
. "$(dirname "$0")/lib.sh"

cat > "$WORK/thing.yaml" <<'EOF_YAML'
entity: thing
collect: { files: ["things*"] }
table: thing
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: int4 }
  - { name: n,  from: /n, type: int4 }
rest: extra
EOF_YAML
sed -i "s#^mappings:.*#mappings: [$WORK/thing.yaml]#; s/partitions: 6/partitions: 1/" "$WORK/drover.yaml"
prepare
seq 1 40 | awk '{ printf "{\"tenant\":\"t\",\"id\":%d,\"n\":\"many\"}\n", $1 }' > "$WORK/things.ndjson"
drover produce "$WORK/things.ndjson" > "$WORK/produce.log" 2>&1

say "the breaker names the code that opened it, and a place"
expect_exit 6 timeout 90 "$DROVER" work --until-end --breaker 5 --config "$WORK/drover.yaml" > "$WORK/worker.log" 2>&1
for text in 'DRV-X002' 'records in a row were dead-lettered, the last' 'as DRV-V002' "drover.$NAME.source-0@" '/n' \
  'drover explain DRV-V002'; do
  grep -qF -- "$text" "$WORK/worker.log" || fail "not said: $text"
done
say done
