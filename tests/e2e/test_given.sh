#!/usr/bin/env bash
# What is given is used, or refused aloud: the tenant from outside, what a mapping collects, a file under several names,
# files that hold no JSON. No server is needed: what a run would do is told by a rehearsal.
. tests/e2e/alone.sh
DROVER=$KEEPER
cd "$WORK"

# tenants: what the last rehearsal would write, TENANT COUNT a line
tenants() { jq -r '.groups[] | select(.to_write > 0) | "\(.tenant) \(.to_write)"' out.json | sort | tr '\n' ' '; }

cat > order.yaml <<'YAML'
entity: order
collect: { files: ["orders*"] }
table: shop_order
key: [no]
tenant: { from: /shop }
columns:
  - { name: no, from: /no, type: int8 }
rest: extra
YAML
for shop in north south west; do printf '{"no":1,"shop":"%s"}\n{"no":2,"shop":"%s"}\n' "$shop" "$shop"; done > orders.ndjson
printf '{"no":3}\n{"no":4,"shop":null}\n' > orders-none.ndjson

say "a tenant from outside is for records that name none; the others are rejected by name"
expect_exit 5 "$DROVER" rehearse -m order.yaml --tenant north --json orders.ndjson orders-none.ndjson > out.json 2> out.log
equal "written with --tenant north" "$(tenants)" "north 4 "
equal "rejected by code" "$(jq -c .rejected_by_code out.json)" '{"DRV-T004":4}'
has out.log 'where: orders.ndjson:3:1 (byte 48, record 3) at /shop'
equal "said where from" "$(jq -r .tenant_from out.json)" 'north, from --tenant, for records that name none'
expect_exit 5 "$DROVER" rehearse -m order.yaml orders.ndjson orders-none.ndjson > out.txt 2> out.log
has out.txt 'tenant: from each record (/shop)'
has out.log 'error[DRV-T001]'
expect_exit 0 "$DROVER" rehearse -m order.yaml --json orders.ndjson > out.json 2> out.log
equal "written with no tenant given" "$(tenants)" "north 2 south 2 west 2 "

say "the products' variables count only where the configuration says so"
export PROJECT_ID=p1 ORGANIZATION_ID=o1 MCP_SERVER_ID=s1 CODEBASE_HASH=c1
expect_exit 0 "$DROVER" rehearse -m order.yaml --json orders.ndjson > out.json 2> out.log
equal "written with PROJECT_ID set" "$(tenants)" "north 2 south 2 west 2 "
sed 's/^tenant:.*//' order.yaml > plain.yaml
printf '{"no":1}\n{"no":2}\n' > orders-plain.ndjson
expect_exit 3 "$DROVER" rehearse -m plain.yaml orders-plain.ndjson > out.txt 2> out.log
has out.log 'DRV-C009'
has out.log 'PROJECT_ID is set, but counts only where drover.yaml says tenant: {from_env'
mkdir conf
printf 'tenant:\n  from_env: PROJECT_ID\n' > conf/id.yaml
printf 'tenant: { from_env: { project_id: PROJECT_ID, organization_id: ORGANIZATION_ID } }\n' > conf/parts.yaml
expect_exit 0 "$DROVER" rehearse -c conf/id.yaml -m plain.yaml --json orders-plain.ndjson > out.json 2> out.log
equal "written with from_env" "$(tenants)" "p1 2 "
equal "said where from" "$(jq -r .tenant_from out.json)" 'p1, from $PROJECT_ID (conf/id.yaml:2)'
expect_exit 0 "$DROVER" rehearse -c conf/parts.yaml -m plain.yaml --json orders-plain.ndjson > out.json 2> out.log
equal "written with parts" "$(tenants)" "o1::p1:: 2 "
expect_exit 3 env -u PROJECT_ID "$DROVER" rehearse -c conf/id.yaml -m plain.yaml orders-plain.ndjson > out.txt 2> out.log
has out.log '$PROJECT_ID is to name the tenant and is not set'
has out.log 'conf/id.yaml:2'
"$DROVER" config show -c conf/parts.yaml > shown.yaml
"$DROVER" config show -c shown.yaml | diff shown.yaml - > diff.log || fail "config show does not give itself again"
unset PROJECT_ID ORGANIZATION_ID MCP_SERVER_ID CODEBASE_HASH

say "a run in memory says it too, and its verifier agrees"
expect_exit 5 env AI_STORAGE_TYPE=memory "$DROVER" run -m order.yaml --tenant north --report report orders.ndjson > run.txt 2> run.log
has run.log '  tenant   north, from --tenant, for records that name none'
equal "matches" "$(jq -c '[.counts.match, .counts.rejected]' report/latest/report.json)" '[2,4]'

say "a path that names a tenant is outside too; two that say the tenant contradict each other"
mkdir -p in/north in/south
head -n 2 orders.ndjson > in/north/orders.ndjson
head -n 2 orders.ndjson > in/south/orders.ndjson
expect_exit 5 "$DROVER" rehearse -m order.yaml --tenant-path 'in/{tenant}/*' --json in > out.json 2> out.log
equal "written by path" "$(tenants)" "north 2 "
equal "rejected by code" "$(jq -c .rejected_by_code out.json)" '{"DRV-T004":2}'
equal "said where from" "$(jq -r .tenant_from out.json)" 'from the path (in/{tenant}/*), for records that name none'
expect_exit 3 "$DROVER" rehearse -m order.yaml --tenant-path 'in/{tenant}/*' --tenant north in > out.txt 2> out.log
has out.log 'both say the tenant'

say "a browser's storage of another tenant"
cat > agent.yaml <<'YAML'
entity: agent
collect: { local_storage: ["ai_agents_{tenant}", "draft_*"] }
table: agent
key: [key, at]
columns:
  - { name: key, from: $key, type: text }
  - { name: at, from: $index, type: int4 }
rest: extra
YAML
jq -n '{current_tenant_id: "acme", ai_agents_acme: "[{\"a\":1}]", ai_agents_beta: "[{\"b\":1}]", draft_1: "[{\"d\":1}]"}' > storage.json
expect_exit 5 "$DROVER" rehearse -m agent.yaml -f local_storage --tenant beta --json storage.json > out.json 2> out.log
equal "of the storage, for beta" "$(tenants)" "beta 1 "
equal "rejected by code" "$(jq -c .rejected_by_code out.json)" '{"DRV-T003":1,"DRV-T004":1}'
expect_exit 5 "$DROVER" rehearse -m agent.yaml -f local_storage --project p --json storage.json > out.json 2> out.log
equal "of the storage, for a context" "$(tenants)" ""
expect_exit 5 "$DROVER" rehearse -m agent.yaml -f local_storage --json storage.json > out.json 2> out.log
equal "of the storage, as it says" "$(tenants)" "acme 2 "

say "a storage larger than produce.body, as a file and as a stream"
jq -n '{draft_1: ([range(300) | {n: .}] | tojson)}' > large.json
for file in large.json -; do
  expect_exit 5 "$DROVER" rehearse -m agent.yaml -f local_storage -t t --body 2KiB --json "$file" < large.json > out.json 2> out.log
  equal "of $file, too large" "$(tenants)$(jq -c .rejected_by_code out.json)" '{"DRV-S014":1}'
  has out.log 'raise produce.body'
done
"$DROVER" rehearse -m agent.yaml -f local_storage -t t --body 8KiB --json large.json > out.json 2> out.log
equal "of one that is not" "$(tenants)" "t 300 "

say "what a mapping collects counts, also when it is the only one"
# collect kinds against forms: only what is written down is taken by itself; --entity is what takes a file against it
mapping() { # NAME COLLECT
  printf 'entity: %s\n%stable: %s\nkey: [id]\ncolumns:\n  - { name: id, from: $key, type: text }\nrest: extra\n' "$1" "$2" "$1" > "$1.yaml"
}
mapping all ''
mapping files $'collect: { files: ["part*.json"] }\n'
mapping storage $'collect: { local_storage: ["part_*"], expand: value }\n'
mapping dump $'collect: { map_dump: parts }\n'
echo '{"p1":{"a":1},"p2":{"a":2}}' > part.json
cp part.json users.json
echo '{"parts":{"p1":{"a":1},"p2":{"a":2}}}' > dump.json
echo '{"part_1":"{\"a\":1}","part_2":"{\"a\":2}"}' > keys.json
echo '{"__collections__":{"parts":{"p1":{"a":1}}}}' > nested.json
# MAPPING FILE FLAGS EXIT WRITTEN
while read -r name file flags exit written; do
  got=0
  [ "$flags" != - ] || flags=''
  # shellcheck disable=SC2086
  "$DROVER" rehearse -m "$name.yaml" -t t ${flags//,/ } --json "$file" > out.json 2> out.log || got=$?
  equal "exit of $name for $file ${flags}" "$got" "$exit"
  [ "$written" = - ] || equal "written of $name for $file ${flags}" "$(jq .total.to_write out.json)" "$written"
  [ "$exit" != 3 ] || has out.log 'DRV-M004'
  [ "$exit" != 3 ] || has out.log "where: $file"
done <<'ROWS'
all part.json - 0 2
all users.json - 0 2
files part.json - 0 2
files users.json - 3 -
files users.json -e,files 0 2
files dump.json - 3 -
files keys.json - 3 -
storage keys.json - 0 2
storage part.json - 3 -
storage users.json - 3 -
storage nested.json - 3 -
storage users.json -e,storage 0 2
dump dump.json - 0 2
dump part.json - 3 -
dump users.json - 3 -
dump nested.json - 3 -
dump nested.json -f,keyed 3 -
dump users.json -e,dump 0 2
ROWS
mkdir exports
cp part.json users.json exports
expect_exit 3 "$DROVER" rehearse -m files.yaml -t t exports > out.txt 2> out.log
has out.log 'exports/users.json'
cp users.json exports/more.json
expect_exit 3 "$DROVER" rehearse -m files.yaml -t t exports > out.txt 2> out.log
has out.log 'no mapping collects this file, nor 1 more of the sources'
expect_exit 3 "$DROVER" rehearse -m dump.yaml -t t -f map_dump -e dump dump.json > out.txt 2> out.log
has out.log '--entity is for files of one entity'
expect_exit 0 "$DROVER" rehearse -m files.yaml -t t -f keyed --json - < users.json > out.json 2> out.log # it has no name to be compared
equal "written of standard input" "$(jq .total.to_write out.json)" 2

say "a file is one source, however it is named"
mkdir dir
echo '{"p1":{"a":1}}' > dir/part.json
ln -s part.json dir/part-link.json
ln dir/part.json part-hard.json
expect_exit 0 "$DROVER" rehearse -m files.yaml -t t --json dir/part.json ./dir/part.json dir/../dir/part.json dir dir/part-link.json \
  part-hard.json > out.json 2> out.log
equal "records read" "$(jq -c '[.sources, .total.source_records, .total.to_write]' out.json)" '[1,1,1]'
has out.log 'note: the same file as '
# but as two tenants it is two
mkdir -p t/a t/b
ln dir/part.json t/a/part.json
ln -s ../a/part.json t/b/part.json
expect_exit 0 "$DROVER" rehearse -m files.yaml --tenant-path 't/{tenant}/*' --json t > out.json 2> out.log
equal "of two tenants" "$(tenants)" "a 1 b 1 "

say "times before 1970 and after 2262"
for date in 1901-01-01 2500-01-01; do
  touch -d "$date" dir/part.json
  expect_exit 0 "$DROVER" rehearse -m files.yaml -t t --json dir/part.json > out.json 2> out.log
  equal "written of $date" "$(jq .total.to_write out.json)" 1
  [ ! -s out.log ] || fail "something is said of $date"
done

say "what holds no JSON is named"
printf 'PK\003\004rest' > part.zip
expect_exit 5 "$DROVER" rehearse -m files.yaml -e files -t t part.zip > out.txt 2> out.log
has out.log 'the source is a ZIP archive'
