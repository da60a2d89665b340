#!/usr/bin/env bash
# docs/operations.md, command by command: each failure is made, and what the page says to type puts it right.
. "$(dirname "$0")/lib.sh"

mkdir -p "$WORK/bin" "$WORK/operations"
ln -s "$(realpath "$DROVER")" "$WORK/bin/drover"
drover schema apply > "$WORK/schema.log" 2>&1 # the roles
unset DROVER_MIGRATION
printf -v PREFIX 't%05d' $(( $$ % 100000 ))
export DROVER_KAFKA_PREFIX=$PREFIX DROVER_ADMIN_DATABASE_URL=$ADMIN OPERATIONS=$WORK/operations PATH=$WORK/bin:$PATH

python3 tests/support/run_document.py docs/operations.md --said "$PREFIX.=>drover." > "$WORK/page.log" \
  || { cat "$WORK/page.log"; fail "the page and the program differ"; }
cat "$WORK/page.log"
say done
