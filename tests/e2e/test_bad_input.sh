#!/usr/bin/env bash
# Whatever is wrong with a source costs only what is wrong: a clear rejection with its place, the right exit
# code, and every good record around it arrives. What is in the records is never said.
. "$(dirname "$0")/lib.sh"

# exits CODE LOG COMMAND…: what the command says goes to LOG, what this test says does not
exits() {
  local want=$1 log=$2 got=0
  shift 2
  "$@" > "$log" 2>&1 || got=$?
  [ "$got" = "$want" ] || tail -n 20 "$log" >&2
  equal "exit code of: $*" "$got" "$want"
}

CANARY=Canary-5b1f
IN=$WORK/in
LIMIT=65536
mkdir "$IN"
sed -i "s#event.yaml\]#event.yaml, $PWD/tests/e2e/data/item.yaml]#" "$WORK/drover.yaml"
prepare
generate 600 6 1 "$WORK/good.ndjson"
mapfile -t GOOD < "$WORK/good.ndjson"
USED=0
: > "$WORK/used.ndjson"
BAD_TEXTS=()
BAD_CODES=()

# good COUNT BEHIND: the next good records, each followed by BEHIND and a newline
good() { printf "%s$2\n" "${GOOD[@]:USED:$1}"; }

# use COUNT: those records must arrive in the end
use() {
  printf '%s\n' "${GOOD[@]:USED:$1}" >> "$WORK/used.ndjson"
  USED=$(( USED + $1 ))
}

repeat() { printf "%*s" "$1" '' | tr ' ' "$2"; }

# byte_of FILE LINE COLUMN: where that is, found without Drover
byte_of() { echo $(( $(head -n $(( $2 - 1 )) "$1" | wc -c) + $3 - 1 )); }

# produces EXIT GOOD REJECTIONS SOURCE [OPTION…]: the exit code; that many produced; and exactly these rejections,
# a line each: "CODE LINE COLUMN RECORD", or "CODE" for the source as a whole
produces() {
  local want=$1 good=$2 rejections=$3 source=$4 log code line column record expected=''
  shift 4
  log=$WORK/produce-$(basename "$source").log
  rm -f "$WORK/rejects.json"
  exits "$want" "$log" drover produce "$source" --rejects "$WORK/rejects.json" --rejects-shown 99 \
    --max-record-bytes $LIMIT --log-level debug "$@"
  while read -r code line column record; do
    [ -n "$code" ] || continue
    if [ -n "$line" ]; then
      expected+="$code $line:$column byte $(byte_of "$source" "$line" "$column") record $record"$'\n'
      grep -qF "  where: $source:$line:$column (byte $(byte_of "$source" "$line" "$column"), record $record)" "$log" ||
        fail "$source: the place of $code at line $line is not said"
    else
      expected+="$code"$'\n'
      grep -qF "  where: $source" "$log" || fail "$source: $code is said without the source"
    fi
    grep -qF "error[$code]: " "$log" || fail "$source: $code is not said"
  done <<< "$rejections"
  equal "rejections of $source" \
    "$(jq -r 'if .where.line then "\(.code) \(.where.line):\(.where.column) byte \(.where.byte) record \(.where.record)" else .code end' "$WORK/rejects.json")" \
    "${expected%$'\n'}"
  grep -qE "^  [0-9 ]+ source records = $good produced( |$)" "$log" || fail "$source: not $good were produced"
  cat "$WORK/rejects.json" >> "$WORK/rejects.log"
}

# bad NAME CODE TEXT: in the middle of an array, at line 5; TEXT's backslashes are printf's
bad() {
  local file=$IN/$1.json
  BAD_CODES+=("$2")
  BAD_TEXTS+=("$3")
  { echo '['; good 3 ,; use 3; printf '%b,\n' "$3"; good 2 ,; use 2; good 1 ''; use 1; echo ']'; } > "$file"
  produces 5 6 "$2 5 1 4" "$file"
}

HEAD='{"id":"bad","tenant":"t01","rev":1,"kind":"k"'

say "one bad record in the middle of an array"
bad comma     DRV-J001 "$HEAD,\"note\":\"$CANARY\" \"x\":1}"
bad quote     DRV-J001 "$HEAD,\"note\":\"$CANARY}"
bad unclosed  DRV-J001 "$HEAD,\"note\":\"$CANARY\""
bad nan       DRV-J001 "$HEAD,\"note\":\"$CANARY\",\"amount\":NaN}"
bad control   DRV-J001 "$HEAD,\"note\":\"$CANARY\tx\"}"
bad utf8      DRV-J002 "$HEAD,\"note\":\"$CANARY\xff\"}"
bad overlong  DRV-J002 "$HEAD,\"note\":\"$CANARY\xc0\xaf\"}"
bad surrogate DRV-J002 "$HEAD,\"note\":\"$CANARY\\\\ud800\"}"
bad nul       DRV-J003 "$HEAD,\"note\":\"$CANARY\\\\u0000\"}"
bad exponent  DRV-J004 "$HEAD,\"note\":\"$CANARY\",\"amount\":1e400}"
bad digits    DRV-J004 "$HEAD,\"note\":\"$CANARY\",\"amount\":$(repeat 310 7)}"
bad duplicate DRV-J005 "$HEAD,\"kind\":\"$CANARY\"}"
bad escaped   DRV-J005 "$HEAD,\"\\\\u0074enant\":\"$CANARY\"}"
bad deep      DRV-J006 "$HEAD,\"note\":\"$CANARY\",\"x\":$(repeat 10000 '[')$(repeat 10000 ']')}"
bad oversize  DRV-J007 "$HEAD,\"note\":\"$CANARY$(repeat $LIMIT x)\"}"
bad string    DRV-J008 "\"$CANARY\""
bad noid      DRV-V001 "{\"tenant\":\"t01\",\"rev\":1,\"kind\":\"k\",\"note\":\"$CANARY\"}"
bad int64     DRV-V007 "{\"id\":\"bad\",\"tenant\":\"t01\",\"rev\":9223372036854775808,\"kind\":\"$CANARY\"}"
bad tenant    DRV-T001 "{\"id\":\"bad\",\"rev\":1,\"kind\":\"k\",\"note\":\"$CANARY\"}"
bad nameless  DRV-T002 "{\"id\":\"bad\",\"tenant\":\"\",\"rev\":1,\"kind\":\"k\",\"note\":\"$CANARY\"}"

say "all of them in one file of lines"
rejections=''
for i in "${!BAD_TEXTS[@]}"; do
  good 2 ''; use 2
  printf '%b\n' "${BAD_TEXTS[i]}"
  rejections+="${BAD_CODES[i]} $(( 3 * i + 3 )) 1 $(( 3 * i + 3 ))"$'\n'
done > "$IN/all.ndjson"
produces 5 $(( 2 * ${#BAD_TEXTS[@]} )) "$rejections" "$IN/all.ndjson"

say "a bracket too many, and lists that go on behind their end or have none"
{ echo '['; good 1 '},'; use 1; good 2 ,; use 2; good 1 ''; use 1; echo ']'; } > "$IN/bracket.json"
produces 5 4 "DRV-J001 2 $(( $(sed -n 2p "$IN/bracket.json" | LC_ALL=C wc -c) - 2 )) 2" "$IN/bracket.json"
{ echo '['; good 2 ,; use 2; good 1 ''; use 1; echo "] $CANARY"; } > "$IN/behind.json"
produces 5 3 'DRV-J001 5 3 4' "$IN/behind.json"
{ echo '['; good 3 ,; use 3; printf '%s,"note":"%s' "$HEAD" "$CANARY"; } > "$IN/cut.json"
produces 5 3 'DRV-J009 5 1 4' "$IN/cut.json"
{ echo '['; good 3 ,; use 3; } > "$IN/open.json"
produces 5 3 'DRV-J009 5 1 4' "$IN/open.json"
{ good 3 ''; use 3; printf '%s,"note":"%s' "$HEAD" "$CANARY"; } > "$IN/cut.ndjson"
produces 5 3 'DRV-J009 4 1 4' "$IN/cut.ndjson"
{ good 3 ''; use 3; echo "$CANARY"; good 2 ''; use 2; } > "$IN/behind.ndjson"
produces 5 5 'DRV-J001 4 1 4' "$IN/behind.ndjson"
{ echo '['; good 2 ,; use 2; printf '%s,"x":%s,\n' "$HEAD" "$(repeat 20000 '[')"; good 2 ,; use 2; good 1 ''; use 1; echo ']'; } > "$IN/abyss.json"
produces 5 5 'DRV-J001 4 1 3' "$IN/abyss.json"

say "sources without a record, and in other encodings"
: > "$IN/empty.json"
printf ' \n\t\r\n' > "$IN/white.json"
produces 5 0 'DRV-S003' "$IN/empty.json"
produces 5 0 'DRV-S003' "$IN/white.json"
printf '[ ]\n' > "$IN/list.json"
produces 0 0 '' "$IN/list.json"
printf '%s,"note":"%s"}\n' "$HEAD" "$CANARY" > "$WORK/one.json"
for code in UTF-16 UTF-16LE UTF-16BE UTF-32; do
  iconv -f UTF-8 -t "$code" "$WORK/one.json" > "$IN/$code.json"
  produces 5 0 'DRV-S004 1 1 1' "$IN/$code.json"
  grep -q "written in ${code%[LB]E}" "$WORK/produce-$code.json.log" || fail "$code is not named"
done
echo "$CANARY" > "$IN/text.json"
produces 5 0 'DRV-S004 1 1 1' "$IN/text.json"

say "sources that cannot be read"
refuses() { # EXIT CODE TEXT SOURCE…
  local want=$1 code=$2 text=$3
  shift 3
  exits "$want" "$WORK/refuse.log" drover produce "$@"
  grep -qF "error[$code]" "$WORK/refuse.log" || { cat "$WORK/refuse.log"; fail "$code is not said of $*"; }
  grep -qF "$text" "$WORK/refuse.log" || { cat "$WORK/refuse.log"; fail "'$text' is not said of $*"; }
  cat "$WORK/refuse.log" >> "$WORK/refused.log"
}
mkdir "$IN/none"
echo text > "$IN/none/readme.txt"
refuses 5 DRV-S003 "$IN/none" "$IN/none"
refuses 4 DRV-S001 "$IN/absent.json" "$IN/absent.json"
refuses 5 DRV-S003 "$IN/*.absent" "$IN/*.absent"
mkfifo "$IN/fifo.json"
refuses 2 DRV-S007 "$IN/fifo.json" "$IN/fifo.json"
refuses 2 DRV-S007 /dev/zero /dev/zero
rm "$IN/fifo.json"
mkdir "$IN/mixed"
mkfifo "$IN/mixed/fifo.json"
ln -s nowhere "$IN/mixed/dangling.json"
: > "$IN/mixed/empty.json"
good 3 '' > "$IN/mixed/fine.json"; use 3
exits 5 "$WORK/mixed.log" drover produce "$IN/mixed" --rejects "$WORK/rejects.json"
equal "what is wrong in the folder" "$(jq -r '"\(.code) \(.where.file)"' "$WORK/rejects.json" | sort)" \
  "DRV-S001 $IN/mixed/dangling.json
DRV-S003 $IN/mixed/empty.json
DRV-S007 $IN/mixed/fifo.json"

say "a mapping with a misspelt key"
sed 's/required: true/requierd: true/' tests/e2e/data/event.yaml > "$WORK/typo.yaml"
line=$(grep -n requierd "$WORK/typo.yaml" | cut -d: -f1 | sed -n 1p)
column=$(awk 'index($0, "requierd") { print index($0, "requierd"); exit }' "$WORK/typo.yaml")
refuses 3 DRV-C007 "$WORK/typo.yaml:$line:$column" "$IN/comma.json" --mapping "$WORK/typo.yaml"
grep -qF 'did you mean "required"' "$WORK/refuse.log" || fail "no suggestion for the misspelt key"

say "what only the mapping's columns refuse goes to the dead letters, with its place in the file"
{
  good 2 ''; use 2
  printf '{"id":"dead1","tenant":"t01","rev":1,"note":"%s"}\n' "$CANARY"
  printf '{"id":"dead2","tenant":"t01","rev":1,"kind":"%s-too-long"}\n' "$CANARY"
  good 1 ''; use 1
  printf '{"id":"dead3","tenant":"t01","rev":1,"kind":"k","amount":"%s"}\n' "$CANARY"
  printf '  {"id":"dead4","tenant":"t01","rev":1,"kind":"k","amount":1e300,"note":"%s"}\n' "$CANARY"
  printf '{"id":"dead5","tenant":"t01","rev":1,"kind":"k","at":"%s"}\n' "$CANARY"
  good 2 ''; use 2
} > "$IN/dead.ndjson"
produces 0 10 '' "$IN/dead.ndjson"
printf '{"i1":{"tenant":"t01","count":9223372036854775807},\n"i2":{"tenant":"t01","count":9223372036854775808,"note":"%s"},\n"i3":{"tenant":"t01","count":-9223372036854775808}}\n' \
  "$CANARY" > "$IN/dead.items"
produces 0 3 '' "$IN/dead.items"
timeout 60 "$DROVER" work --until-end --log-level debug --config "$WORK/drover.yaml" > "$WORK/worker.log" 2>&1 || fail "worker: exit $?"
check_equal "$WORK/used.ndjson"
equal "items" "$(psql "$ADMIN" -Atc 'SELECT id, count FROM item ORDER BY id')" "i1|9223372036854775807
i3|-9223372036854775808"
drover status --json > "$WORK/status.json"
equal "dead letters by code" "$(jq -cS .dead_letters_by_code "$WORK/status.json")" \
  '{"DRV-V001":1,"DRV-V002":1,"DRV-V003":2,"DRV-V004":1,"DRV-V007":1}'
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.dlq" -e -q -f '%h\n' > "$WORK/dead_letters"
dead_letter() { # CODE FILE LINE COLUMN PATH
  local where; where="drover-origin=$2:$3:$4@$(byte_of "$2" "$3" "$4"),"
  grep -F "drover-error-code=$1" "$WORK/dead_letters" | grep -F "$where" | grep -qF "drover-error-path=$5" ||
    { cat "$WORK/dead_letters"; fail "no dead letter of $1 from $2:$3:$4 at $5"; }
}
dead_letter DRV-V001 "$IN/dead.ndjson" 3 1 /kind
dead_letter DRV-V004 "$IN/dead.ndjson" 4 1 /kind
dead_letter DRV-V002 "$IN/dead.ndjson" 6 1 /amount
dead_letter DRV-V003 "$IN/dead.ndjson" 7 3 /amount
dead_letter DRV-V007 "$IN/dead.ndjson" 8 1 /at
dead_letter DRV-V003 "$IN/dead.items" 2 6 /count
! grep -aq "$CANARY" "$WORK/dead_letters" || fail "a value is in a header of a dead letter"

say "no value was said anywhere, and nothing crashed"
cat "$WORK"/*.log | tr -d '\0' > "$WORK/said"
grep -aqF "$CANARY" "$IN/UTF-16.json" "$IN/comma.json" || fail "the canary is not in the sources"
! grep -anF -e "$CANARY" -e 'näme' "$WORK/said" >&2 || fail "a value reached a log"
! grep -an -e Sanitizer -e 'runtime error' "$WORK/said" >&2 || fail "a sanitizer found something"
say done
