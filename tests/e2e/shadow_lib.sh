# shellcheck shell=bash
# For tests of the example: its folder in the test's own, with Kafka and PostgreSQL of the stack and a Redis of the test's own.
. "$(dirname "$0")/redis_lib.sh"

APP=$WORK/app
cp -r examples/shadow "$APP"
cp "$APP/drover.yaml" "$WORK/drover.yaml"
sed -i -e "s|^migration: .*|state_dir: $WORK/state|" -e "s|\[mappings\]|[$APP/mappings]|" -e "s|\[data\]|[$APP/data]|" \
       -e 's|^kafka: .*|kafka: { partitions: 4, conf: { session.timeout.ms: 6000, heartbeat.interval.ms: 500 } }|' \
       -e "\$averify: { report: $WORK/report }" "$WORK/drover.yaml"
export SHADOW_DATABASE=$ADMIN

load() { node "$APP/load.mjs" --data "$APP/data" "$@"; }

# Whether the tables hold what the files hold; same.out says what differs.
is_same() { python3 tests/shadow/same.py "$APP/data" > "$WORK/same.out" 2>&1; }
