#!/usr/bin/env bash
# drover verify --follow takes into account how the sources stand, as drover verify does: a record that is rejected at its source, a source that
# cannot be read whole, and both put right, also while the verifier was down, or by a follower that was started again; without a full pass.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/follower_lib.sh"

IN=$WORK/in
mkdir "$IN"
sed -i "s#^state_dir:.*#&\nproduce: { scan: 200ms }#" "$WORK/drover.yaml"
prepare
start_worker worker
good() { printf '{"id": "%s", "tenant": "north", "rev": %d, "kind": "k"}\n' "$1" "$2"; }
bad() { printf '{"id": "%s", "tenant": "north", "rev": 1, "kind": "half \\ud83d"}\n' "$1"; }
start_producer() {
  "$DROVER" produce --follow "$IN" --entity event --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/produce.log" 2>&1 &
  PRODUCER=$!
  PIDS+=("$PRODUCER")
}
kill_producer() { kill -9 "$PRODUCER"; wait "$PRODUCER" 2> /dev/null || true; }
# stands NAME REJECTED INCOMPLETE: the sources, as the verifier tells everybody
stands() { [ "$(standing "$1" '.sources | "\(.known) \(.rejected) \(.incomplete)"')" = "true $2 $3" ]; }
# ends NAME EXIT REASON: with that verdict, in its last document, its report and the page
ends() {
  end_follower "$1" "$2"
  last "$1" .reason > "$WORK/reason"
  grep -Eq -- "$3" "$WORK/reason" || fail "the reason is: $(< "$WORK/reason")"
  equal "partitions that end before what is committed" "$(jq '[.partitions[] | select(.end < .committed)] | length' "$WORK/report/latest/report.json")" 0
  equal "verdict of the report" "$(jq -r .verdict "$WORK/report/latest/report.json")" "$([ "$2" = 0 ] && echo match || echo discrepancy)"
  grep -q "$([ "$2" = 0 ] && echo MATCH || echo 'NOT EQUAL')" "$WORK/report/latest/report.html" || fail "the page says something else"
}

say "a source without a fault"
{ good a 1; good b 1; good c 1; } > "$IN/good.ndjson"
start_follower one
start_producer
wait_until 90 is_level one 3
wait_until 60 stands one 0 0

say "a record that was never sent; killed meanwhile, the verifier has not forgotten it"
bad d > "$IN/more.ndjson"
wait_until 60 stands one 1 0
kill_follower one
start_follower one
ends one 5 '^NOT EQUAL: 1 record of .*more\.ndjson is rejected$'
last one .next | grep -q '^Next:  drover status names the sources' || fail "it does not say what helps"
equal "the source in the report" "$(jq -c '[.sources.named[] | [(.uri | split("/") | last), .rejected, .complete]]' "$WORK/report/latest/report.json")" '[["more.ndjson",1,true]]'
expect_exit 5 drover verify > "$WORK/verify.out" 2>&1

say "put right while it is down; two verifiers know, each all of it"
start_follower two
wait_until 60 stands two 1 0
good d 2 > "$IN/more.ndjson"
wait_until 60 stands two 0 0
start_follower one
wait_until 60 stands one 0 0
bad e > "$IN/other.ndjson"
wait_until 60 stands one 1 0
wait_until 60 stands two 1 0
rm "$IN/other.ndjson"
wait_until 60 stands one 0 0
wait_until 60 stands two 0 0
end_follower two "$([ "$(standing two .compared)" -gt 0 ] && echo 0 || echo 5)"
ends one 0 '^MATCH: '
expect_exit 0 drover verify > "$WORK/verify.out" 2>&1

say "a source that cannot be read whole, killed meanwhile, and put right"
start_follower one
printf '[{"id": "x", "ten' > "$IN/cut.json"
wait_until 90 stands one 0 1
kill_follower one
start_follower one
ends one 5 '^NOT EQUAL: the reading of .*cut\.json is not complete$'
last one .next | grep -q '^Next:  put right what cannot be read whole' || fail "it does not say what helps"
expect_exit 5 drover verify > "$WORK/verify.out" 2>&1
start_follower one
kill_follower one
printf '[{"id": "x", "tenant": "north", "rev": 1, "kind": "k"}]' > "$IN/cut.json"
start_follower one
wait_until 90 stands one 0 0
ends one 0 '^MATCH: '

say "what one follower told another run of it takes back, wherever its messages lie; a person's decision holds"
start_follower one
for round in 1 2 3; do
  bad "f$round" > "$IN/again.ndjson"
  wait_until 60 stands one 1 0
  kill_producer
  good "f$round" 1 > "$IN/again.ndjson"
  start_producer
  wait_until 60 stands one 0 0
done
bad g > "$IN/again.ndjson"
wait_until 60 stands one 1 0
URI=$(standing one '.sources.named[0].uri')
drover dlq discard --source "$URI" --reason 'known' --yes > "$WORK/discard.log" 2>&1
wait_until 60 stands one 0 0
kill_follower one
start_follower one
wait_until 60 stands one 0 0
ends one 0 '^MATCH: '

say "what a full pass finds not whole for a source alone is over when the source is"
start_follower one --full-every 1h
printf '[{"id": "y", "ten' > "$IN/cut.json"
wait_until 90 stands one 0 1
end_follower one 5
begun() { [ "$(standing one '.full_pass.not_whole | tostring')" = null ] && [ "$(standing one '.full_pass != null')" = true ]; }
python3 - "$WORK/state" <<'END'
import glob, sqlite3, sys
for path in glob.glob(sys.argv[1] + "/*.verify.one.db"):
    book = sqlite3.connect(path)
    book.execute("DELETE FROM pass")  # the next one begins at the start
    book.commit()
END
start_follower one --full-every 1h
wait_until 120 begun
stands one 0 1 || fail "the source stands otherwise"
printf '[{"id": "y", "tenant": "north", "rev": 1, "kind": "k"}]' > "$IN/cut.json"
wait_until 60 stands one 0 0
ends one 0 '^MATCH: '
kill_producer
stop_worker worker
say done
