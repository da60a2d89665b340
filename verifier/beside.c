#include "verifier/beside.h"

#include <stdlib.h>

#include "common/base/text.h"
#include "common/io/postgres/pg_session.h"
#include "common/model/schema/schema_sql.h"

#define SQL_MOST (1u << 20)

/* ---- orphans */

static void append_pair(struct buf *sql, const char *left, const char *right)
{
    buf_append_text(sql, " AND p.");
    schema_sql_identifier(sql, left);
    buf_append_text(sql, " = c.");
    schema_sql_identifier(sql, right);
}

/* A reference with a NULL in it is none; a deleted parent is one, as foreign keys see it. */
static void append_orphans(const struct verify_run *run, const struct mapping *child,
                           const struct mapping_reference *reference, const struct mapping *parent,
                           struct buf *sql)
{
    buf_append_text(sql, "SELECT count(*) FROM ");
    schema_sql_table_name(sql, child);
    buf_append_text(sql, " AS c WHERE NOT c.drover_deleted");
    if (run->settings->only_tenant) {
        buf_append_text(sql, " AND c.isolation_key = ");
        schema_sql_literal(sql, run->settings->only_tenant);
    }
    for (size_t i = 0; i < reference->column_count; i++) {
        buf_append_text(sql, " AND c.");
        schema_sql_identifier(sql, child->columns[reference->columns[i]].name);
        buf_append_text(sql, " IS NOT NULL");
    }
    buf_append_text(sql, " AND NOT EXISTS (SELECT 1 FROM ");
    schema_sql_table_name(sql, parent);
    buf_append_text(sql, " AS p WHERE p.isolation_key = c.isolation_key");
    for (size_t i = 0; i < reference->column_count && i < parent->key_count; i++)
        append_pair(sql, parent->columns[parent->key[i]].name,
                    child->columns[reference->columns[i]].name);
    buf_append_char(sql, ')');
}

static enum outcome count_orphans(struct verify_run *run, const struct mapping *child,
                                  const struct mapping_reference *reference, struct error *err)
{
    const struct mapping *parent = mapping_set_find(&run->mappings, bytes_text(reference->entity));
    PGresult *result = NULL;
    int64_t rows = 0;
    struct buf sql;
    if (!parent) {
        verify_report_warn(&run->report,
                           "the parents of %s (%s) have no mapping here: not looked for orphans",
                           child->entity, reference->entity);
        return OUT_OK;
    }
    buf_init(&sql, SQL_MOST);
    append_orphans(run, child, reference, parent, &sql);
    enum outcome outcome =
        pg_session_query(run->snapshot, buf_text(&sql), NULL, 0, false, &result, err);
    if (outcome == OUT_OK && text_parse_int64(bytes_text(PQgetvalue(result, 0, 0)), &rows))
        verify_beside_orphans(&run->report.beside, child->entity, parent->entity, (uint64_t)rows);
    PQclear(result);
    buf_free(&sql);
    return outcome;
}

enum outcome beside_orphans(struct verify_run *run, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; run->snapshot && i < run->mappings.count; i++) {
        const struct mapping *child = run->mappings.items[i];
        for (size_t r = 0; r < child->reference_count && outcome == OUT_OK; r++)
            outcome = count_orphans(run, child, &child->references[r], err);
    }
    return outcome;
}

/* ---- foreign rows */

static int compare_tenants(const void *left, const void *right)
{
    const struct diff_group *a = *(struct diff_group *const *)left;
    const struct diff_group *b = *(struct diff_group *const *)right;
    return bytes_compare(a->tenant, b->tenant);
}

/* Samples of the group's extra rows are samples of foreign ones now. */
static void move_samples(struct verify_report *report, struct bytes tenant)
{
    size_t kept = 0;
    for (size_t i = 0; i < report->sample_counts[VERDICT_EXTRA]; i++) {
        struct verify_sample sample = report->samples[VERDICT_EXTRA][i];
        if (!bytes_equal(sample.tenant, tenant)) {
            report->samples[VERDICT_EXTRA][kept++] = sample;
            continue;
        }
        struct verify_sample *moved = verify_report_sample(report, VERDICT_FOREIGN, ERR_NONE);
        sample.verdict = VERDICT_FOREIGN;
        if (moved)
            *moved = sample;
    }
    report->sample_counts[VERDICT_EXTRA] = kept;
}

/* Groups [from, to) are one tenant's. */
static void judge_tenant(struct verify_run *run, struct diff_group **groups, size_t count)
{
    uint64_t records = 0, extra = 0;
    for (size_t i = 0; i < count; i++) {
        records += diff_counts_records(groups[i]->counts);
        extra += groups[i]->counts[VERDICT_EXTRA];
    }
    if (records || !extra)
        return;
    for (size_t i = 0; i < count; i++) {
        groups[i]->counts[VERDICT_FOREIGN] += groups[i]->counts[VERDICT_EXTRA];
        groups[i]->counts[VERDICT_EXTRA] = 0;
    }
    move_samples(&run->report, groups[0]->tenant);
}

void beside_foreign(struct verify_run *run)
{
    struct diff_groups *groups = &run->report.groups;
    size_t count = groups->count;
    /* with groups summed in "other" nobody can tell which tenants the source has */
    if (groups->overflowed || count < 2)
        return;
    struct diff_group **sorted = malloc(count * sizeof *sorted);
    if (!sorted)
        abort();
    for (size_t i = 1; i < count; i++)
        sorted[i - 1] = &groups->items[i];
    qsort(sorted, count - 1, sizeof *sorted, compare_tenants);
    for (size_t from = 0, to; from < count - 1; from = to) {
        for (to = from + 1; to < count - 1 && compare_tenants(&sorted[from], &sorted[to]) == 0;)
            to++;
        judge_tenant(run, sorted + from, to - from);
    }
    free(sorted);
}
