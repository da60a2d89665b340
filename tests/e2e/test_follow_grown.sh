#!/usr/bin/env bash
# produce --follow of NDJSON that grows: only what was appended is read, half a last line waits, a rewrite is noticed all the
# same; random appends, rewrites and truncations with the follower killed among them, against a model.
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
mkdir "$IN"
cat > "$WORK/thing.yaml" <<'EOF_YAML'
entity: thing
collect: { files: ["things*.ndjson"] }
table: thing
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: text }
  - { name: n,  from: /n, type: int8 }
rest: extra
EOF_YAML
sed -i "s#^mappings:.*#mappings: [$WORK/thing.yaml]#" "$WORK/drover.yaml"
prepare
start_worker worker
row() { psql "$ADMIN" -Atc "$1"; }
row_is() { [ "$(row "$1")" = "$2" ]; }
n_is() { row_is "SELECT n FROM thing WHERE id = '$1' AND NOT drover_deleted" "$2"; }
thing() { printf '{"tenant": "t", "id": "%s", "n": %d}\n' "$1" "$2"; }
read_bytes() { sed -n 's/^rchar: //p' "/proc/$FOLLOWER/io"; }
follow() {
  "$DROVER" produce --follow "$IN" --scan "$1" --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follow.log" 2>&1 &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
}
stop_follower() {
  kill -TERM "$FOLLOWER"
  wait "$FOLLOWER" || true
}

say "a large file: what is appended is read, and no more, also after a restart"
PAD=$(printf '%4000s' "" | tr ' ' x)
for i in $(seq 3000); do printf '{"tenant": "t", "id": "big%d", "n": 1, "pad": "%s"}\n' "$i" "$PAD"; done > "$IN/things-big.ndjson"
follow 1h
wait_until 120 grep -q follow.waiting "$WORK/follow.log"
wait_until 120 n_is big3000 1
BEFORE=$(read_bytes)
for i in $(seq 20); do
  thing "new$i" "$i" >> "$IN/things-big.ndjson"
  wait_until 60 n_is "new$i" "$i"
done
READ=$(($(read_bytes) - BEFORE))
[ "$READ" -lt 6000000 ] || fail "of a file of 12 MB that grew twenty times $READ bytes were read"
equal "the place in the file" "$(kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -e -q -f '%h\n' | grep -oE 'things-big.ndjson:3020:1@[0-9]+')" \
  "things-big.ndjson:3020:1@$(head -n 3019 "$IN/things-big.ndjson" | wc -c)"
stop_follower
thing new21 21 >> "$IN/things-big.ndjson"
: > "$WORK/follow.log"
follow 1h
wait_until 60 n_is new21 21
BEFORE=$(read_bytes)
[ "$BEFORE" -lt 6000000 ] || fail "a restart read all of it: $BEFORE bytes"

say "half a line waits, its other half does not"
printf '{"tenant": "t", "id": "half", ' >> "$IN/things-big.ndjson"
thing other 1 > "$IN/things-other.ndjson"
wait_until 60 n_is other 1
equal "half a line" "$(row "SELECT count(*) FROM thing WHERE id = 'half'")" 0
printf '"n": 7}\n' >> "$IN/things-big.ndjson"
wait_until 60 n_is half 7

say "an older record again, and one without an end that is whole"
thing big1 5 >> "$IN/things-big.ndjson"
wait_until 60 n_is big1 5
printf '{"tenant": "t", "id": "end", "n": 8}' >> "$IN/things-big.ndjson"
wait_until 60 n_is end 8
READ=$(($(read_bytes) - BEFORE))
[ "$READ" -lt 6000000 ] || fail "the halves cost $READ bytes"
printf '\n' >> "$IN/things-big.ndjson"
stop_follower

say "a rewrite in its middle that also grew, of a file at rest"
follow 200ms
wait_until 60 grep -q follow.waiting "$WORK/follow.log"
thing mid 1 >> "$IN/things-big.ndjson"
wait_until 60 n_is mid 1
python3 - "$IN/things-big.ndjson" <<'EOF_PY'
import sys
with open(sys.argv[1], "r+b", buffering=0) as file:
    data = file.read()
    at = data.index(b'"id": "big1500", "n": 1,')
    file.seek(at)
    file.write(b'"id": "big1500", "n": 9,')
    file.seek(0, 2)
    file.write(b'{"tenant": "t", "id": "tail", "n": 1}\n')
EOF_PY
wait_until 60 n_is tail 1
wait_until 60 n_is big1500 9
rm "$IN"/things-*
nothing() { row_is "SELECT count(*) FROM thing WHERE NOT drover_deleted" 0; }
wait_until 120 nothing
stop_follower

say "against a model"
SEED=${DROVER_TEST_SEED:-$RANDOM}
python3 tests/e2e/follow_grown.py "$SEED" "${DROVER_TEST_ROUNDS:-25}" "$IN/things.ndjson" "$ADMIN" \
  "$DROVER" produce --follow "$IN" --scan 200ms --config "$WORK/drover.yaml" --log-format logfmt > "$WORK/model.log" 2>&1 ||
  { grep -vE '^ts=' "$WORK/model.log" | head -30 >&"$TELL"; fail "seed $SEED"; }
say done
