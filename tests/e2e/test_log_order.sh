#!/usr/bin/env bash
# Messages without a version: the log's order is the versions' order, also with equal timestamps across a multiple of
# 65,536 offsets and a worker that is killed in between; the verifier comes to the same versions by itself.
. "$(dirname "$0")/lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
SOURCE=drover.$NAME.source
cat > "$WORK/note.yaml" <<'EOF2'
entity: note
table: note
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: text }
  - { name: tenant, from: /tenant, type: text }
  - { name: n,  from: /n, type: int8 }
EOF2
sed -i "s|^mappings:.*|mappings: [$WORK/note.yaml]|" "$WORK/drover.yaml"
prepare
jq -nc 'range(70000) | {partition: 0, timestamp: 1700000000000, value: ({id: "k\(. % 7)", tenant: "t01", n: .} | tojson),
  headers: [["drover-tenant", "t01"], ["drover-entity", "note"]]}' > "$WORK/messages.json"
"$TOOL" send "$SOURCE" < "$WORK/messages.json"

say "a worker is killed twice on the way"
for goal in 20000 66000; do
  start_worker "victim$goal" --batch-records 400 --work-memory 1MiB
  wait_until 120 has_committed "$goal"
  pid_name=victim${goal}_PID
  kill -9 "${!pid_name}"
  wait "${!pid_name}" 2>/dev/null || true
done
timeout 120 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/last.log" 2>&1 || fail "worker: exit $?"
equal "last message of each key" "$(psql "$ADMIN" -Atc "SELECT string_agg(id || '=' || n, ' ' ORDER BY id) FROM public.note")" \
  "k0=69993 k1=69994 k2=69995 k3=69996 k4=69997 k5=69998 k6=69999"
drover verify > "$WORK/verify.log" 2>&1 || fail "verify: exit $?"

say "the last message again, after a restart with nothing else to read"
jq -nc '{partition: 0, timestamp: 1699999999000, value: ({id: "k0", tenant: "t01", n: 70000} | tojson),
  headers: [["drover-tenant", "t01"], ["drover-entity", "note"]]}' | "$TOOL" send "$SOURCE"
timeout 60 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/more.log" 2>&1 || fail "worker: exit $?"
equal "a later message with an earlier timestamp" "$(psql "$ADMIN" -Atc "SELECT n FROM public.note WHERE id = 'k0'")" 70000
psql "$ADMIN" -qc "UPDATE public.note SET n = 1 WHERE id = 'k3'"
expect_exit 5 drover verify > "$WORK/verify2.log" 2>&1
equal "different" "$(jq .counts.different "$WORK/report/latest/report.json")" 1

say "what was read for the clock's sake only is gone from the topic"
next=$(committed)
"$TOOL" trim "$SOURCE" 0 "$next"
jq -nc '{partition: 0, timestamp: 1699999999000, value: ({id: "k0", tenant: "t01", n: 70001} | tojson),
  headers: [["drover-tenant", "t01"], ["drover-entity", "note"]]}' | "$TOOL" send "$SOURCE"
timeout 60 "$DROVER" work --until-end --config "$WORK/drover.yaml" > "$WORK/gone.log" 2>&1 || fail "worker: exit $?"
grep -q partition.head_gone "$WORK/gone.log" || fail "nothing was to be read for the clock's sake"
equal "the next message" "$(psql "$ADMIN" -Atc "SELECT n FROM public.note WHERE id = 'k0'")" 70001
say done
