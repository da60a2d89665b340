#!/usr/bin/env bash
# drover produce --follow at the ends of what can be: a record with the greatest version there is is removed; the folder
# of the sources moves. The follower says what it cannot do, and goes on with everything else.
. "$(dirname "$0")/lib.sh"

IN=$WORK/in
mkdir "$IN"
cat > "$WORK/thing.yaml" <<'EOF_YAML'
entity: thing
collect: { files: ["things*"] }
table: thing
key: [id]
tenant: { from: /tenant }
version: { from: /rev, as: number }
columns:
  - { name: id,  from: /id, type: text }
  - { name: rev, from: /rev, type: int8 }
rest: extra
EOF_YAML
sed -i "s#^mappings:.*#mappings: [$WORK/thing.yaml]#" "$WORK/drover.yaml"
prepare
start_worker worker

start_follower() { # FOLDER
  "$DROVER" produce --follow "$1" --scan 200ms --config "$WORK/drover.yaml" --log-format logfmt >> "$WORK/follow.log" 2>&1 &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
}
stop_follower() {
  kill -TERM "$FOLLOWER"
  local status=0
  wait "$FOLLOWER" || status=$?
  equal "exit code of the follower" "$status" 143
}
said() { grep -qF -- "$1" "$WORK/follow.log"; }
replace() { cat > "$WORK/.new"; mv "$WORK/.new" "$1"; }
row() { psql "$ADMIN" -Atc "$1"; }
row_is() { kill -0 "$FOLLOWER" 2>/dev/null || fail "the follower has ended"; [ "$(row "$1")" = "$2" ]; }
live() { printf "SELECT string_agg(id || ' ' || rev, ',' ORDER BY id) FROM thing WHERE NOT drover_deleted"; }
MOST=9223372036854775807

say "a record with the greatest version is removed: said, kept, and the others go on"
printf '{"tenant":"t","id":"last","rev":%s}\n{"tenant":"t","id":"a","rev":1}\n{"tenant":"t","id":"b","rev":%s}\n' \
  $MOST $(( MOST - 1 )) > "$IN/things.ndjson"
start_follower "$IN"
wait_until 60 row_is "$(live)" "a 1,b $(( MOST - 1 )),last $MOST"
printf '{"tenant":"t","id":"a","rev":2}\n' | replace "$IN/things.ndjson"
wait_until 60 row_is "$(live)" "a 2,last $MOST"
equal "version of the delete of b" "$(row "SELECT drover_version FROM thing WHERE id = 'b'")" "$MOST"
wait_until 60 said 'error[DRV-V012]: t/thing/last is gone from the source, and no delete can be newer than it'
printf '{"tenant":"t","id":"a","rev":3}\n{"tenant":"t","id":"c","rev":1}\n' | replace "$IN/things.ndjson"
wait_until 60 row_is "$(live)" "a 3,c 1,last $MOST"
equal "said once" "$(grep -cF 'DRV-V012' "$WORK/follow.log")" 2 # for people, and in the log
stop_follower
start_follower "$IN"
printf '{"tenant":"t","id":"a","rev":4}\n{"tenant":"t","id":"c","rev":1}\n' | replace "$IN/things.ndjson"
wait_until 60 row_is "$(live)" "a 4,c 1,last $MOST"

say "deleted, and back in another file: named as long as its version is not above the deletion"
printf '{"tenant":"t","id":"e","rev":4}\n' > "$IN/things2.ndjson"
wait_until 60 row_is "$(live)" "a 4,c 1,e 4,last $MOST"
echo '[]' | replace "$IN/things2.json"
rm "$IN/things2.ndjson"
wait_until 60 row_is "SELECT drover_deleted || ' ' || drover_version FROM thing WHERE id = 'e'" 'true 5'
printf '[{"tenant":"t","id":"e","rev":5}]' | replace "$IN/things2.json"
wait_until 60 said 'error[DRV-V010]: the record is back, but its version is not above its deletion'
printf '[{"tenant":"t","id":"e","rev":6}]' | replace "$IN/things2.json"
wait_until 60 row_is "$(live)" "a 4,c 1,e 6,last $MOST"
equal "named once" "$(grep -cF 'error[DRV-V010]' "$WORK/follow.log")" 1
rm "$IN/things2.json"
wait_until 60 row_is "$(live)" "a 4,c 1,last $MOST"
stop_follower

say "the folder moves: what is removed then is deleted; what no source covers any more is named once"
printf '{"tenant":"t","id":"old","rev":1}\n' > "$IN/things-old.ndjson"
start_follower "$IN"
wait_until 60 row_is "$(live)" "a 4,c 1,last $MOST,old 1"
stop_follower
mkdir "$WORK/moved"
mv "$IN/things.ndjson" "$WORK/moved"
start_follower "$WORK/moved"
wait_until 60 said 'event=follow.not_covered files=2 records_only_there=1'
wait_until 60 said "note: no source covers this file any more: what only it held stays as it is ($IN/things-old.ndjson)"
printf '{"tenant":"t","id":"a","rev":5}\n' | replace "$WORK/moved/things.ndjson"
wait_until 60 row_is "$(live)" "a 5,last $MOST,old 1"
equal "the delete" "$(row "SELECT drover_deleted || ' ' || drover_version FROM thing WHERE id = 'c'")" "true 2"
equal "named once" "$(grep -cF "what only it held stays as it is ($IN/things-old.ndjson)" "$WORK/follow.log")" 1
stop_follower

say "back in the first folder it covers them again, and their delete is seen"
mv "$WORK/moved/things.ndjson" "$IN"
start_follower "$IN"
wait_until 60 said follow.waiting
rm "$IN/things-old.ndjson"
wait_until 60 row_is "$(live)" "a 5,last $MOST"
printf '{"tenant":"t","id":"v","rev":%s}\n{"tenant":"t","id":"w","rev":%s}\n{"tenant":"t","id":"x","rev":1}\n' \
  $(( MOST - 1 )) $MOST > "$IN/things-v.ndjson"
wait_until 60 row_is "$(live)" "a 5,last $MOST,v $(( MOST - 1 )),w $MOST,x 1"
is_old() { [ "$(date -r "$IN/things-v.ndjson" +%s)" -lt $(( $(date +%s) - 1 )) ]; }
wait_until 60 is_old # a young one would be read again in any case
stop_follower

say "a pattern of folders covers the files below them"
mkdir "$WORK/zone-1"
printf '{"tenant":"t","id":"z","rev":1}\n{"tenant":"t","id":"y","rev":1}\n' > "$WORK/zone-1/things.ndjson"
start_follower "$WORK/zone-*"
wait_until 60 row_is "SELECT count(*) FROM thing WHERE id IN ('y', 'z') AND NOT drover_deleted" 2
stop_follower
start_follower "$WORK/zone-*"
printf '{"tenant":"t","id":"y","rev":1}\n' > "$WORK/zone-1/things-y.ndjson"
rm "$WORK/zone-1/things.ndjson"
wait_until 60 row_is "SELECT drover_deleted FROM thing WHERE id = 'z'" t
equal "the record that another file has" "$(row "SELECT drover_deleted FROM thing WHERE id = 'y'")" f
! said "stays as it is ($WORK/zone" || fail "a file of a pattern's folder is said to be uncovered"
rm "$WORK/zone-1/things-y.ndjson"
wait_until 60 row_is "SELECT drover_deleted FROM thing WHERE id = 'y'" t
stop_follower
wait_until 60 is_drained
stop_worker worker

say "the mapping takes no version any more: who had the greatest is named, and costs the others neither peace nor versions"
sed -i '/^version:/d' "$WORK/thing.yaml"
drover schema apply > "$WORK/schema.log" 2>&1
start_worker worker
start_follower "$IN"
wait_until 60 row_is "SELECT drover_version = $MOST FROM thing WHERE id = 'v'" t
wait_until 60 said 'has the greatest version there is, and nothing can follow it'
version_of_x() { row "SELECT drover_version FROM thing WHERE id = 'x'"; }
x_is_stamped() { [ "$(version_of_x)" -gt 1 ]; }
wait_until 60 x_is_stamped
wait_until 60 is_drained
VERSION=$(version_of_x)
[ "$VERSION" -lt $(( 1 << 62 )) ] || fail "x has version $VERSION: another record's"
for marker in 1 2 3; do # a scan each, at least
  printf '{"tenant":"t","id":"m","rev":%d}\n' $marker | replace "$IN/things-m.ndjson"
  wait_until 60 row_is "SELECT rev FROM thing WHERE id = 'm'" $marker
done
equal "version of x, which has not changed" "$(version_of_x)" "$VERSION"
printf '{"tenant":"t","id":"x","rev":2}\n' | replace "$IN/things-v.ndjson"
wait_until 60 row_is "SELECT rev FROM thing WHERE id = 'x'" 2
[ "$(version_of_x)" -lt $(( 1 << 62 )) ] || fail "x took another record's version"
stop_follower
wait_until 60 is_drained
stop_worker worker
say done
