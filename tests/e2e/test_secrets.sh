#!/usr/bin/env bash
# Secrets (FAULTS X01, X07, X08, X12, X21): a canary in every sealed and withheld member, and in members nobody
# named, is found in no file of any server, in no output and in no command line, however it is written. A wrong,
# missing or readable key halts before anything is produced. The vault opens, rotates, checks and sweeps.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

export AI_STORAGE_TYPE=hybrid
start_redis --rdbcompression no

CORE=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n') # of every canary
VISIBLE=visible$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
KEY=$WORK/drover.key
cat > "$WORK/drover.yaml" <<END
mappings: [$PWD/tests/e2e/data/llm.yaml]
state_dir: $WORK/state
secrets: { key_file: $KEY, detect: on }
kafka: { partitions: 1, conf: { session.timeout.ms: 6000, heartbeat.interval.ms: 500, compression.type: none } }
verify: { report: $WORK/report }
produce: { rejects: $WORK/rejects.ndjson }
END

sql() { psql "$ADMIN" -qAt -v ON_ERROR_STOP=1 "$@"; }
produced() { kcat -Q -b "$KAFKA_BROKERS" -t "drover.$NAME.source:0:-1" | awk '{print $NF}'; }

# ---- every way the core may be written: one fixed text a line
base64_of() { # the digits that do not depend on what stands before and behind
  local at before
  for at in 0 1 2; do
    before=$(printf '%*s' "$at" '')
    printf '%s%s' "$before" "$CORE" | base64 -w0 | tr -d '=' | cut -c"$(( at * 2 + 1 ))-" | sed 's/..$//'
    printf '%s%s' "$before" "$CORE" | base64 -w0 | tr -d '=' | tr '+/' '-_' | cut -c"$(( at * 2 + 1 ))-" | sed 's/..$//'
  done
}
hex=$(printf %s "$CORE" | od -An -v -tx1 | tr -d ' \n')
{
  echo "$CORE"
  echo "${CORE^^}"
  rev <<< "$CORE"
  echo "$hex"
  echo "${hex^^}"
  sed 's/../%&/g' <<< "$hex"
  sed 's/../\\x&/g' <<< "$hex"
  sed 's/../\\u00&/g' <<< "$hex"
  base64_of
} | sort -u > "$WORK/forms"
wide=$(sed 's/./&\\x00/g' <<< "$CORE")

# hits NAME PATH…: canaries must not be there
hits() {
  local name=$1 found
  shift
  found=$(grep -raFl -f "$WORK/forms" "$@" 2>/dev/null || true)
  found+=$(grep -raPl "$wide" "$@" 2>/dev/null || true)
  [ -z "$found" ] || fail "a canary is in $name: $found"
}

say "the search itself finds each form"
mkdir "$WORK/probe"
printf 'x%sy' "$CORE" > "$WORK/probe/raw"
printf '{"a":"%s"}' "$CORE" | base64 -w0 > "$WORK/probe/base64"
printf '%s' "$CORE" | iconv -t UTF-16LE > "$WORK/probe/wide"
printf 'k=%s' "$CORE" | od -An -v -tx1 | tr -d ' \n' > "$WORK/probe/hex"
for form in raw base64 wide hex; do
  ! (hits probe "$WORK/probe/$form") 2>/dev/null {TELL}>/dev/null || fail "the search misses the form $form"
done
rm -r "$WORK/probe"

say "a key is made once, for its owner alone"
drover secret keygen > "$WORK/keygen.out"
equal "mode of the key" "$(stat -c %a "$KEY")" 600
identity=$(sed -n 's/.*identity \([0-9a-f]*\)$/\1/p' "$WORK/keygen.out" | head -n 1)
expect_exit 6 drover secret keygen > "$WORK/keygen2.out" 2>&1
! grep -qFf <(sed -n 's/^key [0-9a-f]* //p; s/^identity //p' "$KEY") "$WORK"/keygen*.out || fail "keygen prints the key"

prepare
payload=$(printf '{"sub":"%s"}' "canary$CORE" | base64 -w0 | tr '+/' '-_' | tr -d '=')
jwt=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.$payload.c2lnbmF0dXJlc2lnbmF0dXJl
c() { echo "canary$CORE$1"; }
{
  for i in 1 2 3 4 5 6 7 8; do
    t=t$(( i % 2 ))
    echo "{\"id\":\"l$i\",\"tenant\":\"$t\",\"rev\":1,\"note\":\"$VISIBLE\",\"apiKey\":\"$(c "a$i")\",\"endpoint\":{\"url\":\"$(c "b$i")\"},\"session\":\"$(c c)\"}"
  done
  echo "{\"id\":\"d1\",\"tenant\":\"t1\",\"rev\":1,\"deep\":{\"list\":[{\"password\":\"$(c d)\"}]},\"auth_token\":\"$(c e)\",\"jwt\":\"$jwt\",\"x\":\"$jwt\"}"
  echo "{\"id\":\"d2\",\"tenant\":\"t1\",\"rev\":1,\"config\":\"{\\\"apiKey\\\":\\\"$(c f)\\\",\\\"n\\\":1}\",\"cut\":\"{\\\"secret\\\":\\\"$(c g)\"}"
  echo "{\"id\":\"d3\",\"tenant\":\"t1\",\"rev\":1,\"url\":\"https://x.example/?api_key=$(c h)\",\"db\":\"postgresql://u:$(c i)@h/d\",\"say\":\"my key is sk-$CORE$CORE ok\"}"
  echo "{\"id\":\"d4\",\"tenant\":\"t1\",\"rev\":1,\"env\":[{\"name\":\"API_KEY\",\"value\":\"$(c j)\"}],\"args\":[\"--token\",\"$(c k)\"]}"
  echo "{\"id\":\"evil\",\"tenant\":\"t1\",\"rev\":1,\"note\":\"evil\",\"apiKey\":\"$(c l)\"}"
  echo "{\"id\":\"spoof\",\"tenant\":\"t1\",\"rev\":1,\"more\":{\"\$sealed\":\"sec_x\",\"apiKey\":\"$(c m)\"}}"
  echo "{\"id\":\"twice\",\"tenant\":\"t1\",\"rev\":1,\"apiKey\":\"$(c n)\",\"apiKey\":\"$(c o)\"}"
  echo "{\"id\":\"broken\",\"tenant\":\"t1\",\"rev\":1,\"apiKey\":\"$(c p)\",}"
} > "$WORK/source.ndjson"
mkdir "$WORK/in" && mv "$WORK/source.ndjson" "$WORK/in/"

say "without the right key nothing is produced"
refused() { # WHAT COMMAND…
  local what=$1 got=0
  shift
  "$@" > "$WORK/refused.log" 2>&1 || got=$?
  equal "exit code, $what" "$got" 6
  grep -q 'DRV-X005' "$WORK/refused.log" || fail "$what: no DRV-X005"
  equal "messages, $what" "$(produced)" 0
}
chmod 644 "$KEY"
refused "mode 0644" drover produce "$WORK/in/source.ndjson"
grep -q '0644' "$WORK/refused.log" || fail "the mode is not named"
chmod 600 "$KEY"
ln -s "$KEY" "$WORK/link.key"
refused "a link" drover produce "$WORK/in/source.ndjson" --key-file "$WORK/link.key"
refused "no such file" drover produce "$WORK/in/source.ndjson" --key-file "$WORK/none.key"
sed '/^key /s/[0-9a-f]$/x/' "$KEY" > "$WORK/damaged.key" && chmod 600 "$WORK/damaged.key"
refused "a damaged key" drover produce "$WORK/in/source.ndjson" --key-file "$WORK/damaged.key"
refused "another identity" drover produce "$WORK/in/source.ndjson" --key-identity 0123456789abcdef
sed 's/^secrets:.*/secrets: { detect: on }/' "$WORK/drover.yaml" > "$WORK/keyless.yaml"
refused "no key" "$DROVER" produce "$WORK/in/source.ndjson" --config "$WORK/keyless.yaml"

say "produce, work, dead letters, verify"
sql -c "ALTER TABLE public.llm ADD CONSTRAINT no_evil CHECK (note <> 'evil')"
start_worker worker
got=0; drover produce "$WORK/in/source.ndjson" --key-identity "$identity" > "$WORK/produce.log" 2>&1 || got=$?
[ "$got" = 0 ] || [ "$got" = 5 ] || fail "produce: exit $got"
wait_until 30 is_drained
tr '\0' '\n' < "/proc/$worker_PID/cmdline" > "$WORK/cmdline.log"
tr '\0' '\n' < "/proc/$worker_PID/environ" >> "$WORK/cmdline.log"
stop_worker worker
equal "records produced" "$(produced)" 13
drover status --json > "$WORK/status.json" 2>&1
equal "dead letters" "$(jq .counts.dead_lettered "$WORK/status.json")" 1
drover verify --show-values > "$WORK/verify.log" 2>&1 || true
drover verify --source "$WORK/in/source.ndjson" --show-values >> "$WORK/verify.log" 2>&1 || true

say "rows hold references, the vault holds what they refer to"
equal "rows" "$(sql -c 'SELECT count(*) FROM llm')" 12
equal "sealed columns" "$(sql -c "SELECT count(*) FROM llm WHERE api_key ~ '^sec_[a-z2-7]{32}$' AND endpoint ~ '^sec_' AND session IS NULL")" 8
equal "withheld" "$(sql -c "SELECT extra->'auth_token'->>'\$withheld' FROM llm WHERE id = 'd1'")" token
equal "in a string" "$(sql -c "SELECT (extra->>'config')::jsonb->'apiKey'->>'\$sealed' ~ '^sec_' FROM llm WHERE id = 'd2'")" t
drover secret check > "$WORK/check.log" 2>&1 || fail "check: exit $?"
# the refused record's box was stored with its batch's; nothing refers to it
drover secret check --json > "$WORK/check.json"
equal "references without an entry" "$(jq .dangling "$WORK/check.json")" 0
equal "entries that do not open" "$(jq .closed "$WORK/check.json")" 0
[ "$(jq .orphans "$WORK/check.json")" -le 1 ] || fail "orphans: $(cat "$WORK/check.json")"

say "the canary is nowhere"
database=$(psql "$ROOT_URL" -Atc 'SHOW data_directory')
grep -raqF "$VISIBLE" "$database/pg_wal" || say "(the WAL of the writes is gone already)"
hits "the WAL" "$database/pg_wal"
psql "$ROOT_URL" -qc CHECKPOINT
redis SAVE > /dev/null
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.dlq" -e -q -f '%s %h\n' > "$WORK/dead_letters.log"
kcat -C -b "$KAFKA_BROKERS" -t "drover.$NAME.results" -e -q -f '%s %h\n' > "$WORK/results.log"
[ -s "$WORK/dead_letters.log" ] && [ -s "$WORK/results.log" ] || fail "no dead letters or no results"
kafka=$(./dev stack data kafka)
oid=$(psql "$ROOT_URL" -Atc "SELECT oid FROM pg_database WHERE datname = '$NAME'")
grep -raqF "$VISIBLE" "$kafka/drover.$NAME.source-"* || fail "the broker's files are not where they are looked for"
grep -raqF "$VISIBLE" "$database/base/$oid" || fail "the database's files are not where they are looked for"
hits "the broker's files" "$kafka/drover.$NAME."*
hits "PostgreSQL's files" "$database/base/$oid" "$database/pg_wal"
grep -raqF "$VISIBLE" "$REDIS_DIR" || fail "Redis' file is not where it is looked for"
hits "PostgreSQL's log, Redis' files" "$REDIS_DIR" "$(./dev stack data redis)" "$DROVER_STACK_DIR/log"
hits "outputs, logs, reports, state" "$WORK"/*.log "$WORK"/*.out "$WORK"/*.json "$WORK/state" "$WORK/rejects.ndjson" "$WORK/report"

say "the vault tells what it has, opens with the key, and stays apart by tenant"
drover secret list --json > "$WORK/list.json"
equal "entries" "$(jq '.secrets | length' "$WORK/list.json")" "$(sql -c 'SELECT count(*) FROM drover.credential_vault')"
drover secret list --tenant t0 > "$WORK/list.log"
tail -n 1 "$WORK/list.log" | grep -q '^8 secrets' || fail "t0 has: $(tail -n 1 "$WORK/list.log")"
reference=$(jq -r '.secrets[] | select(.id == "l3" and .field == "/apiKey") | .reference' "$WORK/list.json")
equal "the row's reference" "$(sql -c "SELECT api_key FROM llm WHERE id = 'l3'")" "$reference"
equal "opened" "$(drover secret open "$reference" --tenant t1 2>/dev/null)" "$(c a3)"
expect_exit 5 drover secret open "$reference" --tenant t0 > "$WORK/open.log" 2>&1
nested=$(jq -r '.secrets[] | select(.id == "l3" and .field == "/endpoint") | .reference' "$WORK/list.json")
equal "an object opened" "$(drover secret open "$nested" --tenant t1 | jq -r .url)" "$(c b3)"
inner=$(jq -r '.secrets[] | select(.field == "/config#/apiKey") | .reference' "$WORK/list.json")
equal "opened from a string" "$(drover secret open "$inner" --tenant t1)" "$(c f)"
foreign=$(sql <<'SQL'
SET ROLE drover_worker; SELECT set_config('app.current_tenant_key', 't0', false) \g /dev/null
SELECT count(*) FILTER (WHERE isolation_key <> 't0') || ' of ' || count(*) FROM drover.credential_vault;
SQL
)
equal "what t0 sees of t1's" "$foreign" "0 of 8"
drover secret keygen "$WORK/other.key" > /dev/null
expect_exit 6 drover secret open "$reference" --tenant t1 --key-file "$WORK/other.key" > "$WORK/open.log" 2>&1
expect_exit 6 drover produce "$WORK/in/source.ndjson" --key-file "$WORK/other.key" > "$WORK/other.log" 2>&1
equal "messages after another key" "$(produced)" 13

say "producing again changes nothing"
drover produce --again "$WORK/in/source.ndjson" > "$WORK/again.log" 2>&1 || true
vault_before=$(sql -c "SELECT md5(string_agg(v::text, '|' ORDER BY reference)) FROM drover.credential_vault AS v")
drover work --until-end > "$WORK/work2.log" 2>&1 || fail "worker: exit $?"
equal "unchanged" "$(drover status --json 2>/dev/null | jq .counts.unchanged)" 12
equal "the vault" "$(sql -c "SELECT md5(string_agg(v::text, '|' ORDER BY reference)) FROM drover.credential_vault AS v")" "$vault_before"

say "a new value is a new entry; the old one stays until it is swept"
echo "{\"id\":\"l4\",\"tenant\":\"t0\",\"rev\":2,\"apiKey\":\"$(c A)\"}" > "$WORK/in/new.ndjson"
old=$(sql -c "SELECT api_key FROM llm WHERE id = 'l4'")
drover produce "$WORK/in/new.ndjson" > "$WORK/new.log" 2>&1
drover work --until-end > "$WORK/work4.log" 2>&1 || fail "worker: exit $?"
new=$(sql -c "SELECT api_key FROM llm WHERE id = 'l4'")
[ "$old" != "$new" ] || fail "the reference did not change with the value"
equal "the new value" "$(drover secret open "$new" --tenant t0)" "$(c A)"
equal "the old value" "$(drover secret open "$old" --tenant t0)" "$(c a4)"
drover secret check --json > "$WORK/check.json"

say "rotation seals everything anew and touches no row"
rows_before=$(sql -c "SELECT md5(string_agg(xmin::text || ctid::text, '|' ORDER BY id)) FROM llm")
drover secret rotate --json > "$WORK/rotate.json"
equal "resealed" "$(jq .resealed "$WORK/rotate.json")" "$(jq .entries "$WORK/check.json")"
equal "keys" "$(grep -c '^key ' "$KEY")" 2
equal "mode after rotation" "$(stat -c %a "$KEY")" 600
equal "rows" "$(sql -c "SELECT md5(string_agg(xmin::text || ctid::text, '|' ORDER BY id)) FROM llm")" "$rows_before"
equal "under older keys" "$(drover secret check --json | jq .under_older_keys)" 0
equal "opened after rotation" "$(drover secret open "$reference" --tenant t1 2>/dev/null)" "$(c a3)"
sql -c "UPDATE drover.credential_vault SET ciphertext = (SELECT ciphertext FROM drover.credential_vault WHERE reference = '$nested') WHERE reference = '$reference'"
expect_exit 5 drover secret check > "$WORK/check.log" 2>&1
expect_exit 5 drover secret open "$reference" --tenant t1 > "$WORK/open.log" 2>&1

say "what is missing and what is left over is told; leftovers go"
sql -c "DELETE FROM drover.credential_vault WHERE reference = '$reference'"
expect_exit 5 drover secret check --json > "$WORK/check.json" 2>&1
equal "dangling" "$(jq .dangling "$WORK/check.json")" 1
sql -c "DELETE FROM llm WHERE id IN ('l1', 'l2')"
drover secret check --json > "$WORK/check.json" || true
orphans=$(jq .orphans "$WORK/check.json")
[ "$orphans" -ge 4 ] || fail "orphans: $orphans"
equal "young ones stay" "$(drover secret sweep --json | jq .removed)" 0
sql -c "UPDATE drover.credential_vault SET created_at = created_at - interval '2 hours'"
equal "swept" "$(drover secret sweep --json | jq .removed)" "$orphans"
equal "left over" "$(drover secret check --json | jq .orphans)" 0

say "what others produce must be sealed as well"
p() { kcat -P -b "$KAFKA_BROKERS" -t "drover.$NAME.source" -p 0 -H drover-tenant=t1 -H drover-entity=llm "$@"; }
p <<< '{"id":"p1","tenant":"t1","rev":1,"apiKey":"plain"}'
p <<< '{"id":"p2","tenant":"t1","rev":1,"apiKey":{"$sealed":"sec_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}'
p -H drover-sealed=nonsense <<< '{"id":"p3","tenant":"t1","rev":1}'
drover work --until-end > "$WORK/work3.log" 2>&1 || fail "worker: exit $?"
equal "refused" "$(drover status --json 2>/dev/null | jq '.dead_letters_by_code["DRV-X008"]')" 3
equal "not written" "$(sql -c "SELECT count(*) FROM llm WHERE id LIKE 'p_'")" 0
say done
