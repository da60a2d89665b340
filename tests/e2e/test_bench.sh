#!/usr/bin/env bash
# The benchmarks' own parts, in small: the data are the same bytes everywhere, worker and ceiling end with the table that the source
# says, the judge finds a row that is off, and a page is made of the figures.
set -euo pipefail
[ -n "${DROVER:-}" ] && [ -n "${DROVER_ADMIN_DATABASE_URL:-}" ] || { echo "run ./dev test" >&2; exit 2; }

export ASAN_OPTIONS=detect_leaks=0 # the ceiling keeps all it makes to its end
RECORDS=2000 ROUNDS=1 PARTITIONS=2
BENCH_BUILD=$(dirname "$DROVER") BENCH_DIR=$(mktemp -d) BENCH_DATABASE=bench_test_$$
. tests/bench/lib.sh
. tests/bench/judge.sh

fail() { echo "FAILED: $*" >&2; exit 1; }

finish() {
  local status=$?
  drop_database || true
  rm -rf "$BENCH_DIR"
  exit "$status"
}
begin_bench
trap finish EXIT

# digest SET OPTION…: of what the generator writes
digest() { "$TOOLS/dataset" "$@" | md5sum | cut -c1-32; }

while read -r wanted set; do
  # shellcheck disable=SC2086 # a set and its options
  [ "$(digest $set)" = "$wanted" ] || fail "dataset $set is not what it was: $(digest $set)"
done < tests/bench/dataset.md5
[ "$(digest chat 500)" != "$(digest chat 500 --seed 8)" ] || fail "the seed changes nothing"
for set in chat many hot twice versions shuffled; do
  "$TOOLS/dataset" "$set" 300 | jq -es 'length == 300 and all(.tenant and .id and .rev)' >/dev/null || fail "$set is no 300 records"
done
"$TOOLS/dataset" wide 50 --form array | jq -e 'length == 50' >/dev/null || fail "wide is no array of 50"

data hot.ndjson hot "$RECORDS"
source_topic "bench_test_$$" "$CHAT" "$WORK/hot.ndjson"
fresh_database
ceiling "$CHAT" "$WORK/hot.ndjson"
record drain chat ceiling rate "$RATE"
judge_table "$WORK/hot.ndjson" "the ceiling" || fail "the ceiling's table"
fresh_database
! is_right "$WORK/hot.ndjson" || fail "an empty table was judged to be right"
drain "bench_test_$$" bench "$CHAT"
record drain chat drover rate "$RATE"
judge_table "$WORK/hot.ndjson" Drover || fail "the worker's table"
[ "$DONE" = "$RECORDS" ] || fail "$DONE records counted in the topic"
admin -c "UPDATE public.chat SET tokens = tokens + 1 WHERE id = (SELECT min(id) FROM public.chat)"
! is_right "$WORK/hot.ndjson" || fail "a changed row was not found"

jq -cn '{about: {records: 2000, rounds: 1, partitions: 2, connections: 4, cores: "2", processor: "p", memory: "1 GiB", linux: "6", postgresql: "15",
  redis: "7", kafka: "4", librdkafka: "2", commit: "c", date: "2024-01-01"}}' >> "$RESULTS"
python3 tests/bench/page.py "$RESULTS" "$WORK/page.md"
grep -q '^| worker, \*chat\*, against the write ceiling | \*\*[0-9.]*\*\*' "$WORK/page.md" || fail "the page has no ratio"
jq -e '.summary | length == 1' "$WORK/page.json" >/dev/null || fail "the page's JSON has no ratio"
python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$WORK/page/drain.svg" || fail "the plot is no XML"

# a page of few records judges no target and has no table without rows; a scale's figures stand as in docs/scaling.md
[ "$(jq -rs '[.[] | select(.about)][0].about.records' "$RESULTS")" = 2000 ] || fail "the results name other records"
grep -q 'records are too few for the targets' "$WORK/page.md" || fail "2,000 records were not called too few"
! grep -q 'not reached' "$WORK/page.md" || fail "2,000 records were judged"
! grep -q '| what | median (range) | target |' "$WORK/page.md" || fail "a table without rows"
! grep -q '1 rounds' "$WORK/page.md" || fail "1 rounds"
jq -c 'select(.about) | .about.records = 2000000' "$RESULTS" > "$WORK/scale.jsonl"
printf '{"bench":"scale","set":"%s","who":"%s","metric":"%s","value":%s,"round":1}\n' produce drover cpu_us 3.94 produce kafka cpu_us 1.2 chat wal bytes_a_record 934 >> "$WORK/scale.jsonl"
python3 tests/bench/page.py "$WORK/scale.jsonl" "$WORK/scale.md"
grep -qxF '| `drover produce` | 3.9 | – | 1.2 | – | – |' "$WORK/scale.md" || fail "no table of costs: $(grep drover "$WORK/scale.md")"
grep -q 'write-ahead log 934' "$WORK/scale.md" || fail "no line of bytes"
! grep -q 'too few' "$WORK/scale.md" || fail "2,000,000 records were called too few"

# results of several named benchmarks, a file each, as one page
head -n 1 "$WORK/scale.jsonl" > "$BENCH_DIR/drain.jsonl"
grep '"bench":"drain"' "$RESULTS" >> "$BENCH_DIR/drain.jsonl"
cp "$WORK/scale.jsonl" "$BENCH_DIR/scale.jsonl"
BENCH_DIR=$BENCH_DIR tests/bench/run --page "$WORK/both.md" drain scale 2> "$WORK/both.log" || fail "no page of two: $(cat "$WORK/both.log")"
grep -q "page: $WORK/both.md" "$WORK/both.log" || fail "it is not said where the page is"
grep -q '^| worker, \*chat\*' "$WORK/both.md" && grep -q '^| `drover produce`' "$WORK/both.md" || fail "the page has one of two"
! BENCH_DIR=$BENCH_DIR tests/bench/run --page "$WORK/none.md" bulk 2> "$WORK/none.log" || fail "a page of results that are not there"
! tests/bench/run bluk 2> "$WORK/typo.log" || fail "a benchmark that is none"
grep -q "did you mean 'bulk'" "$WORK/typo.log" && grep -q ' scale)' "$WORK/typo.log" || fail "no suggestion: $(cat "$WORK/typo.log")"
echo "ok"
