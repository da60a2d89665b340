#!/usr/bin/env bash
# Secrets in names (FAULTS X01): keys of a storage, ids, members' names at any depth, tenants, texts hold secrets of
# random kinds, in records that are taken, refused, broken and dead-lettered; none of them is in any output, log,
# rejects file, report, topic, dead letter's header or state file. SEED= runs one again.
. "$(dirname "$0")/lib.sh"

ROUNDS=${ROUNDS:-$([ "${DROVER_TEST_FULL:-0}" = 1 ] && echo 8 || echo 1)}
SEED=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
cat > "$WORK/drover.yaml" <<END
mappings: [$PWD/tests/e2e/data/llm.yaml, $PWD/schemas/mappings]
state_dir: $WORK/state
secrets: { key_file: $WORK/drover.key, detect: on }
kafka: { partitions: 2, conf: { session.timeout.ms: 6000, heartbeat.interval.ms: 500 } }
verify: { report: $WORK/report }
produce: { rejects_shown: 500 }
END

# nowhere WHAT PATH…
nowhere() {
  local what=$1 found
  shift
  found=$(grep -raoFh -f "$WORK/forms" "$@" 2>/dev/null | sort -u | head -n 3) || true
  [ -z "$found" ] || fail "seed $SEED: a secret is in $what ($(grep -raFl -f "$WORK/forms" "$@" | head -n 3)): $found"
}

# of_source NAME FILE OPTION…: the whole way of one source, each output in a log of its own
of_source() {
  local name=$1 file=$2
  shift 2
  drover rehearse "$file" "$@" --rejects "$WORK/$name.rehearsed" > "$WORK/$name-rehearse.log" 2>&1 || true
  drover rehearse "$file" "$@" --json > "$WORK/$name-rehearse-json.log" 2>&1 || true
  drover produce "$file" "$@" --rejects "$WORK/$name.rejects" --log-level debug > "$WORK/$name-produce.log" 2>&1 || true
  drover produce --again "$file" "$@" --json > "$WORK/$name-again.log" 2>&1 || true
  [ -s "$WORK/$name.rejects" ] || fail "seed $SEED: nothing of $name was rejected: the test says nothing"
}

drover secret keygen > "$WORK/keygen.log"
prepare
for (( round = 1; round <= ROUNDS; round++, SEED++ )); do
  say "secrets where names stand, seed $SEED"
  python3 "$PWD/tests/e2e/secret_names.py" "$SEED" "$WORK"
  [ "$(wc -l < "$WORK/forms")" -ge 60 ] || fail "seed $SEED: only $(wc -l < "$WORK/forms") secrets"
  mkdir -p "$WORK/in" && mv "$WORK/storage.json" "$WORK/records.ndjson" "$WORK/in/"
  ! (nowhere probe "$WORK/in/storage.json") {TELL}>/dev/null || fail "seed $SEED: the search finds nothing"
  of_source storage "$WORK/in/storage.json" -f local_storage -t acme
  of_source records "$WORK/in/records.ndjson" -e llm
  drover work --until-end --log-level debug > "$WORK/work.log" 2>&1 || true
  drover status > "$WORK/status.log" 2>&1 || true
  drover status --json > "$WORK/status-json.log" 2>&1 || true
  drover verify > "$WORK/verify.log" 2>&1 || true
  drover verify --show-values --source "$WORK/in/records.ndjson" -e llm > "$WORK/verify-source.log" 2>&1 || true
  drover export --tenant t1 --as file --to "$WORK/exported" > "$WORK/export.log" 2>&1 || true
  grep -q DRV-C001 "$WORK"/*.log && fail "a command line is wrong: $(grep -h DRV-C001 "$WORK"/*.log)"
  drover secret list > "$WORK/list.log" 2>&1 || true
  for topic in source dlq results; do
    kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.$topic" -e -q -f '%k %s %h\n' > "$WORK/$topic.topic"
    [ -s "$WORK/$topic.topic" ] || fail "seed $SEED: nothing in topic $topic"
  done
  psql "$ADMIN" -qAt -c 'SELECT * FROM llm' > "$WORK/llm.rows"
  nowhere "outputs and logs" "$WORK"/*.log
  nowhere "rejects" "$WORK"/*.rejects "$WORK"/*.rehearsed
  nowhere "topics" "$WORK"/*.topic
  nowhere "rows" "$WORK"/*.rows
  nowhere "report and state" "$WORK/report" "$WORK/state"
done
say done
