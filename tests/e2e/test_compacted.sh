#!/usr/bin/env bash
# A source topic that somebody compacts: what was taken out of it cannot be verified, and the verdict says so; nothing else is
# called wrong, and produced again all of it is there.
. "$(dirname "$0")/lib.sh"

sed -i 's/partitions: 6/partitions: 1/' "$WORK/drover.yaml"
prepare
SOURCE=drover.$NAME.source
in_topic() { kcat -C -b "$KAFKA_BROKERS" -t "$SOURCE" -e -q -f '%o\n' | wc -l; }
configure() { java -Xmx128m -cp "$PWD/.deps/kafka/libs/*" kafka.admin.ConfigCommand --bootstrap-server "$KAFKA_BROKERS" --alter --topic "$SOURCE" --add-config "$1" > "$WORK/configure.log" 2>&1; }
sends() {
  drover produce "$WORK/$1.ndjson" --again > "$WORK/produce.log" 2>&1
  timeout 120 "$DROVER" work --until-end --config "$WORK/drover.yaml" >> "$WORK/worker.log" 2>&1 || fail "worker: exit $?"
}
verifies() { # EXIT
  expect_exit "$1" drover verify --json > "$WORK/verify.json" 2> "$WORK/verify.log"
  jq -r '.warnings[]' "$WORK/verify.json" > "$WORK/warnings.txt"
}

say "a topic as it is made: all is there"
generate 40 2 1 "$WORK/old.ndjson"
generate 40 2 2 "$WORK/new.ndjson"
generate 5 1 1 /dev/stdout | sed 's/"e/"last/' > "$WORK/last.ndjson"
sends old
sends new
verifies 0

say "compacted"
configure 'cleanup.policy=compact,segment.ms=100,min.cleanable.dirty.ratio=0.001,min.compaction.lag.ms=0,max.compaction.lag.ms=100'
sends last # into a new segment: those before it are compacted
is_compacted() { [ "$(in_topic)" -lt 50 ]; }
wait_until 120 is_compacted
verifies 5
has "$WORK/warnings.txt" "the producer says that it sent 40 records of $WORK/old.ndjson, the topic holds 0 of them"
has "$WORK/warnings.txt" "40 offsets of $SOURCE hold no message: it seems to be compacted"
equal "warnings" "$(wc -l < "$WORK/warnings.txt")" 2
equal "what is there" "$(jq -c '[.reconciled, .source_records, .counts.match]' "$WORK/verify.json")" '[true,45,45]'

say "as it should be, and produced again"
configure 'cleanup.policy=delete,segment.ms=604800000'
sends old
verifies 0
equal "all is there" "$(jq -c '[.source_records, .counts.match, .counts.superseded]' "$WORK/verify.json")" '[85,45,40]'
say done
