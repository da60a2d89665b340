#!/usr/bin/env bash
# The same command again: what was sent is skipped and said so, what changed is read anew, --again sends all, standard input is
# never skipped; two producers of one source; a topic that was deleted; a manifest that cannot be used.
. tests/e2e/lib.sh

drover topics apply > "$WORK/topics.log" 2>&1
IN=$WORK/in
mkdir "$IN"
SOURCE=drover.$NAME.source
in_topic() { messages_in "$SOURCE"; }
# counts FILE: source records, produced, rejected, skipped sources, their records, resumed, anew
counts() { jq -c '[.source_records, .counts.produced, .counts.rejected, .sources_skipped, .records_skipped, .sources_resumed, .sources_anew]' "$1"; }
# produces EXIT COUNTS ARGUMENT…
produces() {
  local want=$1 expected=$2
  shift 2
  expect_exit "$want" drover produce --json "$@" > "$WORK/out.json" 2> "$WORK/err.log"
  equal "counts of: $*" "$(counts "$WORK/out.json")" "$expected"
}
# poke FILE TEXT OTHER: in place, of the same length, and the file's time as it was
poke() {
  touch -r "$1" "$WORK/poked"
  python3 -c 'import sys; f = open(sys.argv[1], "r+b"); at = f.read().index(sys.argv[2].encode()); f.seek(at); f.write(sys.argv[3].encode())' "$@"
  touch -r "$WORK/poked" "$1"
}
readings() { kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.$NAME.results" 2> /dev/null | jq -c 'select(.kind == "reading")'; }

last_of() { readings | jq -sc "[.[] | select(.uri | endswith(\"$1\"))] | max_by(.finished_ms) | $2"; }

# the sources that `status` shows: names, counts, and when they were read
shown() { { drover status 2> "$WORK/status.err" || true; } | grep ', read ' | sort; }
is_later() { [ "$(date +%s)" -gt "$1" ]; }

say "sent once, skipped then, and its reading told again"
drover schema apply > "$WORK/schema.log" 2>&1
generate 500 5 1 "$IN/a.ndjson"
generate 300 5 1 "$IN/b.ndjson"
echo '{"id":' >> "$IN/b.ndjson"
produces 5 '[801,800,1,0,0,0,0]' "$IN/a.ndjson" "$IN/b.ndjson"
SHOWN=$(shown)
equal "sources that status shows" "$(wc -l <<< "$SHOWN")" 2
wait_until 30 is_later "$(date +%s)"
produces 5 '[0,0,0,2,801,0,0]' "$IN/a.ndjson" "$IN/b.ndjson"
has "$WORK/err.log" "note: skipped: sent on "
equal "sources as status shows them, which were not read again" "$(shown)" "$SHOWN"
equal "messages" "$(in_topic)" 800
equal "readings of b" "$(readings | jq -c 'select(.complete and (.uri | endswith("b.ndjson"))) | [.complete, .records, .produced, .rejected, .codes, .places[0][2], .run]' | sort -u | wc -l)" 1
equal "told: begun, ended, skipped" "$(readings | wc -l)" 6
equal "the last is the latest" "$(readings | jq -s '[.[] | select(.uri | endswith("a.ndjson")).finished_ms] | .[0] < .[-1]')" true
produces 0 '[0,0,0,1,500,0,0]' "$IN/a.ndjson"
drover produce "$IN/a.ndjson" > "$WORK/plain.log" 2>&1
has "$WORK/plain.log" "1 source skipped: sent before and unchanged, with 500 records (--again sends all)"

say "some are done, others new"
generate 100 5 2 "$IN/c.ndjson"
produces 5 '[100,100,0,2,801,0,0]' "$IN"

say "other times, another inode, the same bytes"
touch "$IN/a.ndjson"
produces 0 '[0,0,0,1,500,0,0]' "$IN/a.ndjson"
cp "$IN/a.ndjson" "$WORK/copy" && mv "$WORK/copy" "$IN/a.ndjson"
produces 0 '[0,0,0,1,500,0,0]' "$IN/a.ndjson"

say "changed, grown, shrunk; one byte under the old times; another file under the name"
sed -i '1s/k0/k9/' "$IN/a.ndjson"
produces 0 '[500,500,0,0,0,0,1]' "$IN/a.ndjson"
has "$WORK/err.log" "read anew: it has changed since"
generate 10 1 3 "$WORK/more" && cat "$WORK/more" >> "$IN/a.ndjson"
produces 0 '[510,510,0,0,0,0,1]' "$IN/a.ndjson"
head -n 505 "$IN/a.ndjson" > "$WORK/less" && cat "$WORK/less" > "$IN/a.ndjson"
produces 0 '[505,505,0,0,0,0,1]' "$IN/a.ndjson"
has "$WORK/err.log" "read anew: it is shorter than it was"
poke "$IN/a.ndjson" '"kind":"k1"' '"kind":"k7"'
produces 0 '[505,505,0,0,0,0,1]' "$IN/a.ndjson"
rm "$IN/a.ndjson" && generate 505 5 4 "$IN/a.ndjson"
produces 0 '[505,505,0,0,0,0,1]' "$IN/a.ndjson"

say "--again, and another tenant or mapping"
produces 0 '[505,505,0,0,0,0,0]' "$IN/a.ndjson" --again
produces 0 '[0,0,0,1,505,0,0]' "$IN/a.ndjson"
sed 's/type: varchar(12)/type: varchar(20)/' tests/e2e/data/event.yaml > "$WORK/wider.yaml"
produces 0 '[0,0,0,1,505,0,0]' "$IN/a.ndjson" --mapping "$WORK/wider.yaml"
sed 's/^key: .*/key: [id, kind]/' tests/e2e/data/event.yaml > "$WORK/keyed.yaml"
produces 0 '[505,505,0,0,0,0,1]' "$IN/a.ndjson" --mapping "$WORK/keyed.yaml"
has "$WORK/err.log" "read in another way now"
produces 0 '[505,505,0,0,0,0,1]' "$IN/a.ndjson"

say "standard input is never skipped"
for _ in 1 2; do produces 0 '[505,505,0,0,0,0,0]' - --entity event < "$IN/a.ndjson"; done

say "versions by the file's time: a touch makes the same records newer"
sed '/^version:/d' tests/e2e/data/event.yaml > "$WORK/timed.yaml"
generate 50 5 1 "$IN/timed.ndjson"
produces 0 '[50,50,0,0,0,0,0]' "$IN/timed.ndjson" --mapping "$WORK/timed.yaml"
produces 0 '[0,0,0,1,50,0,0]' "$IN/timed.ndjson" --mapping "$WORK/timed.yaml"
touch -d '+1 minute' "$IN/timed.ndjson"
produces 0 '[50,50,0,0,0,0,1]' "$IN/timed.ndjson" --mapping "$WORK/timed.yaml"

say "stopped by a signal: what is acknowledged is not sent again, not one message"
generate 6000 5 5 "$IN/slow.ndjson"
before=$(in_topic)
slow() { # in the background as PRODUCER: about 500 messages a second, so that it is at work still when it is stopped
  "$DROVER" produce "$IN/slow.ndjson" --queue 1MiB -X linger.ms=1000 --config "$WORK/drover.yaml" "$@" > "$WORK/slow.log" 2>&1 &
  PRODUCER=$!
  PIDS+=("$PRODUCER")
}
has_messages() { [ "$(in_topic)" -ge "$1" ]; }
slow
wait_until 30 has_messages $(( before + 1000 ))
kill -STOP "$PRODUCER" # else it may come to its end meanwhile

say "a second producer of a source is refused, and told by whom; of other sources it is not"
began=$SECONDS
expect_exit 6 drover produce "$IN/slow.ndjson" > "$WORK/second.log" 2>&1
[ $(( SECONDS - began )) -le 30 ] || fail "refused after $(( SECONDS - began )) s"
has "$WORK/second.log" "error[DRV-S015]: another producer reads the source"
has "$WORK/second.log" "process $PRODUCER on $(hostname), since 20"
ln "$IN/slow.ndjson" "$WORK/link.ndjson"
expect_exit 6 drover produce "$WORK/link.ndjson" > "$WORK/second.log" 2>&1
rm "$WORK/link.ndjson"
produces 0 '[0,0,0,1,505,0,0]' "$IN/a.ndjson"
kill -TERM "$PRODUCER"
kill -CONT "$PRODUCER"
expect_exit 143 wait "$PRODUCER"
equal "an incomplete reading" "$(last_of slow.ndjson '[.complete, .records == .produced, .records > 0]')" '[false,true,true]'
produces 0 '[6000,6000,0,0,0,1,0]' "$IN/slow.ndjson"
has "$WORK/err.log" "note: resumes at "
equal "messages" "$(( $(in_topic) - before ))" 6000

say "interrupted, with a time of the future: all its records have one time, that of the first look"
generate 6000 5 5 "$IN/slow.ndjson"
touch -d '+1 day' "$IN/slow.ndjson"
before=$(in_topic)
slow --mapping "$WORK/timed.yaml"
wait_until 30 has_messages $(( before + 1000 ))
kill -9 "$PRODUCER"
wait "$PRODUCER" 2> /dev/null || true
produces 0 '[6000,6000,0,0,0,1,0]' "$IN/slow.ndjson" --mapping "$WORK/timed.yaml"
kcat -C -e -q -b "$KAFKA_BROKERS" -t "$SOURCE" -f '%h\n' 2> /dev/null | grep " $(last_of slow.ndjson .run | tr -d '"') " |
  sed 's/.*drover=\([0-9]*\) .*/\1/' | awk '{ print int($1 / 65536) }' | sort -u > "$WORK/times.txt"
equal "times" "$(wc -l < "$WORK/times.txt")" 1

say "changed while it is interrupted, also in what was read of it, with the times as they were"
rev=6
for how in touched inside grown; do
  generate 6000 5 $(( rev++ )) "$IN/slow.ndjson"
  before=$(in_topic)
  slow
  wait_until 30 has_messages $(( before + 1000 ))
  kill -9 "$PRODUCER"
  wait "$PRODUCER" 2> /dev/null || true
  equal "told by who was killed" "$(last_of slow.ndjson .complete)" false
  touch -r "$IN/slow.ndjson" "$WORK/stamp"
  case $how in
    touched) touch -d '-1 hour' "$IN/slow.ndjson" ;;
    inside) poke "$IN/slow.ndjson" '"kind":"k1"' '"kind":"k8"' ;;
    grown) cat "$WORK/more" >> "$IN/slow.ndjson"; touch -r "$WORK/stamp" "$IN/slow.ndjson" ;;
  esac
  lines=$(wc -l < "$IN/slow.ndjson")
  produces 0 "[$lines,$lines,0,0,0,0,1]" "$IN/slow.ndjson"
  equal "told by who was not" "$(last_of slow.ndjson .complete)" true
done

say "the topic was deleted and made anew: everything is sent anew, and said so"
wait_gone() { kcat -L -b "$KAFKA_BROKERS" > "$WORK/topics.list" 2> /dev/null && ! grep -q "\"$SOURCE\"" "$WORK/topics.list"; }
java -Xmx128m -cp "$PWD/.deps/kafka/libs/*" org.apache.kafka.tools.TopicCommand --bootstrap-server "$KAFKA_BROKERS" --delete --topic "$SOURCE" > "$WORK/delete.log" 2>&1
wait_until 30 wait_gone
drover topics apply > "$WORK/topics.log" 2>&1
produces 0 '[505,505,0,0,0,0,0]' "$IN/a.ndjson"
has "$WORK/err.log" "does not hold what it acknowledged"
equal "messages" "$(in_topic)" 505
produces 0 '[0,0,0,1,505,0,0]' "$IN/a.ndjson"

say "a manifest that is cut, emptied, gone or of tomorrow is refused; a folder that cannot be written, a disk that is full"
STATE=$WORK/state
MANIFEST=$STATE/$SOURCE.manifest.db
cp -a "$STATE" "$WORK/kept"
refused() { # WHAT TEXT
  local began=$SECONDS before
  before=$(in_topic)
  expect_exit 1 drover produce "$IN/a.ndjson" "${STATE_FLAG[@]}" > "$WORK/refused.log" 2>&1
  [ $(( SECONDS - began )) -le 30 ] || fail "$1: refused after $(( SECONDS - began )) s"
  has "$WORK/refused.log" "error[DRV-X004]"
  has "$WORK/refused.log" "$2"
  for part in cause: where: try:; do has "$WORK/refused.log" "$part"; done
  equal "messages after: $1" "$(in_topic)" "$before"
  rm -rf "$STATE" && cp -a "$WORK/kept" "$STATE"
}
STATE_FLAG=()
truncate -s -1000 "$MANIFEST"; refused cut "manifest"
: > "$MANIFEST"; refused emptied "the producer's manifest is empty"
rm "$MANIFEST"; refused gone "the producer's manifest is gone"
head -c 20000 /dev/urandom > "$MANIFEST"; refused garbage "manifest"
python3 -c "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute(\"UPDATE meta SET value = 2 WHERE name = 'format'\"); db.commit()" "$MANIFEST"
refused "of tomorrow" "it is of format 2, this drover reads 1"
DISK=$WORK/disk
mkdir "$DISK"
if mount -t tmpfs -o size=256k none "$DISK" 2> /dev/null; then
  trap 'status=$?; set +e; umount -l "$DISK"; (exit "$status"); cleanup' EXIT
  STATE_FLAG=(--state-dir "$DISK/state")
  mkdir "$DISK/state"
  dd if=/dev/zero of="$DISK/fill" bs=4k status=none 2> /dev/null || true
  refused "a full disk" "make room"
  rm "$DISK/fill"
  mount -o remount,ro "$DISK"
  refused "a disk that cannot be written" "make it and its folder writable"
fi

say "emptied: the same"
for partition in 0 1 2 3 4 5; do
  end=$(kcat -Q -b "$KAFKA_BROKERS" -t "$SOURCE:$partition:-1" | awk '{ print $NF }')
  "$KAFKA_TOOL" trim "$SOURCE" "$partition" "$end" > "$WORK/trim.log" 2>&1
done
produces 0 '[505,505,0,0,0,0,0]' "$IN/a.ndjson"
has "$WORK/err.log" "does not hold what it acknowledged"
produces 0 '[0,0,0,1,505,0,0]' "$IN/a.ndjson"
say "drover run: nothing is sent, and what is there is verified"
export DROVER_MIGRATION=${NAME}_run
SOURCE=drover.${NAME}_run.source
drover topics apply > "$WORK/topics.log" 2>&1
drover schema apply > "$WORK/schema.log" 2>&1
expect_exit 0 drover run "$IN/a.ndjson" > "$WORK/first_run.log" 2>&1
equal "messages" "$(in_topic)" 505
expect_exit 0 drover run "$IN/a.ndjson" > "$WORK/run.log" 2>&1
has "$WORK/run.log" "skipped: sent on "
has "$WORK/run.log" "MATCH"
equal "messages" "$(in_topic)" 505
expect_exit 0 drover run "$IN/a.ndjson" --again > "$WORK/run_again.log" 2>&1
equal "messages" "$(in_topic)" 1010
! grep -an -e Sanitizer -e 'runtime error' "$WORK"/*.log >&2 || fail "a sanitizer found something"
say done
