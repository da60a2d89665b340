#!/usr/bin/env bash
# drover produce --follow, and what a source is: names that are links, folders in the place of files, a browser's profile
# that is written on, files that are given up. What holds a record is a file that is there and can be read.
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
WRITER=$(dirname "$DROVER")/tests/integration_chromium_profile # with `write` it is a browser that runs
mkdir "$IN"
cat > "$WORK/thing.yaml" <<'EOF_YAML'
entity: thing
collect: { files: ["things*"] }
table: thing
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: text }
  - { name: n,  from: /n, type: int8 }
rest: extra
EOF_YAML
cat > "$WORK/own.yaml" <<'EOF_YAML'
entity: own
collect: { files: ["own*"] }
table: own
key: [id]
tenant: { from: /tenant }
version: { from: /rev, as: number }
columns:
  - { name: id,  from: /id, type: text }
  - { name: rev, from: /rev, type: int8 }
rest: extra
EOF_YAML
cp tests/e2e/data/pref.yaml "$WORK/pref.yaml"
sed -i "s#^mappings:.*#mappings: [$WORK/thing.yaml, $WORK/own.yaml, $WORK/pref.yaml]#" "$WORK/drover.yaml"
prepare
start_worker worker

start_follower() { # OPTION…
  local before
  before=$(grep -cF follow.waiting "$WORK/follow.log" 2>/dev/null || true)
  "$DROVER" produce --follow "$@" --scan 200ms --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follow.log" 2>&1 &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
  wait_until 60 says_times follow.waiting $(( before + 1 ))
}
stop_follower() {
  kill -TERM "$FOLLOWER"
  local status=0
  wait "$FOLLOWER" || status=$?
  equal "exit code of the follower" "$status" 143
}
says_times() { kill -0 "$FOLLOWER" 2>/dev/null || fail "the follower has ended"; [ "$(grep -cF -- "$1" "$WORK/follow.log")" -ge "$2" ]; }
said() { grep -qF -- "$1" "$WORK/follow.log"; }
replace() { cat > "$WORK/.new"; mv "$WORK/.new" "$1"; }
row() { psql "$ADMIN" -Atc "$1"; }
is_live() { [ "$(row "SELECT string_agg(id || ' ' || n, ',' ORDER BY id) FROM thing WHERE NOT drover_deleted")" = "$1" ]; }
is_own() { [ "$(row "SELECT string_agg(id || ' ' || rev, ',' ORDER BY id) FROM own WHERE NOT drover_deleted")" = "$1" ]; }
is_pref() { [ "$(row "SELECT string_agg(name || ' ' || n, ',' ORDER BY name) FROM pref WHERE NOT drover_deleted")" = "$1" ]; }
things() { # ID N…: an array of them
  while [ $# -gt 0 ]; do printf '{"tenant":"t","id":"%s","n":%d}\n' "$1" "$2"; shift 2; done | jq -sc .
}

say "a file becomes a link to another: what only it held is deleted, and it holds nothing back"
for link in "ln -sf" "ln -f"; do
  things k 1 > "$IN/things-a.json"
  things k 1 z 1 > "$IN/things-b.json"
  [ "$link" = "ln -f" ] || start_follower "$IN"
  wait_until 60 is_live "k 1,z 1"
  (cd "$IN" && $link things-a.json things-b.json)
  wait_until 60 is_live "k 1"
  things other 1 > "$WORK/.new"
  cat "$WORK/.new" > "$IN/things-a.json"
  wait_until 60 is_live "other 1"
  rm "$IN/things-b.json" # and it is a file again
  things k 2 > "$IN/things-b.json"
  wait_until 60 is_live "k 2,other 1"
  rm "$IN/things-b.json"
  wait_until 60 is_live "other 1"
done

say "the same files by a shorter name: no delete, and the longer one holds nothing back"
stop_follower
ln -s "$IN" "$WORK/i"
DELETES=$(row "SELECT count(*) FROM thing WHERE drover_deleted")
start_follower "$IN" "$WORK/i"
wait_until 60 says_times "event=follow.deleted path=\"$IN/things-a.json\"" 1
is_live "other 1" || fail "a file that has another name lost its record"
equal "deletes" "$(row "SELECT count(*) FROM thing WHERE drover_deleted")" "$DELETES"
things a 1 | replace "$IN/things-a.json"
wait_until 60 is_live "a 1"
stop_follower

say "a folder in the place of a file, a file in the place of a folder, a link in the place of a folder"
mkdir "$IN/s1" "$IN/s2" "$WORK/big"
things k 1 q 1 > "$IN/things-q.json"
things k 1 s 1 > "$IN/s1/things-s.json"
things k 1 m 1 > "$IN/s2/things-m.json"
start_follower "$IN"
wait_until 60 is_live "a 1,k 1,m 1,q 1,s 1"
rm "$IN/things-q.json"
mkdir "$IN/things-q.json"
wait_until 60 said "a folder is in its place"
mv "$IN/s1" "$WORK/gone"
: > "$IN/s1"
wait_until 60 is_live "a 1,k 1,m 1,q 1"
mv "$IN/s2" "$WORK/big"
ln -s "$WORK/big/s2" "$IN/s2"
wait_until 60 said "behind a link to a folder"
things a 2 k 2 > "$IN/things-a.json"
wait_until 60 is_live "a 2,k 2,m 1,q 1"
things a 2 > "$IN/things-a.json" # neither the folder nor the link holds it
wait_until 60 is_live "a 2,m 1,q 1"
equal "said once" "$(grep -cF 'is none of the sources any more' "$WORK/follow.log")" 2
rm "$IN/s2"
mv "$WORK/big/s2" "$IN/s2" # back: its records are produced again
wait_until 60 is_live "a 2,k 1,m 1,q 1"

say "--forget deletes what was alone in a file that is gone, not what is there"
stop_follower
start_follower "$IN" --forget "$IN/things-q.json" --forget "$IN/s2" --forget "$IN/nothing"
wait_until 60 is_live "a 2,k 1,m 1"
wait_until 60 said "$IN/s2/things-m.json" # that a file is there
wait_until 60 said "nothing is known of it that could be forgotten"
rmdir "$IN/things-q.json"

say "a file that was away, was deleted and comes back holds its record again"
printf '{"tenant":"t","id":"o","rev":5}\n' > "$IN/own-b.ndjson"
printf '{"tenant":"t","id":"o","rev":5}\n{"tenant":"t","id":"p","rev":1}\n' > "$IN/own-a.ndjson"
wait_until 60 is_own "o 5,p 1"
wait_until 60 says_times "event=follow.produced path=\"$IN/own-b.ndjson\"" 1
AWAY=$(grep -cF 'the folder of a followed file is gone' "$WORK/follow.log" || true)
mv "$IN" "$WORK/in.away"
wait_until 60 says_times 'the folder of a followed file is gone' $(( AWAY + 4 )) # of own-a and own-b, and of others
mv "$WORK/in.away/own-b.ndjson" "$WORK/own-b"
mv "$WORK/in.away" "$IN"
wait_until 60 says_times "event=follow.deleted path=\"$IN/own-b.ndjson\"" 1
mv "$WORK/own-b" "$IN/own-b.ndjson"
PRODUCED="event=follow.produced path=\"$IN/own-b.ndjson\""
wait_until 60 says_times "$PRODUCED" 2
printf '{"tenant":"t","id":"r","rev":1}\n' | replace "$IN/own-a.ndjson"
wait_until 60 is_own "o 5,r 1" # p and o were compared together
wait_until 60 is_drained
is_own "o 5,r 1" || fail "the record of a file that came back was deleted"

say "a profile is read again when something is appended inside it, without a change of any folder"
LEVELDB="$IN/profile/Default/Local Storage/leveldb"
mkdir -p "$LEVELDB"
mkfifo "$WORK/entries"
"$WRITER" write "$LEVELDB" < "$WORK/entries" > "$WORK/writer.log" 2>&1 &
PIDS+=("$!")
BROWSER=$!
exec 5> "$WORK/entries"
printf 'pref_a\t{"tenant":"t","n":1}\npref_b\t{"tenant":"t","n":1}\n' >&5
wait_until 60 is_pref "a 1,b 1"
TIMES=$(stat -c '%Y %Z' "$LEVELDB" "$IN/profile" "$IN/profile/Default")
for n in 2 3 4; do
  printf 'pref_a\t{"tenant":"t","n":%d}\n' $n >&5
  wait_until 60 is_pref "a $n,b 1"
done
printf 'pref_b\n' >&5
wait_until 60 is_pref "a 4"
equal "times of the folders" "$(stat -c '%Y %Z' "$LEVELDB" "$IN/profile" "$IN/profile/Default")" "$TIMES"
exec 5>&-
wait "$BROWSER" || fail "the profile's writer ended with $?"
rm -r "$IN/profile"
wait_until 60 is_pref ""

say "a file dated into the future is read once, not at each scan"
things a 2 f 1 > "$IN/things-a.json"
touch -d '2286-11-20' "$IN/things-a.json"
wait_until 60 is_live "a 2,f 1,k 1,m 1"
things a 3 f 1 > "$WORK/.new"
touch -d '2300-01-01' "$WORK/.new"
mv "$WORK/.new" "$IN/things-a.json"
wait_until 60 is_live "a 3,f 1,k 1,m 1"
things a 4 > "$WORK/.new"
touch -d '1971-01-01' "$WORK/.new" # an older one put back
mv "$WORK/.new" "$IN/things-a.json"
wait_until 60 is_live "a 4,k 1,m 1"
stop_follower
wait_until 60 is_drained
stop_worker worker

say "a state with other bits in it, or cut, is refused with what to do, or used; never anything else"
SEED=${FOLLOW_SEED:-$RANDOM}
RANDOM=$SEED
STATE=$WORK/state/$NAME.follow.db
cp "$STATE" "$WORK/whole.db"
SIZE=$(stat -c %s "$STATE")
ended_or_waits() { ! kill -0 "$FOLLOWER" 2>/dev/null || grep -qF follow.waiting "$WORK/damaged.log"; }
REFUSED=0
for round in $(seq 1 "${FOLLOW_DAMAGES:-12}"); do
  cp "$WORK/whole.db" "$STATE"
  rm -f "$STATE-wal" "$STATE-shm"
  if [ $(( round % 4 )) = 0 ]; then
    truncate -s $(( (RANDOM * 32768 + RANDOM) % SIZE + 1 )) "$STATE"
  else
    for _ in $(seq $(( RANDOM % 30 + 1 ))); do
      printf "\\x$(printf %02x $(( RANDOM % 256 )))" |
        dd of="$STATE" bs=1 seek=$(( round == 1 ? RANDOM % 100 : (RANDOM * 32768 + RANDOM) % SIZE )) conv=notrunc status=none
    done
  fi
  if [ "$round" = 2 ]; then # a format of the future: SQLite calls the file read-only
    cp "$WORK/whole.db" "$STATE"
    printf '\x03' | dd of="$STATE" bs=1 seek=18 conv=notrunc status=none
  fi
  : > "$WORK/damaged.log"
  "$DROVER" produce --follow "$IN" --scan 200ms --config "$WORK/drover.yaml" --log-format logfmt > "$WORK/damaged.log" 2>&1 &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
  wait_until 60 ended_or_waits
  kill -TERM "$FOLLOWER" 2>/dev/null || true
  STATUS=0
  wait "$FOLLOWER" || STATUS=$?
  [ "$STATUS" != 143 ] || continue
  REFUSED=$(( REFUSED + 1 ))
  [ "$STATUS" = 1 ] || fail "seed $SEED, round $round: exit $STATUS of a damaged state"
  grep -qF DRV-X004 "$WORK/damaged.log" || fail "seed $SEED, round $round: another error than that of the state"
  grep -qE 'or remove it and .*follow\.lock' "$WORK/damaged.log" || fail "seed $SEED, round $round: no advice for a damaged state"
done
echo "seed $SEED: $REFUSED of ${FOLLOW_DAMAGES:-12} refused"
say done
