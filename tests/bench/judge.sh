# shellcheck shell=bash
# Whether a table of chat ended right: its rows are counted and digested in SQL, and so is what the source says they should
# be, the greatest revision of each key. It knows nothing of any contestant.

TABLE_DIGEST="count(*), coalesce(sum(hashtextextended(concat_ws('|', tenant, id, rev, session, role, content,
  extract(epoch FROM at), tokens, model, flags), 0)), 0)"

# expected FILE: what the table should hold after it, from the file alone; kept for the run
expected() {
  local kept=$WORK/expected.$(basename "$1")
  [ -s "$kept" ] || psql "$ADMIN_SERVER/drover" -XqAt -v ON_ERROR_STOP=1 > "$kept" <<SQL
CREATE TEMP TABLE line (doc jsonb);
\\copy line FROM PROGRAM 'grep -v u0000 "$1"' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
CREATE TEMP TABLE wanted AS
  SELECT DISTINCT ON (r.tenant, r.id) r.*
    FROM line, jsonb_to_record(doc) AS r(tenant text, id text, rev int8, session text, role text, content text,
         at timestamptz, tokens int4, model text, flags jsonb)
   ORDER BY r.tenant, r.id, r.rev DESC;
SELECT $TABLE_DIGEST FROM wanted;
SQL
  cat "$kept"
}

is_right() { [ "$(admin -c "SELECT $TABLE_DIGEST FROM public.${2:-chat}")" = "$(expected "$1")" ]; }

# judge_table FILE WHO: a measurement whose table is wrong does not count, and ends the run
judge_table() {
  is_right "$1" || { say "$2's table is not what $(basename "$1") says: $(admin -c "SELECT $TABLE_DIGEST FROM public.chat") instead of $(expected "$1")"; return 1; }
}
