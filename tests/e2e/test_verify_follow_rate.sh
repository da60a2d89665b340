#!/usr/bin/env bash
# The rate of discrepancies that drover verify --follow tells, and its bound, against a count of the topics' messages and of the
# damage that was done, made without Drover's code; over a kill and a restart. And what it says when it is too far behind to compare
# all: the share of the keys, and how many were left out.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/follower_lib.sh"

prepare
SOURCE=drover.$NAME.source

# dump: both topics as they are by now
dump() {
  kcat -C -b "$KAFKA_BROKERS" -t "$SOURCE" -o beginning -e -q -f '%p\t%o\t%k\t%S\n' > "$WORK/source.tsv" 2> "$WORK/kcat.log"
  kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.results" -o beginning -e -q -f '%p\t%o\t%s\n' > "$WORK/results.tsv" 2> "$WORK/kcat.log"
}
# agrees FILE: its windows are those of the independent count
agrees() { python3 tests/e2e/follow_count.py document "$1" "$COMPARED" "$WRONG" >&"$TELL" || fail "what was counted is not what there is"; }
# shares: as the log tells them, in order
shares() { sed -n 's/.*event=follow.share share=\([0-9.]*\).*/\1/p' "$WORK/one.log" | tr '\n' ' '; }

say "nine wrong rows among three thousand, and two dead letters"
psql "$ADMIN" -q <<'END'
CREATE FUNCTION public.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.amount := 4711; RETURN NEW; END $$;
CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON public.event FOR EACH ROW
  WHEN (NEW.isolation_key = 't03' AND NEW.id IN ('e7', 'e8', 'e9')) EXECUTE FUNCTION public.spoil();
END
for key in t03/event/e{7,8,9} t04/event/e{207,208,209} t05/event/e{207,208,209}; do echo "$key"; done > "$WORK/wrong.tsv"
start_worker worker
start_follower one --backlog 1000
generate 1500 10 1 "$WORK/one.ndjson"
printf '{"id":"bad%d","tenant":"t01","rev":1,"kind":"a word that is too long for it"}\n' 1 2 > "$WORK/bad.ndjson"
drover produce "$WORK/one.ndjson" "$WORK/bad.ndjson" > "$WORK/produce.log" 2>&1
wait_until 90 is_level one 1500
generate 3000 10 1 "$WORK/all.ndjson"
tail -n 1500 "$WORK/all.ndjson" > "$WORK/two.ndjson"
kill_follower one
drover produce "$WORK/two.ndjson" > "$WORK/produce.log" 2>&1
wait_until 60 is_drained
psql "$ADMIN" -q <<'END'
UPDATE public.event SET drover_version = CASE isolation_key WHEN 't04' THEN 0 ELSE 2 END
  WHERE isolation_key IN ('t04', 't05') AND id IN ('e207', 'e208', 'e209');
END
start_follower one --backlog 1000
wait_until 90 is_level one 3000
end_follower one 5
dump
read -r COMPARED WRONG DEAD < <(python3 tests/e2e/follow_count.py counts "$WORK/source.tsv" "$WORK/results.tsv" "$WORK/wrong.tsv")
equal "counted by itself" "$COMPARED $WRONG $DEAD" "3000 9 2"
tail -n 1 "$WORK/one.out" > "$WORK/last.json"
agrees "$WORK/last.json"
agrees "$WORK/report/latest/report.json"
equal "dead letters" "$(verdict one dead_lettered)" "$DEAD"
equal "verdicts" "$(last one '[.verdicts[] | select(.verdict | IN("different", "stale", "target_newer")) | "\(.verdict) \(.count)"] | sort | join(", ")')" \
  'different 3, stale 3, target_newer 3'

say "further behind than --backlog: a share of the keys, said; what was left out is counted, and what was not is judged"
psql "$ADMIN" -qc "DROP TRIGGER spoil ON public.event"
generate 12000 10 2 "$WORK/many.ndjson"
drover produce "$WORK/many.ndjson" > "$WORK/produce.log" 2>&1
wait_until 120 is_drained
psql "$ADMIN" -q -c "UPDATE public.event SET kind = 'edited' WHERE isolation_key = 't00' AND rev = 2" \
  -c "DELETE FROM public.event WHERE isolation_key = 't01' AND rev = 2"
start_follower one --backlog 1000
has_seen_all() { [ "$(standing one '([.verdicts[].count] | add) + .not_compared == 15002 and .behind == 0 and .suspects == 0')" = true ]; }
wait_until 120 has_seen_all
end_follower one 5
[[ "$(shares)" = "0.5 "*"1 " ]] || fail "the shares it told: $(shares)"
group() { jq "[.groups[] | select(.tenant == \"$1\") | .counts.$2] | add // 0" "$WORK/report/latest/report.json"; }
for tenant in t00 t01; do # 300 were right before
  equal "rows of $tenant that were damaged, compared, and said to be right" "$(( $(group "$tenant" match) - 300 ))" 0
done
for tenant in t02 t06 t07 t08 t09; do equal "wrong ones of $tenant" "$(( $(group "$tenant" different) + $(group "$tenant" missing) ))" 0; done
found=$(( $(group t00 different) + $(group t01 missing) ))
[ "$found" -gt 0 ] || fail "no damage was found in the share"
dump
left=$(last one .not_compared)
[ "$left" -gt 0 ] || fail "nothing was left out"
equal "messages, by the topic" "$(( $(last one '[.verdicts[].count] | add') + left ))" "$(wc -l < "$WORK/source.tsv")"
COMPARED=$(( $(wc -l < "$WORK/source.tsv") - left - DEAD - $(verdict one conflict) )) WRONG=$(( 9 + found ))
tail -n 1 "$WORK/one.out" > "$WORK/last.json"
agrees "$WORK/last.json"
agrees "$WORK/report/latest/report.json"
stop_worker worker
say done
