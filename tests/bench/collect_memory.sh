#!/usr/bin/env bash
# Peak memory of the producer over what must be read twice: a localStorage body of 64 MiB (as a file and as a pipe) and a dump
# of maps of 1 GiB with a join.
#   eval "$(./dev stack env)"; tests/bench/collect_memory.sh [DUMP_MIB]      (default 1024; needs build/release/drover)
# Not part of the tests. The topics it makes are deleted in the end.
set -euo pipefail
cd -- "$(dirname -- "$0")/../.."

DUMP_MIB=${1:-1024}
LIMIT_MIB=96
DROVER=${DROVER:-$PWD/build/release/drover}
[ -x "$DROVER" ] || { echo "build it first: ninja -C build/release drover" >&2; exit 2; }
[ -n "${KAFKA_BROKERS:-}" ] || { echo 'no stack: eval "$(./dev stack env)"' >&2; exit 2; }
WORK=$(mktemp -d)
export DROVER_MIGRATION=collect_memory_$$ NO_COLOR=1
STATUS=0

cleanup() {
  local pid
  for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
  java -Xmx128m -cp "$PWD/.deps/kafka/libs/*" org.apache.kafka.tools.TopicCommand --bootstrap-server "$KAFKA_BROKERS" \
    --delete --topic "drover\\.$DROVER_MIGRATION\\..*" >/dev/null 2>&1 || echo "topics drover.$DROVER_MIGRATION.* are left" >&2
  rm -rf "$WORK"
}
trap cleanup EXIT

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

# watch NAME PID: the peak while it runs, in KiB, to NAME.peak
watch() {
  local peak
  while peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$2/status" 2>/dev/null) && [ -n "$peak" ]; do
    echo "$peak" > "$WORK/$1.peak"
    read -rt 0.05 <> <(:) || true
  done
}

# measure NAME SOURCE FLAG…, standard input is the producer's
measure() {
  local name=$1 source=$2 pid peak
  shift 2
  "$DROVER" produce "$source" --mapping schemas/mappings --state-dir "$WORK/state" --key-file "$WORK/key" "$@" <&0 > "$WORK/$name.log" 2>&1 &
  pid=$!
  watch "$name" "$pid"
  wait "$pid" || { [ $? = 5 ] || { cat "$WORK/$name.log" >&2; exit 1; }; }
  peak=$(cat "$WORK/$name.peak")
  awk -v name="$name" -v kib="$peak" -v limit="$LIMIT_MIB" 'BEGIN { printf "%-14s peak %.1f MiB (limit %d MiB)\n", name, kib / 1024, limit }'
  grep -E '^  (records read|produced|rejected|source bytes)' "$WORK/$name.log"
  [ "$peak" -le $(( LIMIT_MIB * 1024 )) ] || STATUS=1
}

"$DROVER" topics apply > "$WORK/topics.log" 2>&1 || { cat "$WORK/topics.log" >&2; exit 1; }
"$DROVER" secret keygen "$WORK/key" > /dev/null
body > "$WORK/body.json"
measure body-file "$WORK/body.json"
measure body-pipe - --format local_storage < <(cat "$WORK/body.json")
rm "$WORK/body.json"
dump > "$WORK/dump.json"
measure dump-file "$WORK/dump.json" --tenant acme
exit "$STATUS"
