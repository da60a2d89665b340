#!/usr/bin/env bash
# Whatever is wrong with a source costs only what is wrong: a clear rejection with its place, the right exit
# code, and every good record around it arrives. What is in the records is never said.
. "$(dirname "$0")/lib.sh"

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
byte_of() { echo $(( $(sed -n "1,$(( $2 - 1 ))p" "$1" | LC_ALL=C wc -c) + $3 - 1 )); }

counted() { awk -v what="$1" '{ sub(/^ +/, "") } index($0, what) == 1 { print $(NF > 3 ? split(what, w, " ") + 1 : NF) }' "$2"; }

# produces EXIT GOOD REJECTIONS SOURCE [OPTION…]: the exit code; that many produced; and exactly these rejections,
# a line each: "CODE LINE COLUMN RECORD", or "CODE" for the source as a whole
produces() {
  local want=$1 good=$2 rejections=$3 source=$4 log code line column record expected=''
  shift 4
  log=$WORK/produce-$(basename "$source").log
  rm -f "$WORK/rejects.json"
  expect_exit "$want" drover produce "$source" --rejects "$WORK/rejects.json" --rejects-shown 99 \
    --max-record-bytes $LIMIT "$@" > "$log" 2>&1
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
    "$(jq -r 'if .line then "\(.code) \(.line):\(.column) byte \(.byte) record \(.ordinal + 1)" else .code end' "$WORK/rejects.json")" \
    "${expected%$'\n'}"
  grep -qE "^  produced +$good " "$log" || fail "$source: not $good were produced"
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
bad twice     DRV-J001 "$HEAD,\"note\":\"$CANARY\"}}"
bad nan       DRV-J001 "$HEAD,\"note\":\"$CANARY\",\"amount\":NaN}"
bad control   DRV-J001 "$HEAD,\"note\":\"$CANARY\tx\"}"
bad utf8      DRV-J002 "$HEAD,\"note\":\"$CANARY\xff\"}"
bad overlong  DRV-J002 "$HEAD,\"note\":\"$CANARY\xc0\xaf\"}"
bad surrogate DRV-J002 "$HEAD,\"note\":\"$CANARY\\\\ud800\"}"
bad nul       DRV-J003 "$HEAD,\"note\":\"$CANARY\\\\u0000\"}"
bad exponent  DRV-J004 "$HEAD,\"note\":\"$CANARY\",\"amount\":1e400}"
bad digits    DRV-J004 "$HEAD,\"note\":\"$CANARY\",\"amount\":$(repeat 41 7)}"
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
