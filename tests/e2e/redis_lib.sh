# shellcheck shell=bash
# For tests with Redis: a server of the test's own, which may be killed, emptied and filled up, and a
# check of what it holds that knows nothing of Drover's code.

REDIS_DIR=$WORK/redis
REDIS_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export REDIS_URL=redis://127.0.0.1:$REDIS_PORT
mkdir -p "$REDIS_DIR"

redis() { redis-cli -h 127.0.0.1 -p "$REDIS_PORT" "$@"; }

redis_answers() { [ "$(timeout 2 redis-cli -h 127.0.0.1 -p "$REDIS_PORT" PING 2>/dev/null)" = PONG ]; }

# start_redis [OPTION…]
start_redis() {
  redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save "" --dir "$REDIS_DIR" --enable-debug-command local "$@" \
    >> "$WORK/redis-server.log" 2>&1 &
  REDIS_PID=$!
  PIDS+=("$REDIS_PID")
  wait_until 20 redis_answers
}

kill_redis() { kill -9 "$REDIS_PID"; wait "$REDIS_PID" 2>/dev/null || true; }

# use_mapping FORM: the events' mapping with `redis:`, value json or hash
use_mapping() {
  { cat "$PWD/tests/e2e/data/event.yaml"; echo "redis: { key: \"event:{isolation_key}:{id}\", value: $1 }"; } > "$WORK/event.yaml"
  sed -i "s|^mappings: .*|mappings: [$WORK/event.yaml]|" "$WORK/drover.yaml"
}

# redis_values: key and value of every event, sorted by key; members in one order, numbers as written
redis_values() {
  redis --scan --pattern 'event:*' --count 1000 | grep -v ':v$' | sort > "$WORK/redis.keys"
  sed 's/^/GET /' "$WORK/redis.keys" | redis > "$WORK/redis.values"
  paste "$WORK/redis.keys" <(jq -cS . "$WORK/redis.values")
}

# redis_wrong FILE…: how many events differ from the greatest revision of each record of the files
redis_wrong() {
  redis_values > "$WORK/redis.have"
  cat "$@" | jq -rc '[.tenant, .id, .rev, (. | tojson)] | @tsv' 2>/dev/null |
    sort -t "$(printf '\t')" -k1,1 -k2,2 -k3,3n | awk -F '\t' '{ last[$1 "\t" $2] = $4 }
      END { for (k in last) { split(k, p, "\t"); print "event:" p[1] ":" p[2] "\t" last[k] } }' |
    sort > "$WORK/redis.raw"
  paste <(cut -f1 "$WORK/redis.raw") <(cut -f2 "$WORK/redis.raw" | sed 's/\\\\/\\/g' | jq -cS .) > "$WORK/redis.want"
  diff "$WORK/redis.have" "$WORK/redis.want" | grep -c '^[<>]' || true
}

redis_equals() { [ "$(redis_wrong "$@")" = 0 ]; }

lag_of_redis() { psql "$ADMIN" -Atc "SELECT coalesce(sum(next_offset - redis_next), 0) FROM drover.partition_progress"; }

redis_is_level() { [ "$(lag_of_redis)" = 0 ]; }

sentinel() { redis EXISTS "drover:sentinel:$DROVER_MIGRATION"; }

has_sentinel() { [ "$(sentinel)" = 1 ]; }
