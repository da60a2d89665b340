#!/usr/bin/env bash
# What ./dev demo shows, and more: one run in storage hybrid over JSON files, localStorage payloads, a program's maps and, where
# there is a chromium, a browser's profile; the same again writes nothing; what is exported is what was there.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_lib.sh"

export AI_STORAGE_TYPE=hybrid
READER=$(dirname "$DROVER")/tests/integration_chromium_profile
EXPORTS=$WORK/exports
SAMPLES=$PWD/schemas/samples

start_redis
drover secret keygen "$WORK/key" > "$WORK/keygen.log" 2>&1
mkdir -p "$EXPORTS"/{acme,globex,hooli,initech}
echo '{"theme":{"dark":true},"count":5,"list":[1,2.50],"none":null,"text":"grün"}' > "$EXPORTS/hooli/attribute_index.json"
cp -rp "$SAMPLES"/ai_progress/. "$EXPORTS"
cp -p "$SAMPLES/local_storage/acme.json" "$EXPORTS/acme/local_storage.json"
cp -p "$SAMPLES/local_storage/globex.state.json" "$EXPORTS/globex/storage_state.json"
cp -p "$SAMPLES/maps/maps.json" "$EXPORTS/initech/maps.json"
cat > "$WORK/drover.yaml" <<EOF
mappings: [$PWD/schemas/mappings]
state_dir: $WORK/state
kafka: { partitions: 6 }
secrets: { key_file: $WORK/key }
produce: { tenant_path: "exports/{tenant}/*" }
verify: { report: $WORK/report }
EOF

# ---- a page that a real browser stores

have_browser() { command -v chromium >/dev/null && command -v node >/dev/null; }

store_in_browser() {
  cat > "$WORK/page.mjs" <<'JS'
import http from 'node:http';
import fs from 'node:fs';
const all = {
  current_tenant_id: 'umbrella', theme: 'dark',
  ai_agents_umbrella: JSON.stringify([{ id: 'a1', name: 'Übersetzer', type: 'chat' }, { id: 'a2', name: '通訳 😀' }]),
  chat_session_s1: JSON.stringify([{ role: 'user', content: 'grüß dich', timestamp: '2024-01-15T10:30:00.000Z' }, { message: 'hi' }]),
  user_llm_configs_umbrella: JSON.stringify([{ id: 'l1', provider: 'openai', apiKey: 'sk-0123456789abcdef0123456789abcdef' }]),
  ui_preferences_umbrella: '{"dense":true}', auth_token: 'not to be told', stored: '1',
};
const page = `<!doctype html><meta charset="utf-8"><script>const all = ${JSON.stringify(all)};
  for (const key of Object.keys(all)) localStorage.setItem(key, all[key]);</script>`;
const server = http.createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(page);
});
server.listen(0, '127.0.0.1', () => fs.writeFileSync(process.argv[2], String(server.address().port)));
JS
  node "$WORK/page.mjs" "$WORK/port" > "$WORK/page.log" 2>&1 &
  PIDS+=($!)
  wait_until 30 test -s "$WORK/port"
  chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-extensions \
    --user-data-dir="$EXPORTS/umbrella/profile" "http://127.0.0.1:$(cat "$WORK/port")/" > "$WORK/chromium.out" 2>&1 &
  local browser=$!
  PIDS+=("$browser")
  wait_until 60 has_stored_page
  kill -TERM "$browser"
  wait "$browser" 2>/dev/null || true
}

has_stored_page() { "$READER" print "$EXPORTS/umbrella/profile" 2>/dev/null | grep -q '"name":"stored"'; }

EXTRA=0
if have_browser; then
  say "a page of a real Chromium stores"
  store_in_browser
  EXTRA=10 # 2 agents, a session and its 2 messages, a configuration, preferences, 2 items; and a token withheld
fi

# sums LOG: the last line of numbers, without the separators of thousands
sums() { grep -E '^[0-9 ]+ source records = ' "$1" | tail -n 1 | sed -E 's/([0-9]) ([0-9])/\1\2/g'; }

say "every kind of source in one run, in PostgreSQL and in Redis"
expect_exit 5 drover run "$EXPORTS" > "$WORK/run.log" 2>&1
withheld=$(( 2 + (EXTRA > 0) ))
matches=$(( 2163 + EXTRA - (EXTRA > 0) ))
equal "the sums" "$(sums "$WORK/run.log")" \
  "$(( 2175 + EXTRA )) source records = $matches match + 3 dead-lettered + 7 rejected + $withheld withheld   (reconciled)"
grep -Eq '^redis against the tables: [0-9 ]+ match$' "$WORK/run.log" || fail "Redis is not what PostgreSQL has"
grep -Eq '^sealed values in all messages: [0-9]+ match$' "$WORK/run.log" || fail "sealed values were not compared"
[ "$EXTRA" = 0 ] || equal "the browser's agent" \
  "$(psql "$ADMIN" -Atc "SELECT name FROM agents WHERE isolation_key = 'umbrella' AND id = 'a2'")" "通訳 😀"

say "the same again writes nothing"
before=$(written_rows)
expect_exit 5 drover run "$EXPORTS" > "$WORK/again.log" 2>&1
grep -q "= $matches match" <(sums "$WORK/again.log") || fail "the second run: $(sums "$WORK/again.log")"
equal "the rows behind the second run" "$(written_rows)" "$before"

say "export: a program's maps as they were"
drover export --tenant initech --as map_dump --to "$WORK/back" > "$WORK/export.log" 2>&1 || true
canonical() { jq -cS '.projects | if type == "object" and .dataType == "Map" then .value | map({(.[0]): .[1]}) | add elif type == "array" then map({(.[0]): .[1]}) | add else . end' "$1"; }
back=$(find "$WORK/back" -type f | head -n 1)
equal "projects" "$(canonical "$back" | jq -cS 'keys')" "$(canonical "$SAMPLES/maps/maps.json" | jq -cS 'keys')"
say "and a key-value store's file"
expect_exit 0 drover export --tenant hooli --entity key_value --to "$WORK/store" > "$WORK/store.log" 2>&1
python3 "$PWD/tests/e2e/json_same.py" "$EXPORTS/hooli/attribute_index.json" "$(find "$WORK/store" -type f)" > "$WORK/same.log" ||
  fail "the file: $(cat "$WORK/same.log")"
