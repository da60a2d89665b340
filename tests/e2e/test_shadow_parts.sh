#!/usr/bin/env bash
# drover shadow: a part that is killed comes back, one that fails ends all with its exit code, SIGTERM ends them in order, and what
# leaves no part to run is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/shadow_lib.sh"

children() { pgrep -P "$SHADOW" -f "drover $1" || true; }
runs() { [ "$(children "$1" | wc -l)" = "$2" ]; }
start_shadow() {
  "$DROVER" shadow --config "$WORK/drover.yaml" --json "$@" > "$WORK/shadow.json" 2> "$WORK/shadow.log" &
  SHADOW=$!
  PIDS+=("$SHADOW")
}
end_shadow() {
  kill -TERM "$SHADOW"
  expect_exit "$1" wait "$SHADOW"
  equal "the last line" "$(tail -n 1 "$WORK/shadow.json" | jq -c '[.kind, .exit_code, .end]')" "[\"shadow\",$1,\"stopped\"]"
  cp "$WORK/shadow.json" "$DROVER_TEST_DOCUMENTS/shadow.$SHADOW"
}

start_redis
load --fill > "$WORK/fill.out"

say "what is refused"
expect_exit 2 drover shadow --no-produce --workers 0 --no-verify 2> "$WORK/refused.log"
has "$WORK/refused.log" "no part would run on this host"
expect_exit 2 drover shadow --storage memory 2> "$WORK/memory.log"

say "a part whose shadow was killed before the part could ask to be told"
for part in "produce --follow" work "verify --follow"; do
  # shellcheck disable=SC2086
  DROVER_PARENT_PID=1 DROVER_PROGRESS_FD=1 expect_exit 143 timeout 60 "$DROVER" $part --config "$WORK/drover.yaml" > "$WORK/part.out" 2> "$WORK/part.log"
done

say "its parts are killed, again and again"
start_shadow
wait_until 90 is_same

say "a mapping is changed meanwhile: a part that is killed is not started with it beside the others, and the rows stay"
rows() { psql "$ADMIN" -Atc "SELECT count(*) FROM app_user WHERE NOT drover_deleted"; }
ROWS=$(rows)
cp "$APP/mappings/user.yaml" "$WORK/user.yaml"
sed -i 's/^key: .*/key: [name]/' "$APP/mappings/user.yaml"
kill -KILL "$(children produce)"
expect_exit 3 wait "$SHADOW"
has "$WORK/shadow.log" "error[DRV-M005]: a mapping was changed while drover shadow runs"
cp "$WORK/user.yaml" "$APP/mappings/user.yaml"
equal "rows" "$(rows)" "$ROWS"
start_shadow
wait_until 90 is_same

say "files with one record, and with none: objects keyed by id all the same"
change() { node --input-type=module -e "import { Store } from '$APP/app.mjs'; new Store('$APP/data').$1;"; }
change "put('tenant-new', 'users', 'ada', { id: 'ada', name: 'Ada', plan: 'free' })"
wait_until 60 is_same
change "remove('tenant-new', 'users', 'ada')"
equal "the file" "$(< "$APP/data/tenant-new/users.json")" '{}'
wait_until 60 is_same

say "a verifier that is killed in the middle of a full pass is started again, and the pass ends with it"
has_pass() {
  local verifier
  verifier=$(children verify)
  [ -n "$verifier" ] && pgrep -P "$verifier" -f -- --no-follow > "$WORK/pass"
}
sed 's/^verify: {/verify: { rows_per_second: 20, full_every: 1s,/' "$WORK/drover.yaml" > "$WORK/slow.yaml"
kill -TERM "$SHADOW"
expect_exit 0 wait "$SHADOW"
"$DROVER" shadow --config "$WORK/slow.yaml" --json > "$WORK/shadow.json" 2> "$WORK/shadow.log" &
SHADOW=$!
PIDS+=("$SHADOW")
wait_until 60 has_pass
kill -KILL "$(children verify)"
is_over() { ! kill -0 "$(< "$WORK/pass")" 2> /dev/null; }
wait_until 30 is_over
wait_until 30 grep -q 'shadow.restart.*verify' "$WORK/shadow.log"
kill -TERM "$SHADOW"
expect_exit 0 wait "$SHADOW"
start_shadow
wait_until 60 runs produce 1
wait_until 60 runs work 2
wait_until 60 runs verify 1
for round in 1 2 3; do
  before=$(grep -c shadow.restart "$WORK/shadow.log" || true)
  kill -KILL $(children produce) $(children work) $(children verify)
  restarted() { [ "$(grep -c shadow.restart "$WORK/shadow.log")" -gt "$before" ]; }
  wait_until 30 restarted
  wait_until 60 runs produce 1
  wait_until 60 runs work 2
  wait_until 60 runs verify 1
  load --rate 40 --for 1 --seed "$round" > "$WORK/load.out"
done
wait_until 90 is_same
wait_until 90 is_drained
told() { jq -c 'select(.kind == "shadow_progress" and .work.restarts >= 6 and .produce.restarts >= 3 and .verify.restarts >= 3 and .verify.compared > 0)' "$WORK/shadow.json" > "$WORK/told.json"; [ -s "$WORK/told.json" ]; }
wait_until 60 told
PARTS=$(children produce; children work; children verify)
end_shadow 0
for pid in $PARTS; do ! kill -0 "$pid" 2> /dev/null || fail "a part of it still runs"; done
equal "how its parts ended" "$(tail -n 1 "$WORK/shadow.json" | jq -c '.children | map([.kind, .exit_code])')" '[["produce",143],["verify",0],["work",0],["work",0]]'

say "the workers elsewhere, the follower here"
start_worker A
start_shadow --no-verify --workers 0
load --rate 40 --for 2 --seed 9 > "$WORK/load.out"
wait_until 90 is_same
end_shadow 0
stop_worker A

say "on a terminal: a view in place, and Ctrl-C"
terminal() { env -u TMUX LC_ALL=C.UTF-8 TERM=screen tmux -S "$WORK/tmux" -f /dev/null "$@"; }
shows() { terminal capture-pane -p | grep -Eq -- "$1" || { terminal capture-pane -p > "$WORK/screen.log"; return 1; }; }
terminal new-session -d -x 100 -y 20 "'$DROVER' shadow --no-verify --config '$WORK/drover.yaml'; echo exit \$?; read -r"
PIDS+=("$(terminal display-message -p '#{pid}')")
wait_until 60 shows '^  work +[0-9 ]+ of [0-9 ]+ committed · lag 0 '
shows '^  produce +[0-9 ]+ sent$' || fail "the view has no line of the producer"
shows '^  verify +elsewhere · drover verify --follow$' || fail "the view has no line of the verifier"
terminal send-keys C-c
wait_until 60 shows '^exit 0$'
shows '^shadow ended: told to end$' || fail "it does not say how it ended"
terminal kill-server

say "a part that fails ends all of it"
start_shadow --no-verify
wait_until 60 runs produce 1
wait_until 60 is_same
expect_exit 1 "$DROVER" shadow --no-verify --workers 1 --config "$WORK/drover.yaml" > "$WORK/other.out" 2> "$WORK/other.log" # the state is the first one's
has "$WORK/other.log" "shadow ended: drover produce failed"
end_shadow 0
say done
