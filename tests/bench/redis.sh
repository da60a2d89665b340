# shellcheck shell=bash
# Storage redis against the same script sent bare, pipelined, from memory; storage hybrid against database.

bench_redis() {
  local round mapping=$WORK/chat_redis.yaml
  data chat.ndjson chat "$RECORDS"
  # `redis:` for all of them, so that hybrid has the same rows and the records besides
  { cat "$CHAT"; echo 'redis: { key: "chat:{isolation_key}:{id}" }'; } > "$mapping"
  source_topic redis "$mapping" "$WORK/chat.ndjson"
  for (( round = 1; round <= ROUNDS; round++ )); do
    flush_redis
    record redis redis ceiling rate "$("$TOOLS/redis_ceiling" "$mapping" "$WORK/chat.ndjson" "$PARTITIONS" | jq .rate)" "$round"
    stored redis
    stored database
    stored hybrid
  done
  flush_redis
  delete_topics "drover\.redis\..*"
}

flush_redis() { redis-cli -u "$REDIS_URL" FLUSHALL >/dev/null; }

stored() { # STORAGE: of the round
  flush_redis
  configure redis "$mapping" "$1"
  fresh_database
  drain redis "bench.$1.$round" "$mapping" "$1"
  record redis "$1" drover rate "$RATE" "$round"
}
