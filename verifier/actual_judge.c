/* A row against what the topic says of its key. */

#include "verifier/stores.h"
#include "verifier/verify_limits.h"

static void keep_extra(struct verify_run *run, const struct verify_mapping *item,
                       const struct judge_row *row, uint32_t group, struct actual_extras *extras)
{
    if (extras->count == VERIFY_LOOKED_MOST) {
        run->report.not_looked++;
        return;
    }
    extras->items[extras->count++] = (struct actual_extra){
        .item = item,
        .key = row->diff.key,
        .tenant = verify_report_copy(&run->report, row->row.tenant),
        .id = verify_report_copy(&run->report, row->row.id),
        .version = row->row.version,
        .group = group,
    };
}

static void take_extra(struct verify_run *run, const struct verify_mapping *item,
                       const struct judge_row *row, struct actual_extras *extras)
{
    struct diff_groups *groups = &run->report.groups;
    uint32_t group = diff_groups_find(groups, row->row.tenant, bytes_text(item->mapping->entity));
    groups->items[group].counts[VERDICT_EXTRA]++;
    keep_extra(run, item, row, group, extras);
}

void actual_judge(struct verify_run *run, const struct verify_mapping *item,
                  const struct judge_row *row, struct actual_extras *extras)
{
    struct diff_entry *entry;
    enum verdict verdict = diff_actual(&run->table, &row->diff, &entry);
    if (verdict == VERDICT_EXTRA)
        take_extra(run, item, row, extras);
    else
        run->report.compared++;
}
