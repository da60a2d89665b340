/* What is compared beside the records: pending ones, orphans, tenants nobody has, sealed boxes, the
 * file store's files. */
#include "verifier/side_checks.h"

#include <stdlib.h>

#include <sodium.h>

#include "common/base/mem.h"
#include "common/io/filestore/file_store.h"
#include "common/io/key_file.h"
#include "common/io/stores.h"
#include "common/policy/secrets/secret_guard.h"

/* ---- records that wait for their parents: their place in the topic is behind the snapshot, their
 * row is not there, and nothing is wrong as long as nobody has decided what becomes of them ---- */

struct pending_reading {
    struct verify_run *run;
    bool is_full;
};

static bool keep_place(void *owner, int64_t partition, int64_t offset)
{
    struct pending_reading *reading = owner;
    struct dead_letter place = {.partition = (int32_t)partition, .offset = offset};
    reading->is_full = !diff_dead_add(&reading->run->waiting, &place);
    return !reading->is_full;
}

enum outcome side_pending(struct verify_run *run, struct error *err)
{
    struct pending_reading reading = {run, false};
    if (!run->snapshot)
        return OUT_OK;
    enum outcome outcome = pg_snapshot_pending(
        run->snapshot, run->settings->group, run->topics[TOPIC_SOURCE], keep_place, &reading, err);
    if (outcome == OUT_OK && reading.is_full)
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                         "the records that wait for their parents do not fit the memory budget");
    return outcome;
}

/* ---- orphans ----------------------------------------------------------------------------- */

static enum outcome count_orphans(struct verify_run *run, const struct mapping *child,
                                  const struct mapping_reference *reference, struct error *err)
{
    const struct mapping *parent = mapping_set_find(&run->mappings, bytes_text(reference->entity));
    uint64_t rows = 0;
    if (!parent) {
        verify_report_warn(&run->report,
                           "the parents of %s (%s) have no mapping here: not looked for orphans",
                           child->entity, reference->entity);
        return OUT_OK;
    }
    enum outcome outcome = pg_snapshot_count_orphans(run->snapshot, child, reference, parent,
                                                     run->scope.tenant, &rows, err);
    if (outcome == OUT_OK)
        verify_side_checks_orphans(&run->report.side_checks, child->entity, parent->entity, rows);
    return outcome;
}

enum outcome side_orphans(struct verify_run *run, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; run->snapshot && i < run->scope.mappings->count; i++) {
        const struct mapping *child = run->scope.mappings->items[i];
        for (size_t r = 0; r < child->reference_count && outcome == OUT_OK; r++)
            outcome = count_orphans(run, child, &child->references[r], err);
    }
    return outcome;
}

/* ---- rows of tenants that the source does not have ---------------------------------------- */

static int compare_tenants(const void *left, const void *right)
{
    const struct diff_group *a = *(struct diff_group *const *)left;
    const struct diff_group *b = *(struct diff_group *const *)right;
    return bytes_compare(a->tenant, b->tenant);
}

/* Samples of the group's extra rows are samples of unexpected tenants now. */
static void move_samples(struct verify_report *report, struct bytes tenant)
{
    size_t kept = 0;
    for (size_t i = 0; i < report->sample_counts[VERDICT_EXTRA]; i++) {
        struct verify_sample sample = report->samples[VERDICT_EXTRA][i];
        if (!bytes_equal(sample.tenant, tenant)) {
            report->samples[VERDICT_EXTRA][kept++] = sample;
            continue;
        }
        struct verify_sample *moved =
            verify_report_sample(report, VERDICT_UNEXPECTED_TENANT, ERR_NONE);
        sample.verdict = VERDICT_UNEXPECTED_TENANT;
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
        groups[i]->counts[VERDICT_UNEXPECTED_TENANT] += groups[i]->counts[VERDICT_EXTRA];
        groups[i]->counts[VERDICT_EXTRA] = 0;
    }
    move_samples(&run->report, groups[0]->tenant);
}

void side_unexpected(struct verify_run *run)
{
    struct diff_groups *groups = &run->report.groups;
    size_t count = groups->count;
    /* with groups summed in "other" nobody can tell which tenants the source has */
    if (groups->overflowed || count < 2)
        return;
    struct diff_group **sorted = mem_zeroed(count, sizeof *sorted);
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

/* ---- sealed values: boxes of one value under one key are the same bytes; after a rotation they
 * are not, and both are opened and compared ---- */

#define BOX_MAX (1u << 20)

struct verify_sealed_check {
    struct secret_ring ring;
    struct pg_snapshot *vault;
    struct buf box, left, right;
};

static void wipe(struct buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->capacity);
    buf_free(buf);
}

enum outcome side_sealed_open(struct verify_run *run, struct error *err)
{
    bool present = false;
    struct verify_sealed_check *check = mem_zeroed(1, sizeof *check);
    buf_init(&check->box, BOX_MAX);
    buf_init(&check->left, BOX_MAX);
    buf_init(&check->right, BOX_MAX);
    run->sealed = check;
    if (!run->snapshot)
        return OUT_OK;
    enum outcome outcome = key_file_load(run->settings, &check->ring, &present, err);
    if (outcome == OUT_OK && present)
        outcome = pg_snapshot_open(run->settings, VERIFY_APPLICATION, NULL, &check->vault, err);
    return outcome;
}

void side_sealed_close(struct verify_run *run)
{
    struct verify_sealed_check *check = run->sealed;
    if (!check)
        return;
    pg_snapshot_close(check->vault);
    secret_ring_wipe(&check->ring);
    buf_free(&check->box);
    wipe(&check->left);
    wipe(&check->right);
    free(check);
    run->sealed = NULL;
}

/* Both must open at the record's own place, to the same text. */
static bool same_value(struct verify_sealed_check *check, const struct record *record,
                       const struct sealed_box *sealed)
{
    const struct secret_place place = {record->tenant, record->entity, record->id, sealed->field};
    return secret_box_open(&check->ring, &place, sealed->box, &check->left, NULL) == OUT_OK &&
           secret_box_open(&check->ring, &place, buf_view(&check->box), &check->right, NULL) ==
               OUT_OK &&
           bytes_equal(buf_view(&check->left), buf_view(&check->right));
}

enum box_state { BOX_MATCH, BOX_MISSING, BOX_DIFFERENT };

static enum outcome compare_box(struct verify_run *run, const struct record *record,
                                const struct sealed_box *sealed, enum box_state *state,
                                struct error *err)
{
    struct verify_sealed_check *check = run->sealed;
    buf_reset(&check->box);
    enum outcome outcome =
        pg_snapshot_box(check->vault, record->tenant, sealed->reference, &check->box, err);
    if (outcome != OUT_OK)
        return outcome;
    *state = check->box.size == 0                ? BOX_MISSING
             : same_value(check, record, sealed) ? BOX_MATCH
                                                 : BOX_DIFFERENT;
    return OUT_OK;
}

static void sample_box(struct verify_run *run, const struct record *record,
                       const struct sealed_box *sealed, enum box_state state)
{
    struct verify_report *report = &run->report;
    struct verify_sample *sample = verify_report_sample_side(
        report, VERIFY_LIST_SEALED, state == BOX_MISSING ? VERDICT_MISSING : VERDICT_DIFFERENT);
    if (!sample)
        return;
    verify_run_name_sample(run, sample, record->tenant, record->entity, record->id);
    sample->name = verify_report_copy(report, sealed->field);
    sample->reason = bytes_text(state == BOX_MISSING
                                    ? "the row's reference has no box in the vault"
                                    : "the box in the vault does not open to the source's value at "
                                      "this place");
}

/* Every box of a record; `broken` NULL: at the recheck, where what is wrong is counted and named.
 */
static enum outcome compare_boxes(struct verify_run *run, const struct record *record, bool *broken,
                                  struct error *err)
{
    size_t at = 0;
    bool bad = false;
    struct sealed_box sealed;
    enum box_state state = BOX_MATCH;
    struct verify_sealed *counts = &run->report.side_checks.sealed;
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && secret_sealed_next(record->sealed, &at, &sealed, &bad)) {
        if (!run->sealed->vault) {
            counts->not_compared++;
            continue;
        }
        outcome = compare_box(run, record, &sealed, &state, err);
        if (broken) {
            counts->match += state == BOX_MATCH;
            *broken = *broken || state != BOX_MATCH;
        } else if (outcome == OUT_OK && state != BOX_MATCH) {
            counts->missing += state == BOX_MISSING;
            counts->different += state == BOX_DIFFERENT;
            sample_box(run, record, &sealed, state);
        }
    }
    if (broken)
        *broken = *broken || bad;
    else
        counts->different += bad;
    return outcome;
}

enum outcome side_sealed(struct verify_run *run, const struct record *record, bool *broken,
                         struct error *err)
{
    *broken = false;
    return compare_boxes(run, record, broken, err);
}

enum outcome side_sealed_recheck(struct verify_run *run, const struct record *record,
                                 struct error *err)
{
    return run->sealed->vault ? compare_boxes(run, record, NULL, err) : OUT_OK;
}

enum outcome side_sealed_refresh(struct verify_run *run, struct error *err)
{
    struct verify_sealed_check *check = run->sealed;
    if (!check->vault)
        return OUT_OK;
    pg_snapshot_close(check->vault);
    check->vault = NULL;
    return pg_snapshot_open(run->settings, VERIFY_APPLICATION, NULL, &check->vault, err);
}

/* ---- storage file: what lies in the store's folder, file by file. The verdicts are over records
 * as they lie there (file_store_reader_open); this names the files that are not as they were
 * written, those that are not written yet, and what lies among them that is not the store's ---- */

/* "edited since it was written: 1 record differs, 2 are not there" */
static struct bytes explain(struct verify_report *report, const struct file_found *found)
{
    struct buf text;
    buf_init(&text, 1024);
    buf_append_text(&text, found->reason);
    if (found->state == FILE_EDITED && !found->changed && !found->gone && !found->more)
        buf_append_text(&text, "; its records are the same");
    if (found->changed)
        buf_append_format(&text, "; records that differ: %zu", found->changed);
    if (found->gone)
        buf_append_format(&text, "; records that are not there: %zu", found->gone);
    if (found->more)
        buf_append_format(&text, "; records that the store does not have: %zu", found->more);
    struct bytes copy = verify_report_copy(report, buf_view(&text));
    buf_free(&text);
    return copy;
}

static void take_file(void *owner, const struct file_found *found)
{
    struct verify_run *run = owner;
    struct verify_report *report = &run->report;
    struct verify_files *counts = &report->side_checks.files;
    uint64_t *const COUNTS[] = {
        [FILE_RIGHT] = &counts->match,     [FILE_PENDING] = &counts->unwritten,
        [FILE_EDITED] = &counts->edited,   [FILE_MISSING] = &counts->missing,
        [FILE_UNOWNED] = &counts->unowned, [FILE_UNREADABLE] = &counts->unreadable,
    };
    ++*COUNTS[found->state];
    if (found->state == FILE_RIGHT)
        return;
    bool missing = found->state == FILE_MISSING || found->state == FILE_PENDING;
    struct verify_sample *sample =
        verify_report_sample_side(report, VERIFY_LIST_FILES,
                                  missing                        ? VERDICT_MISSING
                                  : found->state == FILE_UNOWNED ? VERDICT_EXTRA
                                                                 : VERDICT_DIFFERENT);
    if (!sample)
        return;
    sample->tenant = verify_report_copy(report, found->tenant);
    sample->entity = verify_report_copy(report, found->entity);
    sample->file = verify_report_copy(report, found->path);
    sample->key = diff_key_of(found->path);
    sample->reason = explain(report, found);
}

enum outcome side_files(struct verify_run *run, struct error *err)
{
    if (run->options.store || !store_of(run->settings)->has_files)
        return OUT_OK;
    run->report.side_checks.files.compared = true;
    return file_store_reader_walk(run->settings, run->scope.mappings, run->scope.tenant, take_file,
                                  run, err);
}
