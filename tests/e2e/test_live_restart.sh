#!/usr/bin/env bash
# `drover run` in a real terminal: what the screen holds is compared with tests/e2e/golden/live_*.txt (numbers normalised;
# DROVER_TEST_WRITE_GOLDEN=1 writes them). The work is held by a lock on the table, so that each screen is one moment: long lines
# above the bars, a narrow and a low terminal, a resize, suspend and continue, PostgreSQL and Kafka killed and started again.
. "$(dirname "$0")/lib.sh"

command -v tmux > /dev/null || fail "tmux is missing: run ./dev setup"
GOLDEN=$PWD/tests/e2e/golden
ROOT=$PWD
unset NO_COLOR TMUX
export LC_ALL=C.UTF-8 TERM=screen

terminal() { tmux -S "$WORK/tmux" -f /dev/null "$@"; }
end_terminal() {
  local status=$?
  set +e
  [ "$status" = 0 ] || screen > "$WORK/screen.log" 2> /dev/null
  terminal kill-server 2> /dev/null
  (exit "$status")
  cleanup
}
trap end_terminal EXIT

screen() { terminal capture-pane -p "$@"; }
all_of_it() { screen -S -; }
says() { screen | grep -Eq -- "$1"; }

normalise() {
  sed -E -e 's/[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}/TIME/' -e 's/done [0-9.]+s/done #s/' -e 's/(away|after=) ?[0-9]+:[0-9]+/\1 #/' \
    -e 's/[0-9 ]*[0-9]\/s/#\/s/' -e 's/[0-9.]+ (B|KiB|MiB)( of [0-9.]+ MiB in flight)?/#/g' -e "s/$NAME/NAME/g" \
    -e 's/^error\[.*/error .../' -e 's/^  (cause|where|try): .*/  \1 .../' \
    -e 's/127\.0\.0\.1:[0-9]+/127.0.0.1:PORT/' -e 's/ +$//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

# same NAME: the screen is what the file says, at the latest in a minute
same() {
  local file=$GOLDEN/live_$1.txt end=$(( SECONDS + 60 ))
  if [ -n "${DROVER_TEST_WRITE_GOLDEN:-}" ]; then
    read -rt 3 <> <(:) || true
    mkdir -p "$GOLDEN" && screen | normalise > "$file"
    return
  fi
  until screen | normalise | cmp -s - "$file"; do
    [ "$SECONDS" -lt "$end" ] || { screen | normalise | diff "$file" - >&"$TELL" || true; fail "the screen is not $file"; }
    read -rt 0.2 <> <(:) || true
  done
}

# tmux wraps its lines at once, but tells the program of a second resize within 250 ms only after them: what is drawn between has
# a size that is gone, which no program can know.
resize() {
  read -rt 0.5 <> <(:) || true
  terminal resize-window -x "$1" -y "$2"
}
is_held() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_locks WHERE relation = 'public.event'::regclass AND NOT granted")" -ge 2 ]; }

prepare
generate 3000 10 1 "$WORK/größe.ndjson"
for i in $(seq 12); do
  printf '{"id":"bad%d","tenant":"t01","rev":1,"kind":"%060d",\n' "$i" 0
done >> "$WORK/größe.ndjson"

say "held by a lock, in 80 columns: what is rejected scrolls by above the bars"
psql "$ADMIN" -qc 'BEGIN; LOCK TABLE public.event IN SHARE MODE; SELECT pg_sleep(300)' > /dev/null 2>&1 &
PIDS+=($!)
PATH=$(dirname "$DROVER"):$PATH terminal new-session -d -x 80 -y 24 "cd $WORK && PS1='$ ' exec bash --norc --noprofile"
terminal set-option -g history-limit 5000
terminal send-keys "clear; drover run größe.ndjson --config drover.yaml" Enter
wait_until 60 is_held
wait_until 30 says 'produce .*done'
same held

say "narrow and low, then large"
resize 38 24 # what a low terminal wraps beyond its top is in its history, which no program can take back
wait_until 60 says '^  produce  ██████ 100%'
resize 38 5
same narrow
resize 200 50
same large
equal "blocks on the screen and above it" "$(all_of_it | grep -c '^ *produce ')" 1

say "suspended and continued"
resize 80 24
terminal send-keys C-z
wait_until 20 says 'Stopped'
equal "bars while it is suspended" "$(all_of_it | grep -Ec '^ *(produce|work) ' || true)" 0
terminal send-keys fg Enter
wait_until 20 says '^  work '
equal "blocks after that" "$(all_of_it | grep -c '^ *produce ')" 1

say "PostgreSQL and Kafka are killed"
terminal clear-history
(cd "$ROOT" && ./dev stack kill postgres && ./dev stack kill kafka) > "$WORK/kill.log" 2>&1
wait_until 30 says 'PostgreSQL away .*refused'
wait_until 30 says 'Kafka away .*refused'
same away
resize 60 12
wait_until 20 says 'PostgreSQL away'
equal "outages shown after a resize" "$(all_of_it | grep -c 'PostgreSQL away')" 1

say "and are back"
resize 80 40
(cd "$ROOT" && ./dev stack up) > "$WORK/up.log" 2>&1
wait_until 100 says '^\$$'
terminal send-keys 'echo ended $?' Enter
wait_until 60 says '^ended '
says '^ended 5' || { screen >&"$TELL"; fail "the run did not end with 5"; }
all_of_it > "$WORK/all.log"
equal "news of PostgreSQL" "$(grep -c 'postgres.back' "$WORK/all.log")" 1
equal "news of Kafka" "$(grep -c 'kafka.back' "$WORK/all.log")" 1
equal "stale bars" "$(grep -c '^  work  *[█▏▎▍▌▋▊▉·]' "$WORK/all.log")" 1
equal "lines that only count" "$(grep -Ec '(warn|error|info) +[a-z]+ +[a-z._]+ repeated=' "$WORK/all.log" || true)" 0
! grep -E '^[0-9:.]+ (warn|error)' "$WORK/all.log" || fail "an outage was said in the log as well"
check_wrong <(head -n 3000 "$WORK/größe.ndjson") > "$WORK/wrong.log"
equal "rows that differ" "$(cat "$WORK/wrong.log")" 0

say "the terminal is as it was: the cursor is shown, what is typed is echoed"
equal "the cursor" "$(terminal display-message -p '#{cursor_flag}')" 1
terminal send-keys "echo ty''ped" Enter
wait_until 60 says '^typed'

say "the first run of a new migration has nothing to warn of; off a terminal it is as quiet"
psql "$ROOT_URL" -qc "CREATE DATABASE ${NAME}_new OWNER drover" 
DATABASE_URL=${DATABASE_URL}_new DROVER_MIGRATION=${NAME}_new drover run "$WORK/größe.ndjson" > "$WORK/new.log" 2>&1 || true
psql "$ROOT_URL" -qc "DROP DATABASE ${NAME}_new WITH (FORCE)"
grep -q '^MATCH\|^DIFFERENCES\|reconciled' "$WORK/new.log" || fail "the first run did not come to its verdict"
! grep -E 'level=(warn|error)' "$WORK/new.log" || fail "the first run warns"
say done
