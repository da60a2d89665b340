#!/usr/bin/env bash
# Ranges of the source topic are read once more beside two workers: nothing is written where nothing differs, what was
# damaged comes back, by exact counts; only what was asked for; an interrupted replay goes on; nobody else's numbers change.
# A dead letter whose record lands by it is resolved for everybody, until it is refused again.
. "$(dirname "$0")/lib.sh"

sed -i 's/partitions: 6/partitions: 3/' "$WORK/drover.yaml"
keep_sessions
prepare
generate 3000 4 1 "$WORK/events.ndjson"
drover produce "$WORK/events.ndjson" > "$WORK/produce.log" 2>&1
start_worker A
start_worker B
claimed() { awk '/event=group.assigned/ { n = 0 } /event=partition.claimed/ { n++ } END { print n + 0 }' "$WORK/$1.log"; }
both_work() { [ "$(claimed A)" -gt 0 ] && [ "$(claimed B)" -gt 0 ] && [ $(( $(claimed A) + $(claimed B) )) = 3 ]; }
wait_until 120 both_work # whoever joins later moves the partitions, and their epochs
wait_until 120 is_drained
high() { drover status --json | jq ".partitions[$1].next_offset"; }
counts() { drover status --json | jq -c '[.counts, [.partitions[] | [.next_offset, .epoch, .lag]]]'; }
checkpoints() { psql "$ADMIN" -Atc "SELECT count(*) FROM drover.partition_progress WHERE \"group\" LIKE '%.replay.%'"; }
damage() { psql "$ADMIN" -Atc "WITH d AS (DELETE FROM public.event WHERE $1 RETURNING 1) SELECT count(*) FROM d"; }
HIGH=$(high 1)
BEFORE=$(counts)
WRITTEN=$(written_rows)

say "what would be read"
expect_exit 0 drover replay --partition 1 --from 100 --dry-run > "$WORK/dry.log" 2>&1
grep -q "^partition 1: .* offsets, 100 to $(( HIGH - 1 ))\$" "$WORK/dry.log" || fail "it said $(cat "$WORK/dry.log")"
for moment in 2h 2020-01-01 2020-01-01T00:00:00Z; do
  expect_exit 0 drover replay --partition 1 --from "$moment" --dry-run > "$WORK/dry.log" 2>&1
  grep -q "^partition 1: .* offsets, 0 to $(( HIGH - 1 ))\$" "$WORK/dry.log" || fail "it said $(cat "$WORK/dry.log")"
done
expect_exit 2 drover replay > "$WORK/usage.log" 2>&1
expect_exit 2 drover replay --rewrite --from 3 > "$WORK/usage.log" 2>&1
expect_exit 2 drover replay --partition 3 > "$WORK/usage.log" 2>&1
expect_exit 2 drover replay --from yesterday > "$WORK/usage.log" 2>&1
expect_exit 2 drover replay --resume 00000000 > "$WORK/usage.log" 2>&1
equal "checkpoints of replays" "$(checkpoints)" 0

say "from an offset: nothing differs, no row is written"
expect_exit 0 drover replay --partition 1 --from 100 --json > "$WORK/same.json" 2> "$WORK/same.log"
equal "counts" "$(jq -c '[.read, .counts.applied, .counts.unchanged, .counts.dead_lettered, .done]' "$WORK/same.json")" \
  "[$(( HIGH - 100 )),0,$(( HIGH - 100 )),0,true]"
equal "rows written" "$(written_rows)" "$WRITTEN"
equal "checkpoints of replays" "$(checkpoints)" 0
equal "the workers' numbers" "$(counts)" "$BEFORE"

say "damaged rows come back, exactly those of the range"
LOST=$(damage "isolation_key = 't01' AND id LIKE 'e1%'")
[ "$LOST" -gt 100 ] || fail "only $LOST rows were damaged"
expect_exit 0 drover replay --tenant t01 --json > "$WORK/tenant.json" 2> "$WORK/tenant.log"
equal "counts" "$(jq -c '[.counts.applied, .counts.unchanged, .passed_over, .read]' "$WORK/tenant.json")" "[$LOST,$(( 750 - LOST )),2250,3000]"
check_equal "$WORK/events.ndjson"
LOST=$(damage "isolation_key = 't02'")
expect_exit 0 drover replay --tenant t01 --json > "$WORK/other.json" 2> "$WORK/other.log"
equal "another tenant's rows" "$(jq -c .counts.applied "$WORK/other.json")" 0
expect_exit 0 drover replay --tenant t02 --entity event --json > "$WORK/tenant.json" 2> "$WORK/tenant.log"
equal "counts" "$(jq -c .counts.applied "$WORK/tenant.json")" "$LOST"
expect_exit 2 drover replay --entity evnt > "$WORK/other.log" 2>&1
has "$WORK/other.log" 'no mapping has this entity'
has "$WORK/other.log" 'did you mean "event"?'

say "from a time"
LATER=$(date -u -d "+1 hour" +%Y-%m-%dT%H:%M:%SZ)
expect_exit 0 drover replay --from "$LATER" --json > "$WORK/later.json" 2> "$WORK/later.log"
equal "offsets" "$(jq .offsets "$WORK/later.json")" 0
for place in "$LATER" 100000; do
  expect_exit 0 drover replay --from "$place" > "$WORK/later.log" 2>&1
  equal "said" "$(cat "$WORK/later.log")" "nothing to read: the topic ends before --from $place"
done
for order in "20 --to 10" "$LATER --to 2h" "100000 --to 20" "2h --to 2020-01-01"; do
  expect_exit 2 drover replay --partition 0 --from $order > "$WORK/usage.log" 2>&1
  has "$WORK/usage.log" "error[DRV-C001]: --from is behind --to"
done
expect_exit 0 drover replay --from 2020-01-01T00:00:00Z --to "$LATER" --json > "$WORK/all.json" 2> "$WORK/all.log"
equal "read" "$(jq .read "$WORK/all.json")" 3000

say "killed, it goes on; what two calls read is the range"
damage true > /dev/null
slow_down 0.1 # 150 batches: it is under way still when the kill comes, however slow that is
replay_is_under_way() { [ "$(psql "$ADMIN" -Atc "SELECT coalesce(sum(next_offset), 0) FROM drover.partition_progress WHERE \"group\" LIKE '%.replay.%'")" -gt 0 ]; }
PGAPPNAME=drover-killed "$DROVER" replay --rewrite --config "$WORK/drover.yaml" --batch-records 20 --connections 1 > "$WORK/killed.log" 2>&1 &
PID=$!
PIDS+=("$PID")
wait_until 60 replay_is_under_way
kill -STOP "$PID"
expect_exit 6 "$DROVER" replay --rewrite --config "$WORK/drover.yaml" > "$WORK/second.log" 2>&1
has "$WORK/second.log" "DRV-W017"
! sessions_ended drover-killed || fail "its sessions are not seen"
kill -9 "$PID"
wait "$PID" 2>/dev/null || true
wait_until 60 sessions_ended drover-killed
DONE=$(psql "$ADMIN" -Atc "SELECT coalesce(sum(next_offset), 0) FROM drover.partition_progress WHERE \"group\" LIKE '%.replay.%'")
[ "$DONE" -gt 0 ] && [ "$DONE" -lt 3000 ] || fail "it was not interrupted: $DONE"
speed_up
expect_exit 0 drover replay --rewrite --json > "$WORK/rest.json" 2> "$WORK/rest.log"
equal "counts of the rest" "$(jq -c '[.offsets, .done, .counts.applied]' "$WORK/rest.json")" "[3000,true,$(( 3000 - DONE ))]"
check_equal "$WORK/events.ndjson"
equal "checkpoints of replays" "$(checkpoints)" 0
equal "the workers' numbers" "$(counts)" "$BEFORE"

say "stopped by a signal, it goes on by its name"
damage true > /dev/null
slow_down 0.1
"$DROVER" replay --rewrite --config "$WORK/drover.yaml" --batch-records 20 --connections 1 > "$WORK/stopped.log" 2>&1 &
PID=$!
PIDS+=("$PID")
wait_until 60 replay_is_under_way
kill -TERM "$PID"
status=0
wait "$PID" || status=$?
equal "exit code" "$status" 7
speed_up
ID=$(sed -n 's/.*drover replay --resume \([0-9a-f]*\).*/\1/p' "$WORK/stopped.log" | tail -n 1)
expect_exit 0 drover replay --resume "$ID" > "$WORK/resumed.log" 2>&1
check_equal "$WORK/events.ndjson"
equal "the workers' numbers" "$(counts)" "$BEFORE"
stop_worker A
stop_worker B
expect_exit 0 drover verify > "$WORK/verify.log" 2>&1

say "dead letters of a replayed range are the same ones"
cp tests/e2e/data/event.yaml "$WORK/event.yaml"
sed -i "s|^mappings: .*|mappings: [$WORK/event.yaml]|" "$WORK/drover.yaml"
cat > "$WORK/bad.ndjson" <<'EOF'
{"id":"long","tenant":"t01","rev":1,"kind":"longer than twelve","amount":1.00}
{"id":"bad","tenant":"t01","rev":1,"kind":"k","amount":"none"}
{"id":"long","tenant":"t02","rev":1,"kind":"longer than twelve","amount":2.00}
{"id":"twice","tenant":"t01","rev":2,"kind":"longer than twelve","amount":3.00}
EOF
drover produce "$WORK/bad.ndjson" > "$WORK/bad.log" 2>&1 || true
drover work --until-end > "$WORK/work.log" 2>&1 || true
DEAD=$(drover status --json | jq .counts.dead_lettered)
equal "dead letters" "$DEAD" 4
expect_exit 5 drover replay --rewrite --json > "$WORK/dead.json" 2> "$WORK/dead.log"
equal "codes" "$(jq -c '[.dead_letters_by_code[] | [.code, .count]] | sort' "$WORK/dead.json")" '[["DRV-V002",1],["DRV-V004",3]]'
equal "dead" "$(jq -c '[.counts.dead_lettered, .counts.unchanged, .read, .dead_letters_resolved]' "$WORK/dead.json")" "[4,3000,3004,0]"
equal "dead letters" "$(drover status --json | jq .counts.dead_lettered)" 4

say "people read which codes, and where to look; quiet is nothing but the result"
expect_exit 5 drover replay --rewrite -q > "$WORK/quiet.out" 2> "$WORK/quiet.log"
equal "on standard error" "$(cat "$WORK/quiet.log")" ""
has "$WORK/quiet.out" "000 unchanged, 0 superseded, 0 in conflict, 4 dead"
has "$WORK/quiet.out" "         3  DRV-V004  "
has "$WORK/quiet.out" "Next:  drover dlq list"
expect_exit 5 drover replay --tenant t02 > "$WORK/some.out" 2> "$WORK/some.log"
has "$WORK/some.out" "         1  DRV-V004  "
! grep -q 'DRV-V002' "$WORK/some.out" || fail "a dead letter that was not read is named"

say "on a terminal the last picture is the end"
expect_exit 5 script -qec "$(printf '%q ' "$DROVER" replay --rewrite --config "$WORK/drover.yaml")" /dev/null > "$WORK/screen.log" < /dev/null
LAST=$(tr '\r\033' '\n\n' < "$WORK/screen.log" | grep -o 'replay [0-9a-f]*: [0-9]* %, .* offsets' | tail -n 1)
case $LAST in *": 100 %, 3"*"004 of 3"*"004 offsets") ;; *) fail "the last picture: $LAST" ;; esac

say "a dead letter whose record lands is resolved, the others stay open"
open_ones() { drover dlq list --json | jq -c '[.dead_letters[] | .tenant + " " + .code] | sort'; }
of_status() { drover status --json | jq -c '[.dead_letters.open, .dead_letters.resolved, .dead_letters_by_code]'; }
of_verify() {
  drover verify --json > "$WORK/verify.json" 2> "$WORK/verify.log" || true
  jq -c '[.counts.match, .counts.dead_lettered, .beside.resolved, .counts.missing, .counts.unusable, .reconciled]' "$WORK/verify.json"
}
equal "all are open" "$(open_ones)" '["t01 DRV-V002","t01 DRV-V004","t01 DRV-V004","t02 DRV-V004"]'
equal "to verify, too" "$(of_verify)" '[3000,4,0,0,0,true]'
sed -i 's/varchar(12)/text/' "$WORK/event.yaml"
drover schema apply --allow widen > "$WORK/schema.log" 2>&1
expect_exit 5 drover replay --tenant t01 --json > "$WORK/land.json" 2> "$WORK/land.log"
equal "two of the three" "$(jq -c '[.counts.applied, .counts.dead_lettered, .dead_letters_resolved]' "$WORK/land.json")" '[752,1,2]'
equal "open" "$(open_ones)" '["t01 DRV-V002","t02 DRV-V004"]'
rm -f "$WORK"/state/*.dead_letters.db*
equal "without a cache" "$(open_ones)" '["t01 DRV-V002","t02 DRV-V004"]'
equal "to status" "$(of_status)" '[2,2,{"DRV-V002":1,"DRV-V004":1}]'
equal "to verify" "$(of_verify)" '[3002,2,2,0,0,true]'
LANDED=$(drover dlq list --state resolved --json | jq -r '.dead_letters[0].id')
drover dlq show "$LANDED" --json > "$WORK/show.json"
equal "why" "$(jq -r '[.state, .decision.decision] | join(" ")' "$WORK/show.json")" "resolved landed"

say "verify compares its row like any other; a row that was taken is missing, and comes back"
psql "$ADMIN" -qc "DELETE FROM public.event WHERE id = 'long' AND isolation_key = 't01'"
equal "to verify" "$(of_verify)" '[3001,2,2,1,0,true]'
expect_exit 5 drover replay --rewrite --json > "$WORK/land.json" 2> "$WORK/land.log"
equal "all three" "$(jq -c '[.counts.applied, .counts.dead_lettered, .dead_letters_resolved]' "$WORK/land.json")" '[2252,1,3]'
equal "open" "$(open_ones)" '["t01 DRV-V002"]'
equal "to verify" "$(of_verify)" '[3003,1,3,0,0,true]'

say "what is refused again is open again"
sed -i 's/name: kind,   from: \/kind, type: text/name: kind,   from: \/kind, type: text, allow: [k0, k1, k2, k3, k4, k5, k6]/' "$WORK/event.yaml"
expect_exit 5 drover replay --tenant t02 --json > "$WORK/again.json" 2> "$WORK/again.log"
equal "refused" "$(jq -c '[.counts.dead_lettered, .dead_letters_resolved]' "$WORK/again.json")" '[1,0]'
equal "open" "$(open_ones)" '["t01 DRV-V002","t02 DRV-V005"]'
equal "to status" "$(of_status)" '[2,2,{"DRV-V002":1,"DRV-V005":1}]'
equal "to verify" "$(of_verify | jq -c '.[1]')" 2
say done
