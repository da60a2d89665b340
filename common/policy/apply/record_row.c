#include "common/policy/apply/record_row.h"

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

enum outcome record_to_row(const struct mapping_set *mappings, struct record *record,
                           int64_t log_version, struct mapping_work *work, struct arena *arena,
                           const struct mapping **mapping, struct row *row, struct error *err)
{
    *mapping = mapping_set_find(mappings, record->entity);
    if (!*mapping)
        return refuse_entity(mappings, record->entity, err);
    if (!record->has_version && (*mapping)->version_source == VERSION_STAMPED) {
        record->version = log_version;
        record->has_version = true;
    }
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
