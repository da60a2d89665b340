#!/usr/bin/env bash
# The example of examples/shadow, its parts started by hand: while the application writes and deletes, and now and then a record that
# no table takes, the follower and a worker keep the tables like its files; then all of it is verified, in PostgreSQL and Redis.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/shadow_lib.sh"

start_redis
load --fill > "$WORK/fill.out"
prepare
start_worker A
"$DROVER" produce --follow --config "$WORK/drover.yaml" > "$WORK/follow.log" 2>&1 &
FOLLOWER=$!
PIDS+=("$FOLLOWER")
wait_until 60 is_same
load --rate 100 --for 5 --seed 7 --bad 3 > "$WORK/load.out"
say "$(cat "$WORK/load.out")"
[ "$(jq '[.deleted, .bad, .repaired] | min' "$WORK/load.out")" -gt 0 ] || fail "the load is too tame: $(cat "$WORK/load.out")"
wait_until 60 is_same
say "$(cat "$WORK/same.out")"
wait_until 60 is_drained
wait_until 60 redis_is_level
kill -TERM "$FOLLOWER"
expect_exit 143 wait "$FOLLOWER"
stop_worker A
drover verify > "$WORK/verify.out" 2>&1 || { cat "$WORK/verify.out"; fail "verify: a difference, or something that was put right"; }
has "$WORK/verify.out" "redis against the tables"
psql "$ADMIN" -qc "UPDATE app_user SET plan = 'gratis' 
 WHERE (isolation_key, id) = (SELECT isolation_key, id FROM app_user WHERE NOT drover_deleted LIMIT 1)"
! is_same || fail "the comparison of files and rows sees nothing"
say "the application over HTTP"
node "$APP/app.mjs" --data "$APP/data" --port 0 > "$WORK/app.log" &
PIDS+=("$!")
speaks() { grep -q http "$WORK/app.log"; }
wait_until 20 speaks
URL=$(cut -d/ -f1-3 "$WORK/app.log")
curl -sf -X PUT -d '{"name":"Eve","plan":"free"}' "$URL/tenant-01/users/eve"
equal "the user over HTTP" "$(curl -sf "$URL/tenant-01/users/eve" | jq -r .name)" Eve
equal "the user in the file" "$(jq -r .eve.name "$APP/data/tenant-01/users.json")" Eve
curl -sf -X DELETE "$URL/tenant-01/users/eve"
equal "the user in the file" "$(jq -r .eve.name "$APP/data/tenant-01/users.json")" null
say done
