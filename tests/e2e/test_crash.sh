#!/usr/bin/env bash
# Workers killed with SIGKILL in the middle: nothing is lost, nothing applied twice.
. "$(dirname "$0")/lib.sh"

prepare
psql "$ADMIN" -q <<'EOF'
CREATE TABLE public.event_history (id text, tenant text, old_version int8, new_version int8);
CREATE FUNCTION public.note_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO public.event_history VALUES (NEW.id, NEW.isolation_key,
    CASE WHEN TG_OP = 'UPDATE' THEN OLD.drover_version END, NEW.drover_version);
  RETURN NEW;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON public.event FOR EACH ROW EXECUTE FUNCTION public.note_event();
EOF
generate 20000 20 1 "$WORK/one.ndjson"
generate 20000 20 2 "$WORK/two.ndjson"

say "two workers; one is killed again and again"
drover produce "$WORK/one.ndjson" "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1 &
PRODUCER=$!
start_worker steady
for goal in 3000 12000 24000; do
  start_worker "victim$goal"
  wait_until 90 has_committed "$goal"
  pid_name=victim${goal}_PID
  kill -9 "${!pid_name}"
  wait "${!pid_name}" 2>/dev/null || true
done
wait "$PRODUCER" || fail "produce failed"
wait_until 120 is_drained
stop_worker steady
check_equal "$WORK/one.ndjson" "$WORK/two.ndjson"
equal "regressions" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM event_history WHERE new_version <= old_version")" 0
equal "versions applied twice" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM
  (SELECT FROM event_history GROUP BY tenant, id, new_version HAVING count(*) > 1) AS t")" 0
drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"
say done
