#!/usr/bin/env bash
# drover dlq reads the dead letters of Kafka Connect and of Spring, and sends what they hold into a migration; what came
# without a version is not newer when it is sent again; many dead letters are sent in bounded memory.
. "$(dirname "$0")/lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
cp tests/e2e/data/event.yaml "$WORK/event.yaml"
sed -i "s|^mappings: .*|mappings: [$WORK/event.yaml, $WORK/note.yaml]|" "$WORK/drover.yaml"
cat > "$WORK/note.yaml" <<'END'
entity: note
collect: { files: ["*.note"] }
table: note
key: [id]
columns:
  - { name: id,   from: /id, type: text }
  - { name: text, from: /text, type: varchar(5), required: true }
END

replay() { drover dlq replay "$@" --json 2>> "$WORK/replay.log"; }

source_headers() { kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -e -q -f '%k %h %s\n'; }

prepare
start_worker one --breaker 0

say "of Spring, whose numbers are bytes, and of Kafka Connect"
OTHER=orders.$NAME.DLT
"$TOOL" create "$OTHER" 3
# spring PARTITION OFFSET VALUE, connect PARTITION OFFSET VALUE
spring() {
  jq -nc --argjson p "$1" --argjson o "$2" --arg value "$3" '{partition: ($p % 3), key: "k\($o)", $value, headers: [["keep", "me"],
    ["kafka_dlt-original-topic", "orders"], ["kafka_dlt-original-partition", "\u0000\u0000\u0000" + ([$p] | implode)],
    ["kafka_dlt-original-offset", "\u0000\u0000\u0000\u0000\u0000\u0000\u0000" + ([$o] | implode)],
    ["kafka_dlt-original-timestamp", "\u0000\u0000\u0001\u0010\u0000\u0000\u0000\u0000"],
    ["kafka_dlt-exception-fqcn", "org.springframework.kafka.listener.ListenerExecutionFailedException"],
    ["kafka_dlt-exception-cause-fqcn", "java.lang.IllegalStateException"], ["kafka_dlt-exception-message", "secret value 4711"],
    ["kafka_dlt-exception-stacktrace", "at x"]]}'
}
connect() {
  jq -nc --argjson p "$1" --argjson o "$2" --arg value "$3" '{partition: ($p % 3), $value, headers: [["keep", "me"],
    ["__connect.errors.topic", "orders"], ["__connect.errors.partition", "\($p)"], ["__connect.errors.offset", "\($o)"],
    ["__connect.errors.connector.name", "sink"], ["__connect.errors.stage", "TASK_PUT"],
    ["__connect.errors.exception.class.name", "org.apache.kafka.connect.errors.DataException"],
    ["__connect.errors.exception.message", "no"]]}'
}
{
  spring 3 77 '{"id":"s1","tenant":"t01","rev":1,"kind":"k"}'
  spring 4 78 '{"id":"s2","tenant":"t02","rev":1,"kind":"k"}'
  spring 5 79 '{"id":"s3","tenant":"t02","rev":1,"kind":"much too long a kind"}'
  connect 3 80 '{"id":"c1","tenant":"t01","rev":1,"kind":"k"}'
  connect 4 81 '{"id":"c2","text":"abc"}'
  connect 5 82 'no JSON'
} | "$TOOL" send "$OTHER"
drover dlq list --topic "$OTHER" --limit 100 --json > "$WORK/others.json"
equal "ids" "$(jq -c '[.dead_letters[].id] | sort' "$WORK/others.json")" '["orders-3-77","orders-3-80","orders-4-78","orders-4-81","orders-5-79","orders-5-82"]'
equal "written by" "$(jq -c '[.dead_letters[].written_by] | sort | unique' "$WORK/others.json")" '["kafka_connect","spring"]'
equal "by class" "$(drover dlq stats --topic "$OTHER" --json | jq -c '[.by_code[] | [.code, .count]] | sort')" \
  '[["java.lang.IllegalStateException",3],["org.apache.kafka.connect.errors.DataException",3]]'
drover dlq show orders-3-77 --topic "$OTHER" > "$WORK/show.txt"
! grep -q 4711 "$WORK/show.txt" || fail "a message that may hold values is shown unasked"
drover dlq show orders-3-77 --topic "$OTHER" --show-values > "$WORK/show.txt"
has "$WORK/show.txt" 4711
equal "the migration's own list" "$(drover dlq stats --state all --json | jq .total)" 0
equal "they name no record" "$(expect_exit 5 replay --topic "$OTHER" | jq -c '[.chosen, .landed, .not_sent]')" '[6,0,6]'
equal "what would pass" "$(expect_exit 5 replay --topic "$OTHER" --entity event --dry-run | jq -c '[.would_pass, .would_be_refused]')" '[3,3]'
equal "sent" "$(expect_exit 5 replay --topic "$OTHER" --entity event | jq -c '[.chosen, .landed, .refused_again, .not_sent]')" '[6,3,1,2]'
equal "rows" "$(psql "$ADMIN" -Atc "SELECT string_agg(isolation_key || '/' || id, ' ' ORDER BY id) FROM event")" 't01/c1 t01/s1 t02/s2'
source_headers > "$WORK/source.txt"
! grep -q 'kafka_dlt-\|connect.errors' "$WORK/source.txt" || fail "a message that was sent again says why it was dead"
equal "other headers" "$(grep -c 'keep=me' "$WORK/source.txt")" 4
equal "what they are of" "$(grep -o 'drover-replayed-from=[^,]*' "$WORK/source.txt" | sort | tr '\n' ' ')" \
  'drover-replayed-from=orders-3-77 drover-replayed-from=orders-3-80 drover-replayed-from=orders-4-78 drover-replayed-from=orders-5-79 '
equal "states there" "$(drover dlq stats --topic "$OTHER" --json | jq -c '[.by_state[] | {(.state): .count}] | add' | jq -cS .)" '{"open":2,"resolved":3,"superseded":1}'
equal "refused here" "$(drover dlq list --json | jq -c '[.dead_letters[] | [.first_id, .attempts, .code]]')" '[["orders-5-79",2,"DRV-V004"]]'
equal "the tenant given" "$(replay orders-4-81 --topic "$OTHER" --entity note --tenant t09 | jq -c '[.chosen, .landed]')" '[1,1]'
equal "its row" "$(psql "$ADMIN" -Atc "SELECT isolation_key || text FROM note WHERE id = 'c2'")" t09abc
printf '{"id":"x1","tenant":"t01","rev":1,"kind":"k"}' | kcat -P -b "$KAFKA_BROKERS" -t "$OTHER" -p 0 -k x1
equal "what is no dead letter is passed over" "$(expect_exit 5 replay "$OTHER-0-$(kcat -Q -b "$KAFKA_BROKERS" -t "$OTHER:0:-1" | sed 's/.* //' | awk '{ print $1 - 1 }')" --topic "$OTHER" --entity event | jq -c '[.chosen, .landed, .not_sent]')" '[1,0,1]'
equal "nothing of it came" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM event WHERE id = 'x1'")" 0
for own in source results control; do
  expect_exit 2 drover dlq replay --topic "drover.$NAME.$own" --entity event 2> "$WORK/own.log"
  has "$WORK/own.log" "one of the migration's own"
done
equal "its own dead letters, named" "$(drover dlq list --topic "drover.$NAME.dlq" --json | jq .total)" "$(drover dlq list --json | jq .total)"
equal "who names no tenant is not given up by another's" "$(drover dlq discard --topic "$OTHER" --tenant t01 --reason test --dry-run --json | jq .discarded)" 0
expect_exit 3 drover dlq list --topic "nosuch.$NAME" 2> "$WORK/nosuch.log"
expect_exit 2 drover dlq replay --topic "$OTHER" --entity nosuch 2>> "$WORK/nosuch.log"

say "what others say of it may hold values"
MORE=more.$NAME
"$TOOL" create "$MORE" 1
jq -nc '{partition: 0, key: "k", value: "{}", headers: [["drover-error-code", "DRV-V001"], ["drover-dlq-id", "given-0-5"],
  ["__connect.errors.topic", "orders"], ["__connect.errors.exception.class.name", "org.apache.kafka.connect.errors.DataException"],
  ["__connect.errors.exception.message", "secret value 4711"], ["__connect.errors.exception.stacktrace", "at 4711"]]}' | "$TOOL" send "$MORE"
{
  drover dlq show given-0-5 --topic "$MORE"
  drover dlq show given-0-5 --topic "$MORE" --json
  drover dlq show orders-3-77 --topic "$OTHER" --json
} > "$WORK/show.txt"
! grep -q 4711 "$WORK/show.txt" || fail "what Kafka Connect said of a dead letter of Drover's is shown unasked"
equal "masked" "$(grep -cE '^  (reason|details) +[0-9]+ bytes h:[0-9a-f]{8} ' "$WORK/show.txt")" 2
drover dlq show given-0-5 --topic "$MORE" --show-values > "$WORK/show.txt"
equal "as they are" "$(grep -cE '^  (reason|details) .*4711' "$WORK/show.txt")" 2
drover dlq show "$(drover dlq list --json | jq -r '.dead_letters[0].id')" > "$WORK/show.txt"
equal "Drover's own words" "$(grep -cE '^  reason  .*(event.kind)' "$WORK/show.txt")" 1

say "a second operator waits for what the first one sent"
stop_worker one
spring 6 83 '{"id":"s4","tenant":"t01","rev":1,"kind":"k"}' | "$TOOL" send "$OTHER"
# operator NAME: sends it in the background, with a cache of his own
operator() {
  "$DROVER" dlq replay orders-6-83 --topic "$OTHER" --entity event --json --config "$WORK/drover.yaml" --state-dir "$WORK/$1" > "$WORK/$1.json" 2> "$WORK/$1.log" &
  PIDS+=($!)
  printf -v "$1_PID" '%s' "$!"
}
touch "$WORK/first.log" "$WORK/second.log"
no_worker() { grep -q 'no worker seems to be at work' "$WORK/$1.log"; }
operator first
wait_until 90 no_worker first
operator second
wait_until 90 no_worker second
start_worker one --breaker 0
wait "$first_PID"
wait "$second_PID"
equal "landed, for both" "$(jq -c '[.chosen, .landed]' "$WORK/first.json" "$WORK/second.json" | tr '\n' ' ')" '[1,1] [1,1] '
equal "sent once" "$(source_headers | grep -c 'drover-replayed-from=orders-6-83')" 1

say "a record without a version is as old as it was"
note() { printf '%s' "$2" | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -p 0 -k "t01/note/$1"; }
note n1 '{"id":"n1","text":"much too long"}'
note n1 '{"id":"n1","text":"new"}'
note n2 '{"id":"n2","text":"much too long"}'
is_read() { [ "$(drover dlq stats --entity note --state all --json | jq .total)" = 2 ] && is_drained; }
wait_until 60 is_read
equal "the one behind it resolves it" "$(drover dlq stats --entity note --state all --json | jq -c '[.by_state[] | {(.state): .count}] | add' | jq -cS .)" '{"open":1,"resolved":1}'
sed -i 's/varchar(5)/text/' "$WORK/note.yaml"
psql "$ADMIN" -qc "ALTER TABLE public.note ALTER COLUMN text TYPE text"
stop_worker one
drover schema apply >> "$WORK/schema.log" 2>&1
start_worker two --breaker 0
equal "both are sent" "$(replay --entity note --state all | jq -c '[.chosen, .landed, .superseded]')" '[2,1,1]'
equal "the newer one stays" "$(psql "$ADMIN" -Atc "SELECT string_agg(text, ',' ORDER BY id) FROM note WHERE id LIKE 'n%'")" 'new,much too long'

say "memory does not grow with what is sent again"
MANY=10000
[ -z "${DROVER_TEST_FULL:-}" ] || MANY=100000
jq -nc '{partition: 1, key: "t01/event/x@@", value: ({id: "x@@", tenant: "t01", rev: 1, note: ("n" * 4000)} | tojson)}' > "$WORK/one.json"
for ((at = 0; at < MANY; at += 5000)); do
  awk -v at="$at" -F@@ '{ for (i = at; i < at + 5000; i++) print $1 i $2 i $3 }' "$WORK/one.json" | "$TOOL" send "drover.$NAME.source"
done
wait_until 300 is_drained
equal "dead letters" "$(drover dlq stats --code DRV-V001 --json | jq .total)" "$MANY"
# peak FILTER…: KiB of a replay that is refused again
peak() {
  ASAN_OPTIONS=quarantine_size_mb=4 "$DROVER" dlq replay "$@" --json --config "$WORK/drover.yaml" > "$WORK/peak.json" 2>> "$WORK/replay.log" &
  local pid=$! peak=0 now
  PIDS+=("$pid")
  while now=$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status" 2> /dev/null) && [ -n "$now" ]; do peak=$now; read -rt 0.05 <> <(:) || true; done
  expect_exit 5 wait "$pid"
  echo "$peak"
}
SMALL=$(peak --code DRV-V001 --limit $(( MANY / 10 )))
equal "of a tenth" "$(jq -c '[.chosen, .refused_again]' "$WORK/peak.json")" "[$(( MANY / 10 )),$(( MANY / 10 ))]"
LARGE=$(peak --code DRV-V001)
equal "of all" "$(jq -c '[.chosen, .refused_again]' "$WORK/peak.json")" "[$MANY,$MANY]"
say "peak $SMALL KiB of $(( MANY / 10 )), $LARGE KiB of $MANY ($(( MANY * 4000 / 1024 )) KiB of values)"
[ $(( LARGE - SMALL )) -lt 65536 ] || fail "memory grows with what is sent: $SMALL KiB, then $LARGE KiB"
say done
