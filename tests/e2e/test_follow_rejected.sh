#!/usr/bin/env bash
# What a follower rejects is rejected as long as it is wrong, and no longer: records are broken and put right at random, files cut, renamed and
# removed, and the follower killed. After each round verify and status say exactly what is wrong in the files now; in the end nothing is.
. "$(dirname "$0")/lib.sh"

SEED=${FOLLOW_SEED:-$RANDOM} ROUNDS=10
[ -z "${DROVER_TEST_FULL:-}" ] || ROUNDS=80
RANDOM=$SEED
say "seed $SEED"
IN=$WORK/in
mkdir "$IN"
cat > "$WORK/thing.yaml" <<'EOF_YAML'
entity: thing
collect: { files: ["things*.json", "things*.ndjson"] }
table: thing
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: text }
  - { name: n,  from: /n, type: int8 }
rest: extra
EOF_YAML
sed 's/^collect:.*/collect: { files: ["events*"] }/' tests/e2e/data/event.yaml > "$WORK/event.yaml"
sed -i -e "s#^mappings:.*#mappings: [$WORK/thing.yaml, $WORK/event.yaml]#" -e 's/conf: {/conf: { message.max.bytes: 40000,/' "$WORK/drover.yaml"
prepare
start_worker worker

start_follower() {
  "$DROVER" produce --follow "$IN" --scan 200ms --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follow.log" 2>&1 &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
}
kill_follower() {
  kill -9 "$FOLLOWER"
  wait "$FOLLOWER" 2> /dev/null || true
}
edits() { python3 tests/e2e/follow_rejected.py "$@"; }
is_true() {
  kill -0 "$FOLLOWER" || fail "the follower has ended"
  drover verify --json --show-values --samples 1000 > "$WORK/verify.json" 2> "$WORK/verify.log" || true
  drover status --json > "$WORK/status.json" 2> "$WORK/status.log" || true
  edits check "$WORK/model.json" "$WORK/verify.json" "$WORK/status.json" > "$WORK/wrong.log" 2>&1
}

say "what a producer rejected before, and the follower finds put right"
for i in 1 2 3; do edits edit "$IN" "$WORK/model.json" "$SEED.0.$i"; done
echo '[{"tenant":"t0","n":1}]' > "$IN/things-before.json"
expect_exit 5 drover produce "$IN" > "$WORK/produce.log" 2>&1
rm "$IN/things-before.json"
edits fix "$IN" "$WORK/model.json"
drover verify --json > "$WORK/verify.json" 2> "$WORK/verify.log" || true
[ "$(jq .counts.rejected "$WORK/verify.json")" -gt 0 ] || fail "nothing was rejected before"
echo '[]' > "$IN/things-before.json"
start_follower
wait_until 120 is_true

for (( round = 1; round <= ROUNDS; round++ )); do
  edits edit "$IN" "$WORK/model.json" "$SEED.$round"
  say "round $round: $(jq -c '[.files[].records[].bad | select(. != "")] | group_by(.) | map("\(length) \(.[0])")' "$WORK/model.json")"
  case $(( RANDOM % 4 )) in
    0) kill_follower; edits edit "$IN" "$WORK/model.json" "$SEED.$round.down"; start_follower ;;
    1) read -rt "0.$(( RANDOM % 10 ))" <> <(:) || true; kill_follower; start_follower ;;
    2) kill -TERM "$FOLLOWER"; expect_exit 143 wait "$FOLLOWER"; start_follower ;;
  esac
  wait_until 120 is_true
  if [ $(( round % 3 )) = 0 ]; then
    edits cut "$IN" "$WORK/model.json" "$SEED.$round.cut"
    wait_until 120 is_true
  fi
done

say "a record that is back with a version that is not above its deletion, until it is"
echo '{"id":"v","tenant":"t0","rev":5,"kind":"k"}' > "$IN/events.ndjson"
row_is() { [ "$(psql "$ADMIN" -Atc "$1")" = "$2" ]; }
wait_until 60 row_is "SELECT rev FROM event WHERE id = 'v'" 5
echo '{"id":"other","tenant":"t0","rev":1,"kind":"k"}' > "$IN/.new"; mv "$IN/.new" "$IN/events.ndjson"
wait_until 60 row_is "SELECT drover_deleted FROM event WHERE id = 'v'" t
printf '%s\n' '{"id":"other","tenant":"t0","rev":1,"kind":"k"}' '{"id":"v","tenant":"t0","rev":5,"kind":"k"}' > "$IN/.new"
mv "$IN/.new" "$IN/events.ndjson"
rejected_of() { drover status --json 2> "$WORK/status.log" | jq "[.sources[] | select(.uri | endswith(\"$1\")) | .rejected] | add // 0"; }
rejected_is() { [ "$(rejected_of "$1")" = "$2" ]; }
wait_until 60 rejected_is events.ndjson 1
kill_follower
start_follower
echo '{"id":"third","tenant":"t0","rev":1,"kind":"k"}' >> "$IN/events.ndjson"
wait_until 60 row_is "SELECT count(*) FROM event WHERE id = 'third'" 1
wait_until 60 rejected_is events.ndjson 1
sed -i 's/"rev":5/"rev":9/' "$IN/events.ndjson"
wait_until 60 row_is "SELECT rev FROM event WHERE id = 'v' AND NOT drover_deleted" 9
wait_until 60 rejected_is events.ndjson 0

say "a person decides that what is rejected now is not migrated: that, and nothing that comes later"
edits fix "$IN" "$WORK/model.json"
wait_until 120 is_true
printf '%s\n' '{"tenant":"t0","n":1}' > "$IN/things-known.ndjson"
wait_until 60 rejected_is things-known.ndjson 1
expect_exit 5 drover verify > "$WORK/verify.out" 2>&1
URI=$(drover status --json 2> "$WORK/status.log" | jq -r '.sources[] | select(.uri | endswith("things-known.ndjson")) | .uri')
drover dlq discard --source "$URI" --reason 'known' --yes > "$WORK/discard.log" 2>&1
drover verify > "$WORK/verify.out" 2>&1 || { cat "$WORK/verify.out"; fail "what was discarded is a problem"; }
has "$WORK/verify.out" "1 discarded"
echo '{"tenant":"t1","n":2}' >> "$IN/things-known.ndjson"
wait_until 60 rejected_is things-known.ndjson 2
expect_exit 5 drover verify > "$WORK/verify.out" 2>&1
rm "$IN/things-known.ndjson"
wait_until 120 is_true
kill -TERM "$FOLLOWER"
expect_exit 143 wait "$FOLLOWER"
drover verify > "$WORK/verify.out" 2>&1 || { cat "$WORK/verify.out"; fail "all is put right"; }
stop_worker worker
say done
