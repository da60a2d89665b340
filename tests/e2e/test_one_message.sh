#!/usr/bin/env bash
# One message costs itself: what is wrong with it never halts its partition. Refused envelopes count in their run;
# names of runs with any bytes; more runs side by side than are kept. What is stored of them is believed or said.
. "$(dirname "$0")/lib.sh"

TOOL=${KAFKA_TOOL:?run ./dev test}
SOURCE=drover.$NAME.source

# message ID RUN SEQ [VERSION]
message() {
  jq -nc --arg id "$1" --argjson run "$2" --arg seq "$3" --arg version "${4:-}" '
    {partition: 0, value: ({id: $id, tenant: "t01", rev: 1, kind: "k"} | tojson),
     headers: ([["drover-tenant", "t01"], ["drover-entity", "event"], ["drover-run", $run], ["drover-seq", $seq]]
       + (if $version == "" then [] else [["drover-version", $version]] end))}'
}

work() { timeout 60 "$DROVER" work --until-end --config "$WORK/drover.yaml" "${@:2}" > "$WORK/$1.log" 2>&1; }

rows() { psql "$ADMIN" -Atc "SELECT count(*) FROM public.event"; }

prepare
say "a refused envelope in the middle of a run"
{ message a0 '"r"' 0; message a1 '"r"' 1 'no number'; message a2 '"r"' 2; message a3 '"r"' x; message a4 '"r"' 4; } | "$TOOL" send "$SOURCE"
work refused || fail "worker: exit $?: $(grep -o 'event=partition.halted.*' "$WORK/refused.log")"
equal "rows" "$(rows)" 3
equal "dead letters" "$(drover status --json | jq .counts.dead_lettered)" 2

say "names of runs with any bytes, and more runs than are kept"
{
  for n in 0 1 2; do for run in '"nul\u0000a"' '"nul\u0000b"' '"\u0000"' '"tab\there"' '"quote\""' '"r"'; do message "b$run$n" "$run" "$([ "$run" = '"r"' ] && echo $((n + 5)) || echo "$n")" | tr -d '\000'; done; done
  for n in 0 1 2; do for run in $(seq 40); do message "c$run-$n" "\"side-$run\"" "$n"; done; done
} > "$WORK/names.json"
sed -n 1,12p "$WORK/names.json" | "$TOOL" send "$SOURCE"
work names || fail "worker: exit $?: $(grep -o 'event=partition.halted.*' "$WORK/names.log")"
sed -n '13,$p' "$WORK/names.json" | "$TOOL" send "$SOURCE"
work again || fail "worker after a restart: exit $?: $(grep -o 'event=partition.halted.*' "$WORK/again.log")"
equal "rows" "$(rows)" $((3 + 18 + 120))
message d '"side-40"' 5 | "$TOOL" send "$SOURCE"
status=0
work gap || status=$?
equal "exit code of a true gap" "$status" 1

say "what is stored cannot be read"
psql "$ADMIN" -qc "UPDATE drover.partition_progress SET sequences = '[1]' WHERE topic = '$SOURCE' AND partition = 0"
status=0
work unread || status=$?
equal "exit code" "$status" 6
grep -q 'DRV-W011' "$WORK/unread.log" || fail "the worker does not say what is wrong"
work accepted --accept-gap || fail "worker --accept-gap: exit $?"
equal "rows" "$(rows)" $((3 + 18 + 120 + 1))
say done
