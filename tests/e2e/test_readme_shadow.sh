#!/usr/bin/env bash
# The README's ten minutes of a live application that is shadowed, command by command, with a Redis of the test's own. Where the reader
# sleeps, the test waits until the shadow is level: a busy machine takes longer.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

start_redis
redis-cli -u "$REDIS_URL" SET project:acme:p1 '{}' > "$WORK/demo.log" # as the demo leaves them in the Redis that both use
mkdir -p "$WORK/bin"
ln -s "$(realpath "$DROVER")" "$WORK/bin/drover"
drover schema apply > "$WORK/schema.log" 2>&1 # the roles
unset DROVER_MIGRATION
export DROVER_KAFKA_PREFIX=$NAME DROVER_ADMIN_DATABASE_URL=$ADMIN TOUR=$WORK/live PATH=$WORK/bin:$PATH
PORT=$(( 32000 + RANDOM % 700 ))
cat > "$WORK/bin/wait_level" <<'END'
#!/usr/bin/env bash
# wait_level: until tables and Redis have been what the files are, and nothing was left to do, for a while
level() { SHADOW_DATABASE=$DROVER_ADMIN_DATABASE_URL python3 "$SAME" data > same.log 2>&1 && [ "$(drover status --json 2> /dev/null | jq .lag)" = 0 ] &&
  [ "$(psql "$DROVER_ADMIN_DATABASE_URL" -Atc 'SELECT coalesce(sum(next_offset - redis_next), 0) FROM drover.partition_progress')" = 0 ]; }
for (( try = 0; try < 90; try++ )); do level && exit 0; sleep 1; done
cat same.log shadow.log >&2
exit 1
END
chmod +x "$WORK/bin/wait_level"
export SAME=$PWD/tests/shadow/same.py

# what the page leaves running is of one process group
tour() { setsid --wait bash -c 'echo $$ > "$0"; exec "$@"' "$WORK/group" "$@"; }
end_tour() { kill -KILL -- "-$(cat "$WORK/group")" 2> /dev/null || true; }
tour python3 tests/support/run_document.py README.md --from "Shadow a live application in ten minutes" --until "Sources, stores, export" \
  --given 'eval "$(./dev stack env)"=>:' --given 'export PATH=$PWD/build/release:$PATH=>:' --given 'cp -r examples/shadow live && cd live=>cp -r examples/shadow "$TOUR" && cd "$TOUR"' \
  --given "8080=>$PORT" --given 'sleep 3=>wait_level' --given 'sleep 5=>wait_level' --given 'sleep 15=>wait_level' \
  > "$WORK/tour.log" || { end_tour; cat "$WORK/tour.log" "$WORK/live/shadow.log"; fail "the README and the program differ"; }
end_tour
cat "$WORK/tour.log"
say done
