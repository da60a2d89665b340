#!/usr/bin/env bash
# Mistakes planted at random in good mappings and a good configuration: one `drover config check` names each of them with
# file and line and what to do, nothing else, and ends with 3. The other messages people meet first are here as well.
. tests/e2e/alone.sh
DROVER=$KEEPER
cd "$WORK"

mkdir good
cat > good/order.yaml <<'YAML'
entity: order
collect: { files: ["orders*"] }
table: shop_order
key: [no]
tenant: { from: /shop }
version: { from: /rev, as: number }
columns:
  - { name: no,      from: /no,       type: int8 }
  - { name: total,   from: /total,    type: "numeric(10,2)", as: string }
  - { name: status,  from: /status,   type: text, default: open, allow: [open, paid] }
  - { name: placed,  from: /placed,   type: timestamptz }
  - { name: tags,    from: [/tags, /labels], type: "text[]" }
  - { name: made,    type: timestamptz, generated: on_insert }
  - { name: buyer,   from: /buyer,    type: text }
rest: extra
indexes:
  - { name: i1, columns: [status, placed DESC], unique: true }
on_delete: { column: status, value: paid }
redis: { key: "o:{isolation_key}:{id}", ttl: 24h, value: json }
references:
  - { columns: [buyer], entity: buyer }
YAML
cat > good/buyer.yaml <<'YAML'
entity: buyer
collect: { map_dump: buyers, join: { map_dump: cards, on: /buyer, as: card } }
table: shop.buyer
key: [id]
on_invalid_unicode: replace
columns:
  - { name: id,    from: $key,   type: text }
  - { name: born,  from: /born,  type: date }
  - { name: score, from: /score, type: float8, min: 0, max: 10, tolerance: 0.5 }
  - { name: mail,  from: /mail,  type: text, seal: true }
  - { name: prefs, from: /prefs, type: jsonb, decode: json }
rest: more
seal: [/password]
YAML
cat > good/drover.yaml <<'YAML'
migration: shop
mappings: [order.yaml, buyer.yaml]
kafka:
  partitions: 4
  prefix: p
work: { memory: 64MiB, drain: 8s }
verify: { samples: 20 }
secrets: { detect: auto }
YAML

# FILE|LINE|EDIT|WHAT IS SAID. An edit changes no other line, so that the place is known beforehand.
cat > kinds <<'KINDS'
order|1|s/order/Order-1/|entity must be a name
order|2|s/files/fils/|unknown key "fils"
order|3|s/shop_order/a.b.c/|table must be
order|4|s/no/nr/|the key names a column that is not there: nr
order|5|s#/shop#shop#|JSON pointer
order|5|s/from/frm/|unknown key "frm"
order|6|s/number/date/|a version is as: timestamp or as: number
order|8|s/int8/int9/|unknown column type "int9"
order|8|s/type/typ/|unknown key "typ"
order|8|s/from:/form:/|unknown key "form"
order|9|s/"numeric(10,2)"/numeric(10,2)/|within { } YAML cuts numeric(10,2) at its comma
order|9|s/string/text/|as is string, number
order|9|s/name: total/name: To-tal/|a column's name must be a name
order|10|s/allow: \[open, paid\]/allow: []/|allow is a list
order|10|s/default: open/default: lost/|the default is not one of the values in allow
order|10|s/type: text/type: string/|unknown column type "string"
order|11|s#from: /placed,##|the column has no from
order|11|s/timestamptz/timestamptz, required: maybe/|true or false
order|12|s#/labels#labels#|JSON pointer
order|13|s/on_insert/on_update/|generated is identity, on_insert or on_write
order|13|s/made/no/|the column's name is taken already
order|15|s/extra/Extra/|rest must be a name
order|17|s/placed DESC/plced DESC/|the index names a column that is not there: plced
order|17|s/unique: true/unique: 1/|true or false
order|17|s/columns/colums/|unknown key "colums"
order|18|s/column: status/column: stat/|on_delete names a column that is not there: stat
order|19|s/24h/24/|redis.ttl is whole seconds
order|19|s/json/jsn/|redis.value is one of
order|19|s/{id}/{di}/|redis.key takes
order|21|s/\[buyer\]/[byer]/|the reference names a column that is not there: byer
buyer|1|s/entity/entiti/|unknown key "entiti"
buyer|2|s/on: /at: /|unknown key "at"
buyer|3|s/shop.buyer/drover.buyer/|the schema drover is the program's own
buyer|4|s/\[id\]/[]/|key must list at least one column
buyer|5|s/replace/ignore/|on_invalid_unicode is reject or replace
buyer|7|s/\$key/$kee/|from is one of
buyer|8|s/date/datetime/|unknown column type "datetime"
buyer|9|s/min: 0/min: low/|min and max are numbers
buyer|9|s/0.5/-1/|tolerance is a number
buyer|9|s/min: 0, max: 10/min: 10, max: 0/|max is less than min
buyer|10|s/seal: true/seal: true, withhold: true/|sealed or withheld, not both
buyer|11|s/decode: json/decode: xml/|decode is json
buyer|13|s#/password#password#|JSON pointer
drover|1|s/migration/migraton/|unknown key "migraton"
drover|1|s/shop/a b/|the migration cannot be part of a topic name
drover|3|s/kafka/kafak/|unknown key "kafak"
drover|4|s/4/four/|kafka.partitions must be a whole number
drover|5|s/prefix/prefx/|unknown key "prefx"
drover|6|s/64MiB/much/|work.memory must be a size
drover|6|s/drain/drian/|unknown key "drian"
drover|7|s/20/-1/|verify.samples must be a whole number
drover|8|s/auto/maybe/|secrets.detect must be one of
drover|6|s/drain: 8s/memory: 1MiB/|key "memory" is written twice
drover|7|s/20/20, samples: 21/|key "samples" is written twice
order|8|s/type: int8/type: int8, type: text/|key "type" is written twice
order|19|s/ttl: 24h/key: k/|key "key" is written twice
KINDS
mapfile -t KINDS < kinds
ROUNDS=${MISTAKE_ROUNDS:-120} SEED=${MISTAKE_SEED:-20261128}
RANDOM=$SEED

check() { # IN FOLDER: everything that is said in out.log
  local got=0
  (cd "$1" && "$DROVER" config check --plain) > out.log 2>&1 || got=$?
  echo "$got"
}
# named WHERE TEXT: an error of out.log with this text has its place there and a `try` or a suggestion
named() {
  awk -v where="$1" -v text="$2" '
    /^error\[/ { hit = index($0, text) > 0; placed = 0 }
    /^  where: / { placed = index($0 " ", "  where: " where) == 1 && substr($0 " ", length("  where: " where) + 1, 1) ~ /[: ]/; if (hit && placed && /did you mean/) found = 1 }
    /^  try: / { if (hit && placed) found = 1 }
    END { exit !found }' out.log
}
# round SEED KIND…: plants them and looks
plant() {
  local kind file line edit text count=0
  rm -rf bad && cp -r good bad
  for kind in "$@"; do
    IFS='|' read -r file line edit text <<< "$kind"
    sed -i "${line}${edit}" "bad/$file.yaml"
    ! cmp -s "bad/$file.yaml" "good/$file.yaml" || fail "nothing planted by $kind"
    count=$(( count + 1 ))
  done
  equal "exit code with $(printf '%s; ' "$@")" "$(check bad)" 3
  for kind in "$@"; do
    IFS='|' read -r file line edit text <<< "$kind"
    named "$file.yaml:$line" "$text" || { cat out.log >&"$TELL"; fail "not named: $kind (planted: $(printf '%s; ' "$@"))"; }
  done
  equal "errors told for $(printf '%s; ' "$@")$(cat out.log)" "$(grep -c '^error\[' out.log)" "$count"
}

say "the good ones are good"
equal "exit code" "$(check good)" 0

say "each kind alone"
for kind in "${KINDS[@]}"; do plant "$kind"; done

say "$ROUNDS random sets of them, seed $SEED"
for _ in $(seq "$ROUNDS"); do
  declare -A taken=()
  chosen=()
  wanted=$(( RANDOM % 8 + 2 ))
  for _ in $(seq "$wanted"); do
    kind=${KINDS[RANDOM % ${#KINDS[@]}]}
    place=${kind%%|s*}
    [ -z "${taken[$place]:-}" ] || continue
    taken[$place]=1
    chosen+=("$kind")
  done
  plant "${chosen[@]}"
  unset taken
done

say "an entity that no mapping has is told with other mistakes"
BYER='order|21|s/entity: buyer/entity: byer/|no mapping is given for the entity byer referred to'
plant "$BYER"
for kind in "${KINDS[@]}"; do
  case $kind in *\|1\|*|*\|3\|*|order\|21\|*) continue ;; esac # whether it is there is not known; another mistake of the same line
  plant "$BYER" "$kind"
done

say "those of the environment are told with those of the files"
plant "${KINDS[3]}" "${KINDS[-1]}"
got=0
(cd bad && DROVER_LAMP=on DROVER_KAFKA_PREFX=p DROVER_KAFKA_PARTITIONS=four "$DROVER" config check --plain) > out.log 2>&1 || got=$?
equal "exit code" "$got" 3
equal "errors told: $(cat out.log)" "$(grep -c '^error\[' out.log)" 5
for said in 'unknown variable DROVER_LAMP' 'unset DROVER_LAMP' 'did you mean "DROVER_KAFKA_PREFIX"' 'where: DROVER_KAFKA_PARTITIONS'; do
  grep -qF -- "$said" out.log || { cat out.log >&"$TELL"; fail "not said: $said"; }
done

say "run and rehearse tell all of them too; more than fifty are counted"
plant "${KINDS[3]}" "${KINDS[7]}" "${KINDS[38]}"
echo '{}' > orders.json
for command in rehearse run; do
  got=0
  (cd bad && "$DROVER" "$command" ../orders.json) > out.log 2>&1 || got=$?
  equal "exit code of $command" "$got" 3
  equal "errors told by $command" "$(grep -c '^error\[' out.log)" 3
  has out.log '3 mistakes'
done
{
  printf 'entity: many\ntable: many\nkey: [c0]\ncolumns:\n'
  for i in $(seq 0 69); do printf '  - { name: c%d, from: /c%d, type: int99 }\n' "$i" "$i"; done
} > many.yaml
got=0
"$DROVER" config check --plain -m many.yaml > out.log 2>&1 || got=$?
equal "exit code" "$got" 3
equal "errors told" "$(grep -c '^error\[' out.log)" 50
has out.log '… and 20 more'
equal "first and last place" "$(grep -o 'many.yaml:[0-9]*' out.log | sed -n '1p;$p' | tr '\n' ' ')" 'many.yaml:5 many.yaml:54 '

say "what a message of a record says"
rehearse() { # MAPPING FILE: exit code
  local got=0
  "$DROVER" rehearse -m "$1" -t t "$2" > out.log 2>&1 || got=$?
  echo "$got"
}
cat > n.yaml <<'YAML'
entity: n
table: n
key: [id]
columns:
  - { name: id, from: /id, type: int8 }
  - { name: b, from: /b, type: int4, as: string }
  - { name: c, from: /c, type: int4 }
YAML
echo '{"id":1,"b":"1.5"}' > n.ndjson
equal "a fraction" "$(rehearse n.yaml n.ndjson)" 5
has out.log 'DRV-V003'
echo '{"id":1,"c":1.5}' > n.ndjson
equal "a fraction" "$(rehearse n.yaml n.ndjson)" 5
has out.log 'DRV-V003'
echo '{"id":1,"b":5}' > n.ndjson
equal "a plain number" "$(rehearse n.yaml n.ndjson)" 5
has out.log 'DRV-V002'
! grep -q 'add as: string' out.log || fail "the advice is what the column has already"
echo '{"id":1,"note":"x","deep":{"er":[1],"b":2},"z":1}' > n.ndjson
equal "members no column takes" "$(rehearse n.yaml n.ndjson)" 5
has out.log '/note'
echo '[]' > empty.json
equal "no record" "$(rehearse n.yaml empty.json)" 5
has out.log 'error[DRV-S003]: the sources hold no record'
! grep -q 'see above' out.log || fail "there is nothing above"

say "a unique index of the mapping refuses what PostgreSQL would"
sed '$a indexes: [{ name: one_c, columns: [c], unique: true }]' n.yaml > unique.yaml
printf '%s\n' '{"id":1,"c":1}' '{"id":2,"c":2}' '{"id":3,"c":1}' '{"id":4}' '{"id":5}' '{"id":6,"c":2}' > n.ndjson
equal "two refused" "$(rehearse unique.yaml n.ndjson)" 5
"$DROVER" rehearse -m unique.yaml -t t --json n.ndjson > out.json 2> out.log || true
equal "classes" "$(jq -c '[.total.to_write, .total.dead_lettered, .dead_letters_by_code["DRV-P110"]]' out.json)" '[4,2,2]'
{ sed '$a version: { from: /v, as: number }\nrest: extra' unique.yaml; } > freed.yaml
printf '%s\n' '{"id":1,"c":1,"v":1}' '{"id":1,"c":3,"v":2}' '{"id":2,"c":1,"v":1}' > n.ndjson
equal "a newer version frees the value" "$(rehearse freed.yaml n.ndjson)" 0
