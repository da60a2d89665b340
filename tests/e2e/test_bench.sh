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
echo "ok"
