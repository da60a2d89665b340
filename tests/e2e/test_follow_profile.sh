#!/usr/bin/env bash
# drover produce --follow beside a browser that runs: LevelDB appends, begins new logs and writes its tables anew, and the
# profile stays the same source. What changed is sent once, what did not is neither sent again nor deleted.
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
LEVELDB="$IN/profile/Default/Local Storage/leveldb"
WRITER=$(dirname "$DROVER")/tests/integration_chromium_profile # with `write` it is a browser that runs
SEED=${PROFILE_SEED:-$RANDOM}
RANDOM=$SEED
STEPS=12 ROUNDS=8
[ -z "${DROVER_TEST_FULL:-}" ] || STEPS=300 ROUNDS=300
mkdir -p "$LEVELDB"
cp tests/e2e/data/pref.yaml "$WORK/pref.yaml"
sed -i "s#^mappings:.*#mappings: [$WORK/pref.yaml]#" "$WORK/drover.yaml"
prepare
start_worker worker

declare -A HELD WROTE # name: its n; how often it was written
printf -v PAD '%3000s' ''
write() { # NAME N: padded by its n, so that logs fill
  printf 'pref_%s\t{"tenant":"t","n":%d,"pad":"%s"}\n' "$1" "$2" "${PAD:0:$(( $2 * 977 % 3000 ))}" >&5
  HELD[$1]=$2
  WROTE[$1]=$(( ${WROTE[$1]:-0} + 1 ))
}
remove() {
  printf 'pref_%s\n' "$1" >&5
  unset "HELD[$1]"
  WROTE[$1]=$(( ${WROTE[$1]:-0} + 1 ))
}
mark() { write marker $(( ++MARK )); }
held() { for name in "${!HELD[@]}"; do echo "$name ${HELD[$name]}"; done | LC_ALL=C sort; }
stored() { psql "$ADMIN" -Atc "SELECT name || ' ' || n FROM pref WHERE NOT drover_deleted" | LC_ALL=C sort; }
is_stored() { kill -0 "$FOLLOWER" "$BROWSER" 2>/dev/null || fail "seed $SEED: a program has ended"; [ "$(stored)" = "$HOLDS" ]; }
wait_stored() { HOLDS=$(held); wait_until 60 is_stored; }
files() { find "$LEVELDB" -name "$1" -printf '%f\n' | sort; }
rows() { psql "$ADMIN" -Atc "SELECT md5(string_agg(name || ctid::text || xmin::text, ',' ORDER BY name)) FROM pref WHERE name LIKE '$1%'"; }
start_follower() {
  local before
  before=$(grep -cF follow.waiting "$WORK/follow.log" 2>/dev/null || true)
  "$DROVER" produce --follow "$IN" --scan 200ms --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follow.log" 2>&1 &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
  wait_until 60 waits $(( ${before:-0} + 1 ))
}
waits() { [ "$(grep -cF follow.waiting "$WORK/follow.log")" -ge "$1" ]; }
stop_follower() {
  local status=0
  kill -TERM "$FOLLOWER"
  wait "$FOLLOWER" || status=$?
  equal "exit code of the follower" "$status" 143
}

mkfifo "$WORK/entries"
"$WRITER" write "$LEVELDB" < "$WORK/entries" > "$WORK/writer.log" 2>&1 &
BROWSER=$!
PIDS+=("$BROWSER")
exec 5> "$WORK/entries"
MARK=0
for i in {0..9}; do write "still$i" 1; write "key$i" 1; done
mark
SENT=${#HELD[@]}
is_there() { [ -e "$LEVELDB/CURRENT" ]; }
wait_until 60 is_there
start_follower
wait_stored

echo "seed $SEED"
say "step by step: what was changed is sent, once"
for (( step = 1; step <= STEPS; step++ )); do
  LOGS=$(files '*.log') TABLES=$(files '*.ldb') # of the step before
  case $(( step % 6 )) in
    0) CASE=compact; echo '!compact' >&5 ;;
    1) CASE=again; echo '!again' >&5 ;;
    2) CASE=fill; for (( i = 0; i < 40; i++ )); do write "still$(( RANDOM % 10 ))" 1; write "fill$i" $(( step * 100 + i )); done
       SENT=$(( SENT + 40 )) ;;
    3) CASE=remove
       for i in $(shuf -i 0-39 -n 5 --random-source=<(yes "$RANDOM")); do [ -z "${HELD[fill$i]:-}" ] || { remove "fill$i"; SENT=$(( SENT + 1 )); }; done ;;
    *) CASE=change
       for i in $(shuf -i 0-9 -n $(( RANDOM % 5 + 1 )) --random-source=<(yes "$RANDOM")); do write "key$i" $(( step * 100 + RANDOM % 100 )); SENT=$(( SENT + 1 )); done ;;
  esac
  mark # the follower has read what was written before it
  SENT=$(( SENT + 1 ))
  wait_stored
  case $CASE in
    again | fill) [ "$(files '*.log')" != "$LOGS" ] || fail "seed $SEED, step $step: no new log" ;;
    compact) [ "$(files '*.ldb')" != "$TABLES" ] || fail "seed $SEED, step $step: no new table" ;;
  esac
  equal "seed $SEED, step $step ($CASE): messages" "$(committed)" "$SENT"
done

say "the browser starts again and compacts while nobody follows: nothing is sent"
stop_follower
mark
echo '!again' >&5
echo '!compact' >&5
write still0 1
start_follower
SENT=$(( SENT + 1 )) # the marker
wait_stored
wait_until 60 is_drained
equal "messages" "$(committed)" "$SENT"

say "while it is read: what stays is not written again, what was written is sent once at most, and never after what is newer"
STILL=$(rows still)
LAST=1000000
split() { grep -c 'event=follow\.produced.* left=[1-9]' "$WORK/follow.log" || true; } # readings with a change between their two passes
exec {NEVER}<> <(:)
pause() { read -rt "$1" -u "$NEVER" || true; }
copied() { compgen -G "/dev/shm/drover-profile-$FOLLOWER-*" > /dev/null; }
passes() { # until so many passes have made their copy and removed it: the first one is often of a burst half written
  local until=$(( SECONDS + 2 )) left
  for (( left = $1; left > 0; left-- )); do
    until copied || (( SECONDS > until )); do pause 0.002; done
    while copied && (( SECONDS <= until )); do pause 0.002; done
  done
  pause "0.0$(( RANDOM % 4 ))"
}
for (( round = 1; round <= ROUNDS || ( SECONDS < 90 && $(split) == 0 ); round++ )); do
  for (( burst = RANDOM % 6; burst >= 0; burst-- )); do # several of them within one reading
    MOVES=$(( RANDOM % 3 )) # 0: what is there gets other values, and no entry another place
    for (( i = RANDOM % 20; i >= 0; i-- )); do
      name=key$(( RANDOM % 30 ))
      [ -n "${HELD[$name]:-}" ] || (( MOVES )) || continue
      if (( MOVES == 0 || RANDOM % 5 )); then write "$name" $(( ++LAST )); else remove "$name"; fi
    done
    case $(( RANDOM % 8 )) in 0) echo '!again' >&5 ;; 1) echo '!compact' >&5 ;; 2) write "still$(( RANDOM % 10 ))" 1 ;; esac
    mark
    # the browser's pace
    if (( RANDOM % 2 )); then passes $(( RANDOM % 2 + 1 )); else pause "0.0$(( RANDOM % 10 ))"; fi
  done
  wait_stored
done
wait_until 60 is_drained
equal "seed $SEED: rows of what stayed" "$(rows still)" "$STILL"
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -e -q -f '%k %S %s\n' | sed -E 's/^([^ ]*) ([^ ]*).*"n":([0-9]+).*/\1 \2 \3/' > "$WORK/messages"
equal "messages" "$(wc -l < "$WORK/messages")" "$(committed)"
[ "$(grep -c still "$WORK/messages")" = 10 ] || fail "seed $SEED: what stayed was sent again, or deleted"
for name in "${!WROTE[@]}"; do
  case $name in still*) continue ;; esac
  COUNT=$(grep -cE "[^a-z]$name[^0-9]" "$WORK/messages" || true)
  [ "$COUNT" -le "${WROTE[$name]}" ] || fail "seed $SEED: $name was written ${WROTE[$name]} times and sent $COUNT times"
done
AGAIN=$(awk '$2 >= 0 && $1 in last && $3 + 0 <= last[$1] { print $1 ": " $3 " after " last[$1] } $2 >= 0 { last[$1] = $3 + 0 }' "$WORK/messages")
equal "seed $SEED: sent again, or after what is newer" "$AGAIN" ""
equal "seed $SEED: markers that were deleted" "$(grep -cE 'marker.* -1 *$' "$WORK/messages" || true)" 0
echo "$(( $(wc -l < "$WORK/messages") - SENT )) messages of $(( round - 1 )) rounds; changed between two passes: $(split) readings"

stop_follower
exec 5>&-
wait "$BROWSER" || fail "the profile's writer ended with $?"
stop_worker worker
say done
