#!/usr/bin/env bash
# A producer that is killed at random places, again and again: the same command goes on where it was, in the same run. What the
# topic holds in the end is what a run without kills gives, nothing is missing in a run's numbers, and what came twice is what
# was on its way. DROVER_TEST_SEED repeats the places; DROVER_TEST_FULL=1: a hundred kills over 200,000 records.
. tests/e2e/lib.sh

if [ -n "${DROVER_TEST_FULL:-}" ]; then RECORDS=200000 KILLS=100 LINGER=40; else RECORDS=40000 KILLS=20 LINGER=200; fi
BROKEN_EVERY=1000
# what a kill may cost: a queue of 1 MiB (513 messages, until their reports are served), as many of partitions that are ahead of
# a mark's slowest one, a mark's records (256) and those of 50 ms
TAIL_MAX=1600
SEED=${DROVER_TEST_SEED:-$(( $$ % 32768 ))} RANDOM=$SEED
say "seed $SEED (DROVER_TEST_SEED)"

cat > "$WORK/thing.yaml" <<'END'
entity: thing
collect: { files: ["*.ndjson"] }
table: thing
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: text }
  - { name: n,  from: /n, type: int8 }
rest: extra
END
things() { # FIRST COUNT KEYS FILE: no version, keys that come again, each thousandth line broken
  awk -v first="$1" -v n="$2" -v keys="$3" -v broken="$BROKEN_EVERY" 'BEGIN {
    for (i = first; i < first + n; i++)
      if ((i - first + 1) % broken == 0) print "{\"id\":"
      else printf "{\"id\":\"k%d\",\"tenant\":\"t%d\",\"n\":%d}\n", i % keys, i % 5, i }' > "$4"
}
SRC=$WORK/src
mkdir "$SRC"
things 0 300 200 "$SRC/a.ndjson"
things 300 "$RECORDS" $(( RECORDS * 3 / 4 )) "$SRC/b.ndjson"
things 0 300 200 "$SRC/c.ndjson"
touch -d '2024-01-01 10:00' "$SRC/a.ndjson" "$SRC/b.ndjson" "$SRC/c.ndjson" # one instant: the order alone tells their versions apart

"$DROVER" topics apply --config "$WORK/drover.yaml" > "$WORK/topics.log" 2>&1
"$DROVER" topics apply --config "$WORK/drover.yaml" --migration "${NAME}_clean" >> "$WORK/topics.log" 2>&1
MAPPING=(-m "$WORK/thing.yaml")

in_topic() { messages_in "drover.$NAME.source"; }
sent_before() { echo $(( $1 - $1 / BROKEN_EVERY )); } # RECORDS of b.ndjson: how many of them are messages

say "a run without kills"
expect_exit 5 drover produce "${MAPPING[@]}" "$SRC" --migration "${NAME}_clean" --rejects "$WORK/clean.json" --json > "$WORK/clean.out" 2> "$WORK/clean.log"

say "$KILLS kills over $RECORDS records"
total=0 resumed=0 resumes=0 twice=0 given_up=0 longest=0
# cost MESSAGES HOW: what the last kill cost
cost() {
  [ "$1" -ge 0 ] && [ "$1" -le "$TAIL_MAX" ] || { cat "$WORK/kill.log" >&"$TELL"; fail "$1 messages $2 after a kill"; }
  twice=$(( twice + $1 ))
  longest=$(( $1 > longest ? $1 : longest ))
}
kill_one() {
  local log=$WORK/kill.log target here now
  # half of an even share of what is left, and some of it is kept: for what is sent until the kill comes
  local left=$(( RECORDS - resumed - 2 * TAIL_MAX ))
  target=$(( total + RANDOM % (1 + (left > 0 ? left / (KILLS - k + 1) : 0)) ))
  "$DROVER" produce "${MAPPING[@]}" "$SRC" --config "$WORK/drover.yaml" --queue 1MiB -X linger.ms="$LINGER" --rejects-shown 40 > "$log" 2>&1 &
  local pid=$!
  PIDS+=("$pid")
  until now=$(in_topic); [ "$now" -ge "$target" ] || ! kill -0 "$pid" 2> /dev/null; do :; done
  kill -9 "$pid" 2> /dev/null || return 1
  wait "$pid" 2> /dev/null || [ $? = 137 ] || { cat "$log" >&"$TELL"; fail "ended by itself, badly"; }
  now=$(in_topic)
  here=$(sed -n 's/.*resumes at [0-9]* %: \([0-9 ]*\) records\{0,1\} .*b\.ndjson.*/\1/p' "$log" | tr -d ' ')
  if [ -n "$here" ]; then
    # all before it was sent by those before: what their last one had sent beyond is what comes twice
    cost $(( total - first - $(sent_before "$here") - twice )) "come twice"
    resumes=$(( resumes + 1 ))
    [ "$here" -ge "$resumed" ] || fail "goes back from record $resumed to $here"
    resumed=$here
  elif grep -q 'read anew: ' "$log"; then
    # nothing was acknowledged: all of it comes again, in another run
    [ "$resumed" = 0 ] || fail "begins anew, though it went on from record $resumed before"
    cost $(( total - first - twice )) "are given up"
    given_up=$(( given_up + 1 ))
  fi
  total=$now
}
# a.ndjson is sent as a whole first, so that what is counted below is b.ndjson alone
drover produce "${MAPPING[@]}" "$SRC/a.ndjson" > "$WORK/first.log" 2>&1 || true
first=$(in_topic) total=$first
for (( k = 0; k < KILLS; k++ )); do kill_one || fail "the producer ended before $KILLS kills, after $k"; done
[ "$resumes" -ge $(( KILLS / 2 )) ] || fail "only $resumes of $KILLS went on somewhere"
say "$resumes of $KILLS went on behind a record, $given_up began anew, $twice messages came twice ($longest in one kill)"

say "the last one ends it"
expect_exit 5 drover produce "${MAPPING[@]}" "$SRC" --rejects "$WORK/rejects.json" --json > "$WORK/last.json" 2> "$WORK/last.log"
grep -q 'resumes at [0-9]* %' "$WORK/last.log" || fail "does not say where it goes on"
equal "what the last one says" "$(jq -c '[.sources_skipped, .sources_resumed, .counts.rejected, .source_records]' "$WORK/last.json")" \
  "[1,1,$(( RECORDS / BROKEN_EVERY )),$(( RECORDS + 300 ))]"
equal "rejections listed" "$(grep -c '"line"' "$WORK/rejects.json")" "$(( RECORDS / BROKEN_EVERY ))"

say "the topic in the end"
messages() { # MIGRATION
  kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.$1.source" -f '%p\t%o\t%k\t%h\t%s\n' 2> /dev/null
}
cat > "$WORK/judge.py" <<'END'
import hashlib, re, sys
def read(path):
    last, runs, twice = {}, {}, 0
    for line in open(path, encoding="utf-8"):
        partition, offset, key, headers, value = line.rstrip("\n").split("\t", 4)
        version, run, number = re.search(r"(?:^|,)drover=(\S+) (\S+) (\d+)", headers).groups()
        version, number = int(version), int(number)
        content = (key, version, hashlib.sha256(value.encode()).hexdigest())
        seen = runs.setdefault(run, {}).setdefault(partition, {}) # number: content, where it was last
        if number > len(seen):
            sys.exit("gap: %s of %s in partition %s where %d was expected" % (number, run, partition, len(seen)))
        if number in seen:
            twice += 1
            if seen[number][0] != content:
                sys.exit("number %d of %s in partition %s is two different messages" % (number, run, partition))
        seen[number] = (content, int(offset))
        if key not in last or version > last[key][0]:
            last[key] = content[1:]
    return last, runs, twice
def messages(runs):
    return [(content, offset) for run in runs.values() for seen in run.values() for content, offset in seen.values()]
clean, clean_runs, clean_twice = read(sys.argv[1])
killed, runs, twice = read(sys.argv[2])
complete, most = set(open(sys.argv[3]).read().split()), int(sys.argv[4])
# A reading of which nothing was acknowledged is begun anew in another run: what of it was on its way is there in both.
given_up = {name: run for name, run in runs.items() if name not in complete}
kept = messages({name: run for name, run in runs.items() if name in complete})
for name, run in given_up.items():
    count = len(messages({name: run}))
    if count > most:
        sys.exit("%s was given up with %d messages" % (name, count))
if clean_twice or sorted(content for content, _ in kept) != sorted(content for content, _ in messages(clean_runs)):
    sys.exit("%d messages of runs that came to an end, a clean run has %d, or others" % (len(kept), len(messages(clean_runs))))
later = dict(sorted(kept, key=lambda message: message[1])) # of a key all are in one partition
lost = [content for content, offset in messages(given_up) if later.get(content, -1) < offset]
if lost:
    sys.exit("%d messages of runs that were given up do not come again, as %s" % (len(lost), lost[0]))
wrong = {key for key in clean.keys() | killed.keys() if clean.get(key) != killed.get(key)}
if wrong:
    sys.exit("%d of %d last states differ, as %s: %s, %s" % (len(wrong), len(clean), min(wrong), clean.get(min(wrong)), killed.get(min(wrong))))
print(twice, len(messages(given_up)), len(given_up))
END
messages "${NAME}_clean" > "$WORK/clean.tsv"
messages "$NAME" > "$WORK/killed.tsv"
kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.$NAME.results" 2> /dev/null | jq -r 'select(.kind == "reading" and .complete) | .run' | sort -u > "$WORK/complete.txt"
python3 "$WORK/judge.py" "$WORK/clean.tsv" "$WORK/killed.tsv" "$WORK/complete.txt" "$TAIL_MAX" > "$WORK/judged.txt" 2>&1 || fail "$(cat "$WORK/judged.txt")"
read -r came_twice left runs_left < "$WORK/judged.txt"
[ "$runs_left" -le "$given_up" ] || fail "$runs_left runs did not come to an end, $given_up were begun anew"
say "$came_twice messages came twice with the same numbers, $left of $runs_left runs that were given up came again, in $KILLS kills"

say "the reading of the whole source was told, with all of its rejections"
kcat -C -e -q -b "$KAFKA_BROKERS" -t "drover.$NAME.results" 2> /dev/null | jq -c 'select(.kind == "reading" and .complete) | [(.uri | split("/")[-1]), .records, .produced, .rejected, (.places | length)]' | sort -u > "$WORK/readings.txt"
equal "readings" "$(tr '\n' ' ' < "$WORK/readings.txt")" \
  "[\"a.ndjson\",300,300,0,0] [\"b.ndjson\",$RECORDS,$(sent_before "$RECORDS"),$(( RECORDS / BROKEN_EVERY )),$(( RECORDS / BROKEN_EVERY < 100 ? RECORDS / BROKEN_EVERY : 100 ))] [\"c.ndjson\",300,300,0,0] "

say "and once more: nothing is sent"
before=$(in_topic)
expect_exit 5 drover produce "${MAPPING[@]}" "$SRC" --json > "$WORK/again.json" 2> "$WORK/again.log"
equal "messages" "$(in_topic)" "$before"
equal "skipped" "$(jq -c '[.sources_skipped, .records_skipped, .rejected_skipped, .source_records]' "$WORK/again.json")" "[3,$(( RECORDS + 600 )),$(( RECORDS / BROKEN_EVERY )),0]"
! grep -an -e Sanitizer -e 'runtime error' "$WORK"/*.log >&2 || fail "a sanitizer found something"
say done
