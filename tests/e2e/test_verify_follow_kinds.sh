#!/usr/bin/env bash
# drover verify --follow and messages that are not just rows: deletes of every policy, messages without a version, records that wait
# for their parents (neither right nor wrong until those came), and two followers, one of which is killed while some wait.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/follower_lib.sh"

mkdir "$WORK/mappings"
cp "$PWD"/tests/e2e/data/family/{customer,basket}.yaml "$PWD"/tests/e2e/data/deletes/*.yaml "$WORK/mappings"
sed -e '/^version:/d' -e 's/^entity: .*/entity: plain/; s/^table: .*/table: plain/; s/^collect:.*/collect: { files: ["plain*.ndjson"] }/' \
  "$PWD/tests/e2e/data/deletes/hard.yaml" > "$WORK/mappings/plain.yaml"
sed -i "s|^mappings:.*|mappings: [$WORK/mappings]|" "$WORK/drover.yaml"
echo 'work: { parent_wait: 30m }' >> "$WORK/drover.yaml"
prepare

produce() { drover produce "$@" >> "$WORK/produce.log" 2>&1; }
# gone ENTITY ID VERSION: deletes; without a VERSION by its place in the log
gone() {
  printf 't1/%s/%s\t\n' "$1" "$2" \
    | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -K '\t' -Z -X partitioner=murmur2 \
      -H drover-tenant=t1 -H "drover-entity=$1" -H "drover-id=$2" ${3:+-H "drover-version=$3"}
}
numbers() { seq "$1" "$2"; }
sql() { psql "$ADMIN" -qAt -v ON_ERROR_STOP=1 "$@"; }
waits_for() { [ "$(sql -c "SELECT count(*) FROM drover.waiting")" = "$1" ]; }

say "deletes of three policies, and messages without a version"
start_worker worker
start_follower one
for entity in kept soft hard plain; do
  for i in $(numbers 1 40); do echo "{\"id\":\"x$i\",\"tenant\":\"t1\",\"rev\":10,\"note\":\"n$i\"}"; done > "$WORK/$entity.ndjson"
  produce "$WORK/$entity.ndjson"
done
wait_until 90 is_level one 160
for entity in kept soft hard; do
  for i in 1 2 3; do gone "$entity" "x$i" 11; done
  gone "$entity" x4 9 # older than its row
done
for i in 1 2 3; do gone plain "x$i"; done
for i in 4 5 6; do echo "{\"id\":\"x$i\",\"tenant\":\"t1\",\"note\":\"again $i\"}"; done > "$WORK/plain2.ndjson"
produce "$WORK/plain2.ndjson"
wait_until 60 is_level one 175
end_follower one 0
equal "verdicts" "$(last one '[.verdicts[] | "\(.verdict) \(.count)"] | join(", ")')" 'match 175, overtaken 3'

say "what a delete or a message without a version left behind, damaged before it was looked at; and records that wait"
gone hard x5 11
gone kept x6 11
gone soft x7 11
echo '{"id":"x8","tenant":"t1","note":"third"}' > "$WORK/plain3.ndjson"
produce "$WORK/plain3.ndjson"
for i in $(numbers 1 30); do echo "{\"customer\":$i,\"no\":1,\"tenant\":\"t$(( i % 3 ))\",\"rev\":1}"; done > "$WORK/basket.ndjson"
produce "$WORK/basket.ndjson"
wait_until 60 is_drained
wait_until 60 waits_for 30
sql <<'END'
UPDATE public.hard SET drover_deleted = false, note = 'n', status = 'active' WHERE id = 'x5';
UPDATE public.kept SET drover_deleted = false, note = 'n', status = 'active' WHERE id = 'x6';
UPDATE public.soft SET status = 'active' WHERE id = 'x7';
UPDATE public.plain SET note = 'edited' WHERE id = 'x8';
CREATE FUNCTION public.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.extra := '{"spoilt": true}'; RETURN NEW; END $$;
CREATE TRIGGER spoil BEFORE INSERT ON public.basket FOR EACH ROW WHEN (NEW.customer = 7) EXECUTE FUNCTION public.spoil();
END
start_follower one
start_follower two
both() { echo $(( $(standing one "$1") + $(standing two "$1") )); }
waiting='[.verdicts[] | select(.verdict == "pending") | .count] | add // 0'
are_level() { [ "$(both .compared) $(both .behind) $(both .suspects) $(both "$waiting")" = "$1 0 0 $2" ]; }
wait_until 90 are_level 179 30
equal "discrepancies, those that wait being none" "$(both .discrepancies)" 4

say "one of two followers is killed; the parents come: now the children are compared, each once"
before=$(standing two .compared)
kill_follower two
for i in $(numbers 1 30); do echo "{\"id\":$i,\"tenant\":\"t$(( i % 3 ))\",\"rev\":1,\"name\":\"n$i\"}"; done > "$WORK/customer.ndjson"
produce "$WORK/customer.ndjson"
wait_until 60 waits_for 0
wait_until 90 is_level one $(( 239 - before ))

say "more children than one look has room for get in at once"
numbers 1 6000 | sed 's/.*/{"customer":31,"no":&,"tenant":"t1","rev":1}/' > "$WORK/basket.ndjson"
produce "$WORK/basket.ndjson"
wait_until 60 waits_for 6000
kill -STOP "$one_PID"
echo '{"id":31,"tenant":"t1","rev":1,"name":"n31"}' > "$WORK/customer.ndjson"
produce "$WORK/customer.ndjson"
wait_until 60 waits_for 0
kill -CONT "$one_PID"
wait_until 90 is_level one $(( 6240 - before ))
end_follower one 5
equal "verdicts of both" "$( (last one '.verdicts[]'; standing two '.verdicts[]') | jq -rs 'map(select(.verdict != "pending")) | group_by(.verdict)
  | map("\(.[0].verdict) \(map(.count) | add)") | join(", ")')" 'different 5, match 6235, overtaken 3'
stop_worker worker

say "alone on a terminal: in place, with what is wrong, also on a narrow one; the summary at its end"
total=$(last one .compared | sed -E 's/([0-9])([0-9]{3})$/\1 \2/') wrong=$(last one .discrepancies)
terminal() { env -u TMUX LC_ALL=C.UTF-8 TERM=screen tmux -S "$WORK/tmux" -f /dev/null "$@"; }
shows() { terminal capture-pane -p > "$WORK/screen.log"; grep -Eq -- "$1" "$WORK/screen.log"; }
terminal new-session -d -x 100 -y 24 "'$DROVER' verify --follow --id one --full-every 1h --config '$WORK/drover.yaml'; echo exit \$?; read -r"
PIDS+=("$(terminal display-message -p '#{pid}')")
wait_until 60 shows "^  verify    NOT EQUAL: $wrong different in $total comparisons; the last full pass found [0-9]+ problems\$"
shows "^  total +$total +$wrong +[0-9.]+ % +[0-9.]+ %\$" || fail "it has no line of the total"
wait_until 60 shows '^  full pass [0-9]+ problems · 0:[0-9]+ ago · next in 59:[0-9]+$'
shows '^  beside    3 overtaken · 6 030 pending$' || fail "it does not say what was not compared"
[ "$(grep -c 'verify    NOT' "$WORK/screen.log")" = 1 ] || fail "it is not drawn in place"
terminal capture-pane -p -e | grep -q $'\033' && fail "there is colour, with NO_COLOR"
terminal resize-window -x 50 -y 9
wait_until 30 shows '^ +compared +wrong +95 % bound$'
shows "^  verify    NOT EQUAL: $wrong different in $total com[a-z]*…\$" || fail "the verdict is not what stays"
shows '^  total ' || fail "the total is gone"
terminal resize-window -x 100 -y 24
terminal send-keys C-c
wait_until 60 shows '^exit 5$'
shows "^NOT EQUAL: $wrong different in $total comparisons; with 95 % confidence the rate is at most " || fail "it ends without its verdict"
shows "^Report: /.*/report/" || fail "it does not say where the report is"
shows '^Next:  drover verify --show-values$' || fail "it does not say what is next"
terminal kill-server
say done
