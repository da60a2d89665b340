#!/usr/bin/env bash
# storage file: the files hold what the sources held, through a killed worker, one worker at a time,
# without PostgreSQL; what is read back from them is the same. storage redis needs no PostgreSQL
# either. auto follows the environment.
. "$(dirname "$0")/lib.sh"

STORE=$WORK/store
DATABASE=$DATABASE_URL
unset DATABASE_URL # nothing here may ask for it
cat >> "$WORK/drover.yaml" <<EOF
store: { dir: $STORE }
EOF
export AI_STORAGE_TYPE=file

stored() {
  sqlite3 "$STORE/.drover/state.db" "SELECT coalesce(sum(next_offset), 0) FROM progress" 2>/dev/null || echo 0
}
has_stored() { [ "$(stored)" -ge "$1" ]; }

# The last revision of each record, canonical, sorted: of source files, and of the store's.
# jq from 1.7 on prints 105.00 as it was read, unless it was added to.
plain() { jq -cS "$1 | walk(if type == \"number\" then . + 0 else . end)" "${@:2}"; }
wanted() { cat "$@" | plain . | jq -cs 'group_by([.tenant, .id])[] | max_by(.rev)' | sort; }
found() { plain '.[]' "$STORE"/*/event.json | sort; }
check_files() {
  wanted "$@" > "$WORK/wanted.txt"
  found > "$WORK/found.txt"
  cmp -s "$WORK/wanted.txt" "$WORK/found.txt" ||
    fail "the files differ from the source: $(diff "$WORK/wanted.txt" "$WORK/found.txt" | head -4)"
}

say "a run into files needs Kafka and nothing else"
generate 4000 20 5 "$WORK/first.ndjson"
drover topics apply > "$WORK/topics.log" 2>&1
expect_exit 0 drover doctor > "$WORK/doctor.log" 2>&1
expect_exit 0 drover run --workers 3 "$WORK/first.ndjson" > "$WORK/run.log" 2>&1
grep -q '^4 000 source records = 4 000 match' "$WORK/run.log" || fail "the verifier does not agree"
check_files "$WORK/first.ndjson"
equal "the files' mode" "$(stat -c %a "$STORE/t07/event.json")" 600
expect_exit 0 drover status > "$WORK/status.log" 2>&1

say "the same again writes nothing"
before=$(stat -c %Y%i "$STORE/t01/event.json")
expect_exit 0 drover run "$WORK/first.ndjson" > "$WORK/again.log" 2>&1
equal "the file" "$(stat -c %Y%i "$STORE/t01/event.json")" "$before"

say "a replay takes no mapping over"
sed 's/type: varchar(12)/type: varchar(20)/' tests/e2e/data/event.yaml > "$WORK/wider.yaml"
expect_exit 3 drover replay --rewrite --mapping "$WORK/wider.yaml" > "$WORK/replay.log" 2>&1
grep -q DRV-M005 "$WORK/replay.log" || fail "no DRV-M005"
expect_exit 0 drover replay --rewrite > "$WORK/replay.log" 2>&1

say "one worker at a time"
start_worker A
wait_until 30 grep -q worker.started "$WORK/A.log"
expect_exit 6 drover work > "$WORK/second.log" 2>&1
grep -q DRV-F002 "$WORK/second.log" || fail "no DRV-F002"

say "a worker killed in the middle, three times"
generate 2000 20 6 "$WORK/newer.ndjson"
generate 16000 20 7 "$WORK/newest.ndjson"
drover produce "$WORK/newer.ndjson" > "$WORK/produce.log" 2>&1
drover produce "$WORK/newest.ndjson" >> "$WORK/produce.log" 2>&1 &
PRODUCER=$!
for round in 1 2 3; do
  wait_until 60 has_stored $(( 8000 + round * 4000 ))
  kill -9 "$A_PID"
  wait "$A_PID" 2>/dev/null || true
  for file in "$STORE"/*/event.json; do jq -e 'length > 0' "$file" > /dev/null || fail "$file is torn"; done
  start_worker A
done
wait "$PRODUCER" || fail "produce failed"
wait_until 120 is_drained
stop_worker A
check_files "$WORK/first.ndjson" "$WORK/newer.ndjson" "$WORK/newest.ndjson"
expect_exit 0 drover verify > "$WORK/verify.log" 2>&1

say "what is read from the files is the same again"
expect_exit 0 drover rehearse --json "$STORE" > "$WORK/rehearse.json" 2> "$WORK/rehearse.log"
equal "records in the files" "$(jq .total.to_write "$WORK/rehearse.json")" "$(wc -l < "$WORK/wanted.txt")"

say "a change by hand in the store is found"
sqlite3 "$STORE/.drover/state.db" \
  "UPDATE record SET json = replace(json, '\"rev\":7', '\"rev\":8') WHERE id = 'e1' AND tenant = 't03'"
expect_exit 5 drover verify > "$WORK/verify2.log" 2>&1

say "nor does one into Redis"
export AI_STORAGE_TYPE=redis
expect_exit 0 drover work --until-end --group redis > "$WORK/redis.log" 2>&1
expect_exit 3 drover replay --rewrite --group redis --mapping "$WORK/wider.yaml" > "$WORK/replay.log" 2>&1
grep -q DRV-M005 "$WORK/replay.log" || fail "no DRV-M005"
expect_exit 0 drover replay --rewrite --group redis > "$WORK/replay.log" 2>&1

say "auto: production is hybrid and asks for PostgreSQL; CI is memory, which needs no server"
export AI_STORAGE_TYPE=auto
NODE_ENV=production expect_exit 3 drover work > "$WORK/auto.log" 2>&1
grep -q DRV-C009 "$WORK/auto.log" || fail "hybrid asks for no server"
CI=true KAFKA_BROKERS=127.0.0.1:1 expect_exit 0 drover run "$WORK/first.ndjson" > "$WORK/memory.log" 2>&1
grep -q '^MATCH' "$WORK/memory.log" || fail "no match in memory"
CI=true expect_exit 3 drover work > "$WORK/work.log" 2>&1 # one process's memory is no other's
unset AI_STORAGE_TYPE
expect_exit 3 drover work > "$WORK/database.log" 2>&1 # the default is the database
