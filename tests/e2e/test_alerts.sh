#!/usr/bin/env bash
# Alerts as a person sets them up: `drover alert test` tells programs and webhooks, names what cannot be told, and nothing
# that is printed or logged holds a webhook's secret. That a breach is told once, and its end once: integration.alerts.
. "$(dirname "$0")/lib.sh"

python3 tests/support/webhook_server.py "$WORK/requests" > "$WORK/port" &
PIDS+=($!)
wait_until 60 test -s "$WORK/port"
HOOK=http://watch:S3CR3T-pass@127.0.0.1:$(< "$WORK/port")/S3CR3T
mkdir "$WORK/bin"
cat > "$WORK/bin/page" <<END
#!/bin/sh
cat >> "$WORK/told"
printf '%s\n' "\$@" >> "$WORK/args"
echo "\$DROVER_ALERT_STATE \$DROVER_ALERT_TEST \${DATABASE_URL:-none}" >> "$WORK/variables"
"$DROVER" version > "$WORK/version.log" 2>&1 # drover within an alert: its variables are no settings
ls -l /proc/\$\$/fd > "$WORK/descriptors"
echo "the program's own words"
printf 'red \\033[31m\\n'
head -c 100000 /dev/zero | tr '\\0' 'x' >&2
END
chmod +x "$WORK/bin/page"

# alerts TEXT…: the settings with these alerts
alerts() {
  { cat "$WORK/plain.yaml"; echo "alerts_timeout: 60s"; echo "alerts_attempts: 3"; echo "alerts:"; printf '  - %s\n' "$@"; } > "$WORK/drover.yaml"
}
cp "$WORK/drover.yaml" "$WORK/plain.yaml"

say "a program and webhooks"
alerts "{ when: discrepancy_rate > 0.01 % for 5m, exec: [./bin/page, --token, S3CR3T-word, 'two words'] }" \
       "{ when: lag_seconds > 60 for 2m, webhook: '$HOOK/ok?key=S3CR3T' }" \
       "{ when: dead_lettered over 1h > 0, webhook_env: HOOK_OF_TEST }"
export HOOK_OF_TEST=$HOOK/flaky
drover alert test > "$WORK/out.log" 2> "$WORK/err.log" || { cat "$WORK/err.log" >&2; fail "a message was not told"; }
equal "messages told" "$(grep -c '^✓ alert [123]  \(firing\|over  \)' "$WORK/out.log")" 6
grep -q '^✓ alert 3  firing  webhook http://127.0.0.1:[0-9]*/… (3 attempts)$' "$WORK/out.log" || fail "the webhook was not called again"
grep -q "the program's own words" "$WORK/err.log" || fail "what a program says is not shown"
grep -qF 'red \x1B[31m' "$WORK/err.log" || fail "a control character is not quoted"
! grep -q "$(printf '\033')" "$WORK/err.log" || fail "a control character is printed"
equal "how much was cut is said" "$(grep -c '… 100 000 bytes more, not shown' "$WORK/err.log")" 2
equal "states told to the program" "$(jq -sc '[.[].state]' "$WORK/told")" '["firing","over"]'
equal "one breach" "$(jq -sc '[.[].id] | unique | length' "$WORK/told")" 1
equal "what is told" "$(jq -sc '.[0] | [.kind, .test, .migration, .when, .metric, .value, .limit]' "$WORK/told")" \
  "[\"alert\",true,\"$NAME\",\"discrepancy_rate > 0.01 % for 5m\",\"discrepancy_rate\",null,0.0001]"
equal "arguments" "$(head -3 "$WORK/args" | paste -sd,)" "--token,S3CR3T-word,two words"
equal "variables" "$(paste -sd, "$WORK/variables")" "firing true none,over true none"
grep -q '^drover ' "$WORK/version.log" || fail "drover cannot be called by an alert's program"
equal "requests taken" "$(grep -c '^/S3CR3T/ok?key=S3CR3T {"kind":"alert"' "$WORK/requests")" 2
equal "requests of the flaky one" "$(grep -c '^/S3CR3T/flaky {' "$WORK/requests")" 4

say "what cannot be told is named, and the others are told all the same"
printf '#!/nowhere/shell\n' > "$WORK/bin/broken"
chmod +x "$WORK/bin/broken"
alerts "{ when: lag_records > 5, webhook: '$HOOK/refused' }" \
       "{ when: lag_records > 5, webhook: '$HOOK/moved' }" \
       "{ when: lag_records > 5, webhook: 'http://watch:S3CR3T-pass@127.0.0.1:1/S3CR3T' }" \
       "{ when: lag_records > 5, exec: ['false'] }" \
       "{ when: lag_records > 5, exec: [./bin/broken] }" \
       "{ when: lag_records > 5, exec: ['true'] }"
expect_exit 4 drover alert test > "$WORK/out.log" 2> "$WORK/err.log"
for said in '✗ alert 1  firing  webhook http://127.0.0.1:[0-9]*/…: HTTP 404$' '✗ alert 2  over    .*: HTTP 302$' \
            '✗ alert 3  firing  webhook http://127.0.0.1:1/…: Couldn.t connect to server (3 attempts)$' \
            '✗ alert 4  firing  exec false: the program ended with 1$' \
            '✗ alert 5  over    exec .*/bin/broken: the program cannot be started: no such file or directory$' '✓ alert 6  over    exec true$'; do
  grep -q -- "$said" "$WORK/out.log" || { cat "$WORK/out.log" >&2; fail "'$said' is not said"; }
done
grep -q 'DRV-A001.*10 of 12 messages could not be told' "$WORK/err.log" || fail "the sum is not said"

say "what does not end, or does not answer, is given up in time"
alerts "{ when: lag_records > 5, exec: [sleep, '600'] }" "{ when: lag_records > 5, webhook: '$HOOK/slow' }"
expect_exit 4 env DROVER_ALERTS_TIMEOUT=2s DROVER_ALERTS_ATTEMPTS=1 "$KEEPER" alert test --config "$WORK/drover.yaml" > "$WORK/out.log" 2> "$WORK/err.log"
equal "programs given up" "$(grep -c 'exec sleep: the program did not end in time' "$WORK/out.log")" 2
equal "webhooks given up" "$(grep -c 'webhook .*: Timeout was reached' "$WORK/out.log")" 2

say "mistakes are told with their place"
mistake() { # TEXT ALERT
  local command
  alerts "$2"
  for command in 'alert test' 'config check' 'verify --follow'; do
    # shellcheck disable=SC2086
    expect_exit 3 drover $command > "$WORK/out.log" 2>&1
    grep -qF -- "$1" "$WORK/out.log" || { cat "$WORK/out.log" >&2; fail "'$1' is not said of: $2, by $command"; }
    grep -q 'drover.yaml:[0-9]' "$WORK/out.log" || fail "the place is not said of: $2, by $command"
    ! grep S3CR3T "$WORK/out.log" || fail "a secret is shown of: $2, by $command"
  done
}
mistake 'did you mean "discrepancy_rate"?' "{ when: discrepancy_rat > 1 %, exec: [page] }"
mistake 'must tell one' "{ when: lag_seconds > 1 }"
mistake 'the webhook of $HOOK_NOT_SET is not there' "{ when: lag_seconds > 1, webhook_env: HOOK_NOT_SET }"
mistake 'a % behind full_pass_problems, which is no rate' "{ when: full_pass_problems > 1 %, exec: ['true'] }"
mistake 'discrepancy_rate can never pass: 1' "{ when: discrepancy_rate > 1, exec: ['true'] }"
mistake 'webhook names no host' "{ when: lag_seconds > 1, webhook: 'https://u:S3CR3T@/S3CR3T' }"
mistake 'webhook is no http or https URL' "{ when: lag_seconds > 1, webhook: 'ftp://u:S3CR3T@h/S3CR3T' }"
export HOOK_WITHOUT_HOST=https:///S3CR3T
mistake 'the webhook of $HOOK_WITHOUT_HOST names no host' "{ when: lag_seconds > 1, webhook_env: HOOK_WITHOUT_HOST }"
mistake "cannot be started: $WORK/./bin/missing" "{ when: lag_seconds > 1, exec: [./bin/missing] }"
mistake 'it is in no folder of $PATH' "{ when: lag_seconds > 1, exec: [no-such-pager] }"
touch "$WORK/bin/plain"
mistake 'chmod +x' "{ when: lag_seconds > 1, exec: [./bin/plain] }"
alerts "{ when: lag_seconds > 1, exec: [./bin/page] }" "{ when: lag_seconds > 1, exec: ['true'] }"
drover config check > "$WORK/out.log" 2>&1 || { cat "$WORK/out.log" >&2; fail "good targets are refused"; }
cp "$WORK/plain.yaml" "$WORK/drover.yaml"
expect_exit 3 drover alert test > "$WORK/out.log" 2>&1
grep -q 'DRV-C009.*no alerts' "$WORK/out.log" || fail "that there are none is not said"

say "no secret is shown"
alerts "{ when: lag_seconds > 60, exec: [page, --token, S3CR3T-word, '--api-secret=S3CR3T'] }" "{ when: lag_seconds > 60, webhook: '$HOOK/ok?key=S3CR3T' }"
drover config show > "$WORK/show.log"
drover config show --origins > "$WORK/origins.log"
drover config show --json > "$WORK/show_json.log"
grep -q '^    webhook: "http://127.0.0.1:[0-9]*/…"$' "$WORK/show.log" || { cat "$WORK/show.log" >&2; fail "the webhook's host is not shown"; }
! grep -l S3CR3T "$WORK"/*.log || fail "a secret is shown"

say "a follower tells once that something is wrong, and once that it is over"
prepare
rm -f "$WORK/told" "$WORK/requests" "$WORK/args" "$WORK/variables"
alerts "{ when: lag_records > 50 for 1s, exec: [./bin/page] }" \
       "{ when: dead_lettered over total >= 1, webhook: '$HOOK/ok?key=S3CR3T' }" \
       "{ when: lag_records > 50, exec: ['false'] }"
start_follower() {
  "$DROVER" verify --follow --json --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follower.log" 2>> "$WORK/follower_err.log" &
  PIDS+=($!)
  FOLLOWER=$!
}
end_follower() { local status=0; kill -TERM "$FOLLOWER"; wait "$FOLLOWER" || status=$?; equal "exit code of the follower" "$status" 0; }
told() { [ "$(jq -rsc --arg state "$1" '[.[] | select(.state == $state)] | length' "$WORK/told" 2> /dev/null)" = "$2" ]; }
requests() { [ "$(grep -c '"metric":"dead_lettered"' "$WORK/requests" 2> /dev/null)" = "$1" ]; }
compared() { [ "$(tail -n 1 "$WORK/follower.log" | jq .compared)" -ge "$1" ]; }
start_follower
wait_until 60 grep -q follow.begun "$WORK/follower_err.log"
generate 200 1 1 "$WORK/one.ndjson"
echo '{"id":"bad","tenant":"t01","rev":1,"kind":"a word that is too long for it"}' > "$WORK/bad.ndjson"
drover produce "$WORK/one.ndjson" "$WORK/bad.ndjson" > "$WORK/produce.log" 2>&1
wait_until 120 told firing 1
start_worker worker
wait_until 120 told over 1
wait_until 120 requests 1
equal "the lag told" "$(jq -sc '.[0] | [.when, .test, .value > 50]' "$WORK/told")" '["lag_records > 50 for 1s",false,true]'
equal "descriptors of the follower that a program has: its standard input" "$(grep -cE '(socket|pipe|anon_inode):' "$WORK/descriptors")" 1
grep -q 'alert.firing when="lag_records > 50 for 1s" alert=1 attempts=1' "$WORK/follower_err.log" || fail "the log does not say that it was told"
grep -q 'alert.not_told cause="the program ended with 1" code=DRV-A001 alert=3' "$WORK/follower_err.log" || fail "the log does not say that one was not told"

say "a follower that was killed does not tell it again"
kill -9 "$FOLLOWER"; wait "$FOLLOWER" 2> /dev/null || true
start_follower
begun_twice() { [ "$(grep -c follow.begun "$WORK/follower_err.log")" -ge 2 ]; }
wait_until 60 begun_twice
generate 20 1 2 "$WORK/two.ndjson"
drover produce "$WORK/two.ndjson" >> "$WORK/produce.log" 2>&1
wait_until 120 compared 220
end_follower
requests 1 || fail "the dead letters were told again"
told firing 1 && told over 1 || fail "the lag was told again"
! grep -l S3CR3T "$WORK"/*.log || fail "a secret is shown"
