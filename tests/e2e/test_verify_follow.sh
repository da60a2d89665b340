#!/usr/bin/env bash
# drover verify --follow beside producers and workers: what is committed is compared while it changes; a row that was damaged
# is found and named; kills of workers and of the follower, and lost connections, are never taken for a discrepancy.
. "$(dirname "$0")/lib.sh"

prepare

# start_follower NAME [OPTION…]: in the background; its lines go on in NAME.out
start_follower() {
  local name=$1
  shift
  "$DROVER" verify --follow --config "$WORK/drover.yaml" --log-format logfmt "$@" >> "$WORK/$name.out" 2>> "$WORK/$name.log" &
  PIDS+=($!)
  printf -v "${name}_PID" '%s' "$!"
}
# end_follower NAME EXIT: SIGTERM
end_follower() {
  local pid_name=${1}_PID status=0
  kill -TERM "${!pid_name}"
  wait "${!pid_name}" || status=$?
  equal "exit code of the follower $1" "$status" "$2"
}
kill_follower() { local pid_name=${1}_PID; kill -9 "${!pid_name}"; wait "${!pid_name}" 2> /dev/null || true; }
has_begun() { [ "$(grep -c follow.begun "$WORK/$1.log")" -ge "$2" ]; }
# last NAME MEMBER: of its last document
last() { tail -n 1 "$WORK/$1.out" | jq -r "$2"; }

say "everything from the beginning, with superseded records and dead letters"
generate 6000 10 1 "$WORK/one.ndjson"
generate 6000 10 2 "$WORK/two.ndjson"
echo '{"id":"bad","tenant":"t01","rev":1,"kind":"a word that is too long for it"}' > "$WORK/bad.ndjson"
start_follower first --json
wait_until 60 has_begun first 1
start_worker worker
drover produce "$WORK/one.ndjson" "$WORK/bad.ndjson" "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
wait_until 120 is_drained
# has_judged NAME COUNT: so many messages, whatever became of them; a document that says that nothing is behind may be of
# before the last of them
has_judged() { [ "$(last "$1" '"\([.verdicts[].count] | add) \(.behind) \(.suspects)"')" = "$2 0 0" ]; }
wait_until 120 has_judged first 12001
end_follower first 0
equal "discrepancies" "$(last first .discrepancies)" 0
equal "dead letters" "$(last first '.verdicts[] | select(.verdict == "dead_lettered") | .count')" 1
equal "versions compared or superseded" "$(last first '[.verdicts[] | select(.verdict | IN("match", "superseded", "overtaken")) | .count] | add')" 12000
equal "not compared" "$(last first .not_compared)" 0
equal "bound" "$(last first '.windows[] | select(.window == "total") | .upper < 0.0005 and .upper > 0.0002')" true
drover status --json > "$WORK/status.json" 2> /dev/null || true
equal "told in the state topic" "$(jq -r '[.. | objects | select(has("discrepancies")) | .compared] | first' "$WORK/status.json")" "$(last first .compared)"

say "it goes on where the group was, and finds a row that somebody changed before it was looked at"
psql "$ADMIN" -q <<'END'
CREATE FUNCTION public.spoil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id = 'e7' THEN NEW.amount := 4711; END IF;
  IF NEW.id = 'e8' THEN NEW.kind := 'other'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON public.event FOR EACH ROW WHEN (NEW.isolation_key = 't03') EXECUTE FUNCTION public.spoil();
END
start_follower second --json --id second
wait_until 60 has_begun second 1
generate 3000 10 3 "$WORK/three.ndjson"
drover produce "$WORK/three.ndjson" > "$WORK/produce.log" 2>&1
wait_until 120 has_judged second 3000
end_follower second 5
equal "discrepancies" "$(last second .discrepancies)" 2
equal "different" "$(last second '.verdicts[] | select(.verdict == "different") | .count')" 2
equal "samples in the report" "$(jq '[.samples[] | select(.verdict == "different")] | length' "$WORK/report/latest/report.json")" 2
grep -qF 'NOT EQUAL' "$WORK/report/latest/report.html" || fail "the page does not say NOT EQUAL"
grep -Eq 'column <bdi>[a-z]+</bdi>, <bdi>.*event\.yaml</bdi>:[1-9]' "$WORK/report/latest/report.html" || fail "the page names no line of the mapping"
equal "samples that were looked at for a while" "$(jq '[.samples[] | select(.verdict == "different" and .first_seen >= .last_seen)] | length' "$WORK/report/latest/report.json")" 0
equal "match" "$(last second '.verdicts[] | select(.verdict == "match") | .count')" 2998
psql "$ADMIN" -qc "DROP TRIGGER spoil ON public.event"

say "continuous change, with kills of the worker and the follower, and lost connections"
: > "$WORK/third.out"
start_follower third --json --id third --full-every 0 # a full pass would find what is spoiled until round 9
wait_until 60 has_begun third 1
for round in 4 5 6 7 8 9; do
  generate 2000 10 "$round" "$WORK/round.ndjson"
  drover produce "$WORK/round.ndjson" >> "$WORK/produce.log" 2>&1 &
  PRODUCER=$!
  case $round in
    4|7) wait_until 60 has_committed $(( 13000 + 2000 * (round - 3) )); kill -9 "$worker_PID"; wait "$worker_PID" 2> /dev/null || true; start_worker worker ;;
    5|8) kill_follower third; start_follower third --json --id third --full-every 0; wait_until 60 has_begun third $(( round / 4 + 1 )) ;;
    6) psql "$ADMIN" -qAtc "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '$NAME' AND pid <> pg_backend_pid()" > /dev/null ;;
  esac
  wait "$PRODUCER" || fail "produce of round $round"
done
wait_until 120 is_drained
wait_until 120 has_judged third 12000
end_follower third 0
equal "what the third counted" "$(last third '[.verdicts[].count] | add')" 12000
equal "discrepancies" "$(jq -s 'map(.discrepancies) | max' "$WORK/third.out")" 0

say "a full pass finds what nobody told of: a row changed long ago, one that nobody sent; until it is put right"
start_follower fourth --json --id fourth --full-every 2s --rows-per-second 100000
full_problems() { [ "$(last fourth '.full_pass.problems')" = "$1" ]; }
wait_until 90 full_problems 0 # what the trigger spoiled was sent again
psql "$ADMIN" -qc "UPDATE public.event SET kind = 'k0' WHERE isolation_key = 't05' AND id = 'e400' AND kind <> 'k0'"
psql "$ADMIN" -qc "INSERT INTO public.event (isolation_key, id, tenant, rev, kind, drover_version, drover_digest)
  SELECT 't05', 'nobody', 't05', 1, 'k1', 1, drover_digest FROM public.event LIMIT 1"
wait_until 90 full_problems 2
end_follower fourth 5
equal "its samples in the report" "$(jq -r '[.full_pass.samples[] | "\(.verdict) \(.tenant)"] | sort | join(", ")' "$WORK/report/latest/report.json")" 'different t05, extra t05'
cp "$WORK/report/latest/report.json" "$DROVER_TEST_DOCUMENTS/report.fourth"
grep -qF '<p><b>extra</b></p>' "$WORK/report/latest/report.html" || fail "the page has none of them"

say "a source that was not read to its end is not equal, whatever was compared; once it is read it is"
psql "$ADMIN" -qc "DELETE FROM public.event WHERE id = 'nobody'"
generate 2000 10 20 "$WORK/cut.ndjson"
gzip -k "$WORK/cut.ndjson"
head -c 9000 "$WORK/cut.ndjson.gz" > "$WORK/half.ndjson.gz"
expect_exit 5 drover produce "$WORK/half.ndjson.gz" > "$WORK/produce.log" 2>&1
generate 100 10 21 "$WORK/again.ndjson"
start_follower fifth --json --id fifth --full-every 2s
fifth_is() { [ "$(last fifth '[.full_pass.problems, .sources.incomplete > 0] | tostring')" = "$1" ]; }
wait_until 90 fifth_is '[1,true]'
psql "$ADMIN" -qc "UPDATE public.event SET kind = 'k1' WHERE isolation_key = 't05' AND id = 'e400'"
wait_until 90 fifth_is '[0,true]'
drover produce "$WORK/again.ndjson" > "$WORK/produce.log" 2>&1
compared_fifth() { [ "$(last fifth .compared)" -ge 100 ]; }
wait_until 60 compared_fifth
end_follower fifth 5
equal "discrepancies" "$(last fifth .discrepancies)" 0
last fifth .reason | grep -q 'NOT EQUAL: the reading of .*half.ndjson.gz is not complete' || fail "it does not say why"
equal "the last full pass" "$(last fifth .full_pass.not_whole)" null
equal "verdict" "$(jq -r .verdict "$WORK/report/latest/report.json")" discrepancy
mv "$WORK/cut.ndjson.gz" "$WORK/half.ndjson.gz"
drover produce "$WORK/half.ndjson.gz" > "$WORK/produce.log" 2>&1
start_follower fifth --json --id fifth --full-every 2s
wait_until 90 fifth_is '[0,false]'
end_follower fifth 0
stop_worker worker
say done
