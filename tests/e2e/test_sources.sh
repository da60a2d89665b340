#!/usr/bin/env bash
# The same records in every form a source can have give the same rows; the tenant comes from where it was said;
# a run that is stopped, or whose file changes under it, is completed by repeating it; odd names are only names.
. "$(dirname "$0")/lib.sh"

# exits CODE LOG COMMAND…: what the command says goes to LOG, what this test says does not
exits() {
  local want=$1 log=$2 got=0
  shift 2
  "$@" > "$log" 2>&1 || got=$?
  [ "$got" = "$want" ] || tail -n 20 "$log" >&2
  equal "exit code of: $*" "$got" "$want"
}

IN=$WORK/in
mkdir "$IN"
sed -i "s#event.yaml\]#event.yaml, $PWD/tests/e2e/data/item.yaml]#" "$WORK/drover.yaml"
prepare
: > "$WORK/used.ndjson"
FORMS=()
COUNT=120

# form NAME: the same records as ever, of a tenant with that name, in NAME.ndjson
form() {
  FORMS+=("$1")
  generate "$COUNT" 1 1 "$WORK/t00"
  sed "s/\"t00\"/\"$1\"/" "$WORK/t00" > "$WORK/$1.ndjson"
  cat "$WORK/$1.ndjson" >> "$WORK/used.ndjson"
}
as_array() { echo '['; sed '$!s/$/,/' "$1"; echo ']'; }
as_keyed() { echo '{'; awk '{ printf "%s\"k%d\":%s\n", (NR > 1 ? "," : ""), NR, $0 }' "$1"; echo '}'; }

# adds_up LOG READ PRODUCED REJECTED: what the summary says
adds_up() {
  local said
  said=$(sed -nE 's/^  ([0-9 ]+) source records = ([0-9 ]+) produced( \+ ([0-9 ]+) rejected)?.*\(reconciled\)$/\1|\2|\4/p' "$1" | tr -d ' ')
  equal "read, produced, rejected in $(basename "$1")" "$said" "$2|$3|${4#0}"
}

# takes NAME COUNT ARGUMENT…: exit code 0 and COUNT records
takes() {
  local log=$WORK/$1.log count=$2
  shift 2
  exits 0 "$log" drover produce "$@"
  adds_up "$log" "$count" "$count" 0
}

# stops_at EXIT CODE ARGUMENT…
stops_at() {
  local want=$1 code=$2
  shift 2
  exits "$want" "$WORK/stops.log" drover produce "$@"
  grep -qF "error[$code]" "$WORK/stops.log" || { cat "$WORK/stops.log"; fail "$code is not said of: $*"; }
}

work() { timeout 60 "$DROVER" work --until-end --config "$WORK/drover.yaml" >> "$WORK/worker.log" 2>&1 || fail "worker: exit $?"; }

# in_topic: messages in the source topic
in_topic() { messages_in "drover.$NAME.source"; }
has_messages() { [ "$(in_topic)" -ge "$1" ]; }

say "every form of a file"
form ndjson; cp "$WORK/ndjson.ndjson" "$IN/ndjson.ndjson"
form crlf;   sed 's/$/\r/' "$WORK/crlf.ndjson" > "$IN/crlf.ndjson"
form noend;  printf '%s' "$(cat "$WORK/noend.ndjson")" > "$IN/noend.ndjson"
form bom;    { printf '\xef\xbb\xbf\n\n'; cat "$WORK/bom.ndjson"; } > "$IN/bom.ndjson"
form array;  as_array "$WORK/array.ndjson" > "$IN/array.json"
form dense;  tr -d '\n' < "$WORK/dense.ndjson" | sed 's/}{/},{/g; s/^/[/; s/$/]/' > "$IN/dense.json"
form pretty; as_array "$WORK/pretty.ndjson" | jq . > "$IN/pretty.json"
form keyed;  as_keyed "$WORK/keyed.ndjson" > "$IN/keyed.json"
form gz;     gzip -c "$WORK/gz.ndjson" > "$IN/gz.ndjson.gz"
form zst;    as_array "$WORK/zst.ndjson" | zstd -q > "$IN/zst.json.zst"
form members; { sed -n '1,50p' "$WORK/members.ndjson" | gzip; sed -n '51,$p' "$WORK/members.ndjson" | gzip; } > "$IN/members.json.gz"
form frames;  { sed -n '1,50p' "$WORK/frames.ndjson" | zstd -q; sed -n '51,$p' "$WORK/frames.ndjson" | zstd -q; } > "$IN/frames.json.zst"
for file in "$IN"/*; do takes "form-$(basename "$file")" $COUNT "$file"; done

say "folders, patterns and standard input"
form folder
mkdir -p "$IN/folder/deep/er" "$IN/folder/.hidden"
n=0
while read -r line; do
  n=$(( n + 1 ))
  if [ $(( n % 2 )) = 0 ]; then echo "$line" > "$IN/folder/$n.json"; else echo "$line" | jq . > "$IN/folder/deep/er/$n.JSON"; fi
done < <(sed -n '1,20p' "$WORK/folder.ndjson")
sed -n '21,$p' "$WORK/folder.ndjson" > "$IN/folder/deep/rest.jsonl"
echo 'no records' > "$IN/folder/readme.txt"
echo 'no records' > "$IN/folder/.hidden/x.json"
takes folder $COUNT "$IN/folder" --entity event
form glob
mkdir "$IN/glob"
split -l 30 --additional-suffix=.part "$WORK/glob.ndjson" "$IN/glob/"
echo 'no records' > "$IN/glob/other.txt"
takes glob $COUNT "$IN/glob/*.part" --entity event
form twice
cp "$WORK/twice.ndjson" "$IN/twice.ndjson"
takes twice $COUNT "$IN/twice.ndjson" "$IN/tw*.ndjson"
form lines;   takes lines   $COUNT - --entity event < <(cat "$WORK/lines.ndjson")
form stream;  takes stream  $COUNT - --entity event < <(as_array "$WORK/stream.ndjson")
form zipped;  takes zipped  $COUNT - --entity event < <(gzip -c "$WORK/zipped.ndjson")
form input;   takes input   $COUNT - --entity event < "$WORK/input.ndjson"

say "a form that was said, and forms that do not fit"
form saidlines; takes saidlines $COUNT "$WORK/saidlines.ndjson" --format ndjson
form saidarray; as_array "$WORK/saidarray.ndjson" > "$IN/saidarray.json"; takes saidarray $COUNT "$IN/saidarray.json" --format array
form saidkeyed; as_keyed "$WORK/saidkeyed.ndjson" > "$IN/saidkeyed.json"; takes saidkeyed $COUNT "$IN/saidkeyed.json" --format keyed
stops_at 5 DRV-S004 "$IN/ndjson.ndjson" --format array
stops_at 5 DRV-S004 "$IN/array.json" --format keyed
stops_at 5 DRV-T001 "$IN/keyed.json" --format single
stops_at 2 DRV-C001 "$IN/array.json" --format xml
stops_at 3 DRV-M004 - < "$IN/ndjson.ndjson"
stops_at 3 DRV-M004 "$IN/ndjson.ndjson" --entity evnt

say "compressed files that are damaged"
form cut
gzip -c "$WORK/cut.ndjson" > "$IN/cut.json.gz"
for size in 3 20 $(( $(stat -c %s "$IN/cut.json.gz") - 4 )); do
  head -c "$size" "$IN/cut.json.gz" > "$IN/cut-$size.json.gz"
  stops_at 5 DRV-S005 "$IN/cut-$size.json.gz"
done
{ cat "$IN/cut.json.gz"; echo garbage; } > "$IN/behind.json.gz"
stops_at 5 DRV-S005 "$IN/behind.json.gz"
adds_up "$WORK/stops.log" $COUNT $COUNT 0
head -c 90000000 /dev/zero | tr '\0' '\n' | gzip -1 > "$IN/bomb.json.gz"
stops_at 5 DRV-S005 "$IN/bomb.json.gz"

say "the tenant from a flag, from the path, from parts"
sed '/^tenant:/d' tests/e2e/data/event.yaml > "$WORK/pathed.yaml"
form flag
stops_at 5 DRV-T004 "$WORK/flag.ndjson" --tenant 'by flag' # its records name theirs
takes flag $COUNT "$WORK/flag.ndjson" --tenant 'by flag' --mapping "$WORK/pathed.yaml"
form parts
takes parts $COUNT "$WORK/parts.ndjson" --organization o:1 --server s --project p --mapping "$WORK/pathed.yaml"
form path
mkdir -p "$IN/exports/acme" "$IN/exports/b e"
cp "$WORK/path.ndjson" "$IN/exports/acme/1.ndjson"
cp "$WORK/path.ndjson" "$IN/exports/b e/1.ndjson"
takes path $(( 2 * COUNT )) "$IN/exports" --tenant-path 'exports/{tenant}/*.ndjson' --mapping "$WORK/pathed.yaml"
cp "$WORK/path.ndjson" "$IN/exports/stray.ndjson"
stops_at 5 DRV-T001 "$IN/exports" --again --tenant-path 'exports/{tenant}/*.ndjson' --mapping "$WORK/pathed.yaml"
adds_up "$WORK/stops.log" $(( 2 * COUNT )) $(( 2 * COUNT )) 0
stops_at 3 DRV-C008 "$IN/exports" --tenant-path 'exports/*.ndjson'
stops_at 3 DRV-C009 "$IN/exports" --mapping "$WORK/pathed.yaml"

say "records keyed by id, whose id is the key"
seq 1 "$COUNT" | awk '{ printf "{\"key\":\"i%d/\\u00e4 %d\",\"doc\":{\"tenant\":\"keys\",\"count\":%d,\"more\":[%d]}}\n", $1, $1, $1 * 1000003, $1 }' > "$WORK/items"
jq -s 'map({(.key): .doc}) | add' "$WORK/items" > "$IN/some.items"
takes items $COUNT "$IN/some.items"
takes items-again $COUNT "$IN/some.items" --again

say "names with anything in them"
mkdir "$IN/names"
NAMES=(' ' '  two  ' "it's" 'say "x"' 'back\slash' '-x' '--help' '[a]*' '?' '$HOME' '`id`' '%s%n%d' '{tenant}' 'Zürich' '日本' $'new\nline' $'tab\tbell\a' $'esc\e[31mred' $'bad\xff\xfeutf8' "$(printf '%0250d' 0)")
n=0
for name in "${NAMES[@]}"; do
  n=$(( n + 1 ))
  printf '{"id":"n%d","tenant":"names","rev":1,"kind":"k","amount":1.50,"at":"2024-01-01T00:00:00.000Z","tags":[]}\n{"id":7\n' "$n" > "$IN/names/$name.json"
done
sed -n '1~2p' <(cat "$IN"/names/*) >> "$WORK/used.ndjson"
exits 5 "$WORK/names.log" drover produce "$IN/names" --rejects "$WORK/rejects.json" --rejects-shown 99
adds_up "$WORK/names.log" 40 20 20
equal "names in the list of rejects" "$(jq -s 'map(.where.file) | unique | length' "$WORK/rejects.json")" 20
equal "places that were said" "$(grep -c "^  where: $IN/names/.*" "$WORK/names.log")" 20
! LC_ALL=C grep -anP '[\x00-\x09\x0b-\x1f\x7f]' "$WORK/names.log" || fail "a name wrote a control character"
! iconv -f UTF-8 -t UTF-8 "$WORK/names.log" 2>&1 >/dev/null | grep . || fail "a name wrote invalid UTF-8"
( cd "$IN/names" && exits 5 "$WORK/dashes.log" "$DROVER" produce --config "$WORK/drover.yaml" -- *.json )
adds_up "$WORK/dashes.log" 40 20 20

say "all of them are the same rows"
work
same="SELECT isolation_key AS k, count(*) AS n, md5(string_agg((to_jsonb(e) - '{isolation_key,tenant,drover_digest}'::text[])::text, ',' ORDER BY id)) AS rows
        FROM event AS e WHERE isolation_key <> 'names' GROUP BY isolation_key"
equal "forms that arrived" "$(psql "$ADMIN" -Atc "SELECT count(*) FROM ($same) AS s WHERE n = $COUNT")" $(( ${#FORMS[@]} + 1 ))
equal "different contents" "$(psql "$ADMIN" -Atc "SELECT count(DISTINCT rows) FROM ($same) AS s")" 1
equal "tenants that were said" "$(psql "$ADMIN" -Atc "SELECT string_agg(DISTINCT isolation_key || '=' || tenant, ' ' ORDER BY isolation_key || '=' || tenant) FROM event WHERE isolation_key <> tenant")" \
  'acme=path b%20e=path by%20flag=flag o%3A1:s:p::=parts'
grep -vE '"tenant":"(flag|parts|path)"' "$WORK/used.ndjson" > "$WORK/expected"
psql "$ADMIN" -qc "DELETE FROM event WHERE isolation_key <> tenant"
check_equal "$WORK/expected"
jq -r '[.key, .doc.count, (.doc | {tenant, more} | tostring)] | @tsv' "$WORK/items" | LC_ALL=C sort > "$WORK/items.expected"
psql "$ADMIN" -AtF $'\t' -c "SELECT id, count, '{\"tenant\":\"keys\",\"more\":' || (extra->>'more') || '}' FROM item" | LC_ALL=C sort > "$WORK/items.actual"
cmp "$WORK/items.expected" "$WORK/items.actual" || fail "the keyed records differ"
equal "keyed records sent twice from one file" "$(drover status --json | jq .counts.unchanged)" $(( COUNT + COUNT + 20 + 2 * COUNT ))

# slow_produce SOURCE [OPTION…]: in the background as PRODUCER, some 1,700 records a second
slow_produce() {
  "$DROVER" produce "$@" --queue 1MiB -X linger.ms=300 --config "$WORK/drover.yaml" <&0 > "$WORK/slow-$(basename "$1").log" 2>&1 &
  PRODUCER=$!
  PIDS+=("$PRODUCER")
}
ends_with() { # EXIT PID
  local status=0
  wait "$2" || status=$?
  equal "exit code of the producer" "$status" "$1"
}

say "SIGTERM in the middle: what was read is stored, and the run can be repeated"
generate 8000 6 2 "$WORK/big.ndjson"
before=$(in_topic)
slow_produce "$WORK/big.ndjson"
wait_until 20 has_messages $(( before + 1000 ))
kill -TERM "$PRODUCER"
ends_with 143 "$PRODUCER"
stored=$(( $(in_topic) - before ))
[ "$stored" -lt 8000 ] || fail "the run had ended before the signal"
adds_up "$WORK/slow-big.ndjson.log" "$stored" "$stored" 0
grep -q '^stopped run ' "$WORK/slow-big.ndjson.log" || fail "the summary does not say that the run was stopped"
takes repeated 8000 "$WORK/big.ndjson"

say "signals end a producer that waits for standard input"
mkfifo "$WORK/pipe"
exec {HELD}<> "$WORK/pipe"
for signal in TERM INT; do
  before=$(in_topic)
  slow_produce - --entity event < "$WORK/pipe"
  sed -n '1,5p' "$WORK/big.ndjson" >&"$HELD"
  wait_until 20 has_messages $(( before + 5 ))
  kill -"$signal" "$PRODUCER"
  if [ "$signal" = TERM ]; then ends_with 143 "$PRODUCER"; else ends_with 130 "$PRODUCER"; fi
  adds_up "$WORK/slow--.log" 5 5 0
done

say "a file that changes while it is read is said, and repeating the run completes it"
generate 3000 6 3 "$WORK/changing.ndjson"
change() { # HOW FILE
  case $1 in
    append)   sed -n '1p' "$WORK/big.ndjson" >> "$2" ;;
    rewrite)  printf ' ' | dd of="$2" bs=1 seek=0 conv=notrunc status=none ;;
    sly)      touch -r "$2" "$WORK/stamp"; printf '{' | dd of="$2" bs=1 seek=0 conv=notrunc status=none; touch -r "$WORK/stamp" "$2" ;;
    truncate) truncate -s 1000 "$2" ;;
  esac
}
is_open() { readlink "/proc/$1/fd/"* 2>/dev/null | grep -qxF "$2"; }
declare -A CHANGED
for how in append rewrite sly truncate; do
  cp "$WORK/changing.ndjson" "$IN/$how.ndjson"
  slow_produce "$IN/$how.ndjson"
  CHANGED[$how]=$PRODUCER
  wait_until 20 is_open "$PRODUCER" "$IN/$how.ndjson"
  kill -STOP "$PRODUCER"
  change "$how" "$IN/$how.ndjson"
  kill -CONT "$PRODUCER"
done
for how in append rewrite sly truncate; do
  ends_with 5 "${CHANGED[$how]}"
  grep -qF 'error[DRV-S006]' "$WORK/slow-$how.ndjson.log" || fail "$how while reading is not noticed"
done
takes changed 3000 "$WORK/changing.ndjson"
work
check_equal "$WORK/expected" "$WORK/big.ndjson" "$WORK/changing.ndjson"

say "the counts as JSON"
{ sed -n '1,7p' "$WORK/big.ndjson"; echo '{"id":'; echo '[]'; } > "$IN/counts.ndjson"
as_json() { "$DROVER" produce "$IN/counts.ndjson" --json --config "$WORK/drover.yaml" > "$WORK/counts.json"; }
exits 5 "$WORK/counts.log" as_json
equal "counts" "$(jq -c '[.source_records, .counts.produced, .counts.rejected, .counts.withheld, .counts.not_acknowledged, .sources, .sources_failed, .stopped, .rejected_by_code]' "$WORK/counts.json")" \
  '[9,7,2,0,0,1,0,false,{"DRV-J001":1,"DRV-J008":1}]'
! grep -an -e Sanitizer -e 'runtime error' "$WORK"/*.log >&2 || fail "a sanitizer found something"
say done
