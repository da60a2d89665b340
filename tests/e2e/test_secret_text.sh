#!/usr/bin/env bash
# Secrets inside texts, with the mappings that are shipped: every record arrives, its text with the secret's place
# taken by a reference; rehearsal, verifier and export agree with that; nothing is in the clear behind the producer.
. "$(dirname "$0")/lib.sh"

KEY=$WORK/drover.key
sed -i "s|^mappings: .*|mappings: [$PWD/schemas/mappings]|" "$WORK/drover.yaml"
drover secret keygen --key-file "$KEY" > "$WORK/keygen.log" 2>&1
prepare

# of every secret: it is nowhere else
core=$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')
key=sk-abcdEFGH1234${core}ijklMNOP5678qrstUVWX9012
jwt=eyJhbGciOiJIUzI1NiJ9.$(printf '{"sub":"%s"}' "$core" | base64 -w0 | tr '+/' '-_' | tr -d =).dozjgNryP4J3jVmNHl0w5NXgL0n3I9PlFUP0THsR8U
own='look: ${sealed:sec_abcdefghijklmnopqrstuvwxyz234567}, $${withheld:token} and $${sealed:'
jq -n --arg key "$key" --arg jwt "$jwt" --arg own "$own" --arg core "$core" '
  {current_tenant_id: "cz2",
   chat_session_k: ([("please use my key " + $key + " to call it"), "ok",
                     ("curl -H \"Authorization: Bearer abcdefghijklmnop" + $core + "0123456789ABCDEF\" https://x"),
                     ("postgres://bob:hunter" + $core + "pass@db.example/prod is our db"),
                     $jwt, $own, ($own + " $" + $key)]
                    | to_entries | map({role: "user", content: .value, timestamp: (1700000000000 + .key)}) | tojson),
   tenant_mcp_servers_cz2: ([{id: "m1", name: "a", url: ("https://mcp.example/sse?api_key=9f8e7d6c" + $core)},
                             {id: "m2", name: "b", url: "https://mcp.example/"}] | tojson),
   ai_agents_cz2: ([{id: "a1", name: "n", systemPrompt: ("Use token ghp_abcdefghijklmnop" + $core + "zz for git")}] | tojson),
   note: ("OPENAI_API_KEY=" + $key)}' > "$WORK/source.json"
flags=(--tenant cz2 --user u1)

say "the rehearsal takes every record"
expect_exit 0 drover rehearse "${flags[@]}" --key-file "$KEY" --json "$WORK/source.json" > "$WORK/rehearse.json" 2> "$WORK/rehearse.log"

say "every record arrives, and the verifier agrees with the key and without"
expect_exit 0 drover produce "${flags[@]}" --key-file "$KEY" "$WORK/source.json" > "$WORK/produce.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
drover status --json > "$WORK/status.json" 2>/dev/null || true
equal "dead letters" "$(jq '.dead_letters_by_code | length' "$WORK/status.json")" 0
sql() { psql "$ADMIN" -qAt -v ON_ERROR_STOP=1 -c "$1"; }
content() { sql "SELECT content FROM chat_message ORDER BY sequence_number OFFSET $1 LIMIT 1"; }
equal "messages" "$(sql 'SELECT count(*) FROM chat_message')" 7
reference='\$\{sealed:sec_[a-z2-7]{32}\}'
content 0 | grep -qxE "please use my key $reference to call it" || fail "the words did not stay: $(content 0)"
content 3 | grep -qxE "postgres://bob:$reference@db.example/prod is our db" || fail "the link did not stay: $(content 3)"
equal "a token that is all of a text" "$(content 4)" '${withheld:token}'
equal "the text's own letters" "$(content 5)" 'look: $${sealed:sec_abcdefghijklmnopqrstuvwxyz234567}, $$$${withheld:token} and $$$${sealed:'
for key_file in "$KEY" ""; do
  expect_exit 0 drover verify "${flags[@]}" ${key_file:+--key-file "$key_file"} --source "$WORK/source.json" > "$WORK/verify.log" 2>&1
  grep -q MATCH "$WORK/verify.log" || fail "verify: $(tail -n 1 "$WORK/verify.log")"
done

say "nothing is in the clear"
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -e -q -f '%k %h %s\n' > "$WORK/topic.dump"
pg_dump "$ADMIN" > "$WORK/rows.dump"
grep -q 'please use my key' "$WORK/topic.dump" || fail "the topic is not where it is looked for"
grep -q 'please use my key' "$WORK/rows.dump" || fail "the rows are not where they are looked for"
! grep -l "$core" "$WORK"/*.dump "$WORK"/*.log "$WORK"/rehearse.json || fail "a secret is in the clear"

say "the export gives the texts back; without the key it says what stays"
same() { python3 "$PWD/tests/e2e/json_same.py" "$@" > "$WORK/same.log" || fail "not the same: $(head -c 2000 "$WORK/same.log")"; }
jq --arg jwt "$jwt" '.chat_session_k |= (fromjson | map(if .content == $jwt then .content = "${withheld:token}" else . end) | tojson)' \
  "$WORK/source.json" > "$WORK/want.json"
expect_exit 5 drover export "${flags[@]}" --as local_storage --key-file "$KEY" --to "$WORK/out" > "$WORK/export.log" 2>&1
same --storage --without current_tenant_id --default status=active --default role=user "$WORK/want.json" "$WORK/out/cz2/local_storage-user-u1.json"
grep -q '^DRV-Y005: 1 withheld, absent$' "$WORK/export.log" || fail "the withheld token is not told of"
expect_exit 5 drover export "${flags[@]}" --as local_storage --to - > "$WORK/closed.out" 2> "$WORK/closed.log"
! grep -q "$core" "$WORK/closed.out" || fail "a secret came out without the key"
grep -qE "please use my key $reference to call it" "$WORK/closed.out" || fail "the sealed text is not there"

say "the vault knows the parts of texts; producing again changes nothing"
drover secret list --json --key-file "$KEY" > "$WORK/list.json"
equal "parts in the vault" "$(jq '[.secrets[] | select(.field | test("^/content~#1$"))] | length' "$WORK/list.json")" 4
part=$(jq -r '.secrets[] | select(.field == "/systemPrompt~#1") | .reference' "$WORK/list.json")
equal "a part opened" "$(drover secret open "$part" --tenant cz2 --key-file "$KEY" 2>/dev/null)" "ghp_abcdefghijklmnop${core}zz"
expect_exit 0 drover secret check --key-file "$KEY" > "$WORK/check.log" 2>&1
expect_exit 0 drover produce --again "${flags[@]}" --key-file "$KEY" "$WORK/source.json" > "$WORK/again.log" 2>&1
expect_exit 0 drover work --until-end > "$WORK/work2.log" 2>&1
drover status --json > "$WORK/status2.json" 2>/dev/null || true
equal "changed" "$(jq .counts.applied "$WORK/status2.json")" "$(jq .counts.applied "$WORK/status.json")"

say "another producer's reference must come with its box"
kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -p 0 -H drover-tenant=cz2 -H drover-entity=mcp_server -H drover-version=1 \
  <<< '{"id":"foreign","name":"a ${sealed:sec_abcdefghijklmnopqrstuvwxyz234567} b"}'
expect_exit 0 drover work --until-end > "$WORK/work3.log" 2>&1
equal "refused" "$(drover status --json 2>/dev/null | jq '.dead_letters_by_code["DRV-X008"]')" 1
say "rotation and sweeping know the parts of texts"
expect_exit 0 drover secret rotate --key-file "$KEY" > "$WORK/rotate.log" 2>&1
expect_exit 5 drover export "${flags[@]}" --as local_storage --key-file "$KEY" --to "$WORK/rotated" > "$WORK/rotated.log" 2>&1
same --storage --without current_tenant_id --default status=active --default role=user "$WORK/want.json" "$WORK/rotated/cz2/local_storage-user-u1.json"
sql "UPDATE drover.credential_vault SET created_at = created_at - interval '2 hours'"
equal "nothing is left over" "$(drover secret sweep --json --key-file "$KEY" | jq .removed)" 0
parts=$(sql 'SELECT array_length(regexp_split_to_array(content, $$[$]{sealed:sec_$$), 1) - 1 FROM chat_message ORDER BY sequence_number LIMIT 1')
sql 'DELETE FROM chat_message WHERE sequence_number = (SELECT min(sequence_number) FROM chat_message)'
equal "left over" "$(drover secret sweep --json --key-file "$KEY" | jq .removed)" "$parts"
expect_exit 0 drover secret check --key-file "$KEY" > "$WORK/check2.log" 2>&1
! grep -l "$core" "$WORK"/rotate*.log "$WORK"/check*.log || fail "a secret is told"
say done
