#!/usr/bin/env bash
# A bulk load ends as upserts do: the same rows, the same classes, the same report; with versions that come twice, in
# conflict, too late, and rows that PostgreSQL refuses. Nobody sees a row without a policy meanwhile. Killed workers and
# a killed finish change nothing, and what comes while it is finished is written afterwards.
. "$(dirname "$0")/lib.sh"

SEED=${SEED:-$RANDOM}
RANDOM=$SEED
say "seed $SEED"
sed -i "s|^mappings:.*|mappings: [$PWD/tests/e2e/data/event.yaml, $PWD/tests/e2e/data/note.yaml]|" "$WORK/drover.yaml"
BATCH=(--batch-records 100)

# notes FIRST COUNT REV AMOUNT FILE: the records from number FIRST on
notes() {
  awk -v first="$1" -v n="$2" -v rev="$3" -v amount="$4" 'BEGIN {
    for (i = first; i < first + n; i++)
      printf "{\"id\":\"n%d\",\"tenant\":\"t%02d\",\"rev\":%d,\"kind\":\"k%d\",\"amount\":%s," \
             "\"at\":\"2024-01-%02dT10:30:%02d.000Z\",\"text\":\"n\303\244me %d\"}\n",
             i, i % 20, rev, i % 7, amount, i % 28 + 1, i % 60, i
  }' >> "$5"
}

# Classes that do not depend on where batches are cut: all that belongs to a key is far apart.
notes 0 9000 5 1.50 "$WORK/a.notes"
notes 0 1000 4 1.50 "$WORK/a.notes"    # superseded
notes 1000 1000 5 1.50 "$WORK/a.notes" # unchanged
notes 2000 50 5 2.50 "$WORK/a.notes"   # a conflict
notes 3000 1000 6 3.50 "$WORK/a.notes" # applied over what is there
notes 4000 1000 5 1.50 "$WORK/a.notes" # unchanged
notes 2000 50 5 2.50 "$WORK/a.notes"   # a conflict
notes 5000 30 7 9999 "$WORK/a.notes"   # refused by the check below
notes 2000 50 5 1.50 "$WORK/a.notes"   # unchanged: the first of the two versions
for _ in 1 2; do notes 8000 40 5 2.50 "$WORK/a.notes"; done # conflicts, also where both are in one batch,
notes 8000 40 5 1.50 "$WORK/a.notes"                         # and unchanged behind them
generate 3000 20 5 "$WORK/b.ndjson"
generate 1000 20 4 "$WORK/b2.ndjson"
cat "$WORK/b2.ndjson" >> "$WORK/b.ndjson"

# a database and a migration of its own
use() {
  export DROVER_MIGRATION=${NAME}_$1
  psql "$ROOT_URL" -qc "CREATE DATABASE ${NAME}_$1 OWNER drover" 2> /dev/null || psql "$ROOT_URL" -qc "CREATE DATABASE ${NAME}_$1"
  export DATABASE_URL=${SERVER_URL%/*}/${NAME}_$1
  ADMIN=${ROOT_URL%/*}/${NAME}_$1
  DATABASES+=("${NAME}_$1")
  drover schema apply > "$WORK/schema_$1.log" 2>&1
  drover topics apply > "$WORK/topics_$1.log" 2>&1
  psql "$DATABASE_URL" -qc "ALTER TABLE public.note ADD CONSTRAINT small CHECK (amount < 1000)"
}
DATABASES=()
drop_databases() { for d in "${DATABASES[@]}"; do psql "$ROOT_URL" -qc "DROP DATABASE IF EXISTS $d WITH (FORCE)" > /dev/null 2>&1 || true; done; }
trap 'drop_databases; cleanup' EXIT

rows() {
  psql "$ADMIN" -Atc "COPY (SELECT isolation_key, id, rev, kind, amount, at, extra, drover_version, drover_digest, drover_deleted
    FROM public.note ORDER BY 1, 2) TO STDOUT" -c "COPY (SELECT isolation_key, id, tenant, rev, kind, amount, at, tags, extra,
    drover_version, drover_digest, drover_deleted FROM public.event ORDER BY 1, 2) TO STDOUT"
}

shape() { # of the tables, as the catalogs tell it
  psql "$ADMIN" -At <<'EOF'
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text, c.relowner::regrole FROM pg_class c WHERE c.relname IN ('note', 'event') ORDER BY 1;
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2;
SELECT tablename, policyname, roles, cmd, qual, with_check FROM pg_policies WHERE schemaname = 'public' ORDER BY 1, 2;
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2;
SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2;
EOF
}

run_way() { # WAY
  local status=0
  drover run "$WORK/a.notes" "$WORK/b.ndjson" --load "$1" "${BATCH[@]}" > "$WORK/run_$1.out" 2> "$WORK/run_$1.log" || status=$?
  equal "exit code of the run by $1" "$status" 5
  drover status --json | jq -S '.counts' > "$WORK/status_$1.json"
  jq -S '.counts' "$WORK/report/latest/report.json" > "$WORK/report_$1.json"
  rows > "$WORK/rows_$1"
  shape > "$WORK/shape_$1"
}

say "by upserts"
use upsert
run_way upsert

say "in bulk, while somebody looks"
use bulk
psql "$ADMIN" -q <<'EOF'
DO $$ BEGIN CREATE ROLE e2e_reader NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
GRANT USAGE ON SCHEMA public TO e2e_reader;
GRANT SELECT ON public.note TO e2e_reader;
EOF
look() { # what a stranger and the workers' role see of all tenants' rows: none
  local role table seen
  while [ ! -e "$WORK/looked" ]; do
    for role in e2e_reader drover_worker; do
      for table in public.note $(psql "$ADMIN" -Atc "SELECT oid::regclass FROM pg_class WHERE relnamespace = to_regnamespace('drover_load') AND relkind = 'r'"); do
        seen=$(psql "$ADMIN" -qAt -c "SET ROLE $role" -c "SELECT count(*) FROM $table" 2>&1 || true)
        echo "$role $table $seen" >> "$WORK/seen.log"
      done
    done
  done
}
look &
PIDS+=($!)
LOOKER=$!
run_way bulk
touch "$WORK/looked"
wait "$LOOKER" || true
grep -q 'load_.*permission denied' "$WORK/seen.log" || fail "nobody looked at a load table"
grep -q ' public.note 0$' "$WORK/seen.log" || fail "nobody looked at the table"
! grep -Ev 'permission denied|does not exist| 0$|could not open relation|^LINE|^ +\^|^CONTEXT' "$WORK/seen.log" || fail "somebody saw rows without a policy"
grep -q 'public.note: bulk' "$WORK/run_bulk.log" || fail "the run does not say that it loads in bulk"
for what in rows status report; do
  cmp "$WORK/${what}_upsert"* "$WORK/${what}_bulk"* || fail "$what: bulk is not what upserts give"
done
sed -i 's/,e2e_reader=r[^,}]*//' "$WORK/shape_bulk"
diff "$WORK/shape_upsert" "$WORK/shape_bulk" || fail "the table is not what upserts leave"
equal "rights of the reader" "$(psql "$ADMIN" -Atc "SELECT has_table_privilege('e2e_reader', 'public.note', 'SELECT')")" t
equal "load tables left" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_class WHERE relnamespace = 'drover_load'::regnamespace")" 0
psql "$ADMIN" -Atc "SELECT left_out FROM drover.load WHERE table_name = 'note'" > "$WORK/left.log"

say "afterwards by upserts, in the same run and in a later one"
notes 6000 10 8 4.50 "$WORK/c.notes"
drover run "$WORK/c.notes" --load bulk > "$WORK/later.out" 2> "$WORK/later.log" || true
grep -q 'public.note: upsert, because it is not empty' "$WORK/later.log" || fail "the run does not say why it does not load in bulk"
equal "rows of the later run" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM public.note WHERE rev = 8")" 10

say "by hand: killed workers, a killed finish, records that come meanwhile"
use kills
drover load begin > "$WORK/begin.log" 2>&1 || fail "load begin: exit $?"
grep -q 'public.note: bulk' "$WORK/begin.log" || fail "load begin does not say which way"
drover load begin > "$WORK/begin2.log" 2>&1 || fail "a second load begin: exit $?"
expect_exit 5 drover verify > "$WORK/verify_open.log" 2>&1
grep -q 'DRV-P010' "$WORK/verify_open.log" || fail "verify does not say that a table is being loaded"
drover status > "$WORK/status_open.txt"
grep -q 'public.note is still being loaded' "$WORK/status_open.txt" || fail "status does not say that a table is being loaded"
start_worker A "${BATCH[@]}"
drover produce "$WORK/a.notes" "$WORK/b.ndjson" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
for turn in 1 2 3; do
  wait_until 60 has_committed $(( turn * 2000 + RANDOM % 1500 ))
  kill -9 "$A_PID"
  start_worker A "${BATCH[@]}"
done
wait "$PRODUCER" || fail "produce failed"
wait_until 90 is_drained
for turn in 1 2 3; do # one of them may be through before it is killed
  "$DROVER" load finish --config "$WORK/drover.yaml" > "$WORK/finish.log" 2>&1 &
  FINISH=$!
  read -rt "0.$(( RANDOM % 9 + 1 ))" <> <(:) || true
  kill -9 "$FINISH" 2> /dev/null || true
  wait "$FINISH" 2> /dev/null || true
done
notes 7000 500 9 5.50 "$WORK/d.notes"
notes 9500 500 5 5.50 "$WORK/d.notes"
drover produce "$WORK/d.notes" > "$WORK/produce_d.log" 2>&1
drover load finish > "$WORK/finish_end.log" 2>&1 || fail "load finish: exit $?"
wait_until 90 is_drained
stop_worker A
rows > "$WORK/rows_kills"
equal "tables that are still loaded" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM drover.load WHERE state <> 'done' OR NOT told")" 0

use plain
start_worker B "${BATCH[@]}"
drover produce "$WORK/a.notes" "$WORK/b.ndjson" "$WORK/d.notes" > "$WORK/produce_plain.log" 2>&1
wait_until 90 is_drained
stop_worker B
rows > "$WORK/rows_plain"
cmp "$WORK/rows_plain" "$WORK/rows_kills" || fail "the rows after kills are not what upserts give"
