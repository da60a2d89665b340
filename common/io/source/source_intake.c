/* See the header. */
#include "common/base/mem.h"
#include "common/io/source/source_intake.h"

#include <stdlib.h>
#include <string.h>

enum { PART_BYTES = 64 * 1024 };

struct source_intake {
    const struct source_rules *rules;
    struct mapping_work *work;
    struct buf tenant, id; /* the record's own */
};

struct source_intake *source_intake_new(const struct source_rules *rules, struct mapping_work *work)
{
    struct source_intake *intake = mem_new(sizeof(*intake));
    intake->rules = rules;
    intake->work = work;
    buf_init(&intake->tenant, PART_BYTES);
    buf_init(&intake->id, PART_BYTES);
    return intake;
}

void source_intake_free(struct source_intake *intake)
{
    if (!intake)
        return;
    buf_free(&intake->tenant);
    buf_free(&intake->id);
    free(intake);
}

/* To the JSON reader the record is the whole input, and an early end a cut one. But the splitter
 * names cut inputs itself: here it is a line that ends too early, and the source goes on. */
static void say_line(struct error *err)
{
    char where[sizeof(err->where)];
    if (err->code != ERR_JSON_TRUNCATED)
        return;
    memcpy(where, err->where, sizeof(where));
    error_set(err, OUT_REJECT, ERR_JSON_SYNTAX, "broken JSON: the line ends inside the record");
    error_where(err, "%s", where);
}

enum outcome source_intake_record(struct source_intake *intake, const struct source_record *found,
                                  int64_t stamp, struct record *record, struct error *err)
{
    bool has_version = false;
    int64_t version = 0;
    *record = (struct record){
        .tenant = found->tenant,
        .entity = bytes_text(found->mapping->entity),
        .version = stamp,
        .operation = OP_UPSERT,
        .payload = found->payload,
        .source_key = found->source_key,
        .index = mapping_uses_index(found->mapping) ? found->index : -1,
        .user = found->user,
        .localstorage_origin = found->localstorage_origin,
        .sequence = -1,
        .origin = found->origin,
    };
    buf_reset(&intake->tenant);
    buf_reset(&intake->id);
    enum outcome outcome = mapping_identify(found->mapping, record, intake->work, &intake->tenant,
                                            &intake->id, &version, &has_version, err);
    if (outcome != OUT_OK) {
        say_line(err);
        return outcome;
    }
    if (record->tenant.size == 0)
        record->tenant = buf_view(&intake->tenant);
    record->id = buf_view(&intake->id);
    if (has_version)
        record->version = version;
    record->has_version = has_version || found->mapping->version_source == VERSION_STAMPED;
    if (record->tenant.size == 0)
        return error_set(err, OUT_REJECT, ERR_TENANT_MISSING, "the record names no tenant");
    return OUT_OK;
}

bool source_intake_names_tenant(const struct source_intake *intake,
                                const struct source_record *found, bool *asked)
{
    *asked = intake->rules->settings->given.from && found->mapping->tenant_pointer;
    return intake->tenant.size > 0;
}
