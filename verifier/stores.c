#include "verifier/stores.h"

#include "common/io/stores.h"
#include "common/model/message/envelope.h"
#include "common/policy/verify/diff_content.h"

enum outcome stores_open(const struct verify_run *run, struct stored_reader **store,
                         struct error *err)
{
    const struct store_reading reading = {.only_tenant = run->settings->only_tenant,
                                          .as_it_lies = true};
    *store = NULL;
    return store_of(run->settings)
        ->open_reader(run->settings, &run->mappings, &reading, store, err);
}

void stores_join_fields(struct bytes fields, struct digest *digest)
{
    if (!fields.size)
        return;
    struct digest both[2] = {*digest, digest_of(fields)};
    *digest = digest_of(bytes_of((const char *)both, sizeof both));
}

/* The digest of what is stored; false when it is no record. */
static bool digest_stored(struct verify_run *run, const struct mapping *mapping,
                          const struct stored *stored, struct judge_row *row, yyjson_doc **doc)
{
    yyjson_doc *made = NULL;
    bool ok = json_parse(stored->json, JSON_UNICODE_REJECT, NULL, &made, NULL) == OUT_OK &&
              diff_content_digest(mapping, yyjson_doc_get_root(made), NULL, &run->judge.content,
                                  &row->diff.digest);
    if (ok)
        stores_join_fields(stored->fields, &row->diff.digest);
    if (ok && stored->flaw)
        stores_join_fields(bytes_text(stored->flaw), &row->diff.digest);
    if (ok && doc)
        *doc = made;
    else
        yyjson_doc_free(made);
    return ok;
}

void stores_take(struct verify_run *run, const struct verify_mapping *item,
                 const struct stored *stored, bool readable, struct judge_row *row,
                 yyjson_doc **doc)
{
    if (doc)
        *doc = NULL;
    *row = (struct judge_row){
        .flaw = stored->flaw,
        .row = {.tenant = stored->tenant,
                .id = stored->id,
                .version = stored->version,
                .deleted = stored->deleted,
                .digest = stored->digest},
        .diff = {.version = stored->version,
                 .deleted = stored->deleted,
                 .has_claim = true,
                 .claimed_tag = diff_tag_of(&stored->digest)},
    };
    buf_reset(&run->key);
    envelope_append_key(&run->key, stored->tenant, bytes_text(item->mapping->entity), stored->id);
    row->diff.key = diff_key_of(buf_view(&run->key));
    if (!stored->deleted)
        row->diff.unreadable = !readable || !digest_stored(run, item->mapping, stored, row, doc);
}

static void take_record(struct verify_run *run, const struct stored *stored, bool readable,
                        struct actual_extras *extras)
{
    struct judge_row row;
    const struct verify_mapping *item =
        verify_run_mapping(run, bytes_text(stored->mapping->entity));
    verify_progress_step(&run->progress);
    if (!verify_run_in_scope(run, stored->tenant))
        return;
    run->report.rows += run->pass == 0;
    stores_take(run, item, stored, readable, &row, NULL);
    if (diff_in_pass(&row.diff.key, run->pass, run->report.passes))
        actual_judge(run, item, &row, extras);
}

/* A key of Redis that holds no record, or another key's: named by its name. */
static void take_stray(struct verify_run *run, const struct stored *stored, const char *why)
{
    struct verify_report *report = &run->report;
    if (run->pass != 0)
        return;
    report->beside.redis.unexpected++;
    struct verify_sample *sample =
        verify_report_sample_beside(report, VERIFY_LIST_REDIS, VERDICT_EXTRA);
    if (!sample)
        return;
    sample->entity = bytes_text(stored->mapping->entity);
    sample->name = verify_report_copy(report, stored->id);
    sample->key = diff_key_of(stored->id);
    sample->reason = verify_report_copy(report, bytes_text(why));
}

static enum outcome reopen(struct verify_run *run, struct error *err)
{
    if (run->pass == 0)
        return OUT_OK;
    run->store->ops->close(run->store);
    return stores_open(run, &run->store, err);
}

enum outcome stores_read(struct verify_run *run, struct actual_extras *extras, struct error *err)
{
    struct stored stored;
    struct error why = {0};
    enum outcome outcome = reopen(run, err);
    while (outcome == OUT_OK) {
        outcome = run->store->ops->next(run->store, &stored, &why);
        if (outcome == OUT_OK && !stored.mapping)
            return OUT_OK;
        if (outcome != OUT_OK && outcome != OUT_REJECT) {
            *err = why;
            return outcome;
        }
        if (stored.mapping && stored.tenant.size && stored.id.size) {
            take_record(run, &stored, outcome == OUT_OK, extras);
        } else if (stored.mapping && stored.id.size && why.code == ERR_REDIS_FOREIGN) {
            take_stray(run, &stored, why.text);
        } else {
            run->report.broken = true;
            verify_report_warn(&run->report, "a record of the store cannot be read: %s", why.text);
        }
        outcome = OUT_OK;
    }
    return outcome;
}
