#!/usr/bin/env bash
# The README's five minutes, command by command, as its reader types them: what is printed is what it shows.
. "$(dirname "$0")/lib.sh"

mkdir -p "$WORK/bin" "$WORK/tour"
ln -s "$(realpath "$DROVER")" "$WORK/bin/drover"
# Roles belong to the cluster: the reader's has them of the demonstration.
psql "$SERVER_URL" -qc "CREATE DATABASE ${NAME}_demo"
DATABASE_URL=${SERVER_URL%/*}/${NAME}_demo drover schema apply > "$WORK/schema.log" 2>&1
psql "$ROOT_URL" -qc "DROP DATABASE ${NAME}_demo"
unset DROVER_MIGRATION
printf -v PREFIX 't%05d' $(( $$ % 100000 )) # as long as the reader's: lines break where they do on the page
export DROVER_KAFKA_PREFIX=$PREFIX DROVER_ADMIN_DATABASE_URL=$ADMIN TOUR=$WORK/tour PATH=$WORK/bin:$PATH

python3 tests/support/run_document.py README.md --from "Five minutes" --until "Shadow a live application in ten minutes" \
  --given 'eval "$(./dev stack env)"=>cd "$TOUR"' --given 'export PATH=$PWD/build/release:$PATH=>:' --given "drover.shop=>$PREFIX.shop" \
  --said "$PREFIX.shop=>drover.shop" \
  > "$WORK/tour.log" || { cat "$WORK/tour.log"; fail "the README and the program differ"; }
cat "$WORK/tour.log"
say done
