#!/usr/bin/env bash
# drover verify over a store without a snapshot (redis, file) while records are produced and written: what is newer than the messages it
# read is no discrepancy, and what somebody changed is found and named as at rest, in each of several verifications.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

report() { jq -r "$1" "$WORK/report/latest/report.json"; }

# Tenant t00 stands still; those of the others change, and new ones come, until there is the file $1.
busy() {
  python3 - "$1" <<'PY' | "$DROVER" produce - --config "$WORK/drover.yaml" > "$WORK/busy.log" 2>&1
import json, os, sys, time
rev, made = 1, 0
while not os.path.exists(sys.argv[1]) and os.path.isdir(os.path.dirname(sys.argv[1])):
    rev += 1
    for i in range(0, 120):
        made += 1
        key = f'n{made}' if i % 10 == 0 else f'e{made % 60}'
        print(json.dumps({'id': key, 'tenant': f't{1 + made % 9:02d}', 'rev': rev, 'kind': f'k{rev}', 'amount': 1.5,
                          'at': '2024-01-01T10:30:00.000Z', 'tags': [], 'note': 'busy'}), flush=i % 10 == 9)
        time.sleep(0.0015)
PY
}

# counts: of all that is wrong, without what is merely on its way
counts() {
  report '[(.counts | .different, .missing, .stale, .target_newer, .stale_by_mapping, .unusable, .conflict), .beside.extra,
           .beside.unexpected_tenant, (.redis.unowned // 0)] | join(" ")'
}

# verify_busy TIMES COUNTS
verify_busy() {
  local at
  for (( at = 1; at <= $1; at++ )); do
    drover verify > "$WORK/verify.log" 2>&1 || true
    equal "what is wrong, verification $at" "$(counts)" "$2"
  done
}

damage_redis() {
  redis SET event:t00:e7 "$(redis GET event:t00:e7 | jq -c '.kind = "edited"')" > /dev/null
  redis DEL event:t00:e8 event:t00:e8:v > /dev/null
  redis SET event:t00:e9:v "$(redis GET event:t00:e9:v | sed 's/5/4/')" > /dev/null
  redis SET event:t00:e10:v "$(redis GET event:t00:e10:v | sed 's/^.\{16\}/80000000000f4240/')" > /dev/null
  redis SET event:t00:added:v "$(redis GET event:t00:e11:v | sed 's/e11/added/')" > /dev/null
  redis SET event:t00:added "$(redis GET event:t00:e11)" > /dev/null
  # of one that changes all the time
  redis SET event:t01:e45:v "$(redis GET event:t01:e45:v | sed 's/^.\{16\}/80000000000f4240/')" > /dev/null
}

is_written() { [ "$(redis EXISTS event:t01:e45)" = 1 ] || grep -q '"id":"e45"' "$WORK/store/t01/event.json" 2> /dev/null; }

start_redis
use_mapping json
sed -i "s|^verify: .*|verify: { report: $WORK/report, rows_per_second: 2000 }|" "$WORK/drover.yaml"
generate 600 1 5 "$WORK/still.ndjson"
for storage in redis file; do
  say "storage $storage: nothing is wrong, however busy it is"
  export DROVER_STORAGE=$storage DROVER_MIGRATION=${NAME}_$storage DROVER_STORE_DIR=$WORK/store
  redis FLUSHALL > /dev/null
  drover topics apply > "$WORK/topics.log" 2>&1
  drover produce "$WORK/still.ndjson" > "$WORK/produce.log" 2>&1
  expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
  start_worker "$storage"_worker
  busy "$WORK/stop" & BUSY=$!
  PIDS+=("$BUSY")
  wait_until 60 is_written
  verify_busy 5 "0 0 0 0 0 0 0 0 0 0"
  if [ "$storage" = redis ]; then
    say "damage is found"
    damage_redis
    verify_busy 3 "1 1 1 2 0 0 0 1 0 0"
  fi
  ! grep -q "wrong in the store's folder" "$WORK/verify.log" || fail "what is not written yet is called wrong"
  touch "$WORK/stop"
  wait "$BUSY"
  rm "$WORK/stop"
  stop_worker "$storage"_worker
done
say done
