#!/usr/bin/env bash
# A browser profile that makes LevelDB assert, or whose reader is killed, costs that source alone: the others arrive,
# it is said, and no copy of it is left in shared memory.
. "$(dirname "$0")/lib.sh"

WRITER=$(dirname "$DROVER")/tests/integration_chromium_damage
sed -i "s#^mappings:.*#mappings: [$PWD/schemas/mappings/chat_session.yaml]#" "$WORK/drover.yaml"
prepare
mkdir "$WORK/damaged" "$WORK/sound"
"$WRITER" assert "$WORK/damaged"
"$WRITER" write "$WORK/sound"
echo '{"current_tenant_id":"t0","chat_session_of_the_dump":"[{}]"}' > "$WORK/dump.json"

# copies_of PID…: what is left of those processes
copies_of() { local pid; for pid in "$@"; do compgen -G "/dev/shm/drover-profile-$pid-*" || true; done; }

say "the damaged one is named; the other sources arrive"
status=0
"$DROVER" produce "$WORK/damaged/p" "$WORK/sound/p" "$WORK/dump.json" --tenant t0 --config "$WORK/drover.yaml" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
wait "$PRODUCER" || status=$?
equal "exit code" "$status" 5
grep -qF 'DRV-S012' "$WORK/produce.log" || fail "the damaged profile was not named: $(cat "$WORK/produce.log")"
grep -qF 'signal 6' "$WORK/produce.log" || fail "how LevelDB ended was not said: $(cat "$WORK/produce.log")"
! grep -qi 'assertion' "$WORK/produce.log" || fail "the library's own words are on the screen"
equal "copies left" "$(copies_of "$PRODUCER")" ""
drover work --until-end > "$WORK/work.log" 2>&1 || fail "work: $(tail -n 5 "$WORK/work.log")"
equal "sessions" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM chat_sessions")" 41
say done
