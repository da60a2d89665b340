#!/usr/bin/env bash
# A message that only the broker refuses, as its limit was lowered while the producer ran: the source is told as not complete,
# all others are told and stored, however many are behind it, and the same command sends it anew when the limit allows it.
. tests/e2e/lib.sh

SMALL=4200 # more than a producer has on its way at once (PASSAGES_MAX)
SOURCE=drover.$NAME.source
IN=$WORK/in
mkdir "$IN"
generate 12000 5 1 "$IN/a.ndjson"
generate 300 5 2 "$IN/b.ndjson"
noise() { head -c "$1" /dev/urandom | base64 -w0; } # nothing to compress
sed -i "150s#\"note\":\"[^\"]*\"#\"note\":\"$(noise 15000)\"#" "$IN/b.ndjson"
awk -v n=$SMALL -v dir="$IN" 'BEGIN {
  for (i = 0; i < n; i++) {
    file = sprintf("%s/c%05d.json", dir, i)
    printf "{\"id\":\"c%d\",\"tenant\":\"t00\",\"rev\":1,\"kind\":\"k\",\"amount\":1.00,\"at\":\"2024-01-01T00:00:00.000Z\",\"tags\":[],\"note\":\"n\"}\n", i > file
    close(file)
  }
}'
touch -d '2024-01-01 10:00' "$IN/a.ndjson"
touch -d '2024-01-01 10:01' "$IN/b.ndjson" # the others are of now: in that order they are read
prepare

in_topic() { messages_in "$SOURCE"; }
has_messages() { [ "$(in_topic)" -ge "$1" ]; }
is_over() { ! kill -0 "$PRODUCER" 2> /dev/null; }
# the last reading of each source: name, complete, records, produced, rejected
readings() {
  kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.$NAME.results" 2> /dev/null |
    jq -sc '[.[] | select(.kind == "reading")] | group_by(.uri)[] | max_by(.finished_ms) | [(.uri | split("/")[-1]), .complete, .records, .produced, .rejected]'
}

say "the limit is lowered while the first of $(( SMALL + 2 )) sources is sent"
"$DROVER" produce "$IN" --queue 1MiB -X linger.ms=50 -X batch.size=4000 --config "$WORK/drover.yaml" --json > "$WORK/out.json" 2> "$WORK/produce.log" &
PRODUCER=$!
PIDS+=("$PRODUCER")
wait_until 30 has_messages 1
kill -STOP "$PRODUCER"
"$KAFKA_TOOL" alter "$SOURCE" max.message.bytes=8000
[ "$(in_topic)" -lt 12000 ] || fail "too late: the first source was sent by then"
kill -CONT "$PRODUCER"
wait_until 120 is_over
expect_exit 5 wait "$PRODUCER"
has "$WORK/produce.log" "error[DRV-K006]"
equal "counts" "$(jq -c '[.source_records, .counts.produced, .counts.rejected]' "$WORK/out.json")" "[$(( SMALL + 12300 )),$(( SMALL + 12299 )),1]"
equal "messages" "$(in_topic)" $(( SMALL + 12299 ))

say "it alone is not complete, and told so"
readings > "$WORK/readings.txt"
equal "a" "$(grep '"a.ndjson"' "$WORK/readings.txt")" '["a.ndjson",true,12000,12000,0]'
equal "b" "$(grep '"b.ndjson"' "$WORK/readings.txt")" '["b.ndjson",false,300,299,1]'
equal "the others" "$(grep -c '^\["c[0-9]*.json",true,1,1,0\]$' "$WORK/readings.txt")" $SMALL

say "again: all but it are skipped, it is read anew, and refused before it is sent"
expect_exit 5 drover produce "$IN" --json > "$WORK/again.json" 2> "$WORK/again.log"
equal "counts" "$(jq -c '[.source_records, .counts.rejected, .sources_skipped, .sources_resumed, .sources_anew]' "$WORK/again.json")" "[300,1,$(( SMALL + 1 )),0,1]"
has "$WORK/again.log" "read anew: it was interrupted at its beginning, or a message of it was refused"

say "with another limit nothing lacks"
"$KAFKA_TOOL" alter "$SOURCE" max.message.bytes=1000000
expect_exit 0 drover produce "$IN/b.ndjson" --again --json > "$WORK/last.json" 2> "$WORK/last.log"
readings > "$WORK/readings.txt"
equal "b" "$(grep '"b.ndjson"' "$WORK/readings.txt")" '["b.ndjson",true,300,300,0]'
! grep -an -e Sanitizer -e 'runtime error' "$WORK"/*.log >&2 || fail "a sanitizer found something"
say done
