# shellcheck shell=bash
# For tests with Redis: a server of the test's own, which may be killed, emptied and filled up, and a
# check of what it holds that knows nothing of Drover's code.

REDIS_DIR=$WORK/redis
# By the process: a test beside this one takes another port, also while the server of this one is away.
REDIS_PORT=$(( 20000 + $$ % 12000 ))
while (: < "/dev/tcp/127.0.0.1/$REDIS_PORT") 2>/dev/null; do REDIS_PORT=$(( 20000 + (REDIS_PORT - 19999) % 12000 )); done
export REDIS_URL=redis://127.0.0.1:$REDIS_PORT
mkdir -p "$REDIS_DIR"

redis() { redis-cli -h 127.0.0.1 -p "$REDIS_PORT" "$@"; }

# It is this test's server that answers, not one that took its port.
redis_answers() {
  kill -0 "$REDIS_PID" 2> /dev/null || fail "redis-server has ended: $(tail -n 3 "$WORK/redis-server.log")"
  printf 'PING\nINFO server\n' | timeout 20 redis-cli -h 127.0.0.1 -p "$REDIS_PORT" > "$WORK/redis.info" 2> /dev/null &&
    grep -qx PONG "$WORK/redis.info" && grep -q "^process_id:$REDIS_PID"$'\r' "$WORK/redis.info"
}

# start_redis [OPTION…]
start_redis() {
  redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save "" --dir "$REDIS_DIR" --enable-debug-command local "$@" \
    >> "$WORK/redis-server.log" 2>&1 &
  REDIS_PID=$!
  PIDS+=("$REDIS_PID")
  wait_until 60 redis_answers
}

kill_redis() { kill -9 "$REDIS_PID"; wait "$REDIS_PID" 2>/dev/null || true; }

# use_mapping FORM: the events' mapping with `redis:`, value json or hash
use_mapping() {
  { cat "$PWD/tests/e2e/data/event.yaml"; echo "redis: { key: \"event:{isolation_key}:{id}\", value: $1 }"; } > "$WORK/event.yaml"
  sed -i "s|^mappings: .*|mappings: [$WORK/event.yaml]|" "$WORK/drover.yaml"
}

# redis_wrong FILE…: how many events differ from the greatest revision of each record of the files
redis_wrong() {
  redis --scan --pattern 'event:*' | grep -v ':v$' > "$WORK/redis.keys" || true
  sed 's/^/GET /' "$WORK/redis.keys" | redis > "$WORK/redis.values"
  paste -d $'\x02' "$WORK/redis.keys" "$WORK/redis.values" > "$WORK/redis.have"
  cat "$@" > "$WORK/expected.ndjson"
  psql "$ADMIN" -qAt -v ON_ERROR_STOP=1 <<EOF
CREATE TEMP TABLE line (doc jsonb);
CREATE TEMP TABLE have (key text, doc jsonb);
\\copy line FROM '$WORK/expected.ndjson' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
\\copy have FROM '$WORK/redis.have' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
CREATE TEMP TABLE want AS
  SELECT DISTINCT ON (doc->>'tenant', doc->>'id') 'event:' || (doc->>'tenant') || ':' || (doc->>'id') AS key, doc
    FROM line ORDER BY doc->>'tenant', doc->>'id', (doc->>'rev')::int8 DESC;
SELECT count(*) FROM want FULL JOIN have USING (key) WHERE want.doc IS DISTINCT FROM have.doc;
EOF
}

redis_equals() { [ "$(redis_wrong "$@")" = 0 ]; }

lag_of_redis() { psql "$ADMIN" -Atc "SELECT coalesce(sum(next_offset - redis_next), 0) FROM drover.partition_progress"; }

redis_is_level() { [ "$(lag_of_redis)" = 0 ]; }

sentinel() { redis EXISTS "drover:sentinel:$DROVER_MIGRATION"; }

has_sentinel() { [ "$(sentinel)" = 1 ]; }
