#!/usr/bin/env bash
# --source: the record that wins a key in the files against the one that wins it in the topic. First the cases by name, then random
# edits of files (older, put back, emptied, renamed, removed) and deletes in the topic against a model that reads the topic itself.
. "$(dirname "$0")/lib.sh"

SEED=${SEED:-$RANDOM}
report() { jq -r "$1" "$WORK/report/latest/report.json"; }
cat > "$WORK/old.yaml" <<'EOF'
entity: old
collect: { files: ["*"] }
table: old
key: [id]
columns:
  - { name: id, from: /id, type: int8 }
  - { name: v, from: /v, type: text }
rest: extra
EOF
sed -i "s|^mappings: .*|mappings: [$WORK/old.yaml]|; s|partitions: 6|partitions: 1|" "$WORK/drover.yaml"
mkdir "$WORK/src"
prepare
produce() { drover produce --tenant t1 "$WORK/src" > "$WORK/produce.log" 2>&1; }
work() { drover work --until-end > "$WORK/work.log" 2>&1; }
put() { printf '%s' "$2" > "$WORK/src/$1"; touch -d "$3" "$WORK/src/$1"; }
verify() { drover verify --tenant t1 --source "$WORK/src" > "$WORK/verify.log"; }
counts() { report '[.counts.match, .counts.not_produced, .beside.overtaken, .beside.gone_from_the_source, .beside.of_other_sources] | join(" ")'; }

say "a file put back with an older time, whose content the topic has, but not as the newest"
put a.json '[{"id":1,"v":"right"},{"id":2,"v":"x"}]' 2024-01-01
produce; work
expect_exit 0 verify
put a.json '[{"id":1,"v":"wrong"},{"id":2,"v":"x"}]' 2024-02-01
produce; work
expect_exit 0 verify
put a.json '[{"id":1,"v":"right"},{"id":2,"v":"x"}]' 2024-01-01
produce; work
expect_exit 5 verify
equal "put back" "$(counts)" "2 0 1 0 0"
grep -q 'overtaken' "$WORK/verify.log" || fail "it is not named"
touch -d 2024-03-01 "$WORK/src/a.json"
produce; work
expect_exit 0 verify

say "a delete in the topic, a record that only the file has, a file emptied"
printf 't1/old/2\t' | kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -p 0 -K $'\t' -Z -H drover-tenant=t1 -H drover-entity=old \
  -H drover-id=2 -H drover-version=$(( $(date -d 2024-04-01 +%s) * 1000 << 16 ))
work
put a.json '[{"id":1,"v":"right"},{"id":2,"v":"x"},{"id":3,"v":"new"}]' 2024-03-01
expect_exit 5 verify
equal "deleted, new" "$(counts)" "2 1 1 0 0"
put a.json '[]' 2024-05-01
expect_exit 5 verify
equal "emptied" "$(counts)" "2 0 0 1 0"
grep -q '1 gone from the source' "$WORK/verify.log" || fail "a key that the file no longer has is not named"

say "another set of sources is no fault"
rm "$WORK/src/a.json"
put 'b%20.json' '[{"id":7,"v":"b"}]' 2024-06-01 # its name is spelled alike in messages and readings
produce; work
expect_exit 0 verify
equal "other sources" "$(counts)" "3 0 0 0 1"
expect_exit 0 drover verify
rm "$WORK/src/b%20.json"

say "two records of one reading under one key: ambiguous, with both places; equal ones are not"
put c.json '[{"id":9,"v":"one"},
{"id":9,"v":"two"},{"id":10,"v":"same"},{"id":10,"v":"same"}]' 2024-07-01
produce; work
expect_exit 5 verify
equal "ambiguous" "$(report .counts.ambiguous)" 1
grep -q 'c.json:2:1' "$WORK/verify.log" && grep -q 'came before at 1:2' "$WORK/verify.log" || fail "both places are not named"
expect_exit 5 drover verify > "$WORK/verify.log"
equal "of the topic alone" "$(report .counts.ambiguous)" 1
put c.json '[{"id":9,"v":"two"},{"id":10,"v":"same"}]' 2024-08-01
produce; work
expect_exit 0 verify
rm "$WORK/src/c.json"

say "random edits against a model, seed $SEED"
cat > "$WORK/model.py" <<'PY'
import json, os, random, subprocess, sys
work, topic, seed, round_ = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
src = work + "/src"
state_path = work + "/model.json"
state = json.load(open(state_path)) if os.path.exists(state_path) else {"day": 0, "old": {}}
rnd = random.Random(seed * 1000 + round_)
brokers = os.environ["KAFKA_BROKERS"]
BASE = 1722988800 + 86400 * 30

def write(name, records, day):
    path = f"{src}/{name}"
    with open(path, "w") as f:
        json.dump(records, f)
    os.utime(path, (BASE + day * 60, BASE + day * 60))

def edit():
    files = sorted(os.listdir(src))
    kind = rnd.choice(["write", "write", "back", "empty", "rename", "remove", "delete"])
    state["day"] += 1
    if kind == "write" or not files:
        name = f"f{rnd.randrange(4)}.json"
        path = f"{src}/{name}"
        if os.path.exists(path):
            state["old"].setdefault(name, []).append([json.load(open(path)), int((os.stat(path).st_mtime - BASE) / 60)])
        write(name, [{"id": i, "v": rnd.choice("ab")} for i in rnd.sample(range(20, 32), rnd.randrange(1, 7))], state["day"])
    elif kind == "back":
        name = rnd.choice(files)
        if state["old"].get(name):
            records, day = rnd.choice(state["old"][name])
            write(name, records, day)
    elif kind == "empty":
        write(rnd.choice(files), [], state["day"])
    elif kind == "rename":
        os.rename(f"{src}/{rnd.choice(files)}", f"{src}/g{state['day']}.json")
    elif kind == "remove":
        os.remove(f"{src}/{rnd.choice(files)}")
    else:
        key, version = rnd.randrange(20, 32), (BASE + state["day"] * 60) * 1000 << 16
        subprocess.run(["kcat", "-P", "-b", brokers, "-t", topic, "-p", "0", "-K", "\t", "-Z", "-H", "drover-tenant=t1", "-H", "drover-entity=old",
                        "-H", f"drover-id={key}", "-H", f"drover-version={version}"], input=f"t1/old/{key}\t".encode(), check=True)

def expect():
    order = sorted(os.listdir(src), key=lambda n: (os.stat(f"{src}/{n}").st_mtime_ns, (src + "/" + n).encode()))
    have = {}
    for name in order:
        for record in json.load(open(f"{src}/{name}")):
            have[str(record["id"])] = record
    out = subprocess.run(["kcat", "-C", "-b", brokers, "-t", topic, "-e", "-q", "-f", "%k\t%h\t%S\t%s\n"], capture_output=True, check=True, text=True).stdout
    newest = {}
    for line in out.splitlines():
        name, headers, size, value = line.split("\t", 3)
        h = dict(part.split("=", 1) for part in headers.split(","))
        version, key = int(h.get("drover-version") or h["drover"].split(" ")[0]), name.split("/")[2]
        if key not in newest or version > newest[key][0]:
            newest[key] = (version, None if size == "-1" else json.loads(value), h.get("drover-origin", ""))
    n = {"not_produced": 0, "overtaken": 0, "gone_from_the_source": 0, "of_other_sources": 0}
    for key, record in have.items():
        if key not in newest:
            n["not_produced"] += 1
        elif newest[key][1] != record:
            n["overtaken"] += 1
    for key, (version, record, origin) in newest.items():
        if key not in have and record is not None:
            here = any(origin.startswith(f"{src}/{name}:") for name in order)
            n["gone_from_the_source" if here else "of_other_sources"] += 1
    print(json.dumps(n, separators=(",", ":")))

if sys.argv[5] == "edit":
    for _ in range(rnd.randrange(1, 5)):
        edit()
    if not os.listdir(src):
        write("f0.json", [{"id": 20, "v": "a"}], state["day"])
    json.dump(state, open(state_path, "w"))
else:
    expect()
PY
seen=0
for round in $(seq 1 "${ROUNDS:-12}"); do
  python3 "$WORK/model.py" "$WORK" "drover.$NAME.source" "$SEED" "$round" edit
  if [ $(( round % 3 )) != 0 ]; then produce; fi
  work
  want=$(python3 "$WORK/model.py" "$WORK" "drover.$NAME.source" "$SEED" "$round" expect)
  wrong=$(jq '.not_produced + .overtaken + .gone_from_the_source' <<< "$want")
  expect_exit "$([ "$wrong" = 0 ] && echo 0 || echo 5)" verify
  equal "seed $SEED, round $round" "$(report '(.counts + .beside) | {not_produced, overtaken, gone_from_the_source, of_other_sources} | tojson')" "$want"
  seen=$(( seen + wrong ))
done

say "a record that was refused, fixed in its file under the same version"
cat > "$WORK/fixed.yaml" <<'EOF'
entity: fixed
collect: { files: ["*"] }
table: fixed
key: [id]
version: { from: /rev, as: number }
columns:
  - { name: id, from: /id, type: int8 }
  - { name: rev, from: /rev, type: int8 }
  - { name: total, from: /total, type: int4, required: true }
EOF
sed -i "s|^mappings: .*|mappings: [$WORK/fixed.yaml]|" "$WORK/drover.yaml"
export DROVER_MIGRATION=${NAME}_fixed
prepare
rm "$WORK"/src/*
put a.json '[{"id":1,"rev":1,"total":"much"},{"id":2,"rev":1,"total":2}]' 2024-01-01
produce; work
expect_exit 5 verify
equal "refused" "$(counts)" "1 0 0 0 0"

say "what the rules of the files refuse belongs to the tenant they are read for"
put b.json '[{"id":"no number","rev":1,"total":1}]' 2024-01-01
expect_exit 5 verify
equal "rejected" "$(report .counts.rejected)" 1
for tenant in t1 t2; do
  expect_exit 5 drover verify --tenant t1 --only-tenant "$tenant" --source "$WORK/src" > "$WORK/verify.log"
  equal "rejected of $tenant" "$(report .counts.rejected)" "$([ "$tenant" = t1 ] && echo 1 || echo 0)"
done
rm "$WORK/src/b.json"

say "fixed under the same version"
put a.json '[{"id":1,"rev":1,"total":1},{"id":2,"rev":1,"total":2}]' 2024-01-02
produce; work
expect_exit 0 verify
equal "fixed" "$(counts) $(report .counts.dead_lettered) $(report .beside.resolved)" "2 0 0 0 0 0 1"

say "the first of two with one version is refused, so the second one is written"
export DROVER_MIGRATION=${NAME}_second
psql "$ADMIN" -qc "TRUNCATE public.fixed" # the rows of the migration before
prepare
put a.json '[{"id":1,"rev":1,"total":"much"},{"id":1,"rev":1,"total":1}]' 2024-01-02
produce; work
expect_exit 0 verify
second() { report '[.counts.match, .counts.superseded, .counts.dead_lettered, .beside.resolved, .beside.overtaken, .source_records, .reconciled] | join(" ")'; }
equal "refused, and written" "$(second)" "1 1 0 1 0 2 true"
put a.json '[{"id":1,"rev":1,"total":"much"},{"id":1,"rev":1,"total":3}]' 2024-01-02
expect_exit 5 verify
equal "the second one is another now" "$(second)" "1 1 0 1 1 2 true"
put a.json '[{"id":1,"rev":1,"total":3},{"id":1,"rev":1,"total":"much"}]' 2024-01-02
expect_exit 5 verify
equal "the first one is another now" "$(second)" "1 1 0 1 1 2 true"

say "two folders have a file of one name: what is rejected of one the other does not hide"
export DROVER_MIGRATION=${NAME}_folders
psql "$ADMIN" -qc "TRUNCATE public.fixed"
prepare
row() { printf '{"id":%s,"rev":1,"total":1}\n' "$1"; }
broken() { for _ in 1 2 3 4 5; do echo '{"id":'; done; }
mkdir "$WORK/acme" "$WORK/bolt"
{ row 1; broken; } > "$WORK/acme/orders.jsonl"
{ row 2; row 3; } > "$WORK/bolt/orders.jsonl"
produce_in() { # EXIT FOLDER
  (cd "$WORK/$2" && expect_exit "$1" "$DROVER" produce --config "$WORK/drover.yaml" --tenant "$2" orders.jsonl > "$WORK/produce_$2.log" 2>&1) || fail "produce in $2"
}
both() { report '[.source_records, .counts.match, .counts.rejected, .reconciled] | join(" ")'; }
produce_in 5 acme
produce_in 0 bolt
work
expect_exit 5 drover verify > "$WORK/verify.log"
equal "both folders" "$(both)" "8 3 5 true"
equal "sources" "$(drover status --json | jq -c '[.sources[] | [.uri, .source_records]] | sort')" '[["orders.jsonl",2],["orders.jsonl",6]]'
row 1 > "$WORK/acme/orders.jsonl"
produce_in 0 acme
work
expect_exit 0 drover verify > "$WORK/verify.log"
equal "fixed in its folder" "$(both)" "3 3 0 true"

say "a file whose records a newer version from another file took over"
export DROVER_MIGRATION=${NAME}_months
psql "$ADMIN" -qc "TRUNCATE public.fixed"
prepare
mkdir "$WORK/data"
month() { seq 40 | jq -c "{id: ., rev: $1, total: $2}" > "$WORK/data/$3.ndjson"; }
run() { expect_exit "$1" drover run --tenant t1 "$2" > "$WORK/run.log" 2>&1; }
months() { report '[.source_records, .counts.match, .counts.superseded, .beside.overtaken, .beside.of_other_sources, .reconciled] | join(" ")'; }
month 1 1 jan; month 2 2 feb
run 0 "$WORK/data/jan.ndjson"
run 0 "$WORK/data/feb.ndjson"
run 0 "$WORK/data/jan.ndjson"
equal "the older file again" "$(months)" "80 40 40 0 0 true"
run 0 "$WORK/data"
equal "both" "$(months)" "80 40 40 0 0 true"
sed -i 's/"total":1}/"total":7}/' "$WORK/data/jan.ndjson" # under the versions that it had
expect_exit 5 drover verify --tenant t1 --source "$WORK/data/jan.ndjson" > "$WORK/verify.log"
equal "edited, and nobody sent it" "$(months)" "80 40 40 40 0 true"
month 1 1 jan
month 1 1 feb # put back as it was before: what the topic has of it, it no longer says
expect_exit 5 drover verify --tenant t1 --source "$WORK/data" > "$WORK/verify.log"
equal "the newer file put back" "$(months)" "80 40 40 40 0 true"

say "done: $seen differences in all"
