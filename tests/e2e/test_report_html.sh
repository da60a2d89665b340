#!/usr/bin/env bash
# report.html: the same numbers and words as report.json and the screen, whatever is in the data; one file that asks for nothing, seen in
# a real browser in light, in dark and on paper.
. "$(dirname "$0")/lib.sh"

PICTURES=${DROVER_TEST_PICTURES:-$WORK}
prepare
IN=$WORK/in
mkdir "$IN" "$WORK/pictures"
HOSTILE="$IN/<img src=x onerror=alert(1)>"$'\e[31m\u202e'"&\"'.ndjson"
work() { timeout 120 "$DROVER" work --until-end --config "$WORK/drover.yaml" >> "$WORK/worker.log" 2>&1 || fail "worker: exit $?"; }
sql() { psql "$ADMIN" -q -v ON_ERROR_STOP=1 "$@"; }
has_messages() { [ "$(kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -e -q -f '%p\n' | wc -l)" -ge "$1" ]; }
same_page() { # FOLDER SCREEN: checked.json is what the page says
  python3 tests/e2e/report_html.py "$1" > "$WORK/checked.json" || fail "the page of $1"
  equal "the page's verdict" "$(jq -r .last_line "$WORK/checked.json")" "$(tail -n 1 "$2")"
}

say "a match"
generate 400 4 1 "$IN/good.ndjson"
expect_exit 0 drover run "$IN" > "$WORK/run.txt" 2>&1
RUN=$(readlink "$WORK/report/latest")
has "$WORK/run.txt" "Report: $WORK/report/$RUN/report.html (+ .json)"
[[ $RUN =~ ^$NAME-[0-9]{8}T[0-9]{6}-[0-9a-f]{8}$ ]] || fail "a folder named $RUN"
drover verify > "$WORK/verify.txt" 2> "$WORK/verify.log"
same_page "$WORK/report/latest" "$WORK/verify.txt"
equal "its mode" "$(stat -c %a "$WORK/report/latest/report.html")" 600
equal "its source" "$(jq -c '[.sources[1][2:6], (.sources[1][0] | test("good.ndjsonxxh3:[0-9a-f]{32}$"))]' "$WORK/checked.json")" \
  '[["400","400","0","0"],true]'
cp -r "$WORK/report/latest/" "$WORK/match"

say "hostile names, keys and values; records that are refused, rejected, discarded, and a stream that was cut"
python3 - tests/data/naughty_strings.txt > "$HOSTILE" <<'PYTHON'
import base64, json, sys
lines = [line for line in open(sys.argv[1]) if not line.startswith("#") and line.strip()]
texts = [base64.b64decode(line).decode("utf-8") for line in lines]
hostile = ["<script>alert(1)</script>", "</style><script>alert(1)</script>", "\"><svg/onload=alert(1)>", "\u202ereversed", "\x1b[2J\x1b[31mred",
           "\u0085", "&lt;b&gt;", "--><!--", "' onmouseover='alert(1)"]
for i, text in enumerate(hostile + texts):
    kind = "much too long <script>alert(2)</script>" if i % 9 == 0 else "k"
    print(json.dumps({"id": f"h{i}{text[:100]}", "tenant": text[:60], "rev": 1, "kind": kind, "amount": i, "at": "2024-01-01T00:00:00.000Z",
                      "tags": ["a"], "note": f"Canary-5b1f {text}"}))
print('{"id": "<script>alert(3)</script>", "tenant": ')
sys.stdout.flush()
sys.stdout.buffer.write(b'{"id": "bad", "tenant": "\xff\xfe<b>", "rev": 1, "kind": "k"}\n')
PYTHON
{ generate 5 1 1 /dev/stdout | sed 's/"e/"lost/'; for i in 1 2 3; do echo '{"id":'; done; } > "$IN/lost.ndjson"
expect_exit 5 drover produce "$IN" > "$WORK/produce.log" 2>&1
work
rm "$IN/lost.ndjson"
expect_exit 0 drover dlq discard --source "$IN/lost.ndjson" --reason 'it is gone' --yes > "$WORK/discard.log" 2>&1
mkfifo "$WORK/pipe"
"$DROVER" produce - --entity event --config "$WORK/drover.yaml" < "$WORK/pipe" > "$WORK/stdin.log" 2>&1 &
PRODUCER=$!
PIDS+=("$PRODUCER")
exec {HOLD}> "$WORK/pipe"
generate 200 1 1 /dev/stdout | sed 's/"e/"cut/' >&"$HOLD"
wait_until 60 has_messages 1050
kill -TERM "$PRODUCER"
expect_exit 143 wait "$PRODUCER"
exec {HOLD}>&-
work
sql <<'SQL'
DELETE FROM event WHERE isolation_key = 't01' AND id = 'e1';
UPDATE event SET kind = '"><b>&''k' WHERE isolation_key = 't02' AND id IN ('e1', 'e2', 'e3');
UPDATE event SET extra = jsonb_set(extra, '{note}', '"</td><script>alert(4)</script>"') WHERE isolation_key = 't03' AND id = 'e4';
UPDATE event SET id = '<script>alert(5)</script>' WHERE isolation_key = 't03' AND id = 'e5';
SQL
expect_exit 5 drover verify > "$WORK/verify.txt" 2> "$WORK/verify.log"
same_page "$WORK/report/latest" "$WORK/verify.txt"
for verdict in missing different dead_lettered rejected discarded; do
  [ "$(jq ".counts.$verdict" "$WORK/report/latest/report.json")" -gt 0 ] || fail "no record is $verdict"
done
equal "records of the total" "$(jq '[.counts[]] | add' "$WORK/report/latest/report.json")" "$(jq .source_records "$WORK/report/latest/report.json")"
equal "warnings" "$(jq .warnings "$WORK/checked.json")" "$(jq '.warnings | length' "$WORK/report/latest/report.json")"
equal "sources that are not whole" "$(jq -c '[.sources[] | select(.[0] == "-")[-1]]' "$WORK/checked.json")" '["not complete"]'
equal "what was discarded" "$(jq -r '.sources[] | select(.[0] | test("lost.ndjson"))[-1]' "$WORK/checked.json")" "rejected ones discarded"
jq -r .text "$WORK/checked.json" > "$WORK/text.txt"
has "$WORK/text.txt" '<img src=x onerror=alert(1)>%1B[31m\u{202E}&"'"'.ndjson:"
grep -Eq 'column <bdi>[a-z]+</bdi>, <bdi>.*event\.yaml</bdi>:[1-9]' "$WORK/report/latest/report.html" || fail "the page names no line of the mapping"
! grep -q 'Canary-5b1f' "$WORK/report/latest/report.html" || fail "a value is shown that is masked in report.json"
jq -r '.samples[] | .key, (.fields[]? | .source, .stored) | select(. != null) | capture("(?<hash>h:[0-9a-f]{16})").hash' "$WORK/report/latest/report.json" |
  sort -u > "$WORK/hashes.txt"
grep -oE 'h:[0-9a-f]{16}' "$WORK/report/latest/report.html" | sort -u > "$WORK/shown.txt"
[ -s "$WORK/shown.txt" ] || fail "no hash is shown"
equal "hashes that report.json does not have" "$(comm -13 "$WORK/hashes.txt" "$WORK/shown.txt")" ""
cp -r "$WORK/report/latest/" "$WORK/masked"

say "with values, of one tenant, and where the folder is none"
expect_exit 5 drover verify --show-values --report "$WORK/values" > "$WORK/verify.txt" 2> "$WORK/verify.log"
same_page "$WORK/values/latest" "$WORK/verify.txt"
jq -r .text "$WORK/checked.json" > "$WORK/text.txt"
has "$WORK/text.txt" '</td><script>alert(4)</script>'
has "$WORK/text.txt" "keep it as you keep the data"
! grep -q '<script' "$WORK/values/latest/report.html" || fail "a script"
expect_exit 5 drover verify --only-tenant t00 --report "$WORK/one" > "$WORK/verify.txt" 2> "$WORK/verify.log"
same_page "$WORK/one/latest" "$WORK/verify.txt"
jq -r .text "$WORK/checked.json" > "$WORK/text.txt"
has "$WORK/text.txt" "Only tenant t00 was compared"
expect_exit 5 drover verify --report '' > "$WORK/verify.txt" 2> "$WORK/verify.log"
! grep -q '^Report:' "$WORK/verify.txt" || fail "it names a report that is not there"

for needed in chromium node; do
  command -v "$needed" > /dev/null || { say "not seen in a browser: no $needed here (apt-get install chromium nodejs)"; exit 0; }
done
export XDG_CONFIG_HOME=$WORK/xdg XDG_CACHE_HOME=$WORK/xdg
see() { # PAGE COUNTS PLOTS: what a browser makes of the folder $WORK/PAGE; COUNTS of report.json are the parts of its bar
  say "$1 in a browser"
  mkdir -p "$PICTURES/$1"
  timeout 120 node tests/e2e/report_browser.mjs "$WORK/$1/report.html" "$PICTURES/$1" "$WORK/profile-$1" > "$WORK/seen.json" 2> "$WORK/node.log" ||
    fail "the browser: $(cat "$WORK/node.log")"
  equal "requests" "$(jq -c .requests "$WORK/seen.json")" "[\"file://$WORK/$1/report.html\"]"
  equal "console" "$(jq -c .console "$WORK/seen.json")" "[]"
  equal "scripts and pictures" "$(jq -c '[.elements[] | select(IN("script", "img", "iframe", "link", "object"))]' "$WORK/seen.json")" "[]"
  equal "the style is applied" "$(jq -r .styled "$WORK/seen.json")" "25.6px"
  equal "parts of the bar" "$(jq .bar "$WORK/seen.json")" "$(jq "[$2[] | select(. > 0)] | length" "$WORK/$1/report.json")"
  equal "wider than the window" "$(jq -c '[.wide, .narrow_wide]' "$WORK/seen.json")" "[false,false]"
  equal "plots" "$(jq '[.plots[] | select(.height > 50 and .length > 0)] | length' "$WORK/seen.json")" "$3"
  equal "dark is another one" "$(jq '.light[0] != .dark[0] and .light[1] != .dark[1]' "$WORK/seen.json")" true
  jq -r .text "$WORK/seen.json" > "$WORK/text.txt"
  has "$WORK/text.txt" "What was not compared"
  for picture in light dark narrow; do
    [ "$(stat -c %s "$PICTURES/$1/$picture.png")" -gt 20000 ] || fail "$picture.png is blank"
  done
  [ "$(stat -c %s "$PICTURES/$1/print.pdf")" -gt 10000 ] || fail "nothing is printed"
}
cp -r "$WORK/values/latest/" "$WORK/shown"
for page in match masked shown; do
  see $page .counts "$(jq 'if (.flow.records // [] | length) < 3 then 0 elif ([.flow.lag[]? // 0] | max) > 0 then 2 else 1 end' "$WORK/$page/report.json")"
  has "$WORK/text.txt" "Reconciliation"
done

say "the page of a verification that follows"
mkdir "$WORK/follow"
DROVER_TEST_PAGE=$WORK/follow "$(dirname "$DROVER")/tests/unit_follow_report" > "$WORK/unit.txt" || fail "$(cat "$WORK/unit.txt")"
python3 tests/e2e/report_html.py "$WORK/follow" > "$WORK/checked.json" || fail "the page of one that follows"
python3 "$CHECKER" "$WORK/follow/report.json" >&"$TELL" || fail "its document"
see follow .windows.total.counts 4
equal "lines to be seen" "$(jq '[.plots[] | select(.length > 900)] | length' "$WORK/seen.json")" 4
has "$WORK/text.txt" '<img src=x onerror=alert(1)>.json'
say done
