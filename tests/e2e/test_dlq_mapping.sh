#!/usr/bin/env bash
# Dead letters are sent again after their mapping was corrected, while something is not as the person thinks: the mapping is
# not registered yet, the workers still have the older one, or there is no worker. Each is said, with what to do.
. "$(dirname "$0")/lib.sh"

cp tests/e2e/data/event.yaml "$WORK/event.yaml"
sed -i "s|^mappings: .*|mappings: [$WORK/event.yaml]|" "$WORK/drover.yaml"
prepare
cat > "$WORK/bad.ndjson" <<'LINES'
{"id":"long","tenant":"t01","rev":1,"kind":"longer than twelve","amount":1.00}
{"id":"long","tenant":"t02","rev":1,"kind":"longer than twelve","amount":2.00}
{"id":"good","tenant":"t02","rev":1,"kind":"short","amount":2.00}
LINES
drover produce "$WORK/bad.ndjson" > "$WORK/produce.log" 2>&1
start_worker older
is_there() { [ "$(drover dlq stats --json | jq .total)" = 2 ]; }
wait_until 60 is_there

say "the mapping is corrected, and not registered: what would pass is not what workers would do"
expect_exit 5 drover dlq replay --dry-run > "$WORK/before.out" 2>&1
! grep -q DRV-M005 "$WORK/before.out" || fail "a mapping that is registered is told"
sed -i 's/varchar(12)/text/' "$WORK/event.yaml"
expect_exit 0 drover dlq replay --dry-run > "$WORK/untaken.out" 2> "$WORK/untaken.log"
has "$WORK/untaken.out" "2 would pass"
has "$WORK/untaken.out" "workers refuse it (DRV-M005) until drover schema apply takes it over"
expect_exit 0 drover dlq replay --dry-run --json 2> "$WORK/untaken.log" | jq -e '.would_pass == 2' > /dev/null || fail "the answer"
has "$WORK/untaken.log" "DRV-M005"

say "sent all the same: refused again, why, and what to do"
expect_exit 5 drover dlq replay > "$WORK/refused.out" 2> "$WORK/refused.log"
has "$WORK/refused.out" "2 refused again"
grep -Eq "^ +drover\..*-[0-9]+-[0-9]+: .+" "$WORK/refused.out" || fail "no reason beside an id: $(cat "$WORK/refused.out")"
has "$WORK/refused.out" "drover schema apply, then restart the workers"

say "registered, but the worker has the older one still"
drover schema apply --allow widen > "$WORK/schema.log" 2>&1
expect_exit 0 drover dlq replay --dry-run > "$WORK/taken.out" 2>&1
! grep -q DRV-M005 "$WORK/taken.out" || fail "a mapping that is registered is told"
expect_exit 5 drover dlq replay > "$WORK/refused.out" 2> "$WORK/refused.log"
has "$WORK/refused.out" "the workers have an older mapping: restart them"

say "no worker: said however short the wait is"
stop_worker older
expect_exit 5 drover dlq replay --wait 1s > "$WORK/waiting.out" 2> "$WORK/waiting.log"
has "$WORK/waiting.out" "2 waiting"
has "$WORK/waiting.log" "no worker seems to be at work"

say "restarted, they land"
start_worker newer
expect_exit 0 drover dlq replay > "$WORK/landed.out" 2>&1
has "$WORK/landed.out" "2 landed"
! grep -q 'older mapping' "$WORK/landed.out" || fail "said of workers that have the newest"
