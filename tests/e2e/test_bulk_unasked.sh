#!/usr/bin/env bash
# No bulk load begins or ends unasked: not without the topics, not while Kafka is away, not while records are left to be
# taken, nor for a group that loads a table which nobody here has a mapping of. After each refusal it is as it was.
. "$(dirname "$0")/lib.sh"

sed -i "s|^mappings:.*|mappings: [$PWD/tests/e2e/data/note.yaml]|" "$WORK/drover.yaml"
NOWHERE=(--brokers 127.0.0.1:1)

# notes FIRST COUNT FILE
notes() {
  awk -v first="$1" -v n="$2" 'BEGIN {
    for (i = first; i < first + n; i++)
      printf "{\"id\":\"n%d\",\"tenant\":\"t%02d\",\"rev\":1,\"kind\":\"k%d\",\"amount\":1.50,\"text\":\"note %d\"}\n", i, i % 20, i % 7, i
  }' > "$3"
}
one() { psql "$ADMIN" -Atc "$1"; }
states() { one "SELECT string_agg(table_name || ' ' || state, ',' ORDER BY number) FROM drover.load"; }
rows() { one 'SELECT count(*) FROM public.note'; }

say "nothing begins without topics, or without Kafka"
drover schema apply > "$WORK/schema.log" 2>&1
expect_exit 3 drover load begin > "$WORK/begin_topics.log" 2>&1
has "$WORK/begin_topics.log" "DRV-K003"
has "$WORK/begin_topics.log" "drover topics apply"
expect_exit 4 drover load begin "${NOWHERE[@]}" > "$WORK/begin_away.log" 2>&1
equal "loads that began" "$(one 'SELECT count(*) FROM drover.load')" 0
drover topics apply > "$WORK/topics.log" 2>&1

say "nothing ends without topics, or without Kafka"
drover load begin > "$WORK/begin.log" 2>&1 || fail "load begin: exit $?"
expect_exit 3 drover load finish --migration none --group "drover.$NAME.worker" > "$WORK/finish_topics.log" 2>&1
has "$WORK/finish_topics.log" "DRV-K003"
expect_exit 3 drover load finish --early --migration none --group "drover.$NAME.worker" > "$WORK/finish_early.log" 2>&1
expect_exit 4 drover load finish --early "${NOWHERE[@]}" > "$WORK/finish_away.log" 2>&1
equal "what is loaded" "$(states)" "note loading"

say "nor while records are left to be taken"
notes 0 500 "$WORK/a.notes"
drover produce "$WORK/a.notes" > "$WORK/produce.log" 2>&1
expect_exit 5 drover load finish > "$WORK/finish_left.log" 2>&1
has "$WORK/finish_left.log" "DRV-P010"
has "$WORK/finish_left.log" "500 records of the topic are not taken yet"
has "$WORK/finish_left.log" "--until-end takes them, then drover load finish"
has "$WORK/finish_left.log" "--early"
equal "what is loaded" "$(states)" "note loading"
drover work --until-end > "$WORK/work.log" 2>&1 || fail "work: exit $?"
equal "rows before the finish" "$(rows)" 0
drover load finish > "$WORK/finish.log" 2>&1 || fail "load finish: exit $?"
has "$WORK/finish.log" "public.note: 500 rows"
equal "what is loaded" "$(states)" "note done"

say "but early, when it is asked for"
psql "$ADMIN" -qc 'TRUNCATE public.note'
drover load begin > "$WORK/begin_again.log" 2>&1 || fail "load begin: exit $?"
has "$WORK/begin_again.log" "public.note: bulk"
notes 500 300 "$WORK/b.notes"
drover produce "$WORK/b.notes" > "$WORK/produce_b.log" 2>&1
drover load finish --early > "$WORK/early.log" 2>&1 || fail "load finish --early: exit $?"
has "$WORK/early.log" "public.note: 0 rows"
drover work --until-end > "$WORK/work_b.log" 2>&1 || fail "work: exit $?"
equal "rows by upserts" "$(rows)" 300

say "whether it can begin is told without beginning it, and without Kafka"
drover load begin --dry-run "${NOWHERE[@]}" > "$WORK/dry.log" 2>&1 || fail "load begin --dry-run: exit $?"
has "$WORK/dry.log" "public.note: upsert, because it is not empty (deleted rows count until VACUUM or TRUNCATE)"
psql "$ADMIN" -qc 'TRUNCATE public.note'
drover load begin --dry-run > "$WORK/dry2.log" 2>&1 || fail "load begin --dry-run: exit $?"
has "$WORK/dry2.log" "public.note: bulk"
equal "loads that began" "$(one "SELECT count(*) FROM drover.load WHERE state <> 'done'")" 0
expect_exit 2 drover load finish --dry-run > "$WORK/dry3.log" 2>&1

say "a run says in which way it writes, also what was there before"
notes 800 10 "$WORK/c.notes"
drover run "$WORK/c.notes" --load auto > "$WORK/auto.out" 2> "$WORK/auto.log" || true
has "$WORK/auto.log" "load     public.note: upsert, because it was there before (load: auto)"
drover run "$WORK/c.notes" --load bulk --storage file --store-dir "$WORK/store" --migration "${NAME}_file" > "$WORK/file.out" 2> "$WORK/file.log" || true
has "$WORK/file.log" "load     not in bulk, because this storage has no tables"
psql "$ADMIN" -qc 'TRUNCATE public.note'
drover load begin > "$WORK/begin_open.log" 2>&1 || fail "load begin: exit $?"

say "auto does not fill what schema apply made"
psql "$SERVER_URL" -qc "CREATE DATABASE ${NAME}_empty"
DATABASE_URL=${SERVER_URL%/*}/${NAME}_empty DROVER_LOAD=auto drover doctor > "$WORK/doctor_auto.log" 2>&1 || true
DATABASE_URL=${SERVER_URL%/*}/${NAME}_empty drover doctor > "$WORK/doctor_upsert.log" 2>&1 || true
psql "$ROOT_URL" -qc "DROP DATABASE ${NAME}_empty WITH (FORCE)"
has "$WORK/doctor_auto.log" "fix: drover run makes what is missing, and fills it in bulk (load: auto)"
has "$WORK/doctor_upsert.log" "fix: drover schema apply"

say "another group and other mappings"
drover doctor --migration other > "$WORK/doctor.log" 2>&1 || true
has "$WORK/doctor.log" "still being loaded: public.note, by group drover.$NAME.worker"
has "$WORK/doctor.log" "fix: drover load finish --migration $NAME"
generate 20 2 1 "$WORK/a.ndjson"
expect_exit 5 drover run "$WORK/a.ndjson" --mapping "$PWD/tests/e2e/data/event.yaml" > "$WORK/foreign.log" 2>&1
has "$WORK/foreign.log" "DRV-P010"
has "$WORK/foreign.log" "group drover.$NAME.worker loads a table that no mapping here has"
has "$WORK/foreign.log" "drover load abort"
equal "records that it produced" "$(grep -c 'produced' "$WORK/foreign.log")" 0
equal "what is loaded" "$(states)" "note done,note done,note loading"

say "a run goes on with the load that is open, and says so"
notes 900 40 "$WORK/d.notes"
drover run "$WORK/d.notes" --load upsert > "$WORK/open.out" 2> "$WORK/open.log" || true
has "$WORK/open.log" "load     public.note: bulk, because its load has begun already"
has "$WORK/open.log" "public.note: 40 rows"
equal "what is loaded" "$(states)" "note done,note done,note done"
