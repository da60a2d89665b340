#!/usr/bin/env bash
# drover run with ten thousand sources on its command line, with folders, and from the configuration: every file is
# produced and every file is read again by the verifier, or nothing starts.
. "$(dirname "$0")/lib.sh"

COUNT=10000
IN=$WORK/in
mkdir "$IN"
awk -v n=$COUNT -v dir="$IN" 'BEGIN {
  for (i = 0; i < n; i++) {
    file = sprintf("%s/f%05d.json", dir, i)
    printf "{\"id\":\"e%d\",\"tenant\":\"t%d\",\"rev\":1,\"kind\":\"k\",\"amount\":1.00,\"at\":\"2024-01-01T00:00:00.000Z\",\"tags\":[],\"note\":\"n\"}\n", i, i % 7 > file
    close(file)
  }
}'
cat > "$WORK/empty.json" < /dev/null

run_all() { # NAME ARG…: a run of that name that must match; its report in NAME
  local name=$1
  shift
  expect_exit 0 drover run --plain --migration "${NAME}_$name" --report "$WORK/$name" "$@" > "$WORK/$name.out.log" 2> "$WORK/$name.log"
  equal "source records of $name" "$(jq .source_records "$WORK/$name/latest/report.json")" $COUNT
  equal "matches of $name" "$(jq .counts.match "$WORK/$name/latest/report.json")" $COUNT
}
forget() { psql "$ADMIN" -qc 'TRUNCATE public.event'; }

say "$COUNT files on the command line, with a flag that repeats"
run_all words -X linger.ms=5 -X client.id=many "$IN"/f*.json
equal "rows" "$(psql "$ADMIN" -Atc 'SELECT count(*) FROM event')" $COUNT
# its verifier read the very last file: a row of it that is changed is named
forget
run_all folder "$IN"

say "produce, verify --source and rehearse take as many"
expect_exit 0 drover rehearse --json "$IN"/f*.json > "$WORK/rehearse.json" 2> "$WORK/rehearse.log"
equal "rehearsed" "$(jq -c '[.sources, .total.to_write]' "$WORK/rehearse.json")" "[$COUNT,$COUNT]"
mapfile -t FLAGS < <(printf -- '--source=%s\n' "$IN"/f*.json)
expect_exit 0 drover verify --migration "${NAME}_folder" --report "$WORK/verify" "${FLAGS[@]}" > "$WORK/verify.log" 2>&1
equal "matches" "$(jq .counts.match "$WORK/verify/latest/report.json")" $COUNT
forget
expect_exit 0 drover topics apply --migration "${NAME}_produce" > "$WORK/topics.log" 2>&1
expect_exit 0 drover produce --migration "${NAME}_produce" --json "$IN"/f*.json > "$WORK/produce.json" 2> "$WORK/produce.log"
equal "produced" "$(jq .counts.produced "$WORK/produce.json")" $COUNT

say "a source that is not there stops it before anything starts"
expect_exit 4 drover run --plain --migration "${NAME}_none" "$IN"/f*.json "$IN/none.json" > "$WORK/none.log" 2>&1
grep -qF 'none.json' "$WORK/none.log" || fail "the source that is missing is not named"
! grep -q 'topics   create' "$WORK/none.log" || fail "topics were made"
