#!/usr/bin/env bash
# Peak memory of the producer over a localStorage body of 64 MiB, which is held whole (as a file and as a pipe), and a dump of maps
# of 1 GiB with a join, which is read twice.
#   eval "$(./dev stack env)"; tests/bench/collect_memory.sh [DUMP_MIB]      (default 1024; needs build/release/drover)
# Not part of the tests. The topics it makes are deleted in the end.
set -euo pipefail
cd -- "$(dirname -- "$0")/../.."

DUMP_MIB=${1:-1024}
LIMIT_MIB=288 # four times the body, and 32 MiB
MIGRATION=collect_memory
. tests/bench/memory_lib.sh

# One chat whose messages are all escapes (six bytes a character), until the body has nearly 64 MiB; the tenant stands last.
body() {
  python3 - <<'EOF'
import sys
out = sys.stdout
out.write('{"localStorage_data":{"theme":"dark","chat_session_big":"[')
size, i, escapes = 0, 0, '\\\\u00e4' * 9000
while size < 63 * 1024 * 1024:
    part = (',' if i else '') + '{\\"role\\":\\"user\\",\\"content\\":\\"%d %s\\"}' % (i, escapes)
    out.write(part)
    size += len(part)
    i += 1
out.write(']","current_tenant_id":"acme"},"backup_requested":true}\n')
EOF
}

dump() {
  python3 - "$DUMP_MIB" <<'EOF'
import sys
out, most = sys.stdout, int(sys.argv[1]) * 1024 * 1024
size = 0
def write(text):
    global size
    out.write(text)
    size += len(text)
write('{"marketplaceProjects":{')
for i in range(20000):
    write('%s"m%d":{"id":"m%d","projectId":"p%d","price":%d.5,"published":true,"description":"a listing"}' % (',' if i else '', i, i, i * 7, i))
write('},"projects":[')
i = 0
filler = 'lorem ipsum dolor sit amet ' * 30
while size < most:
    write('%s["p%d",{"id":"p%d","userId":"u%d","name":"project %d","description":"%s","createdAt":"2024-01-15T10:30:00.000Z"}]' % (',' if i else '', i, i, i % 1000, i, filler))
    i += 1
write(']}\n')
EOF
}

collect() { local name=$1; shift; measure "$name" "$@" --mapping schemas/mappings --key-file "$WORK/key"; }

make_topics
"$DROVER" secret keygen "$WORK/key" > /dev/null
body > "$WORK/body.json"
collect body-file "$WORK/body.json"
collect body-pipe - --format local_storage < <(cat "$WORK/body.json")
rm "$WORK/body.json"
LIMIT_MIB=96
dump > "$WORK/dump.json"
collect dump-file "$WORK/dump.json" --tenant acme
exit "$STATUS"
