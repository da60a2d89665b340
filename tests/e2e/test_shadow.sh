#!/usr/bin/env bash
# The long test of shadow replication: the example's application is changed 500 times a second, with deletes and bad records, while every
# part of drover shadow is killed, PostgreSQL and Kafka are restarted, Redis is emptied and killed. Then the rows are those of the files, and neither
# the verifier that followed nor a full pass found anything. Then rows and Redis keys are damaged in each way there is, and the pass names
# every one, and nothing else; and a row that is written wrong is found by the verifier that follows.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/shadow_lib.sh"

LOAD_S=${SHADOW_LOAD_S:-25} RATE=500 EACH=2
[ -z "${DROVER_TEST_FULL:-}" ] || LOAD_S=7200 EACH=13
SEED=${SHADOW_SEED:-$RANDOM}
RANDOM=$SEED
say "seed $SEED"

start_shadow() {
  "$DROVER" shadow --config "$WORK/drover.yaml" --log-level warn >> "$WORK/shadow.log" 2>&1 &
  SHADOW=$!
  PIDS+=("$SHADOW")
}
# strike PART: one of it; there is none for a moment when it was struck just before
strike() {
  local pid
  pid=$(pgrep -P "$SHADOW" -f "drover $1" | shuf -n 1 --random-source=<(yes "$RANDOM")) && kill -KILL "$pid" 2> /dev/null
}
have_ended() { ! kill -0 $PARTS 2> /dev/null; }
commits() { [ "$(committed 2> /dev/null || echo 0)" -gt "$COMMITTED" ]; }
# told NAME: the number of the shadow's last line; nothing yet: empty
told() { grep '^shadow ' "$WORK/shadow.log" | tail -n 1 | sed -n "s/.* $1=\([0-9]*\).*/\1/p"; }
has_told() { [ "$(told "$1")" "$2" "$3" ] 2> /dev/null; }
full_pass() { drover verify --json --show-values --samples 100000 > "$WORK/report.json" 2> "$WORK/verify.log"; }

# every 10 s a line for each part: when, what, which process, KiB
watch_memory() {
  while read -rt 10 <> <(:) || true; do
    for pid in $(pgrep -f "^[^ ]*drover (produce|work|verify) .*$WORK/drover.yaml"); do
      echo "$SECONDS $(tr '\0' ' ' < "/proc/$pid/cmdline" | cut -d ' ' -f 2) $pid $(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")"
    done 2> /dev/null | grep -E ' [0-9]+$' >> "$WORK/memory" || true
  done
}

# Each of them is followed by work that gets on.
EVENTS=(follower worker verifier shadow postgres kafka redis_emptied redis_killed)
happen() {
  say "$1, after $SECONDS s"
  case $1 in
    follower) wait_until 60 strike produce ;;
    worker) wait_until 60 strike work ;;
    verifier) wait_until 60 strike verify ;;
    shadow) # its parts end in order by themselves
      PARTS=$(pgrep -P "$SHADOW")
      PIDS+=($PARTS)
      kill -KILL "$SHADOW"
      wait "$SHADOW" 2> /dev/null || true
      wait_until 60 have_ended
      start_shadow ;;
    postgres|kafka) ./dev stack restart "$1" >> "$WORK/restart.log" 2>&1 ;;
    redis_emptied) redis FLUSHALL > "$WORK/flush.log" ;;
    redis_killed) kill_redis; start_redis ;;
  esac
  COMMITTED=$(committed)
  wait_until 90 commits
}

start_redis
load --fill > "$WORK/fill.out"
drover schema apply > "$WORK/schema.log" 2>&1
start_shadow
wait_until 90 is_same

load --rate "$RATE" --for "$LOAD_S" --seed "$SEED" > "$WORK/load.out" &
LOAD=$!
PIDS+=("$LOAD")
node tests/shadow/latency.mjs --app "$APP" --data "$APP/data" --every 500 > "$WORK/latency.out" &
PROBE=$!
PIDS+=("$PROBE")
watch_memory &
PIDS+=("$!")
until_end=$(( SECONDS + LOAD_S ))
for event in $(shuf -e "${EVENTS[@]}" --random-source=<(yes "$SEED")); do happen "$event"; done
while [ "$SECONDS" -lt $(( until_end - 60 )) ]; do
  happen "${EVENTS[RANDOM % ${#EVENTS[@]}]}"
  read -rt $(( RANDOM % 20 + 1 )) <> <(:) || true
done
wait "$LOAD" || fail "the load ended with $?"
ended=$SECONDS
kill -TERM "$PROBE"
wait "$PROBE" || fail "the probe ended with $?"
say "from a file to its row, ms, events and all: $(cat "$WORK/latency.out")"
say "the load: $(cat "$WORK/load.out")"
wait_until 240 is_same
say "the tables are level $(( SECONDS - ended )) s after the load: $(cat "$WORK/same.out")"
wait_until 60 is_drained
wait_until 90 redis_is_level
wait_until 90 has_sentinel

wait_until 60 has_told compared -gt 100
equal "discrepancies that nobody made, by the verifier that followed" "$(told discrepancies)" 0
say "the verifier that followed compared $(told compared), and found nothing"

say "a full pass after all of it: the load put all of it right, so nothing is rejected any more, or different"
rejects_none() { full_pass || true; [ "$(jq .counts.rejected "$WORK/report.json")" = 0 ]; }
wait_until 60 rejects_none
equal "differences that nobody made" "$(jq -c '[.samples[], .redis_samples[] | select(.verdict | IN("dead_lettered", "resolved") | not)] | map([.verdict, .entity, .tenant, .id])' "$WORK/report.json")" '[]'
equal "Redis" "$(jq -c '.redis | [.different, .stale, .target_newer, .missing, .extra, .unowned]' "$WORK/report.json")" '[0,0,0,0,0,0]'
equal "records dead-lettered for good" "$(jq .counts.dead_lettered "$WORK/report.json")" 0

say "damage"
python3 tests/shadow/corrupt.py "$WORK/planted" --each "$EACH" --seed "$SEED"
expect_exit 5 full_pass
python3 tests/shadow/check.py "$WORK/planted" "$WORK/report.json" || fail "the full pass and what was planted differ"
say "a row that is written wrong"
psql "$ADMIN" -q <<'END'
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || '!'; RETURN NEW; END $$;
CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON app_user FOR EACH ROW WHEN (NEW.id = 'watched') EXECUTE FUNCTION spoil();
END
node --input-type=module -e "import { Store } from '$APP/app.mjs'; new Store('$APP/data').put('tenant-01', 'users', 'watched', { id: 'watched', name: 'Ada', plan: 'free' });"
wait_until 60 has_told discrepancies -eq 1
say "memory"
python3 tests/shadow/memory.py "$WORK/memory"
kill -TERM "$SHADOW"
expect_exit 5 wait "$SHADOW"
say done
