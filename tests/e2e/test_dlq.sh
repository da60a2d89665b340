#!/usr/bin/env bash
# drover dlq: dead letters of six codes over twenty tenants are listed, sent again, given up; everybody sees the same, whatever
# is in the cache; a newer version is never overwritten.
. "$(dirname "$0")/lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
DEAD=2000
[ -z "${DROVER_TEST_FULL:-}" ] || DEAD=10000
PART=$(( DEAD / 6 ))
OLD=5 # of the first code: the store has a newer version already
cp tests/e2e/data/event.yaml "$WORK/event.yaml"
sed -i "s|^mappings: .*|mappings: [$WORK/event.yaml]|" "$WORK/drover.yaml"

# dead FIRST COUNT TENANTS: so many dead letters, of six codes in turn
dead() {
  awk -v first="$1" -v n="$2" -v t="$3" 'BEGIN {
    for (i = 0; i < n; i++) {
      head = sprintf("{\"id\":\"d%d\",\"tenant\":\"t%02d\",\"rev\":3,", first + i, int(i / 6) % t)
      tail = i % 6 == 0 ? "\"kind\":\"far too long a kind\"" : i % 6 == 1 ? "\"amount\":1" : i % 6 == 2 ? "\"kind\":\"k\",\"amount\":\"12\"" \
           : i % 6 == 3 ? "\"kind\":\"k\",\"amount\":12.345" : i % 6 == 4 ? "\"kind\":\"evil\"" : "\"kind\":\"k\",\"at\":\"yesterday\""
      print head tail ",\"note\":\"n" i "\"}"
    }
  }'
}

list() { drover dlq list --state all --limit 1000000 --json "$@" | jq -c '.dead_letters | sort_by(.id) | .[] | del(.record)'; }

# counts FILTER…: how many there are
counts() { drover dlq stats --json "$@" | jq .total; }

states() { drover dlq stats --json "$@" | jq -c '[.by_state[] | {(.state): .count}] | add // {}'; }

work() { timeout 120 "$DROVER" work --until-end --breaker 0 --config "$WORK/drover.yaml" >> "$WORK/worker.log" 2>&1 || fail "worker: exit $?"; }

in_topic() { kcat -C -b "$KAFKA_BROKERS" -t "drover.$DROVER_MIGRATION.source" -e -q -f '%h\n'; }

say "$DEAD dead letters"
prepare
psql "$ADMIN" -qc "ALTER TABLE public.event ADD CONSTRAINT no_evil CHECK (kind <> 'evil')"
equal "no dead letters" "$(counts)" 0
# the first of them are there in a newer version, which came before
for i in $(seq 0 $(( OLD - 1 ))); do
  printf '{"id":"d%d","tenant":"t%02d","rev":9,"kind":"newer"}\n' $(( i * 6 )) "$i"
done > "$WORK/newer.ndjson"
drover produce "$WORK/newer.ndjson" > "$WORK/produce.log" 2>&1
dead 0 $(( PART * 6 )) 20 > "$WORK/dead.ndjson"
drover produce "$WORK/dead.ndjson" >> "$WORK/produce.log" 2>&1
work
drover dlq stats --json > "$WORK/stats.json"
equal "by code" "$(jq -c '[.by_code[] | {(.code): .count}] | add' "$WORK/stats.json" | jq -cS .)" \
  "$(jq -ncS --argjson n "$PART" '{"DRV-V001":$n,"DRV-V002":$n,"DRV-V003":$n,"DRV-V004":$n,"DRV-V007":$n,"DRV-P110":$n}')"
equal "tenants" "$(jq '.by_tenant | length' "$WORK/stats.json")" 20
equal "of one tenant and code" "$(counts --tenant t03 --code drv-v002)" "$(grep -c '"tenant":"t03".*"amount":"12"' "$WORK/dead.ndjson")"
equal "of one partition" "$(counts --partition 2)" "$(list | jq -s 'map(select(.record_place.partition == 2)) | length')"
equal "of a file" "$(counts --file dead.ndjson)" $(( PART * 6 ))
equal "of another file" "$(counts --file newer.ndjson)" 0
equal "that came in the last hour" "$(counts --since 1h)" $(( PART * 6 ))
equal "that came before" "$(counts --until 1h)" 0
equal "that came since a day" "$(counts --since 2020-01-01 --until 2999-01-01T00:00:00Z)" $(( PART * 6 ))
expect_exit 2 drover dlq list --since yesterday 2> "$WORK/usage.log"
expect_exit 2 drover dlq list --offset 9-3 2>> "$WORK/usage.log"
expect_exit 2 drover dlq 2>> "$WORK/usage.log"
# refuses WHAT WORD…: refused, with what was meant; nothing is sent and nothing given up
refuses() {
  local said=$1
  shift
  expect_exit 2 drover dlq "$@" > "$WORK/refused.log" 2>&1
  has "$WORK/refused.log" "$said"
}
refuses "did you mean DRV-V004?" replay --code DRV-V0O4
refuses "did you mean DRV-V004?" discard --code DRV-V0O4 --reason x --yes
refuses "did you mean DRV-V004?" list --code V004
refuses "did you mean DRV-V004?" stats --code v0o4
refuses 'did you mean "event"?' list --entity evnt
refuses 'did you mean "event"?' replay --entity evnt --dry-run
refuses "the topic has the partitions 0 to 5" list --partition 99
equal "a class of exceptions" "$(counts --code org.example.SomeException)" 0
ID=$(drover dlq list --code DRV-V004 --limit 1 --json | jq -r '.dead_letters[0].id')
drover dlq show "$ID" > "$WORK/show.txt"
has "$WORK/show.txt" 'event.yaml:12, column kind'
has "$WORK/show.txt" '/kind'
! grep -q 'far too long' "$WORK/show.txt" || fail "a value is shown unasked"
drover dlq show "$ID" --show-values > "$WORK/shown.txt"
has "$WORK/shown.txt" "far too long"
drover dlq show "$ID" --raw | jq -e '.kind == "far too long a kind"' > /dev/null || fail "the bytes are not those of the source"
expect_exit 2 drover dlq show nosuch-0-1 2> "$WORK/usage.log"

say "the same bytes go out"
drover dlq export --code DRV-V003 2> "$WORK/export.log" | jq -r .value | sort > "$WORK/exported"
grep '12.345' "$WORK/dead.ndjson" | sort | cmp - "$WORK/exported" || fail "the export is not what was read"
drover dlq export --code DRV-V003 --limit 10 --to "$WORK/out" 2>> "$WORK/export.log"
equal "files" "$(find "$WORK/out" -name '*.value' | wc -l)" 10

say "a second operator, with nothing in the cache, sees the same"
list > "$WORK/first"
list --state-dir "$WORK/second" > "$WORK/other"
cmp "$WORK/first" "$WORK/other" || fail "the list differs"
CACHE=$(echo "$WORK"/state/*.dead_letters.db)
[ -s "$CACHE" ] || fail "there is no cache"
rm -f "$CACHE"*
list | cmp "$WORK/first" - || fail "without its cache the list differs"
ordered() { drover dlq list --limit 40 --json "$@" | jq -r '.dead_letters[] | .last_time + " " + .id'; }
ordered > "$WORK/order"
LC_ALL=C sort -c "$WORK/order" || fail "the list is not by time and id"
rm -f "$CACHE"*
ordered | cmp "$WORK/order" - || fail "without its cache --limit chooses others"
ordered --state-dir /proc/nope 2> "$WORK/lost.log" | cmp "$WORK/order" - || fail "without a folder --limit chooses others"
equal "said" "$(cat "$WORK/lost.log")" "note: state_dir /proc/nope cannot be written: each call reads all dead letters again"
printf 'garbage' | dd of="$CACHE" bs=1 seek=4096 conv=notrunc status=none
rm -f "$CACHE"-*
list | cmp "$WORK/first" - || fail "with a damaged cache the list differs"
head -c 100 /dev/urandom > "$CACHE"
rm -f "$CACHE"-*
list | cmp "$WORK/first" - || fail "with garbage for a cache the list differs"
mkdir -p "$WORK/readonly"; chmod 500 "$WORK/readonly"
list --state-dir "$WORK/readonly/x" | cmp "$WORK/first" - || fail "without a folder for the cache the list differs"

say "what would pass"
equal "under the mapping as it is" "$(expect_exit 5 drover dlq replay --dry-run --code DRV-V004 --json | jq -c '[.would_pass, .would_be_refused]')" "[0,$PART]"
sed -i 's/varchar(12)/text/' "$WORK/event.yaml"
psql "$ADMIN" -qc "ALTER TABLE public.event ALTER COLUMN kind TYPE text"
drover schema apply >> "$WORK/schema.log" 2>&1
equal "under the fixed one" "$(drover dlq replay --dry-run --code DRV-V004 --json | jq -c '[.would_pass, .would_be_refused]')" "[$PART,0]"
equal "of all" "$(expect_exit 5 drover dlq replay --dry-run --json | jq -c '[.would_pass, .store_decides, .would_be_refused]')" "[$(( 2 * PART )),$PART,$(( 4 * PART ))]"
equal "nothing was sent" "$(in_topic | grep -c drover-replayed-from || true)" 0

say "one code is sent again, and lands"
start_worker one --breaker 0
drover dlq replay --code DRV-V004 --json > "$WORK/replay.json" 2> "$WORK/replay.log"
equal "landed, superseded" "$(jq -c '[.chosen, .landed, .superseded, .refused_again, .waiting]' "$WORK/replay.json")" "[$PART,$(( PART - OLD )),$OLD,0,0]"
equal "rows" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM event WHERE kind = 'far too long a kind' AND rev = 3")" $(( PART - OLD ))
equal "newer rows" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM event WHERE kind = 'newer' AND rev = 9")" "$OLD"
equal "all rows" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM event")" "$PART"
equal "states" "$(states --code DRV-V004)" "{\"resolved\":$PART}"
drover dlq stats > "$WORK/stats.txt"
has "$WORK/stats.txt" " open dead letters, counted by code, entity and tenant; the table by state counts all "
equal "nothing is left of it" "$(drover dlq replay --code DRV-V004 --json | jq -c '[.chosen, .landed]')" '[0,0]'
equal "sent once" "$(in_topic | grep -c drover-replayed-from)" "$PART"
in_topic > "$WORK/source.txt"
! grep -q 'connect.errors\|drover-error' "$WORK/source.txt" || fail "a message that was sent again says why it was dead"

say "one code is given up"
expect_exit 2 drover dlq discard --code DRV-V001 --reason 'of the old shop' --json > "$WORK/discard.json"
expect_exit 2 drover dlq discard --code DRV-V001 --yes 2> "$WORK/usage.log"
drover dlq discard --code DRV-V001 --reason 'of the old shop' --dry-run > "$WORK/discard.txt" 2>&1
equal "nothing was discarded" "$(counts --state discarded)" 0
drover dlq discard --code DRV-V001 --reason 'of the old shop' --yes > "$WORK/discard.txt" 2>&1
equal "discarded" "$(states --code DRV-V001 --state-dir "$WORK/second")" "{\"discarded\":$PART}"
ID=$(drover dlq list --state discarded --limit 1 --json | jq -r '.dead_letters[0].id')
equal "who and why" "$(drover dlq show "$ID" --json | jq -r '.decision.why, (.decision.who | test("@"))' | tr '\n' ' ')" 'of the old shop true '

expect_exit 2 drover dlq discard "$ID" --reason again > "$WORK/usage.log" 2>&1
has "$WORK/usage.log" "it is discarded"
expect_exit 2 drover dlq replay "$ID" > "$WORK/usage.log" 2>&1
has "$WORK/usage.log" "it is discarded"
equal "chosen by its state" "$(expect_exit 5 drover dlq replay "$ID" --state discarded --dry-run --json | jq .chosen)" 1
expect_exit 2 drover dlq stats --limit 1 2> "$WORK/usage.log"
equal "so many, and no more" "$(drover dlq discard --code DRV-V002 --limit 3 --reason test --dry-run --json | jq -c '[.discarded, .by_code[0].count]')" '[3,3]'

say "refused again: the chain goes on"
for attempts in 2 3; do
  expect_exit 5 drover dlq replay --code DRV-V002 --tenant t00 --json > "$WORK/replay.json" 2>> "$WORK/replay.log"
  MINE=$(grep -c '"tenant":"t00".*"amount":"12"' "$WORK/dead.ndjson")
  equal "refused again" "$(jq -c '[.landed, .refused_again, .refused_by_code[0].code, .refused_by_code[0].count]' "$WORK/replay.json")" "[0,$MINE,\"DRV-V002\",$MINE]"
  equal "open, with $attempts attempts" "$(drover dlq list --code DRV-V002 --tenant t00 --limit 10000 --json | jq -c "[(.dead_letters | length), (.dead_letters | all(.attempts == $attempts and .id != .first_id))]")" "[$MINE,true]"
done
of_status() { drover status --json "$@" 2>> "$WORK/status.err" | jq -c '[.dead_letters | .open, .resolved, .discarded] + [.dead_letters_by_code]' | jq -cS .; }
of_dlq() {
  jq -nc --argjson states "$(states --state all)" --argjson codes "$(drover dlq stats --json | jq -c '[.by_code[] | {(.code): .count}] | add // {}')" \
    '[($states | .open, .resolved, .discarded)] + [$codes]' | jq -cS .
}
equal "status has them as open" "$(of_status | jq -c '.[:3]')" "[$(( 4 * PART )),$PART,$PART]"
equal "dlq stats, too" "$(of_status)" "$(of_dlq)"
rm -f "$WORK"/state/*.dead_letters.db*
equal "without a cache" "$(of_status)" "$(of_dlq)"
: > "$WORK/status.err"
equal "where there can be no folder" "$(of_status --state-dir "$WORK/dead.ndjson/x")" "$(of_dlq)"
equal "which is said" "$(grep -c 'state_dir .*dead.ndjson/x cannot be written' "$WORK/status.err")" 1
COLUMNS=200 drover status > "$WORK/status.txt" 2>&1
drover status --json | jq -r '.dead_letters.examples[] | [.id, .code] | @tsv' > "$WORK/examples"
equal "an example of each code" "$(cut -f 2 "$WORK/examples" | tr '\n' ' ')" 'DRV-P110 DRV-V002 DRV-V003 DRV-V007 '
while read -r ID CODE; do
  equal "its state, its code" "$(drover dlq show "$ID" --json | jq -r '[.state, .code] | join(" ")')" "open $CODE"
  has "$WORK/status.txt" "drover dlq show $ID"
done < "$WORK/examples"
ID=$(drover dlq list --code DRV-V002 --tenant t00 --limit 1 --json | jq -r '.dead_letters[0].id')
equal "its attempts" "$(drover dlq show "$ID" --json | jq -c '[.chain[] | [.attempts, .state]]')" '[[1,"superseded"],[2,"superseded"],[3,"open"]]'

say "a newer version that came since stays"
sed -n 's/"rev":3,"kind":"k","amount":12.345/"rev":4,"kind":"since","amount":12.3/p' "$WORK/dead.ndjson" | awk 'NR <= 20' > "$WORK/since.ndjson"
drover produce "$WORK/since.ndjson" >> "$WORK/produce.log" 2>&1
is_resolved() { [ "$(counts --code DRV-V003 --state resolved)" = 20 ]; }
wait_until 60 is_resolved
sed -i 's/numeric(12,2)/"numeric(12,3)"/; s/""/"/g' "$WORK/event.yaml"
psql "$ADMIN" -qc "ALTER TABLE public.event ALTER COLUMN amount TYPE numeric(12,3)"
stop_worker one
drover schema apply >> "$WORK/schema.log" 2>&1
start_worker two --breaker 0
equal "sent again all the same" "$(drover dlq replay --code DRV-V003 --state resolved --json 2>> "$WORK/replay.log" | jq -c '[.chosen, .landed, .superseded]')" '[20,0,20]'
equal "rows that are newer" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM event WHERE kind = 'since' AND rev = 4")" 20
equal "the others land" "$(drover dlq replay --code DRV-V003 --json 2>> "$WORK/replay.log" | jq -c '[.chosen, .landed, .superseded]')" "[$(( PART - 20 )),$(( PART - 20 )),0]"
stop_worker two

say "killed after it has sent: the same command again sends nothing twice"
psql "$ADMIN" -qc "ALTER TABLE public.event DROP CONSTRAINT no_evil"
BEFORE=$(in_topic | grep -c drover-replayed-from)
"$DROVER" dlq replay --code DRV-P110 --config "$WORK/drover.yaml" > "$WORK/killed.txt" 2> "$WORK/killed.log" &
KILLED=$!
PIDS+=("$KILLED")
no_worker() { grep -q 'no worker seems to be at work' "$WORK/killed.log"; }
wait_until 90 no_worker
kill -9 "$KILLED"
wait "$KILLED" 2> /dev/null || true
equal "still open" "$(counts --code DRV-P110)" "$PART"
"$DROVER" status --watch --json --config "$WORK/drover.yaml" > "$WORK/watch.lines" 2> "$WORK/watch.err" &
WATCH=$!
PIDS+=("$WATCH")
watched() { [ "$(grep '"kind":"status"' "$WORK/watch.lines" | tail -n 1 | jq '.dead_letters_by_code["DRV-P110"] // 0')" = "$1" ]; }
wait_until 60 watched "$PART"
start_worker three --breaker 0
equal "all land" "$(drover dlq replay --code DRV-P110 --json 2>> "$WORK/replay.log" | jq -c '[.chosen, .landed, .refused_again]')" "[$PART,$PART,0]"
equal "sent once" "$(( $(in_topic | grep -c drover-replayed-from) - BEFORE ))" "$PART"
wait_until 60 watched 0
kill -TERM "$WATCH"
wait "$WATCH" || fail "the watch ends with $?"
equal "its last line" "$(tail -n 1 "$WORK/watch.lines" | jq -r .kind)" status_end

say "nobody works: the wait has an end, and what was sent again is no second record"
stop_worker three
records() { expect_exit 5 drover verify > "$WORK/verify.log" 2>&1 && jq -c '[.source_records, .counts.dead_lettered + .counts.lagging, .reconciled]' "$WORK/report/latest/report.json"; }
NOW=$(records)
equal "not applied in time" "$(expect_exit 5 drover dlq replay --code DRV-V007 --tenant t01 --wait 1s --json 2>> "$WORK/replay.log" | jq '.waiting == .chosen and .chosen > 0')" true
equal "counted once" "$(records)" "$NOW"
[ "$(jq .counts.lagging "$WORK/report/latest/report.json")" -gt 0 ] || fail "nothing lags"
work
equal "everybody sees the same in the end" "$(list)" "$(list --state-dir "$WORK/third")"
expect_exit 4 drover dlq list --brokers 127.0.0.1:1 2> "$WORK/away.log"

say "a decision that was read before its letter holds"
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.control" -e -q | jq -cs 'map(select(.decision == "discarded"))[0] | .ids = ["later-0-1"]' |
  kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.control" -p 0 -k dlq -H content-type=application/json
counts > /dev/null # with the cache, and nothing of it in the dlq topic
printf '{}' | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.dlq" -p 0 -k later -H drover-dlq-id=later-0-1 -H drover-error-code=DRV-V001
state_of() { drover dlq list --state all --limit 1000000 --json "$@" | jq -r '.dead_letters[] | select(.id == "later-0-1").state'; }
equal "with the cache" "$(state_of)" discarded
equal "without" "$(state_of --state-dir "$WORK/fifth")" discarded
equal "it names no tenant" "$(drover dlq discard --tenant t01 --code DRV-V001 --state all --reason test --dry-run --json | jq .discarded)" \
  "$(list --tenant t01 --code DRV-V001 | jq -s 'map(select(.tenant == "t01")) | length')"

say "what retention took is gone for everybody"
"$TOOL" trim "drover.$NAME.dlq" 0 10
equal "after the topic was cut" "$(list)" "$(list --state-dir "$WORK/fourth")"

say "the topics are made anew under the same names"
[ "$(list | wc -l)" -gt 10 ] || fail "nothing is left to be told apart"
"$TOOL" remove "drover.$NAME.dlq" "drover.$NAME.source" "drover.$NAME.results" "drover.$NAME.control" "drover.$NAME.state"
drover topics apply >> "$WORK/topics.log" 2>&1
equal "the cache forgets" "$(counts --state all --config "$WORK/drover.yaml")" 0
say done
