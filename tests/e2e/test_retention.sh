#!/usr/bin/env bash
# What Kafka's retention ate before it was applied is an error of status, doctor and work, which name the offsets; what it
# will eat soon is a warning. After `drover resume` it is over.
. "$(dirname "$0")/lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
sed -i 's/partitions: 6/partitions: 2/' "$WORK/drover.yaml"
drover schema apply > "$WORK/schema.log" 2>&1
"$TOOL" create "drover.$NAME.source" 2 retention.ms=604800000
"$TOOL" create "drover.$NAME.dlq" 2 retention.ms=604800000
drover topics apply > "$WORK/topics.log" 2>&1

# message PARTITION ID SEQ AGE_DAYS
message() {
  jq -nc --argjson partition "$1" --arg id "$2" --arg seq "$3" --argjson at "$(( ($(date +%s) - $4 * 86400) * 1000 ))" '
    {partition: $partition, timestamp: $at, value: ({id: $id, tenant: "t01", rev: 1, kind: "k"} | tojson),
     headers: [["drover-tenant", "t01"], ["drover-entity", "event"], ["drover-run", "r"], ["drover-seq", $seq]]}'
}

say "nothing is lost, and nothing will be"
{ message 1 b0 0 0; } | "$TOOL" send "drover.$NAME.source"
expect_exit 0 drover status > "$WORK/status.log" 2>&1
! grep -qE 'lost:|warning:' "$WORK/status.log" || fail "status warns of nothing"
equal "findings" "$(drover status --json | jq -c .retention)" null
drover doctor > "$WORK/doctor.log" 2>&1 || true
has "$WORK/doctor.log" "keeps its records for 7.0 days"

say "what is old and not applied"
{ message 0 a0 0 6; message 0 a1 1 6; message 0 a2 2 1; } | "$TOOL" send "drover.$NAME.source"
expect_exit 0 drover status > "$WORK/status.log" 2>&1
has "$WORK/status.log" "2 records that are not applied yet will be deleted"
has "$WORK/status.log" "retention.ms=-1"
equal "findings" "$(drover status --json | jq -c '.retention[] | [.finding, .count, .within_seconds]')" '["soon",2,86400]'
drover doctor > "$WORK/doctor.log" 2>&1 || true
has "$WORK/doctor.log" "2 records that are not applied yet will be deleted"
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 drover status > "$WORK/status.log" 2>&1 # it is applied
! grep -q 'warning:' "$WORK/status.log" || fail "status warns of what is applied"

say "what was eaten before it was applied"
for n in 1 2 3 4 5 6; do message 1 "b$n" "$n" 0; done | "$TOOL" send "drover.$NAME.source"
"$TOOL" trim "drover.$NAME.source" 1 5
expect_exit 6 drover status > "$WORK/status.log" 2>&1
has "$WORK/status.log" "partition 1: offsets 1 to 4 are gone"
has "$WORK/status.log" "DRV-K005"
expect_exit 6 drover status --json > "$WORK/status.json" 2> "$WORK/status.log"
equal "findings" "$(jq -c '.retention[] | select(.finding == "lost") | [.partition, .first, .last, .count]' "$WORK/status.json")" '[1,1,4,4]'
expect_exit 6 drover doctor > "$WORK/doctor.log" 2>&1
has "$WORK/doctor.log" "offsets 1 to 4 are gone"
has "$WORK/doctor.log" "drover resume"
expect_exit 6 drover work --until-end > "$WORK/work.log" 2>&1
has "$WORK/work.log" "offsets 1 to 4 are gone from the topic"
expect_exit 0 drover resume 1 --accept-gap --reason "a test" > "$WORK/resume.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 drover status > "$WORK/status.log" 2>&1
equal "rows" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM public.event WHERE id LIKE 'b%'")" 3

say "what was given up keeps nobody from a match, what is gone and was applied does"
expect_exit 5 drover verify > "$WORK/verify.log" 2>&1
has "$WORK/verify.log" "1 record at the begin of the source topic is gone" # b0 was applied, and nobody gave it up
drover_two() { DROVER_MIGRATION=${NAME}_two drover "$@"; }
drover_two topics apply > "$WORK/topics2.log" 2>&1
for n in 1 2 3 4 5 6; do
  printf '{"id":"c%d","tenant":"t02","rev":1,"kind":"k"}\n' "$n"
done > "$WORK/two.ndjson"
psql "$ADMIN" -qc "TRUNCATE public.event"
drover_two produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
PARTITION=$(drover_two status --json | jq '.partitions | max_by(.high).partition')
"$TOOL" trim "drover.${NAME}_two.source" "$PARTITION" 2
drover_two produce --again "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 6 drover_two work --until-end > "$WORK/work.log" 2>&1
expect_exit 5 drover_two verify > "$WORK/verify.log" 2>&1
has "$WORK/verify.log" "2 records at the begin of the source topic are gone"
expect_exit 0 drover_two resume "$PARTITION" --accept-gap --reason "produced again" > "$WORK/resume.log" 2>&1
expect_exit 0 drover_two work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 drover_two verify --json > "$WORK/verify.json" 2> "$WORK/verify.log"
equal "given up" "$(jq -c '[.verdict, .evicted, .given_up, .source_records, .counts.match]' "$WORK/verify.json")" '["match",2,2,6,6]'
"$TOOL" trim "drover.${NAME}_two.source" "$PARTITION" 3 # and one more, which was applied
expect_exit 5 drover_two verify > "$WORK/verify.log" 2>&1
has "$WORK/verify.log" "1 record at the begin of the source topic is gone"

say "of dead letters those that are open"
# dead_letter OFFSET: of that message of partition 0
dead_letter() {
  message 0 "a$1" "$1" 6 | jq -c --arg offset "$1" --arg topic "drover.$NAME.source" '.headers += [["drover-id", "a" + $offset],
    ["__connect.errors.topic", $topic], ["__connect.errors.partition", "0"], ["__connect.errors.offset", $offset],
    ["drover-dlq-id", $topic + "-0-" + $offset], ["drover-error-code", "DRV-V004"]]'
}
{ dead_letter 0; dead_letter 1; } | "$TOOL" send "drover.$NAME.dlq"
soon() { drover status --json | jq -c '[.retention[]? | select(.topic | endswith(".dlq")) | [.finding, .count]]'; }
equal "both" "$(soon)" '[["soon",2]]'
drover dlq discard "drover.$NAME.source-0-0" --reason 'a test' --yes > "$WORK/discard.log" 2>&1
equal "one of them" "$(soon)" '[["soon",1]]'
drover status > "$WORK/status.log" 2>&1
has "$WORK/status.log" "1 open dead letter will be deleted"
drover doctor > "$WORK/doctor.log" 2>&1 || true
has "$WORK/doctor.log" "1 open dead letter will be deleted"
drover dlq discard "drover.$NAME.source-0-1" --reason 'a test' --yes > "$WORK/discard.log" 2>&1
equal "none" "$(soon)" '[]'
drover doctor > "$WORK/doctor.log" 2>&1 || true
! grep -q 'dead letters* will be deleted' "$WORK/doctor.log" || fail "doctor warns of dead letters that nobody waits for"
say done
