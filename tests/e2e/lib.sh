# shellcheck shell=bash
# What every end-to-end test needs: a database and topics of its own on the stack ./dev test started,
# generated records, and an SQL check that knows nothing of Drover's code.
set -euo pipefail

[ -n "${DROVER:-}" ] || { echo "DROVER must name the built program: run ./dev test" >&2; exit 2; }
[ -n "${DATABASE_URL:-}" ] && [ -n "${KAFKA_BROKERS:-}" ] || { echo "no stack: run ./dev test" >&2; exit 2; }

NAME=$(basename "$0" .sh | tr -c 'a-z0-9\n' '_')_$$
WORK=$(mktemp -d)
SERVER_URL=$DATABASE_URL
ADMIN=${DROVER_ADMIN_DATABASE_URL%/*}/$NAME
ROOT_URL=$DROVER_ADMIN_DATABASE_URL
unset DROVER_ADMIN_DATABASE_URL
PIDS=()
exec {TELL}>&2 # a check's output may be redirected: what failed is always told here

. tests/e2e/words.sh
. tests/e2e/documents.sh

cleanup() {
  local status=$?
  if [ "$status" = 0 ]; then check_documents >&"$TELL" || status=1; fi
  for pid in "${PIDS[@]:-}"; do [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  psql "$ROOT_URL" -qc "DROP DATABASE IF EXISTS $NAME WITH (FORCE)" >/dev/null 2>&1 || true
  if [ "$status" != 0 ]; then
    echo "--- FAILED ($status): the last lines of each log" >&"$TELL"
    tell_logs
  fi
  rm -rf "$WORK"
  exit "$status"
}
trap cleanup EXIT

psql "$SERVER_URL" -qc "CREATE DATABASE $NAME"
export DATABASE_URL=${SERVER_URL%/*}/$NAME
export DROVER_MIGRATION=$NAME NO_COLOR=1
cat > "$WORK/drover.yaml" <<EOF
mappings: [$PWD/tests/e2e/data/event.yaml]
state_dir: $WORK/state
kafka: { partitions: 6, conf: { session.timeout.ms: 6000, heartbeat.interval.ms: 500 } }
verify: { report: $WORK/report }
EOF

# For who compares epochs, and kills no worker: one whose session ran out on a busy machine would join anew, and that moves them.
keep_sessions() { sed -i 's/session.timeout.ms: 6000/session.timeout.ms: 120000/' "$WORK/drover.yaml"; }

drover() { "$KEEPER" "$@" --config "$WORK/drover.yaml"; }

prepare() {
  drover schema apply > "$WORK/schema.log" 2>&1
  drover topics apply > "$WORK/topics.log" 2>&1
}

# messages_in TOPIC [PARTITIONS]: its offsets by now, also while somebody writes to it. A topic just made has no leaders for a moment.
messages_in() {
  local ends=() partition offsets
  for (( partition = 0; partition < ${2:-6}; partition++ )); do ends+=(-t "$1:$partition:-1"); done
  ask_offsets() { offsets=$(kcat -Q -b "$KAFKA_BROKERS" "${ends[@]}" 2> /dev/null); }
  wait_until 30 ask_offsets
  awk '{ sum += $NF } END { print sum }' <<< "$offsets"
}

# start_worker NAME [OPTION…]: in the background, log in NAME.log, pid in NAME_PID
start_worker() {
  local name=$1
  shift
  : > "$WORK/$name.log" # now: nobody may find in it what one before said
  "$DROVER" work --config "$WORK/drover.yaml" "$@" >> "$WORK/$name.log" 2>&1 &
  PIDS+=($!)
  printf -v "${name}_PID" '%s' "$!"
}

# stop_worker NAME: SIGTERM must end it with 0 within the drain limit
stop_worker() {
  local pid_name=${1}_PID status=0 begin=$SECONDS
  kill -TERM "${!pid_name}"
  wait "${!pid_name}" || status=$?
  equal "exit code of worker $1" "$status" 0
  [ $(( SECONDS - begin )) -le 12 ] || fail "worker $1 took $(( SECONDS - begin )) s to drain"
}

# slow_down SECONDS: each statement that inserts events takes so much longer, until speed_up
slow_down() {
  psql "$ADMIN" -q <<SQL
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN PERFORM pg_sleep($1); RETURN NULL; END \$\$;
CREATE TRIGGER slow BEFORE INSERT ON public.event FOR EACH STATEMENT EXECUTE FUNCTION public.slow();
SQL
}
speed_up() { psql "$ADMIN" -qc 'DROP TRIGGER slow ON public.event; DROP FUNCTION public.slow()'; }

lag() { drover status --json 2>/dev/null | jq .lag; }

committed() { psql "$ADMIN" -Atc "SELECT coalesce(sum(next_offset), 0) FROM drover.partition_progress"; }

# wait_until SECONDS COMMAND…: polls a condition
wait_until() {
  local until=$(( SECONDS + $1 ))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || fail "waited in vain for: $*"
    read -rt 0.2 <> <(:) || true
  done
}

is_drained() { [ "$(lag)" = 0 ]; }

# sessions_ended NAME: PostgreSQL has none of that application_name (PGAPPNAME=NAME of a drover) here. What a killed process
# had sent is committed or not only then: its server may still do that after its death.
sessions_ended() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '$1'")" = 0 ]; }

# end_sessions CONDITION: terminates those of this test's database, and of no other's, and waits until they are gone
end_sessions() {
  have_ended() { [ "$(psql "$ADMIN" -Atc "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND ($1)")" = 0 ]; }
  wait_until 60 have_ended "$1"
}

has_committed() { [ "$(committed)" -ge "$1" ]; }

# generate COUNT TENANTS REV FILE: COUNT records over TENANTS tenants, amounts from REV
generate() {
  awk -v n="$1" -v t="$2" -v rev="$3" 'BEGIN {
    for (i = 0; i < n; i++)
      printf "{\"id\":\"e%d\",\"tenant\":\"t%02d\",\"rev\":%d,\"kind\":\"k%d\",\"amount\":%d.%02d," \
             "\"at\":\"2024-01-%02dT10:30:%02d.000Z\",\"tags\":[\"a%d\",null],\"note\":\"n\303\244me %d\",\"deep\":{\"x\":[%d]}}\n",
             int(i / t), i % t, rev, i % 7, i % 1000 + rev, i % 100, i % 28 + 1, i % 60, i % 3, i, i
  }' > "$4"
}

# check_equal FILE…: the table holds exactly the greatest revision of each record of the files
check_equal() {
  local wrong
  wrong=$(check_wrong "$@")
  equal "rows that differ from the source" "$wrong" 0
}

check_wrong() {
  cat "$@" > "$WORK/expected.ndjson"
  psql "$ADMIN" -qAt -v ON_ERROR_STOP=1 <<EOF
CREATE TEMP TABLE line (doc jsonb);
\\copy line FROM '$WORK/expected.ndjson' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
CREATE TEMP TABLE expected AS
  SELECT DISTINCT ON (doc->>'tenant', doc->>'id') doc->>'tenant' AS t, doc->>'id' AS i, doc
    FROM line ORDER BY doc->>'tenant', doc->>'id', (doc->>'rev')::int8 DESC;
SELECT count(*) FROM expected AS e
  FULL JOIN public.event AS r ON r.isolation_key = e.t AND r.id = e.i
 WHERE e.doc IS NULL OR r.id IS NULL OR r.drover_deleted
    OR r.tenant <> e.t OR r.rev <> (e.doc->>'rev')::int8 OR r.drover_version <> (e.doc->>'rev')::int8
    OR r.kind <> e.doc->>'kind' OR r.amount IS DISTINCT FROM (e.doc->>'amount')::numeric
    OR r.at IS DISTINCT FROM (e.doc->>'at')::timestamptz
    OR to_jsonb(r.tags) IS DISTINCT FROM e.doc->'tags'
    OR r.extra IS DISTINCT FROM nullif(e.doc - '{id,tenant,rev,kind,amount,at,tags}'::text[], '{}');
EOF
}

# check_isolation TENANT: with its key, as the workers' role and as a stranger, only its own rows are seen
check_isolation() {
  local role foreign own
  for role in drover_worker e2e_reader; do
    foreign=$(psql "$ADMIN" -qAt <<EOF
SET ROLE $role; SELECT set_config('app.current_tenant_key', '$1', false) \\g /dev/null
SELECT count(*) FROM public.event WHERE isolation_key <> '$1';
EOF
)
    own=$(psql "$ADMIN" -qAt <<EOF
SET ROLE $role; SELECT set_config('app.current_tenant_key', '$1', false) \\g /dev/null
SELECT count(*) FROM public.event;
EOF
)
    [ "$foreign" = 0 ] || { echo "$role sees $foreign rows of unexpected tenants with the key of $1"; return 1; }
    [ "$own" -gt 0 ] || { echo "$role sees none of the rows of $1"; return 1; }
  done
  foreign=$(psql "$ADMIN" -qAtc "SET ROLE e2e_reader; SELECT count(*) FROM public.event")
  [ "$foreign" = 0 ] || { echo "without a key $foreign rows are seen"; return 1; }
}

make_reader() {
  psql "$ADMIN" -q <<'EOF'
DO $$ BEGIN CREATE ROLE e2e_reader NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
GRANT USAGE ON SCHEMA public TO e2e_reader; GRANT SELECT ON public.event TO e2e_reader;
EOF
}

# What changes when any row of the public tables is written, by whomever: each row version has its place and its transaction.
# (The counters of pg_stat_user_tables come late from sessions that are still open.)
written_rows() {
  local table
  for table in $(psql "$ADMIN" -Atc "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"); do
    psql "$ADMIN" -Atc "SELECT '$table', count(*), md5(string_agg(ctid::text || xmin::text, ',' ORDER BY ctid)) FROM public.$table"
  done | md5sum
}
