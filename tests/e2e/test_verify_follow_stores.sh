#!/usr/bin/env bash
# drover verify --follow with storages redis and file: what the store holds is read through its own reader; a value that somebody
# changed before it was looked at is found and named, all others are right, also when the follower is killed in between.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"
. "$(dirname "$0")/follower_lib.sh"

use_mapping json
start_redis
generate 1200 10 1 "$WORK/one.ndjson"
generate 600 10 2 "$WORK/two.ndjson"

# One value is another one, one is gone, and one has a version that its message did not have.
damage_redis() {
  redis SET event:t03:e7 "$(redis GET event:t03:e7 | jq -c '.kind = "edited"')" > /dev/null
  redis DEL event:t04:e8 event:t04:e8:v > /dev/null
  redis SET event:t05:e9:v "$(redis GET event:t05:e9:v | sed 's/2/1/')" > /dev/null
}
damage_file() {
  wait_until 30 grep -q '"rev":2' "$WORK/store/t03/event.json"
  wait_until 30 grep -q '"rev":2' "$WORK/store/t05/event.json"
  sed -i '/"id":"e7",/s/"kind":"k[0-9]"/"kind":"edited"/' "$WORK/store/t03/event.json"
  python3 - "$WORK/store/.drover/state.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
db.execute("DELETE FROM record WHERE tenant = 't04' AND id = 'e8'")
db.execute("UPDATE record SET version = 1 WHERE tenant = 't05' AND id = 'e9'")
db.commit()
PY
}

for storage in file redis; do
  say "storage $storage: everything is right"
  export DROVER_STORAGE=$storage DROVER_MIGRATION=${NAME}_$storage DROVER_STORE_DIR=$WORK/store
  drover topics apply > "$WORK/topics.log" 2>&1
  start_worker "$storage"_worker
  wait_until 60 grep -q worker.started "$WORK/${storage}_worker.log" # makes the store, of files
  start_follower "$storage"
  drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1
  wait_until 90 is_level "$storage" 1200
  kill_follower "$storage"

  say "storage $storage: killed, it goes on where it was, and finds what somebody changed"
  drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
  wait_until 60 is_drained
  "damage_$storage"
  start_follower "$storage"
  wait_until 90 is_level "$storage" 1800
  end_follower "$storage" 5
  equal "verdicts" "$(last "$storage" '[.verdicts[] | "\(.verdict) \(.count)"] | sort | join(", ")')" 'different 1, match 1797, missing 1, stale 1'
  equal "samples" "$(jq -r '[.samples[] | "\(.verdict) \(.tenant)"] | sort | join(", ")' "$WORK/report/latest/report.json")" \
    'different t03, missing t04, stale t05'
  stop_worker "${storage}_worker"
done
say done
