#!/usr/bin/env bash
# A mapping changes between runs (FAULTS D04 to D06): random changes over random records. What was written
# under an older mapping is told as such, the new one writes the same versions again, and a worker that still
# has the older one overwrites nothing.
. "$(dirname "$0")/lib.sh"

SEED=${DROVER_TEST_SEED:-$$}
RANDOM=$SEED
echo "seed $SEED"

MAPPING=$WORK/thing.yaml
sed -i "s|^mappings:.*|mappings: [$MAPPING]|" "$WORK/drover.yaml"
sed "s|$MAPPING|$WORK/old.yaml|" "$WORK/drover.yaml" > "$WORK/old_worker.yaml"
COUNT=400

sql() { psql "$ADMIN" -Atqc "$1"; }
content() { sql "SELECT md5(string_agg(t::text, '|' ORDER BY isolation_key, id)) FROM public.thing AS t"; }
verify() { GOT=0; drover verify --migration "$1" > "$WORK/verify.log" 2>&1 || GOT=$?; }
found() { jq -c "$1" "$WORK/report/latest/report.json"; }

# write_mapping COLUMN…: of "a:int4" and the like; a column's name tells its member and its type
write_mapping() {
  {
    printf 'entity: thing\ncollect: { files: ["things*.ndjson"] }\ntable: thing\nkey: [id]\ntenant: { from: /shop }\n'
    printf 'version: { from: /rev, as: number }\nrest: extra\ncolumns:\n  - { name: id, from: /id, type: int8 }\n'
    for column in "$@"; do
      printf '  - { name: %s, from: /%s, type: %s }\n' "${column/:/_}" "${column%%:*}" "${column#*:}"
    done
  } > "$MAPPING"
}

# choose: some of the members, each with one of the types that take it
choose() {
  local column
  CHOSEN=()
  for column in a:int4,int8,jsonb b:text,jsonb c:bool,jsonb d:int8,jsonb; do
    [ $(( RANDOM % 3 )) != 0 ] || continue
    IFS=, read -ra types <<< "${column#*:}"
    CHOSEN+=("${column%%:*}:${types[RANDOM % ${#types[@]}]}")
  done
}

# differing OLD NEW: records that have a member whose column changed, counted without Drover's code. A
# column that an earlier mapping filled still holds the member, which never changes here: when it comes
# back in place of another one, the row is what the mapping gives.
differing() {
  local member old new changed=()
  for member in a b c d; do
    old=$(tr ' ' '\n' <<< "$1" | grep "^$member:" || true)
    new=$(tr ' ' '\n' <<< "$2" | grep "^$member:" || true)
    [ "$old" != "$new" ] || continue
    if [ -n "$old" ] && [ -n "$new" ] && [[ " $USED " == *" $new "* ]]; then continue; fi
    changed+=("$member")
  done
  jq -s --arg changed "${changed[*]:-}" '[.[] | select([has($changed | split(" ")[])] | any)] | length' "$WORK/things.ndjson"
}

# bring MIGRATION: the file into a topic of its own, by a group of its own: the same versions once more
bring() {
  drover topics apply --migration "$1" >> "$WORK/topics.log" 2>&1
  drover produce --migration "$1" "$WORK/things.ndjson" >> "$WORK/produce.log" 2>&1
  expect_exit 0 drover work --until-end --migration "$1" >> "$WORK/work.log" 2>&1
}

for i in $(seq "$COUNT"); do
  printf '{"id":%d,"shop":"s%d","rev":%d' "$i" $(( i % 5 )) $(( 1 + RANDOM % 3 ))
  for member in "a:$RANDOM" "b:\"text $RANDOM\"" "c:$([ $(( RANDOM % 2 )) = 0 ] && echo true || echo false)" "d:$RANDOM" "e:$RANDOM"; do
    [ $(( RANDOM % 4 )) = 0 ] || printf ',"%s":%s' "${member%%:*}" "${member#*:}"
  done
  echo '}'
done > "$WORK/things.ndjson"

say "the first mapping"
choose
USED="${CHOSEN[*]}"
write_mapping "${CHOSEN[@]}"
drover schema apply > "$WORK/schema.log" 2>&1
bring "${NAME}_0"
verify "${NAME}_0"
equal "exit code of verify" "$GOT" 0
equal "rows of generation 0" "$(sql 'SELECT count(*) FROM public.thing WHERE drover_generation = 0')" "$COUNT"

for round in 1 2 3; do
  say "round $round: another mapping"
  OLD="${CHOSEN[*]}"
  while [ "${CHOSEN[*]}" = "$OLD" ]; do choose; done
  NEW="${CHOSEN[*]}"
  WANT=$(differing "$OLD" "$NEW")
  USED+=" $NEW"
  echo "from ($OLD) to ($NEW): $WANT rows change"
  cp "$MAPPING" "$WORK/old.yaml"
  LAST=${NAME}_$(( round - 1 ))
  GENERATION=$(sql 'SELECT max(drover_generation) FROM public.thing')

  # a worker that will outlive its mapping
  drover topics apply --migration "${NAME}_old$round" >> "$WORK/topics.log" 2>&1
  "$DROVER" work --config "$WORK/old_worker.yaml" --migration "${NAME}_old$round" > "$WORK/old$round.log" 2>&1 &
  OLD_PID=$!
  PIDS+=("$OLD_PID")
  wait_until 30 grep -q 'worker.started' "$WORK/old$round.log"

  write_mapping "${CHOSEN[@]}"
  expect_exit 3 drover work --until-end --migration "$LAST" > "$WORK/refused.log" 2>&1
  grep -q 'DRV-M005' "$WORK/refused.log" || fail "a mapping that is not registered is not refused as such"
  grep -q 'drover schema apply' "$WORK/refused.log" || fail "the refusal does not name the way on"

  drover schema apply > "$WORK/schema.log" 2>&1
  grep -q "register the .*mapping of public.thing as generation $(( GENERATION + 1 ))" "$WORK/schema.log" || fail "schema apply does not tell the generation"
  verify "$LAST"
  equal "stale by mapping, different" "$(found '[.counts.stale_by_mapping, .counts.different, .counts.match]')" "[$WANT,0,$(( COUNT - WANT ))]"
  if [ "$WANT" = 0 ]; then
    equal "exit code of verify" "$GOT" 0
  else
    equal "exit code of verify" "$GOT" 5
    grep -q 'NOT EQUAL.*stale by mapping.*drover replay --rewrite' "$WORK/verify.log" || fail "verify does not name the way on"
  fi

  bring "${NAME}_$round"
  verify "${NAME}_$round"
  equal "exit code of verify after the rewrite" "$GOT" 0
  equal "rows of the new generation" "$(sql "SELECT count(*) FROM public.thing WHERE drover_generation = $(( GENERATION + 1 ))")" "$COUNT"

  say "round $round: the worker with the older mapping gets the same versions"
  BEFORE=$(content)
  drover produce --migration "${NAME}_old$round" "$WORK/things.ndjson" >> "$WORK/produce.log" 2>&1
  old_is_done() { [ "$(drover status --migration "${NAME}_old$round" --json 2>/dev/null | jq -c '[.lag, .counts.superseded]')" = "[0,$COUNT]" ]; }
  wait_until 60 old_is_done
  equal "rows after the older mapping" "$(content)" "$BEFORE"
  kill -TERM "$OLD_PID"
  wait "$OLD_PID" || fail "the older worker: exit $?"
done

say "a mapping that comes back is a new generation"
GENERATION=$(sql 'SELECT max(drover_generation) FROM public.thing')
cp "$WORK/old.yaml" "$MAPPING"
drover schema apply > "$WORK/schema.log" 2>&1
grep -q "as generation $(( GENERATION + 1 )), which it was as generation" "$WORK/schema.log" || fail "the mapping that comes back is not told as such"
drover schema apply > "$WORK/schema.log" 2>&1
grep -q 'schema is up to date' "$WORK/schema.log" || fail "a second apply changes something"

say "two contents of one version: the first stays, whatever the mapping, and is the one that is written again"
TWICE=${NAME}_twice
write_mapping a:int8
drover schema apply --migration "$TWICE" > "$WORK/schema.log" 2>&1
sql "TRUNCATE public.thing"
for i in $(seq 60); do
  printf '{"id":%d,"shop":"s%d","rev":%d,"a":%d}\n' "$i" $(( i % 3 )) $(( 1 + RANDOM % 3 )) "$i"
done > "$WORK/first.ndjson"
jq -c 'select(.id % 2 == 0) | .a = -.a' "$WORK/first.ndjson" > "$WORK/second.ndjson"
cat "$WORK/first.ndjson" "$WORK/second.ndjson" > "$WORK/things.ndjson"
# several of a key in a batch, and one
for size in 2000 1; do
  [ "$size" = 1 ] || bring "$TWICE"
  GENERATION=$(sql 'SELECT max(drover_generation) FROM public.thing')
  write_mapping a:int8 "b:$([ "$size" = 1 ] && echo text || echo jsonb)"
  drover schema apply --migration "$TWICE" > "$WORK/schema.log" 2>&1
  grep -q "as generation $(( GENERATION + 1 ))" "$WORK/schema.log" || fail "the mapping is not a new generation"
  expect_exit 0 drover replay --rewrite --migration "$TWICE" --batch-records "$size" --json > "$WORK/twice.json" 2> "$WORK/twice.log"
  equal "read, written, conflicts" "$(jq -c '[.read, .counts.applied, .counts.conflict]' "$WORK/twice.json")" "[90,60,30]"
  equal "rows of the first content and the new generation" \
    "$(sql "SELECT count(*) FROM public.thing WHERE a_int8 = id AND drover_generation = $(( GENERATION + 1 ))")" 60
  verify "$TWICE"
  equal "exit code of verify" "$GOT" 5
  equal "stale by mapping, different, conflict, match" "$(found '[.counts.stale_by_mapping, .counts.different, .counts.conflict, .counts.match]')" "[0,0,30,60]"
done
