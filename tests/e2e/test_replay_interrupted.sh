#!/usr/bin/env bash
# A replay that is killed while it is being made, at each of its partitions, is never taken for whole; one that was begun
# under other mappings begins anew, and is not gone on with by its name. In every store that keeps checkpoints.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
sed -i 's/partitions: 6/partitions: 3/' "$WORK/drover.yaml"
mkdir "$WORK/mappings"
cp tests/e2e/data/event.yaml "$WORK/mappings/"
sed -i "s|^mappings: .*|mappings: [$WORK/mappings]|" "$WORK/drover.yaml"
prepare
generate 600 4 1 "$WORK/events.ndjson"
drover produce "$WORK/events.ndjson" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1

# A statement of a replay waits where `hold` says: at the making of a partition's checkpoint, or before anything is read
# of one, or behind an offset.
psql "$ADMIN" -q -v ON_ERROR_STOP=1 <<'SQL'
CREATE TABLE public.hold (what text, partition int, above int8);
CREATE FUNCTION public.hold_here() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF NEW."group" LIKE '%.replay.%' AND EXISTS (SELECT FROM public.hold AS h
      WHERE h.what = TG_OP AND h.partition = NEW.partition AND NEW.next_offset > h.above) THEN
    PERFORM pg_advisory_xact_lock(4711);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER hold_here BEFORE INSERT OR UPDATE ON drover.partition_progress
  FOR EACH ROW EXECUTE FUNCTION public.hold_here();
SQL
mkfifo "$WORK/orders"
psql "$ADMIN" -q -v ON_ERROR_STOP=1 < "$WORK/orders" > "$WORK/session.log" 2>&1 &
PIDS+=("$!")
exec {ORDERS}> "$WORK/orders"
is_held() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")" = 1 ]; }
waits() { [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")" -gt 0 ]; }
kept() { psql "$ADMIN" -Atc "SELECT count(*) FROM drover.partition_progress WHERE \"group\" LIKE '%.replay.%'"; }
pins() { psql "$ADMIN" -Atc "SELECT count(*) FROM drover.pinned_group WHERE \"group\" LIKE '%.replay.%'"; }

# killed_at WHAT PARTITION ABOVE OPTION…: a replay that is killed there, and what it waited with never happens
killed_at() {
  psql "$ADMIN" -qc "DELETE FROM public.event; DELETE FROM public.hold; INSERT INTO public.hold VALUES ('$1', $2, $3)"
  shift 3
  echo 'SELECT pg_advisory_lock(4711);' >&"$ORDERS"
  wait_until 60 is_held
  PGAPPNAME=drover-killed "$DROVER" replay --rewrite --config "$WORK/drover.yaml" "$@" > "$WORK/killed.log" 2>&1 &
  local pid=$!
  PIDS+=("$pid")
  wait_until 60 waits
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
  end_sessions "wait_event = 'advisory'" # the statement that waits never happens; others may have been sent by then
  wait_until 60 sessions_ended drover-killed
  psql "$ADMIN" -qc "DELETE FROM public.hold"
  echo 'SELECT pg_advisory_unlock(4711);' >&"$ORDERS"
}

ID=$(drover replay --rewrite --dry-run | sed -n 's/.*would be read by replay \([0-9a-f]*\)$/\1/p')
for made in 0 1 2; do
  say "killed when $made of 3 partitions were made"
  killed_at INSERT "$made" -1
  equal "made" "$(kept)" "$made"
  expect_exit 2 drover replay --resume "$ID" > "$WORK/named.log" 2>&1
  if [ "$made" = 0 ]; then
    has "$WORK/named.log" "there is no replay $ID"
  else
    has "$WORK/named.log" "of the replay $ID only $made of 3 partitions are kept"
  fi
  equal "rows" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM public.event")" 0
  expect_exit 0 drover replay --rewrite --json > "$WORK/rest.json" 2> "$WORK/rest.log"
  equal "read" "$(jq -c '[.done, .read, .counts.applied]' "$WORK/rest.json")" "[true,600,600]"
  check_equal "$WORK/events.ndjson"
  equal "kept" "$(kept) $(pins)" "0 0"
done
say "killed when all were made, and nothing was read"
killed_at UPDATE 0 -1
equal "made" "$(kept)" 3
expect_exit 0 drover replay --resume "$ID" --json > "$WORK/rest.json" 2> "$WORK/rest.log"
equal "read" "$(jq -c '[.done, .read, .counts.applied]' "$WORK/rest.json")" "[true,600,600]"
check_equal "$WORK/events.ndjson"

say "the mappings change meanwhile: it begins anew, and its name alone is refused"
killed_at UPDATE 1 100 --batch-records 20 --connections 1
equal "made" "$(kept)" 3
SOME=$(psql "$ADMIN" -Atc "SELECT count(*) FROM public.event")
[ "$SOME" -gt 0 ] && [ "$SOME" -lt 600 ] || fail "it was not interrupted: $SOME rows"
sed -i '/name: tags/d' "$WORK/mappings/event.yaml"
expect_exit 0 drover schema apply > "$WORK/schema.log" 2>&1
expect_exit 3 drover replay --resume "$ID" > "$WORK/named.log" 2>&1
has "$WORK/named.log" "the replay $ID was begun under other mappings than these"
has "$WORK/named.log" "without --resume"
expect_exit 0 drover replay --rewrite --json > "$WORK/anew.json" 2> "$WORK/anew.log"
has "$WORK/anew.log" "event=replay.anew id=$ID"
equal "read" "$(jq -c '[.done, .read]' "$WORK/anew.json")" "[true,600]"
equal "rows of the new mapping" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM public.event WHERE extra ? 'tags'")" 600
equal "kept" "$(kept) $(pins)" "0 0"

# message ID SEQUENCE
message() {
  jq -nc --arg id "$1" --arg seq "$2" '{partition: 0, value: ({id: $id, tenant: "t01", rev: 1, kind: "k"} | tojson),
     headers: [["drover-tenant", "t01"], ["drover-entity", "event"], ["drover-run", "r"], ["drover-seq", $seq]]}'
}
start_redis
for storage in redis file; do
  say "the same in storage $storage"
  export AI_STORAGE_TYPE=$storage DROVER_STORAGE=$storage DROVER_MIGRATION=${NAME}_$storage
  store=(--store-dir "$WORK/store"); [ $storage = file ] || store=()
  drover topics apply > "$WORK/topics.log" 2>&1
  message a 0 | "$TOOL" send "drover.$DROVER_MIGRATION.source"
  expect_exit 0 drover work --until-end "${store[@]}" > "$WORK/work.log" 2>&1
  { message b 1; message d 3; } | "$TOOL" send "drover.$DROVER_MIGRATION.source"
  expect_exit 1 drover replay --partition 0 --to 9 "${store[@]}" > "$WORK/gap.log" 2>&1
  has "$WORK/gap.log" "1 message of run r missing"
  ID=$(sed -n 's/.*drover replay .*--resume \([0-9a-f]*\) --accept-gap.*/\1/p' "$WORK/gap.log" | tail -n 1)
  echo "# for $storage" >> "$WORK/mappings/event.yaml"
  expect_exit 3 drover replay --resume "$ID" "${store[@]}" > "$WORK/named.log" 2>&1
  has "$WORK/named.log" "the replay $ID was begun under other mappings than these"
  expect_exit 1 drover replay --partition 0 --to 9 "${store[@]}" > "$WORK/gap.log" 2>&1
  has "$WORK/gap.log" "1 message of run r missing"
  expect_exit 0 drover replay --partition 0 --to 9 --accept-gap --json "${store[@]}" > "$WORK/on.json" 2> "$WORK/on.log"
  equal "read" "$(jq -c '[.done, .read, .counts.applied]' "$WORK/on.json")" "[true,1,1]"
  expect_exit 2 drover replay --resume "$ID" "${store[@]}" > "$WORK/named.log" 2>&1
done
exec {ORDERS}>&-
say done
