#!/usr/bin/env bash
# drover produce --follow: after any edits, made in any way and with the follower killed in between, the tables hold
# what the files hold and nothing else; what is gone is a tombstone; what cannot be read is never taken for a delete.
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
mkdir "$IN"
cat > "$WORK/thing.yaml" <<'EOF_YAML'
entity: thing
collect: { files: ["things*.json", "things*.ndjson"], map_dump: things_in_memory }
table: thing
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: text }
  - { name: n,  from: /n, type: int8 }
rest: extra
EOF_YAML
sed 's/^collect:.*/collect: { files: ["events*"] }/' tests/e2e/data/event.yaml > "$WORK/event.yaml"
sed -i "s#^mappings:.*#mappings: [$WORK/event.yaml, $WORK/thing.yaml]#" "$WORK/drover.yaml"
prepare
start_worker worker
RANDOM=7

# start_follower: in the background; its output goes on in follow.log
start_follower() {
  "$DROVER" produce --follow "$IN" --scan 200ms --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follow.log" 2>&1 &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
}
kill_follower() {
  kill -9 "$FOLLOWER"
  wait "$FOLLOWER" 2>/dev/null || true
}
said() { grep -qF -- "$1" "$WORK/follow.log"; }
says_times() { [ "$(grep -cF -- "$1" "$WORK/follow.log")" -ge "$2" ]; }

# things: what the files hold, and what the table holds, one line a record
things_of_files() {
  local file
  for file in "$IN"/things*; do
    case $file in
      *.json) jq -r '.[] | "\(.tenant) \(.id) \(.n)"' "$file" ;;
      *.ndjson) jq -r '"\(.tenant) \(.id) \(.n)"' "$file" ;;
    esac
  done 2>/dev/null | sort
}
things_of_table() { psql "$ADMIN" -Atc "SELECT isolation_key || ' ' || id || ' ' || n FROM thing WHERE NOT drover_deleted" | sort; }
things_equal() { [ "$(things_of_files)" = "$(things_of_table)" ]; }
row() { psql "$ADMIN" -Atc "$1"; }
row_is() { [ "$(row "$1")" = "$2" ]; }

# records PREFIX COUNT N: an array of COUNT records
records() { jq -cn --arg p "$1" --argjson c "$2" --argjson n "$3" '[range($c) | {tenant: "t\(. % 3)", id: "\($p)\(.)", n: ($n + .)}]'; }
replace() { cat > "$WORK/.new"; mv "$WORK/.new" "$1"; } # as editors do: a new file over the old one
in_place() { cat > "$WORK/.new"; cat "$WORK/.new" > "$1"; }

say "what is there, and the same again"
records a 40 0 > "$IN/things-a.json"
records b 40 100 | jq -c '.[]' > "$IN/things-b.ndjson"
start_follower
wait_until 60 things_equal
wait_until 30 said follow.waiting
expect_exit 1 drover produce --follow "$IN" --scan 200ms > "$WORK/second.log" 2>&1
grep -qF 'another producer follows' "$WORK/second.log" || fail "two followers of one migration"
expect_exit 2 drover produce --follow - > "$WORK/second.log" 2>&1 < /dev/null

say "added, changed and deleted records"
jq -c '.[1].n = 1000 | del(.[2]) | . + [{tenant: "t1", id: "new", n: 5}]' "$IN/things-a.json" | replace "$IN/things-a.json"
wait_until 60 things_equal
equal "tombstones" "$(row "SELECT count(*) FROM thing WHERE drover_deleted AND id = 'a2'")" 1
jq -c '. + [{tenant: "t2", id: "a2", n: 77}]' "$IN/things-a.json" | in_place "$IN/things-a.json"
wait_until 60 things_equal
echo '{"tenant":"t0","id":"appended","n":1}' >> "$IN/things-b.ndjson"
wait_until 60 things_equal

say "a file in another layout is no change"
BEFORE=$(row "SELECT max(drover_version) FROM thing")
jq . "$IN/things-a.json" | replace "$IN/things-a.json"
echo '{"tenant":"t0","id":"marker","n":1}' >> "$IN/things-b.ndjson"
wait_until 60 things_equal
equal "rows above the last version" "$(row "SELECT count(*) FROM thing WHERE drover_version > $BEFORE")" 1

say "half-written, emptied and broken files are no deletes"
cp "$IN/things-a.json" "$WORK/whole.json"
LIVE=$(row "SELECT count(*) FROM thing WHERE NOT drover_deleted")
head -c 700 "$WORK/whole.json" > "$IN/things-a.json"
wait_until 60 said DRV-J009
: > "$IN/things-b.ndjson.new"; mv "$IN/things-b.ndjson" "$WORK/lines.ndjson"; mv "$IN/things-b.ndjson.new" "$IN/things-b.ndjson"
wait_until 60 said DRV-S003
echo 'no JSON at all' > "$IN/things-a.json"
wait_until 60 said DRV-S004
equal "live rows while the files are broken" "$(row "SELECT count(*) FROM thing WHERE NOT drover_deleted")" "$LIVE"
cat "$WORK/whole.json" > "$IN/things-a.json"
mv "$WORK/lines.ndjson" "$IN/things-b.ndjson"
wait_until 60 things_equal

say "a record that cannot be identified withholds the deletes of its file, and no more"
records c 10 0 | jq -c '.[]' > "$IN/things-c.ndjson"
wait_until 60 things_equal
{ sed -n '2,9p' "$IN/things-c.ndjson"; echo '{"tenant":"t0","id":7,"n":3}'; echo '{"tenant":"t0","id":"more","n":3}'; } | replace "$IN/things-c.ndjson"
wait_until 60 said follow.deletes_withheld
wait_until 60 row_is "SELECT n FROM thing WHERE id = 'more'" 3
equal "rows of c" "$(row "SELECT count(*) FROM thing WHERE id ~ '^c' AND NOT drover_deleted")" 10
sed -i '/"id":7/d' "$IN/things-c.ndjson"
wait_until 60 things_equal

say "a record of two files: it is gone when both have lost it"
echo '[{"tenant":"t0","id":"both","n":1}]' > "$IN/things-old.json"
wait_until 60 row_is "SELECT n FROM thing WHERE id = 'both'" 1
echo '[{"tenant":"t0","id":"both","n":2}]' > "$IN/things-young.json"
wait_until 60 row_is "SELECT n FROM thing WHERE id = 'both'" 2
echo '[]' | replace "$IN/things-young.json"
wait_until 60 row_is "SELECT n FROM thing WHERE id = 'both'" 1
rm "$IN/things-old.json"
wait_until 60 row_is "SELECT drover_deleted FROM thing WHERE id = 'both'" t
rm "$IN/things-young.json"

say "a dump of maps is followed like a file"
echo '{"things_in_memory":{"m1":{"tenant":"t0","id":"m1","n":1},"m2":{"tenant":"t1","id":"m2","n":2}}}' > "$IN/dump.json"
wait_until 60 row_is "SELECT sum(n) FROM thing WHERE id ~ '^m[12]' AND NOT drover_deleted" 3
echo '{"things_in_memory":{"m2":{"tenant":"t1","id":"m2","n":5}}}' | replace "$IN/dump.json"
wait_until 60 row_is "SELECT sum(n) FROM thing WHERE id ~ '^m[12]' AND NOT drover_deleted" 5
rm "$IN/dump.json"
wait_until 60 row_is "SELECT count(*) FROM thing WHERE id ~ '^m[12]' AND drover_deleted" 2

say "files that come, go and are renamed; records with versions of their own"
records d 20 0 > "$IN/things-d.json"
generate 30 3 1 "$IN/events.ndjson"
wait_until 60 things_equal
wait_until 60 row_is "SELECT count(*) FROM event" 30
echo '[{"tenant":"t0","id":"marker2","n":1}]' > "$IN/things-marker.json"
wait_until 60 row_is "SELECT n FROM thing WHERE id = 'marker2'" 1
VERSION=$(row "SELECT max(drover_version) FROM thing WHERE id ~ '^d'")
mv "$IN/things-d.json" "$IN/things-e.json"
rm "$IN/things-marker.json" # of the same scan or a later one: when it is deleted, d was looked at
wait_until 60 row_is "SELECT drover_deleted FROM thing WHERE id = 'marker2'" t
wait_until 60 things_equal
equal "tombstones by the renaming" "$(row "SELECT count(*) FROM thing WHERE id ~ '^d' AND drover_deleted")" 0
[ "$(row "SELECT min(drover_version) FROM thing WHERE id ~ '^d'")" -gt "$VERSION" ] || fail "the renamed file is older"
rm "$IN/things-e.json"
wait_until 60 things_equal
equal "tombstones" "$(row "SELECT count(*) FROM thing WHERE id ~ '^d' AND drover_deleted")" 20
generate 30 3 2 "$WORK/two"
{ sed -n '1,29p' "$IN/events.ndjson"; sed -n '1,10p' "$WORK/two"; } | replace "$IN/events.ndjson"
wait_until 60 row_is "SELECT count(*) FROM event WHERE rev = 2" 10
wait_until 60 row_is "SELECT drover_deleted || ' ' || drover_version FROM event WHERE isolation_key = 't02' AND id = 'e9'" 'true 2'

say "a folder that is gone is an error, no deletes"
LIVE=$(row "SELECT count(*) FROM thing WHERE NOT drover_deleted")
mv "$IN" "$WORK/away"
wait_until 60 said 'the folder of a followed file is gone'
equal "live rows without the folder" "$(row "SELECT count(*) FROM thing WHERE NOT drover_deleted")" "$LIVE"
mv "$WORK/away" "$IN"

say "random edits, the follower killed in between"
for round in $(seq 1 "${FOLLOW_ROUNDS:-30}"); do
  file=$IN/things-r$(( RANDOM % 4 )).json
  [ -f "$file" ] || records "r$round-" 15 0 > "$file" # ids of its own: the one before may live on, renamed
  NEW=$(jq -c --argjson r "$RANDOM" --argjson round "$round" 'to_entries | map(select((.key + $r) % 7 != 0)) | map(.value)
    | map(if (.n + $r) % 3 == 0 then .n += 1000 else . end)
    | . + [{tenant: "t\($r % 3)", id: "z\($r)-\($round)", n: $r}]' "$file" 2>/dev/null) || NEW='[]'
  case $(( RANDOM % 8 )) in
    0 | 1 | 2) replace "$file" <<<"$NEW" ;;
    3) in_place "$file" <<<"$NEW" ;;
    4) head -c $(( ${#NEW} / 2 )) <<<"$NEW" > "$file"; in_place "$file" <<<"$NEW" ;;
    5) rm "$file" ;;
    6) mv "$file" "$IN/things-r$(( RANDOM % 4 + 4 )).json" ;;
    7) kill_follower; replace "$file" <<<"$NEW"; start_follower ;;
  esac
  if [ $(( round % 10 )) = 0 ]; then wait_until 90 things_equal; fi
done
kill_follower
records last 5 0 > "$IN/things-last.json"
rm -f "$IN/things-c.ndjson"
start_follower
wait_until 90 things_equal

say "restarted, it sends nothing that has not changed"
kill -TERM "$FOLLOWER" # killed between Kafka's answer and its own state it would send the last reading again
wait "$FOLLOWER" || true
UPSERTS=$(grep -cF follow.produced "$WORK/follow.log" || true)
READY=$(grep -cF follow.waiting "$WORK/follow.log" || true)
start_follower
wait_until 60 says_times follow.waiting $(( READY + 1 ))
equal "readings that sent something" "$(grep -cF follow.produced "$WORK/follow.log" || true)" "$UPSERTS"

say "SIGTERM ends it; the verifier agrees"
kill -TERM "$FOLLOWER"
STATUS=0
wait "$FOLLOWER" || STATUS=$?
equal "exit code" "$STATUS" 143
wait_until 60 is_drained
stop_worker worker
drover verify --source "$IN" > "$WORK/verify.log" 2>&1 || { cat "$WORK/verify.log"; fail "verify: exit $?"; }

say "a state that was emptied is refused"
: > "$WORK/state/$NAME.follow.db"
rm -f "$WORK/state/$NAME.follow.db-wal" "$WORK/state/$NAME.follow.db-shm"
expect_exit 1 drover produce --follow "$IN" --scan 200ms > "$WORK/second.log" 2>&1
grep -qF 'state is gone' "$WORK/second.log" || fail "an emptied state was taken for a new one"
say done
