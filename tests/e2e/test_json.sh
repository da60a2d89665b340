#!/usr/bin/env bash
# Every command with --json gives one document on standard output, whether it succeeds or fails (`run` and `status --watch`:
# one a line), which fits schemas/json/drover.schema.json; what it looks like is what docs/json.md shows (tests/e2e/golden/json).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

GOLDEN=$PWD/tests/e2e/golden/json
export AI_STORAGE_TYPE=hybrid
start_redis
KEY=$WORK/drover.key
sed 's/files: .*]/files: ["llm*"]/' tests/e2e/data/llm.yaml > "$WORK/llm.yaml"
{ sed 's/files: .*]/files: ["events*"]/' tests/e2e/data/event.yaml; echo 'redis: { key: "event:{isolation_key}:{id}", value: json }'; } > "$WORK/event.yaml"
cat > "$WORK/drover.yaml" <<END
mappings: [$WORK/event.yaml, $WORK/llm.yaml]
state_dir: $WORK/state
store: { dir: $WORK/store }
secrets: { key_file: $KEY }
kafka: { partitions: 1, conf: { session.timeout.ms: 6000, heartbeat.interval.ms: 500 } }
verify: { report: $WORK/report }
alerts:
  - { when: lag_seconds > 60 for 2m, exec: [cat] }
END
mkdir "$WORK/in"
cat > "$WORK/in/events.ndjson" <<'END'
{"tenant":"north","id":"a","rev":1,"kind":"k1","amount":19.90}
{"tenant":"north","id":"b","rev":1,"kind":"much longer than it may be","amount":5}
{"tenant":"south","id":"c","rev":1,"kind":"k2","amount":64.05}
{"tenant":"south","id":"d","rev":1,"kind":"k2"
END

echo '{"tenant":"north","id":"l1","rev":1,"note":"n","apiKey":"sk-test-0123456789abcdefghij"}' > "$WORK/in/llm.ndjson"

# What differs from run to run gets one value: times, durations, hashes, keys, names and ports of this test.
normal() {
  jq --arg work "$WORK" --arg here "$PWD" --arg name "$NAME" --arg kafka "$KAFKA_BROKERS" --arg redis "127.0.0.1:$REDIS_PORT" --arg host "$(hostname)" '
    def words: gsub($work; "/srv/shop") | gsub($here + "/"; "") | gsub($name; "shop") | gsub($kafka; "localhost:9092") | gsub($redis; "localhost:6379")
      | gsub("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}([.][0-9]+)?Z"; "2026-01-01T00:00:00.000Z") | gsub("h:[0-9a-f]{16}"; "h:00a1b2c3d4e5f607")
      | gsub("sec_[A-Za-z0-9_-]{16,}"; "sec_0123456789abcdefghijkl") | gsub("^[0-9a-f]{16}$"; "0123456789abcdef") | gsub("^[0-9a-f]{32}$"; "0123456789abcdef0123456789abcdef")
      | gsub("[0-9]{8}T[0-9]{6}-[0-9a-f]{8}"; "20260101T000000-0a1b2c3d") | gsub("[.]replay[.][0-9a-f]+"; ".replay.0a1b2c3d") | gsub("[0-9]+[.]?[0-9]* ms"; "1 ms") | gsub($host; "host");
    walk(if type == "string" then words
         elif type == "number" then . + 0 # jq 1.7 keeps how a number was written
         elif type == "object" then with_entries(
           if (.key | test("_seconds$|_bytes$|^bytes$|_per_second$|^ratio_p")) and (.value | type) == "number" then .value = 1
           elif .key == "epoch" then .value = 1
           elif .key == "replay" and (.value | type) == "string" then .value = "0a1b2c3d"
           elif .key == "owner" or (.key == "run" and (.value | tostring | test("^[0-9]{8}T") | not)) then .value |= (if . then "host-0123" else . end)
           elif .key == "by" then .value |= (if . then sub("^[^@]+@host$"; "ana@host") else . end)
           elif .key == "flow" and .value then .value = {begin: "2026-01-01T00:00:00.000Z", bucket_seconds: 1, records: [1, 3], lag: [3, 0]}
           elif .key == "versions" then .value = {drover: "0.1.0", postgres: "15.8", redis: "7.0.15", kafka_client: "2.0.2"}
           elif .key == "libraries" then .value = {librdkafka: "2.0.2", libpq: 15} else . end)
         else . end)
    | if .kind == "explain" then .codes |= .[:2] elif .kind == "schema_print" then .sql |= .[:60] + "…"
      elif .kind == "config_show" then .settings |= map(select(.setting | test("^migration|database.url|work.drain|kafka"))) | .settings |= map(if .setting == "database.url" then .value = "postgresql://drover:***@127.0.0.1:5432/shop" else . end)
      elif .kind == "doctor" then .findings |= map(select(.part | test("config|redis"))) | .findings |= map(.message |= sub("redis_version:[0-9.]+|Redis [0-9.]+|[0-9]+[.][0-9]+[.][0-9]+"; "7.0.15"))
      elif .kind == "status" then .sources |= sort_by(.uri) else . end' "$1"
}

golden() {
  normal "$1" > "$WORK/normal.json"
  if [ -n "${DROVER_TEST_GOLDEN:-}" ]; then mkdir -p "$GOLDEN" && cp "$WORK/normal.json" "$GOLDEN/$2.json"; fi
  diff -u "$GOLDEN/$2.json" "$WORK/normal.json" >&"$TELL" || fail "the document $2 has changed (DROVER_TEST_GOLDEN=1 writes it anew)"
}

OUT=$WORK/out.json

# answers KIND EXIT GOLDEN WORD…: exactly one document, of that kind, with that exit code; GOLDEN - for none
answers() {
  local kind=$1 want=$2 name=$3 got=0
  shift 3
  drover "$@" --json > "$OUT" 2> "${OUT%.json}.log" || got=$?
  equal "exit code of: $*" "$got" "$want"
  equal "lines of: $*" "$(wc -l < "$OUT")" 1
  equal "document of: $*" "$(jq -c '[.kind, .exit_code]' "$OUT")" "[\"$kind\",$want]"
  if [ "$want" != 0 ] && [ "$want" != 5 ] && [ "$kind" != doctor ]; then # its errors are in its findings
    equal "the error of: $*" "$(jq '.errors | length > 0 and all(.exit_code > 0)' "$OUT")" true
  fi
  [ "$name" = - ] || golden "$OUT" "$name"
}

say "the checker sees what is wrong"
python3 "$CHECKER" --self-test >&"$TELL" || fail "the checker of the documents"

say "commands without a server"
answers version 0 version version
answers explain 0 explain explain
answers explain 0 - explain DRV-J002
answers explain 2 - explain DRV-Q999
answers secret_keygen 0 secret_keygen secret keygen "$KEY"
answers secret_keygen 6 error secret keygen "$KEY"
answers config_show 0 config_show config show
answers config_check 0 config_check config check
answers config 2 - config chek
answers config 2 - config --nosuch --group show # a flag's value is not the word
answers load 2 - load
answers config_show 2 - config show --nosuch
answers schema_print 0 schema_print schema print
answers alert_test 0 alert_test alert test
answers alert 2 - alert
answers rehearse 5 rehearse rehearse "$WORK/in"
answers rehearse 4 - rehearse "$WORK/nosuch"
sed 's/^columns:/colums:/' "$WORK/event.yaml" > "$WORK/typo.yaml"
answers config_check 3 config_check_mistake config check --mapping "$WORK/typo.yaml"
answers error 2 - nosuch
answers secret_open 2 - secret open sec_x --tenant north

say "servers that are not there"
away() { (OUT=$WORK/away.$1.json && DATABASE_URL=postgresql://x:y@127.0.0.1:1/x answers "$1" 4 - "${@:2}") & WAITED+=($!); }
WAITED=()
away schema_apply schema apply
away status status --brokers 127.0.0.1:1
away dlq_list dlq list --brokers 127.0.0.1:1
away doctor doctor --brokers 127.0.0.1:1
away load_finish load finish --brokers 127.0.0.1:1
away verify verify --brokers 127.0.0.1:1
away topics_apply topics apply --brokers 127.0.0.1:1
away produce produce "$WORK/in" --brokers 127.0.0.1:1
away secret_list secret list
away rebuild_redis rebuild redis
away export export --tenant north
away work work --brokers 127.0.0.1:1
for pid in "${WAITED[@]}"; do wait "$pid"; done

say "a migration, step by step"
answers topics_print 0 topics_print topics print
answers topics_apply 0 topics_apply topics apply
answers topics_print 0 - topics print
answers topics_apply 0 - topics apply
answers schema_apply 0 - schema apply
answers schema_apply 0 schema_apply schema apply --dry-run
answers load_finish 0 - load finish
answers load_abort 0 - load abort
answers doctor 0 doctor doctor
expect_exit 0 drover work --until-end > "$WORK/empty.log" 2>&1 # Redis counts as filled
answers produce 5 produce produce "$WORK/in" --rejects "$WORK/rejects.ndjson"
python3 "$CHECKER" --errors "$WORK/rejects.ndjson" >&"$TELL" || fail "the list of rejected records"
golden "$WORK/rejects.ndjson" rejects
"$DROVER" verify --follow --full-every 0 --json --config "$WORK/drover.yaml" --report '' --log-format logfmt > "$WORK/follow.ndjson" 2> "$WORK/follow.log" &
FOLLOWER=$!
PIDS+=("$FOLLOWER")
wait_until 60 grep -q follow.begun "$WORK/follow.log"
answers work 0 work work --until-end
followed() { tail -n 1 "$WORK/follow.ndjson" | jq -e '.behind == 0 and .compared == 3' > /dev/null 2>&1; }
wait_until 60 followed
kill -TERM "$FOLLOWER"
expect_exit 5 wait "$FOLLOWER" # a record of the source is rejected
tail -n 1 "$WORK/follow.ndjson" > "$WORK/followed.json"
golden "$WORK/followed.json" verify_follow
answers status 0 status status
answers dlq_list 0 dlq_list dlq list
answers dlq_stats 0 dlq_stats dlq stats
DEAD=$(jq -r '.by_code[0].sample' "$OUT")
answers dlq_show 0 dlq_show dlq show "$DEAD"
answers dlq_show 2 - dlq show "nosuch-0-1"
answers dlq_export 0 dlq_export dlq export
answers dlq_replay 5 dlq_replay dlq replay --dry-run
answers dlq_discard 0 dlq_discard dlq discard --reason 'a test' --dry-run
answers dlq_discard 2 - dlq discard "$DEAD"
answers dlq_discard 0 dlq_discard_source dlq discard --source "$WORK/in/events.ndjson" --reason 'the file is gone' --dry-run
answers dlq_discard 2 - dlq discard --source "$WORK/in/nosuch" --reason 'the file is gone' --dry-run
answers dlq 2 - dlq lst
answers replay 0 replay replay --partition 0 --tenant south
answers replay 2 - replay --partition 7
answers verify 5 verify verify
equal "the report's members" "$(jq -c 'del(.time)' "$WORK/report/latest/report.json")" "$(jq -c 'del(.time)' "$WORK/out.json")"
cp "$WORK/report/latest/report.json" "$DROVER_TEST_DOCUMENTS/report.json"
answers verify 5 - verify --compare-reads 60/s --compare-for 500ms --compare-timeout 60s
jq 'with_entries(select(.key | test("^(schema|version|kind|time|verdict|reads_compared|errors|exit_code)$")))' "$OUT" > "$WORK/reads.json" && golden "$WORK/reads.json" verify_reads
answers rebuild_redis 0 rebuild_redis rebuild redis
answers rebuild_files 1 - rebuild files --storage file --store-dir "$WORK/nosuch"
answers export 0 export export --tenant north --to "$WORK/export"
answers export 2 - export --tenant north --to -
answers secret_list 0 - secret list
answers secret_check 0 secret_check secret check
answers secret_rotate 0 secret_rotate secret rotate
answers secret_sweep 0 secret_sweep secret sweep
answers verify 3 - verify --mapping "$WORK/typo.yaml"
psql "$ADMIN" -qc "UPDATE public.event SET amount = amount + 1 WHERE id = 'a'; DELETE FROM public.event WHERE id = 'c'"
answers verify 5 - verify --show-values
equal "verdicts" "$(jq -c '[.samples[].verdict] | sort' "$WORK/out.json")" '["dead_lettered","different","missing","rejected"]'

say "a partition that is halted"
numbered() { echo '{"tenant":"south","id":"'"$1"'","rev":1,"kind":"k"}' | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -H drover-tenant=south -H drover-entity=event -H drover-run=r -H drover-seq="$2"; }
numbered r0 0
numbered r2 2
answers work 1 - work --until-end
answers resume 6 - resume 0
answers resume 0 resume resume 0 --accept-gap --reason 'a test'
answers resume 6 - resume 0

say "what goes on: a document a line"
"$DROVER" status --watch --json --config "$WORK/drover.yaml" > "$WORK/watch.json" 2> "$WORK/watch.log" &
WATCH=$!
PIDS+=("$WATCH")
has_lines() { [ "$(wc -l < "$WORK/watch.json")" -ge 2 ]; }
wait_until 30 has_lines
kill -TERM "$WATCH"
wait "$WATCH"
cp "$WORK/watch.json" "$DROVER_TEST_DOCUMENTS/watch"
equal "kinds of the watch" "$(jq -rc '[.kind, .exit_code == null] | tojson' "$WORK/watch.json" | sort | uniq | tr '\n' ' ')" '["status",true] ["status_end",false] '

say "run: progress, the children's documents, its own"
RUN=("$KEEPER" run --json --migration "${NAME}_run" --config "$WORK/drover.yaml" "$WORK/in")
expect_exit 5 "${RUN[@]}" > "$WORK/run.json" 2> "$WORK/run.log"
equal "kinds of the run" "$(jq -r .kind "$WORK/run.json" | sed '/run_progress/d' | sort | tr '\n' ' ')" 'produce run verify work work '
equal "the last line" "$(tail -n 1 "$WORK/run.json" | jq -c '[.kind, .exit_code, .end]')" '["run",5,"finished"]'
equal "codes of lines before" "$(jq -c 'select(.kind == "run_progress") | .exit_code' "$WORK/run.json" | sort -u)" null
tail -n 1 "$WORK/run.json" > "$WORK/last.json" && golden "$WORK/last.json" run
grep '"run_progress"' "$WORK/run.json" | head -n 1 > "$WORK/first.json"
"$DROVER" run --json --migration "${NAME}_stop" --config "$WORK/drover.yaml" --entity event --format ndjson - < <(read -rt 60 <> <(:)) > "$WORK/stop.json" 2> "$WORK/stop.log" &
STOP=$!
PIDS+=("$STOP")
has_progress() { grep -q '"phase":"working"' "$WORK/stop.json"; }
wait_until 60 has_progress
kill -TERM "$STOP"
expect_exit 7 wait "$STOP"
cp "$WORK/stop.json" "$DROVER_TEST_DOCUMENTS/stop"
equal "a run that is stopped" "$(tail -n 1 "$WORK/stop.json" | jq -c '[.kind, .exit_code, .end]')" '["run",7,"stopped"]'
expect_exit 4 "${RUN[@]}" "$WORK/nosuch" > "$WORK/run.json" 2> "$WORK/run.log"
equal "a run that fails at once" "$(jq -c '[.kind, .exit_code]' "$WORK/run.json")" '["run",4]'
expect_exit 5 "$KEEPER" run --json --storage memory --config "$WORK/drover.yaml" "$WORK/in" > "$WORK/run.json" 2> "$WORK/run.log"
equal "a run in memory" "$(jq -c .kind "$WORK/run.json" | tr '\n' ' ')" '"verify" "run" '

say "what is said on standard output is JSON, whatever is asked for"
COMMANDS=$("$DROVER" help | awk '/^  [a-z]+ +[a-z]/ && $1 != "drover" && $1 != "help" { print $1 }')
[ "$(wc -w <<< "$COMMANDS")" -ge 15 ] || fail "commands of drover help: $COMMANDS"
for command in $COMMANDS; do
  "$DROVER" help "$command" | grep -e '--json' > /dev/null || fail "drover $command does not take --json"
done
