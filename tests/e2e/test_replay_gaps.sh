#!/usr/bin/env bash
# What a replay was asked for and the topic has no longer is told, with its partition and offsets, and read around only
# when somebody says so; and beyond the workers' place a replay stops where a worker would.
. "$(dirname "$0")/lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
SOURCE=drover.$NAME.source
sed -i 's/partitions: 6/partitions: 2/' "$WORK/drover.yaml"

# messages PARTITION RUN FIRST LAST: numbered and named by their place in the run
messages() {
  jq -nc --argjson partition "$1" --arg run "$2" --argjson first "$3" --argjson last "$4" '
    range($first; $last + 1) | {partition: $partition,
     value: ({id: "\($run)\(.)", tenant: "t0\(. % 2)", rev: 1, kind: "k"} | tojson),
     headers: [["drover-tenant", "t0\(. % 2)"], ["drover-entity", "event"], ["drover-run", $run], ["drover-seq", "\(.)"]]}'
}
rows() { psql "$ADMIN" -Atc "SELECT count(*) FROM public.event"; }
damage() { psql "$ADMIN" -qAtc "DELETE FROM public.event"; }
kept() { psql "$ADMIN" -Atc "SELECT count(*) FROM drover.partition_progress WHERE \"group\" LIKE '%.replay.%'"; }
read_of() { jq -c '[.done, .read, .counts.applied]' "$WORK/$1.json"; }

prepare
{ messages 0 r 0 19; messages 1 s 0 9; } | "$TOOL" send "$SOURCE"
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
equal "rows" "$(rows)" 30
damage
"$TOOL" trim "$SOURCE" 0 8
"$TOOL" trim "$SOURCE" 1 10

say "a range whose beginning is gone, or all of it"
expect_exit 6 drover replay --partition 0 --from 3 --to 12 > "$WORK/gone.log" 2>&1
has "$WORK/gone.log" "DRV-K005"
has "$WORK/gone.log" "offsets 3 to 7 are gone from the topic"
has "$WORK/gone.log" "$SOURCE-0"
has "$WORK/gone.log" "accept-gap"
expect_exit 6 drover replay --partition 0 --from 3 --to 6 > "$WORK/gone.log" 2>&1
has "$WORK/gone.log" "offsets 3 to 5 are gone from the topic"
expect_exit 6 drover replay --from 9 --dry-run > "$WORK/gone.log" 2>&1
has "$WORK/gone.log" "offset 9 is gone from the topic"
has "$WORK/gone.log" "$SOURCE-1"
expect_exit 6 drover replay --from 7 > "$WORK/gone.log" 2>&1
has "$WORK/gone.log" "4 offsets of 2 partitions are gone from the topic"
has "$WORK/gone.log" "partition 0: 7 to 7, partition 1: 7 to 9"
expect_exit 6 drover replay --from 2020-01-01T00:00:00Z > "$WORK/gone.log" 2>&1
has "$WORK/gone.log" "partition 0: 0 to 7, partition 1: 0 to 9"
equal "rows" "$(rows)" 0
equal "checkpoints of replays" "$(kept)" 0

say "accepted, it is read around, and counted"
expect_exit 0 drover replay --partition 0 --from 3 --to 12 --accept-gap --json > "$WORK/around.json" 2> "$WORK/around.log"
equal "read" "$(read_of around)" "[true,4,4]"
equal "gone" "$(jq '.partitions[0].gone' "$WORK/around.json")" 5
expect_exit 0 drover replay --from 7 --accept-gap > "$WORK/around.log" 2>&1
has "$WORK/around.log" "4 offsets that were asked for are gone from the topic"
has "$WORK/around.log" "event=gap.accepted partition=1 from=7 to=9"

say "from the beginning is from what there is"
damage
expect_exit 0 drover replay --rewrite --json > "$WORK/all.json" 2> "$WORK/all.log"
equal "read" "$(read_of all)" "[true,12,12]"
expect_exit 0 drover replay --partition 0 --from earliest --to 12 --json > "$WORK/all.json" 2> "$WORK/all.log"
equal "read" "$(read_of all)" "[true,4,0]"
expect_exit 0 drover replay --from "$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)" > "$WORK/later.log" 2>&1
expect_exit 0 drover replay --partition 0 --from 8 > "$WORK/all.log" 2>&1

say "beyond the workers' place it stops where a worker would, and says what goes on"
{ messages 0 r 20 21; messages 0 r 24 25; } | "$TOOL" send "$SOURCE"
stops() { # LOG REPLAY-OPTION…
  local log=$WORK/$1
  shift
  expect_exit 1 drover replay --partition 0 "$@" > "$log" 2>&1
  has "$log" "DRV-E002"
  has "$log" "2 messages of run r missing in the topic: number 22 was expected, 24 came"
}
before=$(drover status --json | jq -c '[.partitions[] | [.next_offset, .epoch, .owner]]')
stops gap.log --from 18 --to 99
has "$WORK/gap.log" "--accept-gap goes on without them"
equal "rows" "$(rows)" 14
has "$WORK/gap.log" "4 of 6 offsets are read"
stops again.log --from 18 --to 99
stops tenant.log --from 18 --to 99 --tenant t09
stops behind.log --from 23 --to 99 # the numbers before it are seen, and nothing else
equal "rows" "$(rows)" 14
equal "the workers" "$(drover status --json | jq -c '[.partitions[] | [.next_offset, .epoch, .owner]]')" "$before"
expect_exit 0 drover replay --partition 0 --from 18 --to 22 > "$WORK/before.log" 2>&1

say "a gap that was given up by the workers is none; else it is accepted by name"
expect_exit 1 drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 drover resume 0 --accept-gap --reason "lost with the old cluster" > "$WORK/resume.log" 2>&1
expect_exit 0 drover replay --partition 0 --from 18 --to 99 --json > "$WORK/on.json" 2> "$WORK/on.log"
equal "read" "$(read_of on)" "[true,2,2]"
equal "rows" "$(rows)" 16
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 drover replay --partition 0 --from 18 --to 99 > "$WORK/on.log" 2>&1 # they have passed it
messages 0 r 27 28 | "$TOOL" send "$SOURCE"
expect_exit 1 drover replay --partition 0 --from 22 --to 99 > "$WORK/gap.log" 2>&1
ID=$(sed -n 's/.*drover replay .*--resume \([0-9a-f]*\) --accept-gap.*/\1/p' "$WORK/gap.log" | tail -n 1)
expect_exit 0 drover replay --resume "$ID" --accept-gap --json > "$WORK/on.json" 2> "$WORK/on.log"
equal "read" "$(jq -c '[.done, .counts.applied]' "$WORK/on.json")" "[true,2]"

say "offsets that are gone before they were applied"
"$TOOL" trim "$SOURCE" 0 25
expect_exit 6 drover replay --partition 0 --to 99 > "$WORK/gone.log" 2>&1
has "$WORK/gone.log" "offset 24 is gone from the topic, and was not applied yet"
expect_exit 0 drover replay --partition 0 --to 24 > "$WORK/before.log" 2>&1
expect_exit 0 drover replay --partition 0 --to 99 --accept-gap > "$WORK/on.log" 2>&1
say done
