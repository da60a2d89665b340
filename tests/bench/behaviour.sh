# shellcheck shell=bash
# What each contestant makes of records that are not as they should be: run, not claimed. The table is compared in SQL with what
# the source says (for a record that no table can hold: with all the others).
#   bad        one text of 20,000 has a NUL, which PostgreSQL refuses     twice      each key twice, one after the other
#   versions   30 versions of each key, rising                            shuffled   30 versions of each key, in no order

BEHAVIOURS="bad twice versions shuffled"

bench_behaviour() {
  local set count=20000
  install_peers
  note_commit_times
  for set in $BEHAVIOURS; do
    data "$set.ndjson" "$set" "$count"
    offer "$set"
    peer_topic "$set" "$count"
    behaves_drover "$set"
    behaves_debezium debezium "$set"
    behaves_debezium debezium_reduced "$set" use.reduction.buffer=true
    behaves_python "$set"
    behaves_node "$set"
  done
  delete_topics "drover\.behaviour_.*"
  delete_topics "bench\.flat"
}

# To Drover's topic; a record that the producer already refuses is its verdict (exit 5).
offer() {
  configure "behaviour_$1" "$CHAT"
  quietly drover topics apply
  drover produce "$WORK/$1.ndjson" > "$WORK/offer.log" 2>&1 || [ $? = 5 ] || { tail -n 5 "$WORK/offer.log" >&2; return 1; }
}

# ended WHO SET: how its table ended, and what it said
ended() {
  local rows verdict=wrong
  rows=$(admin -c "SELECT count(*) FROM public.chat")
  ! is_right "$WORK/$2.ndjson" || verdict=right
  record behaviour "$2" "$1" "$verdict" "$rows"
  jq -cn --arg set "$2" --arg who "$1" --arg verdict "$verdict" --argjson rows "$rows" --argjson wanted "$(expected "$WORK/$2.ndjson" | cut -d'|' -f1)" \
    --arg said "${SAID:-}" '{bench: "behaviour", ended: $ARGS.named}' >> "$RESULTS"
}

behaves_drover() {
  local SAID
  configure "behaviour_$1" "$CHAT"
  fresh_database
  drain "behaviour_$1" bench "$CHAT" || true
  SAID=$(drover status --group bench --json 2>/dev/null | jq -r '.counts | to_entries | map(select(.value > 0) | "\(.value) \(.key)") | join(", ")' | tr _ ' ')
  ended drover "$1"
}

# Until the connector has failed, its table is right, or nothing has changed for 30 s (it tries again for some seconds).
until_decided() { # CONNECTOR SET
  local last=-1 now same=0 limit=$(( SECONDS + 180 ))
  while [ "$SECONDS" -lt "$limit" ] && [ "$same" -lt 15 ]; do
    nap 2
    [[ $(connector_state "$1" || true) != *FAILED* ]] || break
    ! is_right "$WORK/$2.ndjson" || break
    now=$(admin -c "SELECT count(*), coalesce(sum(rev), 0) FROM public.chat")
    if [ "$now" = "$last" ] && [ "$now" != '0|0' ]; then same=$(( same + 1 )); else same=0; fi
    last=$now
  done
  nap 5
}

behaves_debezium() { # WHO SET [SETTING=VALUE]
  local SAID who=$1 set=$2
  shift 2
  empty_database
  peer_table
  start_connect
  connector "${who}_$set" "$@"
  until_decided "${who}_$set" "$set"
  SAID=$(connector_state "${who}_$set" || true)
  ended "$who" "$set"
  stop_connect
}

behaves_python() {
  local SAID=''
  empty_database
  peer_table
  timeout 180 "$CACHE/python/bin/python" tests/bench/peers/copy_upsert.py "$PEER_TOPIC" "python.$1" > "$WORK/python.log" 2>&1 || SAID="ended: $(grep -E '^[a-z_.]+[A-Z][A-Za-z]+: ' "$WORK/python.log" | tail -n 1)"
  ended python "$1"
}

behaves_node() {
  local SAID=''
  empty_database
  peer_table
  node "$CACHE/node/loop.js" "$WORK/$1.ndjson" 2> "$WORK/node.log" || SAID="ended: $(tail -n 1 "$WORK/node.log")"
  ended node "$1"
}
