#!/usr/bin/env bash
# The export: what was migrated is written again in the form it came in, and is the same.
. "$(dirname "$0")/lib.sh"

SAMPLES=$PWD/schemas/samples
KEY=$WORK/drover.key
sed -i "s|^mappings: .*|mappings: [$PWD/schemas/mappings]|" "$WORK/drover.yaml"
drover secret keygen --key-file "$KEY" > "$WORK/keygen.log" 2>&1
prepare

same() { python3 "$PWD/tests/e2e/json_same.py" "$@" > "$WORK/same.log" || fail "not the same (${*: -1}): $(cat "$WORK/same.log")"; }

say "localStorage comes back, with its secrets when the key is there"
drover produce --tenant acme --user u1 --key-file "$KEY" "$SAMPLES/local_storage/acme.json" > "$WORK/produce.log" 2>&1 || true
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
# What is no storage of this tenant's, a token, and what the mappings fill in.
NOT_BACK=(--without auth_token --without ai_agents_globex --without ui_preferences_globex --without chat_session_lost
          --without chat_session_cut --default role=user --default status=active)
expect_exit 0 drover export --tenant acme --user u1 --as local_storage --key-file "$KEY" --to "$WORK/out" > "$WORK/export.log" 2>&1
FILE=$WORK/out/acme/local_storage-user-u1.json
[ -f "$FILE" ] || fail "there is no $FILE"
equal "mode of the export" "$(stat -c %a "$FILE")" 600
same --storage "${NOT_BACK[@]}" "$SAMPLES/local_storage/acme.json" "$FILE"

say "without the key secrets stay sealed, are listed, and the exit code says so"
expect_exit 5 drover export --tenant acme --user u1 --as local_storage --to - > "$WORK/sealed.json" 2> "$WORK/sealed.log"
grep -q 'DRV-Y005: [0-9]* left sealed' "$WORK/sealed.log" || fail "sealed fields are not listed"
! grep -q 'sample-key-of-nobody' "$WORK/sealed.json" || fail "a secret came out without the key"
grep -q '"$sealed\\":\\"sec_' "$WORK/sealed.json" || fail "the sealed value is not marked"
grep -q 'sample-key-of-nobody' "$FILE" || fail "the secret did not come back with the key"

say "what came back can be migrated again, and nothing changes"
drover produce --tenant acme --user u1 --key-file "$KEY" "$FILE" > "$WORK/again.log" 2>&1 || true
expect_exit 0 drover work --until-end > "$WORK/work2.log" 2>&1
expect_exit 0 drover export --tenant acme --user u1 --as local_storage --key-file "$KEY" --to "$WORK/out2" > "$WORK/export2.log" 2>&1
cmp "$FILE" "$WORK/out2/acme/local_storage-user-u1.json" || fail "the second export is another one"

say "several origins are several files, and standard output takes one"
drover produce --tenant globex --user u2 --key-file "$KEY" "$SAMPLES/local_storage/globex.state.json" > "$WORK/produce.log" 2>&1 || true
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 2 drover export --tenant globex --as local_storage --user u2 --key-file "$KEY" --to - > "$WORK/none.json" 2> "$WORK/none.log"
expect_exit 0 drover export --tenant globex --as local_storage --user u2 --origin https://app.globex.example --key-file "$KEY" --to - \
  > "$WORK/origin.json" 2> "$WORK/origin.log"
equal "a key of that origin" "$(jq -r '.privacy_settings_globex | fromjson | .retentionDays' "$WORK/origin.json")" 30

say "maps come back, what was joined apart again"
drover produce --tenant game --key-file "$KEY" "$SAMPLES/maps/maps.ndjson" > "$WORK/produce.log" 2>&1 || true
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
drover export --tenant game --as map_dump --key-file "$KEY" --to - > "$WORK/maps.json" 2> "$WORK/maps.log" || true
for collection in projects marketplaceProjects; do
  jq -S --arg c "$collection" -n '[inputs | select(.entity == $c)] | map({key, value}) | from_entries' "$SAMPLES/maps/maps.ndjson" > "$WORK/want.json"
  jq -S ".$collection" "$WORK/maps.json" > "$WORK/have.json"
  same "$WORK/want.json" "$WORK/have.json"
done

say "files come back, keyed ones too"
cat > "$WORK/attribute_index.json" <<'EOJ'
{"a/b": [1, 2.50, {"x": null}], "": "empty key", "ü 😀": {"deep": {"er": []}}, "n": 9007199254740993}
EOJ
drover produce --tenant files --format keyed "$WORK/attribute_index.json" > "$WORK/produce.log" 2>&1 || true
expect_exit 0 drover work --until-end > "$WORK/work.log" 2>&1
expect_exit 0 drover export --tenant files --as file --to "$WORK/files" > "$WORK/export.log" 2>&1
same --without "" "$WORK/attribute_index.json" "$WORK/files/files/attribute_index.json"
grep -q 9007199254740993 "$WORK/files/files/attribute_index.json" || fail "a number lost its last digit"

say "an unknown tenant is an empty export, no tenant none at all"
expect_exit 5 drover export --tenant nobody --as file --to "$WORK/nobody" > "$WORK/nobody.log" 2>&1
grep -q DRV-Y005 "$WORK/nobody.log" || fail "a tenant without records is not named"
expect_exit 2 drover export --as file > "$WORK/none.log" 2>&1
say done
