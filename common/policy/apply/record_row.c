#include "common/policy/apply/record_row.h"

#include <string.h>

#include "common/policy/secrets/secret_guard.h"

static enum outcome refuse_entity(const struct mapping_set *mappings, struct bytes entity,
                                  struct error *err)
{
    const char *nearest = mapping_set_nearest(mappings, entity);
    error_set(err, OUT_REJECT, ERR_MAPPING_ENTITY, "no mapping for this entity");
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    return OUT_REJECT;
}

/* Of a mapping without a version of its own the place in the log is the version. */
static void stamp(const struct mapping *mapping, struct record *record, int64_t log_version)
{
    if (record->has_version || mapping->version_source != VERSION_STAMPED)
        return;
    record->version = log_version;
    record->has_version = true;
}

bool record_to_told_row(const struct mapping_set *mappings, struct record *record,
                        int64_t log_version, struct mapping_work *work, struct arena *arena,
                        const struct mapping **mapping, struct row *row)
{
    *mapping = mapping_set_find(mappings, record->entity);
    if (!*mapping || record->sealed.size || !record->payload.size ||
        memchr(record->payload.data, '$',
               record->payload.size)) /* what stands for a secret has one */
        return false;
    stamp(*mapping, record, log_version);
    return mapping_forward_text(*mapping, record, work, arena, row);
}

enum outcome record_to_row(const struct mapping_set *mappings, struct record *record,
                           int64_t log_version, struct mapping_work *work, struct arena *arena,
                           const struct mapping **mapping, struct row *row, struct error *err)
{
    *mapping = mapping_set_find(mappings, record->entity);
    if (!*mapping)
        return refuse_entity(mappings, record->entity, err);
    stamp(*mapping, record, log_version);
    enum outcome outcome = mapping_forward(*mapping, record, work, arena, row, err);
    return outcome == OUT_OK ? secret_sealed_check(record->sealed, *mapping, row, err) : outcome;
}

enum outcome record_key_row(const struct mapping *mapping, struct bytes tenant, struct bytes id,
                            struct mapping_work *work, struct arena *arena, struct row *row,
                            struct error *err)
{
    const struct record record = {
        .tenant = tenant, .id = id, .operation = OP_DELETE, .has_version = true, .index = -1};
    return mapping_forward(mapping, &record, work, arena, row, err);
}
