#!/usr/bin/env bash
# A record that stands alone in the search for refused ones, while another session writes a newer version of
# its key: the statement that waited for that row does not see it. It is superseded, not dead.
. "$(dirname "$0")/lib.sh"

sed -i 's/partitions: 6/partitions: 1/' "$WORK/drover.yaml" # both records in one batch
prepare
psql "$ADMIN" -q <<'EOF'
ALTER TABLE public.event ADD CONSTRAINT small CHECK (amount < 1000);
CREATE SEQUENCE public.tries;
GRANT USAGE ON SEQUENCE public.tries TO PUBLIC;
CREATE FUNCTION public.wait_here() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id = 'a' AND NEW.rev = 1 AND nextval('public.tries') = 3 THEN PERFORM pg_advisory_xact_lock(4711); END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER wait_here BEFORE INSERT ON public.event FOR EACH ROW EXECUTE FUNCTION public.wait_here();
EOF
# The first two tries are the batch and its group, which the second record spoils; in the third, the first is alone.
cat > "$WORK/one.ndjson" <<'EOF'
{"id":"a","tenant":"t1","rev":1,"kind":"k","amount":1}
{"id":"b","tenant":"t1","rev":1,"kind":"k","amount":5000}
EOF
drover produce "$WORK/one.ndjson" > "$WORK/produce.log" 2>&1

# is_locked GRANTED: a session has the lock, or waits for it
is_locked() {
  [ "$(psql "$ADMIN" -Atc "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711
    AND granted = $1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")" = 1 ]
}

say "a session writes the newer version while the record waits"
mkfifo "$WORK/orders"
psql "$ADMIN" -q -v ON_ERROR_STOP=1 < "$WORK/orders" > "$WORK/session.log" 2>&1 &
PIDS+=("$!")
exec {ORDERS}> "$WORK/orders"
echo 'SELECT pg_advisory_lock(4711);' >&"$ORDERS"
wait_until 20 is_locked true
start_worker A
wait_until 60 is_locked false
cat >&"$ORDERS" <<'EOF'
INSERT INTO public.event (isolation_key, id, tenant, rev, kind, drover_version, drover_digest, drover_deleted)
VALUES ('t1', 'a', 't1', 2, 'k', 2, decode(repeat('00', 16), 'hex'), false);
SELECT pg_advisory_unlock(4711);
EOF
exec {ORDERS}>&-
wait_until 60 is_drained
equal "dead letters, superseded" "$(drover status --json | jq -c '[.counts.dead_lettered, .counts.superseded]')" "[1,1]"
equal "the dead letter" "$(kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.dlq" -e -q -f '%k\n')" t1/event/b
stop_worker A
say done
