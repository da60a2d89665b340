#!/usr/bin/env bash
# 50,000 records of 50 tenants flow while workers come and go; the same data again changes nothing;
# a lower version never wins; tenants see only their own; and the checks themselves can fail.
. "$(dirname "$0")/lib.sh"

prepare
make_reader
generate 50000 50 5 "$WORK/first.ndjson"

say "workers join and leave while records flow"
start_worker A
start_worker B
drover produce "$WORK/first.ndjson" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
wait_until 60 has_committed 5000
stop_worker A
start_worker C
wait "$PRODUCER" || fail "produce failed"
wait_until 90 is_drained
stop_worker B
check_equal "$WORK/first.ndjson"
for tenant in t00 t07 t49; do check_isolation "$tenant" || fail "isolation of $tenant"; done

say "the verifier agrees, also with the original file"
drover verify --source "$WORK/first.ndjson" > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"
equal "verified matches" "$(jq -r '.counts.match' "$WORK/report/latest/report.json")" 50000

say "the same data again changes nothing"
before=$(written_rows)
drover produce --again "$WORK/first.ndjson" > "$WORK/again.log" 2>&1
wait_until 90 is_drained
equal "the rows behind the repetition" "$(written_rows)" "$before"
equal "unchanged" "$(drover status --json | jq .counts.unchanged)" 50000

say "a lower version after a higher one is superseded, a higher one is applied"
generate 3000 50 4 "$WORK/older.ndjson"
generate 2000 50 6 "$WORK/newer.ndjson"
drover produce "$WORK/older.ndjson" > "$WORK/older.log" 2>&1
drover produce "$WORK/newer.ndjson" > "$WORK/newer.log" 2>&1
wait_until 90 is_drained
check_equal "$WORK/first.ndjson" "$WORK/older.ndjson" "$WORK/newer.ndjson"
equal "superseded" "$(drover status --json | jq .counts.superseded)" 3000
stop_worker C
drover verify > "$WORK/verify2.log" 2>&1 || fail "verify: exit $?"

say "the checks have teeth: a lower version written past the guard is found"
psql "$ADMIN" -qc "UPDATE public.event SET rev = 4, drover_version = 4, amount = amount - 1
                    WHERE isolation_key = 't01' AND id = 'e500'"
equal "rows that differ" "$(check_wrong "$WORK/first.ndjson" "$WORK/older.ndjson" "$WORK/newer.ndjson")" 1
expect_exit 5 drover verify --show-values > "$WORK/verify3.log" 2>&1
grep -q 'e500' "$WORK/verify3.log" || fail "the verifier does not name the record"

say "the checks have teeth: without the policy, isolation fails and workers refuse to start"
psql "$ADMIN" -q -c "ALTER TABLE public.event NO FORCE ROW LEVEL SECURITY" \
                 -c "ALTER TABLE public.event DISABLE ROW LEVEL SECURITY"
! check_isolation t00 > "$WORK/teeth.log" || fail "the isolation check passes without row level security"
expect_exit 6 drover work --until-end > "$WORK/refused.log" 2>&1
grep -q 'DRV-X001' "$WORK/refused.log" || fail "the worker does not say why it refuses"
drover schema apply > "$WORK/repair.log" 2>&1
check_isolation t00 || fail "schema apply does not repair the policies"
psql "$ADMIN" -q -c "DROP POLICY drover_tenant ON public.event" \
                 -c "CREATE POLICY drover_tenant ON public.event USING (true)"
! check_isolation t00 > "$WORK/teeth.log" || fail "the isolation check passes with an open policy"
say done
