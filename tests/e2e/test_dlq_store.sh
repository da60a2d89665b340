#!/usr/bin/env bash
# What drover dlq replay says of a dead letter is what the store holds: an older version is not its own, the same version with
# other content is a conflict, and a child that nobody came for is as old as it was when it came.
. "$(dirname "$0")/lib.sh"

cat > "$WORK/note.yaml" <<'END'
entity: note
collect: { files: ["*.note"] }
table: note
key: [id]
columns:
  - { name: id, from: /id, type: text }
END
# child ENTITY VERSION: refers to notes
child() {
  cat > "$WORK/$1.yaml" <<END
entity: $1
collect: { files: ["*.$1"] }
table: $1
key: [id]
$2
columns:
  - { name: id,   from: /id, type: text }
  - { name: note, from: /note, type: text }
  - { name: rev,  from: /rev, type: int8 }
  - { name: text, from: /text, type: varchar(5) }
references:
  - { columns: [note], entity: note }
END
}
child answer 'version: { from: /rev, as: number }'
child reply ''
sed -i "s|^mappings: .*|mappings: [$WORK/note.yaml, $WORK/answer.yaml, $WORK/reply.yaml]|" "$WORK/drover.yaml"

# put ENTITY ID MEMBERS: a message as others write it, without headers
put() { printf '{"id":"%s"%s}' "$2" "$3" | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -p 0 -k "t01/$1/$2"; }
row() { psql "$ADMIN" -Atc "SELECT text FROM $1 WHERE id = '$2'"; }
# replay FILTER…: chosen, landed, superseded, in conflict, waiting
replay() { drover dlq replay "$@" --json 2>> "$WORK/replay.log" > "$WORK/replay.json"; }
counts() { jq -c '[.chosen, .landed, .superseded, .conflict, .waiting]' "$WORK/replay.json"; }

prepare
psql "$ADMIN" -qc "ALTER TABLE public.answer ADD CONSTRAINT no_evil CHECK (text <> 'evil')"
start_worker one --breaker 0 --parent-wait 2s
put note n1 ''
put answer a1 ',"note":"n1","rev":1,"text":"old"'
put answer a1 ',"note":"n9","rev":2,"text":"much too long"'
put answer a2 ',"note":"n1","rev":1,"text":"evil"'
put answer a2 ',"note":"n1","rev":1,"text":"other"'
put reply r1 ',"note":"n9","text":"old"'
are_dead() { [ "$(drover dlq stats --state all --json | jq .total)" = 3 ] && is_drained; }
wait_until 60 are_dead
equal "rows" "$(row answer a1) $(row answer a2) $(row reply r1)" 'old other '
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.dlq" -e -q -f '%h\n' > "$WORK/dead.txt"
PLACE=$(grep DRV-P111 "$WORK/dead.txt" | sed -n 's/.*drover-log-version=\([0-9]*\).*/\1/p')
[ -n "$PLACE" ] || fail "a child that was given up does not say its place in the log"
say "the same version with other content stays, and is told"
psql "$ADMIN" -qc "ALTER TABLE public.answer DROP CONSTRAINT no_evil"
expect_exit 5 replay --entity answer --state resolved
equal "in conflict" "$(counts)" '[1,0,0,1,0]'
equal "its row" "$(row answer a2)" other

stop_worker one
sed -i 's/varchar(5)/text/' "$WORK/answer.yaml"
psql "$ADMIN" -qc "ALTER TABLE public.answer ALTER COLUMN text TYPE text"
drover schema apply >> "$WORK/schema.log" 2>&1
start_worker two --breaker 0 --parent-wait 1h

say "an older version in the store is not the one that was sent: it waits"
expect_exit 5 replay --entity answer
equal "waiting" "$(counts)" '[1,0,0,0,1]'
equal "its row" "$(row answer a1)" old
put note n9 ''
has_come() { [ "$(row answer a1)" = 'much too long' ]; }
wait_until 60 has_come

say "a child that was given up is as old as it was"
replay --entity reply
equal "landed" "$(counts)" '[1,1,0,0,0]'
equal "its version" "$(psql "$ADMIN" -Atc "SELECT drover_version FROM reply WHERE id = 'r1'")" "$PLACE"
stop_worker two
say done
