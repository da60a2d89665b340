#!/usr/bin/env bash
# A rehearsal and a run in memory: no server is there, what would happen is told exactly, the same
# verifier says the same of a run, secrets stay unseen, and memory has an end.
. tests/e2e/alone.sh
MAPPINGS=$PWD/schemas/mappings SAMPLES=$PWD/schemas/samples
DROVER=$KEEPER
cd "$WORK"

say "the demo's data: every record has its class"
DEMO=(--mapping "$MAPPINGS/ai_progress.yaml" --tenant-path '*ai_progress/{tenant}/*')
expect_exit 5 "$DROVER" rehearse "${DEMO[@]}" --json "$SAMPLES/ai_progress" > demo.json 2> demo.log
equal "classes" "$(jq -c '.total | [.source_records, .to_write, .dead_lettered, .rejected, .give_back]' demo.json)" \
  '[2000,1994,3,3,1994]'
equal "reconciled" "$(jq .reconciled demo.json)" true
equal "dead by code" "$(jq -c '[.dead_letters_by_code | to_entries[] | .key, .value]' demo.json)" \
  '["DRV-V001",1,"DRV-V002",1,"DRV-V006",1]'
equal "rejected by code" "$(jq -c .rejected_by_code demo.json)" '{"DRV-J001":1,"DRV-J005":1,"DRV-V001":1}'
jq -r '.dead_letter_samples[] | "\(.tenant)/\(.entity) at \(.where.file):\(.where.line):\(.where.column)"' demo.json | grep -q 'acme-03/ai_progress at .*/acme-03/training_metrics.json:7:3' \
  || fail "a dead letter without its place"

say "a run in memory: the verifier's own report, the same numbers"
expect_exit 5 env AI_STORAGE_TYPE=memory "$DROVER" run "${DEMO[@]}" --report report "$SAMPLES/ai_progress" \
  > run.txt 2> run.log
grep -q '^2 000 source records = 1 994 match .* 3 dead-lettered .* 3 rejected .*(reconciled)' run.txt || fail "not the same numbers"
equal "matches in the report" "$(jq .counts.match report/latest/report.json)" 1994
expect_exit 5 env CI=true AI_STORAGE_TYPE=auto "$DROVER" run "${DEMO[@]}" --report report "$SAMPLES/ai_progress" \
  > ci.txt 2> ci.log
[ ! -e .drover ] || fail "a run in memory left state behind"

say "merges, orphans, secrets"
cat > item.yaml <<'YAML'
entity: item
table: item
key: [name]
version: { from: /rev, as: number }
rest: extra
columns:
  - { name: name,    from: /name, type: text }
  - { name: rev,     from: /rev, type: int8, required: true }
  - { name: parent,  from: /parent, type: text }
  - { name: api_key, from: /apiKey, type: text, seal: true }
  - { name: token,   from: /token, type: text, withhold: true }
references:
  - { columns: [parent], entity: item }
YAML
cat > items.ndjson <<'JSON'
{"name":"a","rev":1}
{"name":"a","rev":3,"apiKey":"canary-sealed-7d1f"}
{"name":"a","rev":3,"apiKey":"canary-sealed-7d1f"}
{"name":"a","rev":2}
{"name":"b","rev":1,"parent":"a","token":"canary-token-88ab"}
{"name":"c","rev":1,"parent":"nowhere"}
{"name":"d","rev":1}
{"name":"d","rev":1,"other":"content"}
JSON
ITEMS=(--mapping item.yaml --tenant acme)
expect_exit 5 "$DROVER" rehearse "${ITEMS[@]}" --json items.ndjson > items.json 2> items.log
equal "classes" "$(jq -c '.total | [.source_records, .to_write, .superseded, .unchanged, .conflict, .without_parent]' items.json)" \
  '[8,3,2,1,1,1]'
equal "secrets" "$(jq -c '[.sealed_members, .withheld_members]' items.json)" '[2,1]'
expect_exit 5 "$DROVER" rehearse "${ITEMS[@]}" items.ndjson > items.txt 2>> items.log
expect_exit 5 "$DROVER" run --storage memory "${ITEMS[@]}" --show-values --report report items.ndjson >> items.txt 2>> items.log
grep -rl canary items.txt items.json items.log report && fail "a secret was shown"

say "a key-value store's file is an object keyed by its member names, whatever the members are"
echo '{"theme":{"dark":true},"count":5,"list":[1,2],"none":null,"text":"x"}' > attribute_index.json
expect_exit 0 "$DROVER" rehearse --mapping "$MAPPINGS" --tenant acme attribute_index.json > kv.txt 2> kv.log
grep -Eq '^acme +key_value +5 +5 ' kv.txt || fail "not five records"

say "a PASS is 0"
grep -v 'nowhere\|content' items.ndjson > good.ndjson
expect_exit 0 "$DROVER" rehearse "${ITEMS[@]}" good.ndjson > good.txt 2> good.log
grep -q '^PASS' good.txt || fail "no PASS"
expect_exit 0 "$DROVER" run --storage memory "${ITEMS[@]}" good.ndjson > good.txt 2> good.log
grep -q '^MATCH' good.txt || fail "no match"

say "memory has an end, and it is said"
awk 'BEGIN { for (i = 0; i < 60000; i++) printf "{\"name\":\"n%d\",\"rev\":1,\"more\":\"%d\"}\n", i, i }' > many.ndjson
expect_exit 1 "$DROVER" rehearse --store-memory 1MiB "${ITEMS[@]}" many.ndjson > many.txt 2> many.log
grep -q DRV-F003 many.log || fail "no DRV-F003"
expect_exit 1 "$DROVER" run --storage memory --store-memory 4MiB "${ITEMS[@]}" many.ndjson > many.txt 2> many.log
grep -q DRV-F003 many.log || fail "no DRV-F003"
expect_exit 0 "$DROVER" rehearse --store-memory 64MiB "${ITEMS[@]}" many.ndjson > many.txt 2> many.log
grep -q '60 000 of 60 000 rows' many.txt || fail "not all rows"

say "a dead letter that does not fit beside its own record holds nobody up"
awk 'BEGIN { printf "{\"name\":\"big\",\"rev\":1,\"parent\":[1],\"more\":\""; for (i = 0; i < 40000; i++) printf "x"; print "\"}"
             for (i = 0; i < 300; i++) printf "{\"name\":\"m%d\",\"rev\":1}\n", i }' > large.ndjson
for _ in 1 2 3; do cat large.ndjson; done > larger.ndjson
expect_exit 5 timeout 60 "$DROVER" rehearse --store-memory 1MiB "${ITEMS[@]}" --json larger.ndjson > large.json 2> large.log
equal "classes" "$(jq -c '.total | [.source_records, .to_write, .unchanged, .dead_lettered, .superseded]' large.json)" '[903,300,600,1,2]'
expect_exit 5 timeout 60 "$DROVER" run --storage memory --store-memory 1MiB "${ITEMS[@]}" large.ndjson > large.txt 2> large.log

say "a parent that comes later in the sources is no missing one, whatever work.parent_wait says"
{ echo '{"name":"child","rev":1,"parent":"late"}'; awk 'BEGIN { for (i = 0; i < 30000; i++) printf "{\"name\":\"n%d\",\"rev\":1}\n", i }'
  echo '{"name":"late","rev":1}'; } > late.ndjson
printf 'migration: x\nmappings: [item.yaml]\ntenant: { id: acme }\nwork: { parent_wait: 1ms }\n' > hasty.yaml
expect_exit 0 "$DROVER" rehearse --config hasty.yaml late.ndjson > late.txt 2> late.log
grep -q '^PASS' late.txt || fail "an orphan was made"

say "what the settings say of a verification is not for a rehearsal"
printf 'migration: x\nmappings: [item.yaml]\ntenant: { id: acme }\nverify: { sources: [good.ndjson], only_tenant: nobody }\n' > with_sources.yaml
printf '{"name":"z","rev":1}\n{"name":\n' > broken.ndjson
expect_exit 5 "$DROVER" rehearse --config with_sources.yaml --json broken.ndjson > broken.json 2> broken.log
equal "classes" "$(jq -c '[.pass, .total.to_write, .total.rejected]' broken.json)" '[false,1,1]'

say "what is no rehearsal of anything is said as a run says it"
expect_exit 2 "$DROVER" rehearse "${ITEMS[@]}" > none.txt 2> none.log
expect_exit 3 "$DROVER" rehearse --mapping missing.yaml --tenant acme good.ndjson > none.txt 2> none.log

say "a source that is not there is named, and the others are not called all there is"
for command in rehearse "run --storage memory"; do
  # shellcheck disable=SC2086
  expect_exit 5 "$DROVER" $command "${ITEMS[@]}" good.ndjson 'exports/*.nope' > none.txt 2> none.log
  grep -q 'exports/\*.nope' none.log || fail "$command does not name the pattern"
  if grep -qE 'PASS|MATCH|NOTHING TO DO' none.txt; then fail "$command has a verdict"; fi
done
