#!/usr/bin/env bash
# The folder of the report is tried before anything else, by every command that writes one, and by doctor; and a report that cannot be
# written after all takes no verdict with it.
. "$(dirname "$0")/lib.sh"

generate 200 2 1 "$WORK/event.ndjson"
touch "$WORK/file"
bad=$WORK/file/report

say "nothing is begun"
expect_exit 3 drover run "$WORK/event.ndjson" --report "$bad" > "$WORK/run.txt" 2>&1
grep -q '^error\[DRV-Y006\]: the report cannot be written there' "$WORK/run.txt" || fail "$(cat "$WORK/run.txt")"
grep -q 'Not a directory' "$WORK/run.txt" || fail "no cause: $(cat "$WORK/run.txt")"
equal "tables" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'drover')")" 0
! grep -q 'create' "$WORK/run.txt" || fail "topics were made"
expect_exit 3 drover run --storage memory "$WORK/event.ndjson" --report "$bad" > "$WORK/memory.txt" 2>&1
grep -q 'DRV-Y006' "$WORK/memory.txt" || fail "$(cat "$WORK/memory.txt")"
expect_exit 3 env KAFKA_BROKERS=127.0.0.1:1 "$DROVER" verify --config "$WORK/drover.yaml" --report "$bad" > "$WORK/verify.txt" 2>&1
grep -q 'DRV-Y006' "$WORK/verify.txt" || fail "$(cat "$WORK/verify.txt")"

say "doctor"
prepare
DROVER_VERIFY_REPORT=$bad expect_exit 3 drover doctor > "$WORK/doctor.txt" 2>&1
grep -q '✗ report .*DRV-Y006' "$WORK/doctor.txt" || fail "$(cat "$WORK/doctor.txt")"
mkdir -p "$WORK/taken/latest/mine" "$WORK/page"
echo mine > "$WORK/page/latest"
for taken in taken page; do
  DROVER_VERIFY_REPORT=$WORK/$taken expect_exit 3 drover doctor > "$WORK/doctor2.txt" 2>&1
  grep -q "✗ report .*it is neither drover's link nor its copy" "$WORK/doctor2.txt" || fail "$(cat "$WORK/doctor2.txt")"
  expect_exit 3 drover verify --report "$WORK/$taken" > "$WORK/verify.txt" 2>&1
  grep -q 'DRV-Y006' "$WORK/verify.txt" || fail "$(cat "$WORK/verify.txt")"
done
drover doctor > "$WORK/doctor3.txt" 2>&1 || fail "$(cat "$WORK/doctor3.txt")"
grep -q '✓ report' "$WORK/doctor3.txt" || fail "$(cat "$WORK/doctor3.txt")"
[ ! -e "$WORK/report" ] || fail "doctor made something"
psql "$ADMIN" -qc "ALTER TABLE public.event DROP COLUMN rev, ADD COLUMN rev int8 GENERATED ALWAYS AS (5) STORED"
expect_exit 3 drover doctor > "$WORK/doctor4.txt" 2>&1
grep -q '✗ postgres .*column rev of public.event is GENERATED ALWAYS' "$WORK/doctor4.txt" || fail "$(cat "$WORK/doctor4.txt")"
psql "$ADMIN" -qc "ALTER TABLE public.event DROP COLUMN rev, ADD COLUMN rev int8 NOT NULL"

say "the disk is full at the end: the verdict is there"
drover run "$WORK/event.ndjson" > "$WORK/good.txt" 2>&1 || fail "$(cat "$WORK/good.txt")"
# limited KIB FILE: verify, whose files may have so many KiB; what it prints goes to FILE
limited() {
  ( trap '' XFSZ; ulimit -f "$1"; exec "$DROVER" verify --config "$WORK/drover.yaml" --report "$WORK/full" ) 2>&1 | cat > "$2"
  return "${PIPESTATUS[0]}"
}
expect_exit 3 limited 0 "$WORK/full.txt"
grep -q 'DRV-Y006' "$WORK/full.txt" || fail "$(cat "$WORK/full.txt")"
! grep -q '^MATCH' "$WORK/full.txt" || fail "it compared before it tried the folder"
expect_exit 3 limited 1 "$WORK/little.txt"
grep -q '^MATCH' "$WORK/little.txt" || fail "no verdict: $(cat "$WORK/little.txt")"
! grep -q '^Report:' "$WORK/little.txt" || fail "it names a report that is not there"
grep -q 'DRV-Y006' "$WORK/little.txt" || fail "$(cat "$WORK/little.txt")"
drover verify --report "$WORK/full" > "$WORK/good.txt" 2>&1 || fail "$(cat "$WORK/good.txt")"
KEPT=$(readlink "$WORK/full/latest")
expect_exit 3 limited 6 "$WORK/little.txt"
grep -q '^MATCH' "$WORK/little.txt" || fail "no verdict: $(cat "$WORK/little.txt")"
equal "the latest report is the last whole one" "$(readlink "$WORK/full/latest")" "$KEPT"
[ "$(find "$WORK/full" -name report.json | wc -l)" -gt "$(find "$WORK/full" -name report.html | wc -l)" ] || fail "6 KiB were enough, or too few"
psql "$ADMIN" -qc "DELETE FROM public.event WHERE id = 'e1'"
expect_exit 5 limited 1 "$WORK/little.txt"
grep -q '^NOT EQUAL' "$WORK/little.txt" || fail "no verdict: $(cat "$WORK/little.txt")"

say "so many are kept as verify.reports says, each whole, and what is no report of drover's stays"
mkdir -p "$WORK/kept/$NAME-20200101T000000-0badcafe"
echo signed > "$WORK/kept/$NAME-20200101T000000-0badcafe/signed.txt"
for i in 1 2 3 4; do
  DROVER_VERIFY_REPORTS=2 expect_exit 5 drover verify --report "$WORK/kept" > "$WORK/verify.txt" 2>&1
  grep -q "^Report: $WORK/kept/$(readlink "$WORK/kept/latest")/report.html" "$WORK/verify.txt" || fail "$(cat "$WORK/verify.txt")"
done
equal "reports" "$(find "$WORK/kept" -name report.html -o -name report.json | wc -l)" 4
equal "what else was there" "$(cat "$WORK/kept/$NAME-20200101T000000-0badcafe/signed.txt")" signed
say done
