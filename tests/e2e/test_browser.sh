#!/usr/bin/env bash
# What a real Chromium stored is read from its profile as it was stored: by its first byte, with lone surrogates, by
# origin and partition, without what was deleted; while the browser runs and holds its lock. Needs no servers.
set -euo pipefail

[ -n "${DROVER:-}" ] || { echo "DROVER must name the built program: run ./dev test" >&2; exit 2; }
for needed in chromium node; do
  command -v "$needed" >/dev/null || { echo "skipped: no $needed here (apt-get install chromium nodejs)"; exit 0; }
done

# the suite's program prints a profile as the document that the product reads
READER=$(dirname "$DROVER")/tests/integration_chromium_profile
WORK=$(mktemp -d)
WAIT_S=60
PIDS=()

fail() { printf 'FAILED: %s\n' "$*" >&2; tail -n 20 "$WORK"/*.log >&2 2>/dev/null || true; exit 1; }
say() { printf '== %s\n' "$*"; }

cleanup() {
  local status=$?
  for pid in "${PIDS[@]:-}"; do [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$WORK"
  exit "$status"
}
trap cleanup EXIT

# ---- a page that stores, and a server that gives it ----

cat > "$WORK/values.mjs" <<'JS'
// what the pages store; the test compares with the same
export const TOP = {
  current_tenant_id: 'acme',
  theme: 'dark',
  ai_agents_acme: JSON.stringify([{ id: 'a1', name: 'Übersetzer' }, { id: 'a2', name: '通訳 😀' }]),
  ai_agents_globex: JSON.stringify([{ id: 'foreign' }]),
  chat_session_s1: JSON.stringify([{ message: 'hello' }, { role: 'assistant', content: 'h\u00e9' }]),
  ui_preferences_acme: '{"dense":true}',
  latin: 'caf\u00e9 \u00ff\u0080 "quoted" \\ \n',
  wide: '\u65e5\u672c \u20ac',
  emoji: '\ud83d\ude00',
  lone: 'a\ud800b\udc00',
  'k\u00e9y': 'latin key',
  '\u9375': 'wide key',
  nothing: '',
  broken: '[object Object]',
  auth_token: 'abc',
  overwritten: 'first',
  deleted: 'to be deleted',
};
export const LARGE = 'x\u20ac'.repeat(1 << 19); // a Mi of units
JS
cat > "$WORK/pages.mjs" <<'JS'
import http from 'node:http';
import fs from 'node:fs';
import { TOP, LARGE } from './values.mjs';
const asText = (value) => JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
const page = (script) => `<!doctype html><meta charset="utf-8"><script>${script}</script>`;
const server = http.createServer((request, response) => {
  const port = server.address().port;
  const pages = {
    '/first': page(`const all = ${asText(TOP)}; for (const k of Object.keys(all)) localStorage.setItem(k, all[k]);
      localStorage.setItem('large', ${asText(LARGE)}); localStorage.setItem('stored', '1');
      document.write('<iframe src="http://localhost:${port}/frame"></iframe>');`),
    '/frame': page(`localStorage.setItem('theme', 'of the frame'); localStorage.setItem('stored', 'frame');`),
    '/second': page(`localStorage.removeItem('deleted'); localStorage.setItem('overwritten', 'second');
      localStorage.setItem('stored', '2');`),
    '/other': page(`localStorage.setItem('theme', 'of the other'); localStorage.setItem('stored', 'other');`),
  };
  const found = pages[request.url];
  response.writeHead(found ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' });
  response.end(found ?? '');
});
server.listen(0, '127.0.0.1', () => fs.writeFileSync(process.argv[2], String(server.address().port)));
JS
node "$WORK/pages.mjs" "$WORK/port" > "$WORK/pages.log" 2>&1 &
PIDS+=($!)

# until COMMAND…: by condition, not by time
until_true() {
  local begin=$SECONDS
  until "$@"; do
    [ $(( SECONDS - begin )) -lt "$WAIT_S" ] || fail "not within $WAIT_S s: $*"
    read -rt 0.2 <> <(:) || true
  done
}

has_port() { [ -s "$WORK/port" ]; }
until_true has_port
PORT=$(cat "$WORK/port")
PROFILE=$WORK/profile

# is_stored ORIGIN VALUE: the browser has written what the page stored last
is_stored() {
  "$READER" print "$PROFILE" > "$WORK/state.json" 2> "$WORK/reader.log" || return 1
  node -e '
    const state = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    const of = state.origins.find((o) => o.origin === process.argv[2]);
    process.exit(of?.localStorage.some((e) => e.name === "stored" && e.value === process.argv[3]) ? 0 : 1);
  ' "$WORK/state.json" "$1" "$2"
}

# visit URL ORIGIN VALUE…: until each origin has its value; the browser still runs then
visit() {
  local url=$1
  shift
  chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-extensions \
    --user-data-dir="$PROFILE" "$url" > "$WORK/chromium.out" 2>&1 &
  BROWSER=$!
  PIDS+=("$BROWSER")
  while [ $# -gt 0 ]; do
    until_true is_stored "$1" "$2"
    shift 2
  done
}

leave() {
  kill -TERM "$BROWSER"
  wait "$BROWSER" 2>/dev/null || true
}

TOP=http://127.0.0.1:$PORT
OTHER=http://localhost:$PORT
FRAME="$OTHER/^0http://127.0.0.1"

say "a page stores, and a frame of another site in it; read while the browser runs"
visit "$TOP/first" "$TOP" 1 "$FRAME" frame
leave
say "the same origin deletes and overwrites; another origin stores"
visit "$TOP/second" "$TOP" 2
leave
visit "$OTHER/other" "$OTHER" other
leave

say "what the profile holds is what was stored"
"$READER" print "$PROFILE/Default" > "$WORK/state.json"
cat > "$WORK/compare.mjs" <<'JS'
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { TOP, LARGE } from './values.mjs';
const [, , file, top, other, frame] = process.argv;
const bytes = fs.readFileSync(file);
assert.ok(Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes), 'the document is UTF-8');
const stored = new Map();
for (const origin of JSON.parse(bytes).origins)
  stored.set(origin.origin, Object.fromEntries(origin.localStorage.map((entry) => [entry.name, entry.value])));
const wanted = { ...TOP, large: LARGE, overwritten: 'second', stored: '2' };
delete wanted.deleted;
assert.deepEqual(stored.get(top), wanted);
assert.deepEqual(stored.get(other), { theme: 'of the other', stored: 'other' });
assert.deepEqual(stored.get(frame), { theme: 'of the frame', stored: 'frame' });
JS
node "$WORK/compare.mjs" "$WORK/state.json" "$TOP" "$OTHER" "$FRAME" || fail "the profile was not read as it was stored"

say "and that is what would be migrated"
cat > "$WORK/drover.yaml" <<YAML
mappings: [$PWD/schemas/mappings]
state_dir: $WORK/state
YAML
status=0
"$DROVER" rehearse "$PROFILE" --config "$WORK/drover.yaml" --origin "$TOP" > "$WORK/rehearsal.txt" 2>&1 || status=$?
[ "$status" = 5 ] || fail "the rehearsal ended with $status, not 5: a foreign key and a lone surrogate are rejected"
# count ENTITY NUMBER: so many rows of it would be written
count() { grep -Eq "^acme +$1 +$2 +$2 +0 " "$WORK/rehearsal.txt" || fail "not $2 of $1: $(cat "$WORK/rehearsal.txt")"; }
count agent 2
count chat_session 1
count chat_message 2
count user_preferences 1
count local_storage_item 11
grep -q '1 × DRV-T003' "$WORK/rehearsal.txt" || fail "the foreign key was not told"
grep -q '1 × DRV-J002' "$WORK/rehearsal.txt" || fail "the lone surrogate was not told"
grep -q 'a token is withheld: auth_token' "$WORK/rehearsal.txt" || fail "the token was not withheld"
grep -q '17 of 17 rows give their record back' "$WORK/rehearsal.txt" || fail "not all come back"
say "ok"
