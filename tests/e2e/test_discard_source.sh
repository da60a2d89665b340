#!/usr/bin/env bash
# A source that never comes again: what it rejected, and the end that was never read, are discarded by a decision; what it sent is
# verified as ever, a later reading counts by itself, and of several sources of one name the one that is meant is named.
. "$(dirname "$0")/lib.sh"

prepare
IN=$WORK/in
mkdir "$IN"
work() { timeout 120 "$DROVER" work --until-end --config "$WORK/drover.yaml" >> "$WORK/worker.log" 2>&1 || fail "worker: exit $?"; }
verifies() { # EXIT "RECORDS MATCH REJECTED DISCARDED"
  expect_exit "$1" drover verify --json > "$WORK/verify.json" 2> "$WORK/verify.log"
  equal "records, match, rejected, discarded" "$(jq -r '[.source_records, .counts.match, .counts.rejected, .counts.discarded] | join(" ")' "$WORK/verify.json")" "$2"
}
discards() { # EXIT ARGUMENT…
  local want=$1
  shift
  expect_exit "$want" drover dlq discard --reason 'it is gone' "$@" > "$WORK/discard.log" 2>&1
}
source_of() { drover status --json | jq -c ".sources[] | select(.uri | endswith(\"$1\")) | [.complete, .rejected, .discarded]"; }
decisions() { kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.$NAME.control" | jq -c 'select(.decision == "source_discarded")'; }
broken() { for (( i = 0; i < $1; i++ )); do echo '{"id":'; done; }
in_topic() { messages_in "drover.$NAME.source"; }
has_messages() { [ "$(in_topic)" -ge "$1" ]; }
# The broker has taken what a killed producer had sent: it does so after its death, and tells nobody when.
has_come_to_rest() {
  local now still
  now=$(in_topic)
  for still in 1 2 3; do [ "$(in_topic)" = "$now" ] || return 1; done
}

say "lines of a file that was deleted were rejected"
generate 10 2 1 "$IN/kept.ndjson"
{ generate 5 1 1 /dev/stdout | sed 's/"e/"lost/'; broken 3; } > "$IN/lost.ndjson"
expect_exit 5 drover produce "$IN" > "$WORK/produce.log" 2>&1
work
rm "$IN/lost.ndjson"
expect_exit 0 drover produce "$IN" > "$WORK/produce.log" 2>&1
verifies 5 "18 15 3 0"

say "it is asked about, told, and refused where nothing is meant"
discards 2 --source "$IN/nosuch.ndjson"
has "$WORK/discard.log" "no reading of "
discards 2 --source "$IN/lost.ndjson" --tenant t00
discards 2 --all
expect_exit 2 drover dlq list --source "$IN/lost.ndjson" > "$WORK/discard.log" 2>&1
expect_exit 2 drover dlq discard --source "$IN/lost.ndjson" --yes > "$WORK/discard.log" 2>&1
has "$WORK/discard.log" "--reason TEXT"
discards 2 --source "$IN/lost.ndjson"
has "$WORK/discard.log" "1 source with 3 rejected records would be discarded, and nobody is asked"
discards 0 --source "$IN/lost.ndjson" --dry-run
has "$WORK/discard.log" "1 source with 3 rejected records would be discarded"
equal "as JSON" "$(drover dlq discard --source "$IN/lost.ndjson" --reason gone --dry-run --json | jq -c '[.dry_run, .discarded, (.sources[] | .complete, .rejected)]')" '[true,3,true,3]'
equal "decisions" "$(decisions)" ""
verifies 5 "18 15 3 0"

say "discarded: MATCH, and everybody counts it so"
discards 0 --source "$IN/lost.ndjson" --yes
equal "who, why and which" "$(decisions | jq -c '[.why, (.uri | endswith("lost.ndjson")), (.who | contains("@")), (.source | length), .unfinished]')" '["it is gone",true,true,32,null]'
verifies 0 "18 15 0 3"
drover verify > "$WORK/verify.txt" 2>&1
has "$WORK/verify.txt" "MATCH  every source record is accounted for and stored as it should be, 3 discarded"
equal "status" "$(source_of lost.ndjson)" '[true,0,3]'
drover status > "$WORK/status.txt" 2>&1
has "$WORK/status.txt" "8 records, 3 discarded, read "
discards 0 --source "$IN/lost.ndjson" --yes
has "$WORK/discard.log" "0 sources with 0 rejected records discarded"
expect_exit 0 drover run "$IN" > "$WORK/run.log" 2>&1
has "$WORK/run.log" "MATCH"

say "the file comes again: it counts by itself"
{ generate 5 1 2 /dev/stdout | sed 's/"e/"lost/'; broken 2; } > "$IN/lost.ndjson"
expect_exit 5 drover produce "$IN" > "$WORK/produce.log" 2>&1
work
verifies 5 "17 15 2 0"
discards 0 --source "$IN/lost.ndjson" --yes
verifies 0 "17 15 0 2"
expect_exit 5 drover produce "$IN" > "$WORK/produce.log" 2>&1 # skipped: the same bytes, as decided on
verifies 0 "17 15 0 2"

say "killed in the middle of a file, which was deleted then"
before=$(in_topic)
generate 20000 5 5 /dev/stdout | sed 's/"e/"slow/' > "$IN/slow.ndjson"
"$DROVER" produce "$IN/slow.ndjson" --queue 1MiB -X linger.ms=1000 --config "$WORK/drover.yaml" > "$WORK/slow.log" 2>&1 &
PRODUCER=$!
PIDS+=("$PRODUCER")
wait_until 60 has_messages $(( before + 500 ))
kill -9 "$PRODUCER"
wait "$PRODUCER" 2> /dev/null || true
rm "$IN/slow.ndjson"
wait_until 60 has_come_to_rest
work
sent=$(( $(in_topic) - before ))
[ "$sent" -lt 20000 ] || fail "the producer was too fast to be killed"
verifies 5 "$(( 17 + sent )) $(( 15 + sent )) 0 2"
jq -r '.warnings[]' "$WORK/verify.json" > "$WORK/warnings.txt"
has "$WORK/warnings.txt" "drover dlq discard --source"
equal "status" "$(source_of slow.ndjson)" '[false,0,0]'
discards 0 --source "$IN/slow.ndjson" --yes
verifies 0 "$(( 17 + sent )) $(( 15 + sent )) 0 2"
jq -r '.warnings[]' "$WORK/verify.json" > "$WORK/warnings.txt"
has "$WORK/warnings.txt" "is not complete, and was discarded: only what it sent is verified"
equal "status" "$(source_of slow.ndjson)" '[true,0,0]'
psql "$ADMIN" -qc "UPDATE public.event SET kind = 'other' WHERE id = (SELECT min(id) FROM public.event WHERE id LIKE 'slow%') AND tenant = 't00'"
expect_exit 5 drover verify --json > "$WORK/verify.json" 2> "$WORK/verify.log"
equal "what it sent is verified" "$(jq '.counts.different' "$WORK/verify.json")" 1

say "standard input that ended by a signal, twice: which of them is said"
export DROVER_MIGRATION=${NAME}_stream
psql "$ADMIN" -qc "TRUNCATE public.event"
drover schema apply > "$WORK/schema.log" 2>&1
drover topics apply > "$WORK/topics.log" 2>&1
NAME_BEFORE=$NAME
NAME=$DROVER_MIGRATION
mkfifo "$WORK/pipe"
interrupted() { # ID
  local before
  before=$(in_topic)
  "$DROVER" produce - --entity event --config "$WORK/drover.yaml" < "$WORK/pipe" > "$WORK/stdin.log" 2>&1 &
  PRODUCER=$!
  PIDS+=("$PRODUCER")
  exec {HOLD}> "$WORK/pipe"
  generate 200 1 1 /dev/stdout | sed "s/\"e/\"$1/" >&"$HOLD"
  wait_until 60 has_messages $(( before + 100 ))
  kill -TERM "$PRODUCER"
  expect_exit 143 wait "$PRODUCER"
  exec {HOLD}>&-
}
interrupted first
interrupted second
work
sent=$(in_topic)
verifies 5 "$sent $sent 0 0"
discards 2 --source - --yes
has "$WORK/discard.log" "2 sources are called -, and each lacks something"
equal "listed" "$(grep -c 'run .* not complete' "$WORK/discard.log")" 2
RUN=$(sed -nE 's/^  -  run ([^,]*), .*/\1/p' "$WORK/discard.log" | head -n 1)
discards 2 "no-run" --source - --yes
discards 0 "$RUN" --source - --yes
verifies 5 "$sent $sent 0 0"
discards 0 --source - --yes --all
verifies 0 "$sent $sent 0 0"

say "one name in two folders: the other one's rejections stay"
mkdir "$WORK/acme" "$WORK/bolt"
{ generate 2 1 1 /dev/stdout | sed 's/"e/"acme/'; broken 1; } > "$WORK/acme/orders.ndjson"
{ generate 2 1 1 /dev/stdout | sed 's/"e/"bolt/'; broken 4; } > "$WORK/bolt/orders.ndjson"
for folder in acme bolt; do
  (cd "$WORK/$folder" && expect_exit 5 "$DROVER" produce --config "$WORK/drover.yaml" --entity event orders.ndjson > "$WORK/produce_$folder.log" 2>&1)
done
work
discards 2 --source orders.ndjson --yes
RUN=$(sed -nE 's/^  orders.ndjson  run ([^,]*), .*, 4 rejected$/\1/p' "$WORK/discard.log")
discards 0 "$RUN" --source orders.ndjson --yes
has "$WORK/discard.log" "1 source with 4 rejected records discarded"
verifies 5 "$(( sent + 9 )) $(( sent + 4 )) 1 4"
discards 0 --source orders.ndjson --yes
verifies 0 "$(( sent + 9 )) $(( sent + 4 )) 0 5"
NAME=$NAME_BEFORE

! grep -an -e Sanitizer -e 'runtime error' "$WORK"/*.log >&2 || fail "a sanitizer found something"
say done
