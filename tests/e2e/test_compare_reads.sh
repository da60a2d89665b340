#!/usr/bin/env bash
# verify --compare-reads: the same records read from an old store (files, a Redis, an application's HTTP) and from
# PostgreSQL and Redis; what is counted, what is said of the limit, and that nothing of a URL's secrets is told.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

export no_proxy=127.0.0.1
start_redis
use_mapping json
export AI_STORAGE_TYPE=hybrid
prepare

# 240 records of 4 tenants in 8 files, as an application keeps them: arrays, in objects by name, NDJSON, one a file's end.
mkdir "$WORK/old"
python3 - "$WORK/old" > "$WORK/records.ndjson" <<'END'
import json, sys
for part in range(8):
    records = [{"id": f"e{part}-{i}" if i else f"räum {part}/?#", "tenant": f"t{part % 4}", "rev": 1, "kind": "k", "amount": i} for i in range(30)]
    for record in records:
        print(json.dumps(record, ensure_ascii=False))
    with open(f"{sys.argv[1]}/part{part}.json", "w", encoding="utf-8") as out:
        if part % 2:
            json.dump(records, out, ensure_ascii=False)
        else:
            out.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
END
drover produce "$WORK/old" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1

report_folder() { if [ -e "$WORK/report/latest" ]; then echo "$WORK/report/latest"; else echo "$WORK/report"; fi; }
report() { jq -r "$1" "$(report_folder)/report.json"; }
# compared EXIT OPTION…: half a second of reads, 200 of each store
compared() {
  local want=$1
  shift
  expect_exit "$want" drover verify --compare-reads 400/s --compare-for 500ms --compare-timeout 20s "$@" > "$WORK/verify.log" 2> "$WORK/verify.err.log"
  equal "reads of each store, whatever became of them" "$(report '[.reads_compared.stores[] | .reads + .not_found + .refused + .errors] | unique | join(" ")')" 200
  equal "percentiles in order" "$(report '[.reads_compared.stores[] | select(.reads > 0) | .p50_seconds > 0 and .p50_seconds <= .p95_seconds and .p95_seconds <= .p99_seconds and .p99_seconds <= .max_seconds] | all')" true
}
stores() { report "[.reads_compared.stores[] | $1] | join(\" \")"; }

say "files: opened, read, parsed, gone through"
compared 0
equal "stores" "$(stores '.store')" "file PostgreSQL Redis"
equal "found" "$(stores '.reads')" "200 200 200"
equal "keys" "$(report .reads_compared.keys)" 240
equal "the verdict" "$(report '.verdict')" match
has "$WORK/verify.log" "reads compared: 240 keys at 400/s for 0.5 s, 4 connections to each store"
grep -q '^  PostgreSQL  *200 ' "$WORK/verify.log" || fail "no line about PostgreSQL"
grep -q 'id="reads"' "$(report_folder)/report.html" || fail "no section in report.html"
equal "the last line is the verdict" "$(tail -n 1 "$WORK/verify.log" | cut -d' ' -f1)" MATCH

say "without --compare-reads nothing is read, and nothing is said"
expect_exit 0 drover verify > "$WORK/verify.log"
equal "no member" "$(report 'has("reads_compared")')" false

say "a limit nobody can hold: said, and no more than said; enforced, it is exit code 5"
compared 0 --compare-limit 0.0001
equal "slower" "$(report '[.reads_compared.verdict, .verdict, .reads_compared.enforced] | join(" ")')" "slower match false"
compared 5 --compare-limit 0.0001 --compare-enforce
equal "enforced" "$(report '[.reads_compared.verdict, .verdict, .reads_compared.enforced] | join(" ")')" "slower discrepancy true"
equal "its line" "$(tail -n 1 "$WORK/verify.log" | cut -d' ' -f1,2)" "TOO SLOW"
compared 0 --compare-limit 1000 --compare-enforce
equal "held" "$(report '[.reads_compared.verdict, .verdict] | join(" ")')" "holds match"

say "files that are gone, and records that are gone from them"
mv "$WORK/old/part1.json" "$WORK/part1.json"
mv "$WORK/old/part2.json" "$WORK/part2.json"
echo '[]' > "$WORK/old/part2.json"
compared 0
equal "unknown" "$(report '[.reads_compared.verdict, .verdict] | join(" ")')" "unknown match"
equal "counted apart" "$(report '.reads_compared.stores[0] | [.errors > 0, .not_found > 0, .refused, .first_error != null] | join(" ")')" "true true 0 true"
equal "of the old store alone" "$(report '[.reads_compared.stores[1:][] | .reads] | join(" ")')" "200 200"
mv "$WORK/part1.json" "$WORK/part2.json" "$WORK/old/"

say "a template of a path: a file a tenant"
for tenant in t0 t1 t2 t3; do grep "\"tenant\": \"$tenant\"" "$WORK/records.ndjson" > "$WORK/$tenant.ndjson"; done
compared 0 --compare-template "$WORK/{tenant}.ndjson"
equal "found" "$(stores '.reads')" "200 200 200"

say "a Redis of old: strings, and hashes where a string was expected"
python3 - "$WORK/records.ndjson" <<'END' | redis --pipe > "$WORK/set.log"
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    line = line.rstrip("\n")
    record = json.loads(line)
    key = "app/%s/%s" % (record["tenant"], record["id"])
    words = ["HSET", key, "json", line, "kind", "k"] if record["tenant"] == "t3" else ["SET", key, line]
    sys.stdout.write("*%d\r\n" % len(words) + "".join("$%d\r\n%s\r\n" % (len(word.encode()), word) for word in words))
END
export DROVER_COMPARE_OLD=redis
compared 0 --compare-template 'app/{tenant}/{id}'
equal "found" "$(stores '.reads')" "200 200 200"
equal "the old one" "$(report '.reads_compared.stores[0].store')" redis
redis --scan --pattern 'app/t2/*' | sed 's/.*/DEL "&"/' | redis > "$WORK/del.log"
compared 0 --compare-template 'app/{tenant}/{id}'
equal "not found" "$(report '.reads_compared.stores[0] | [.not_found > 20, .errors] | join(" ")')" "true 0"
DROVER_COMPARE_URL=redis://127.0.0.1:1 compared 0 --compare-template 'app/{tenant}/{id}'
equal "away" "$(report '.reads_compared | [.verdict, .stores[0].errors, .stores[1].reads] | join(" ")')" "unknown 200 200"

say "an application's HTTP: kept alive, percent-encoded"
python3 tests/e2e/old_store.py "$WORK/records.ndjson" "$WORK/port" > "$WORK/old_store.log" 2>&1 &
PIDS+=($!)
wait_until 30 test -s "$WORK/port"
OLD=127.0.0.1:$(cat "$WORK/port")
control() { ask "http://$OLD/control/$1" GET; }
ask() { python3 -c 'import sys, urllib.request as u; print(u.urlopen(u.Request(sys.argv[1], method=sys.argv[2]), timeout=60).read().decode())' "$@"; }
counts() { ask "http://$OLD/" POST | jq -r "$1"; }
export DROVER_COMPARE_OLD=http DROVER_COMPARE_HEADER='X-Key: k3y-of-the-old'
export DROVER_COMPARE_URL="http://reader:s3cret-word@$OLD/api/{tenant}/{entity}/{id}?token=t0k3n-of-the-old"
compared 0
equal "found" "$(stores '.reads')" "200 200 200"
equal "requests over connections that were kept" "$(counts '[.requests, .connections <= 4, .connections > 0] | join(" ")')" "200 true true"

say "what the server refuses is counted apart, with its status and without the URL"
control refuse/25 > /dev/null
compared 0
equal "refused" "$(report '.reads_compared.stores[0] | [.refused, .reads, .errors, .first_error] | join(" ")')" "25 175 0 HTTP status 503"
DROVER_COMPARE_HEADER='X-Key: no' compared 0
equal "all refused" "$(report '.reads_compared.stores[0] | [.refused, .reads, .first_error] | join(" ")')" "200 0 HTTP status 401"

say "latencies count from when a read was to begin: a store that stands still once is charged for all that waited"
control stall/1000 > /dev/null
compared 0 --compare-connections 1
equal "a good part waited" "$(report '.reads_compared.stores[0] | .p50_seconds > 0.4')" true
equal "others did not wait for it" "$(report '[.reads_compared.stores[] | .late] | join(" ")')" "0 0 0"

say "a slow store: held by every new one; one that cannot keep up is late, and that is said"
control slow/60 > /dev/null
compared 0 --compare-connections 16
equal "within" "$(report '.reads_compared.stores[0] | .p50_seconds >= 0.06')" true
expect_exit 0 drover verify --compare-reads 200/s --compare-for 1s --compare-timeout 150ms --compare-connections 1 > "$WORK/verify.log"
equal "late" "$(report '.reads_compared | [.verdict, .stores[0].late > 50] | join(" ")')" "unknown true"
control slow/0 > /dev/null

say "a server that is not there: errors, and the verdict of the records stays"
DROVER_COMPARE_URL="http://reader:s3cret-word@127.0.0.1:1/{tenant}/{id}?token=t0k3n-of-the-old" compared 0
equal "errors" "$(report '.reads_compared | [.verdict, .stores[0].errors] | join(" ")') $(report .verdict)" "unknown 200 match"

say "drover run hands it on"
expect_exit 0 drover run --compare-reads 200/s --compare-for 1s "$WORK/old" > "$WORK/run.log" 2>&1
equal "stores" "$(stores '.store')" "http PostgreSQL Redis"
has "$WORK/run.log" "reads compared:"

say "no secret of a URL or a header is told"
drover config show > "$WORK/show.log"
drover config show --json > "$WORK/show.json.log"
has "$WORK/show.log" 'reader:***@'
has "$WORK/show.log" 'token=***'
if grep -rnE 's3cret-word|t0k3n-of-the-old|k3y-of-the-old' "$WORK"/*.log "$WORK/report" "$DROVER_TEST_DOCUMENTS"; then fail "a secret was told"; fi

say "what cannot be compared is said before any work"
refused() {
  local text=$1
  shift
  expect_exit 3 drover verify --compare-reads 200/s "$@" > "$WORK/refused.log" 2>&1
  has "$WORK/refused.log" "$text"
}
DROVER_COMPARE_URL='' refused "no URL says where the old store is"
DROVER_COMPARE_URL=ftp://h/{id} refused "neither http:// nor https://"
DROVER_COMPARE_URL=http://h/{key} refused "there is no {key} here"
DROVER_COMPARE_OLD=redis DROVER_COMPARE_URL='' refused "no template says what the old keys are"
DROVER_COMPARE_OLD=redis DROVER_COMPARE_URL='' refused "every record would be read at one place" --compare-template 'all:{entity}'
DROVER_COMPARE_OLD=redis DROVER_COMPARE_URL=redis://x:99999 refused "DRV-C008" --compare-template '{id}'
refused "this is no limit of times" --compare-limit fast
refused "the storage is neither" --storage file --store-dir "$WORK/store"
expect_exit 3 drover verify --compare-reads fast > "$WORK/refused.log" 2>&1
has "$WORK/refused.log" "no number of reads a second"
