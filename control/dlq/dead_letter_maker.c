#include "control/dlq/dead_letter_maker.h"

#include <string.h>

#include "common/io/stores.h"
#include "common/model/message/tenant.h"
#include "common/policy/apply/record_row.h"
#include "common/policy/version.h"
#include "control/entity_word.h"

#define ROW_LIMIT ((size_t)1 << 30) /* max_record_bytes bounds what a record is */
#define NAMES_LIMIT (64 * 1024)

static enum outcome take_tenant(struct dead_letter_maker *maker, const char *text,
                                struct error *err)
{
    const struct tenant tenant = {.tenant_id = bytes_text(text)};
    return text ? tenant_append_key(&tenant, &maker->tenant, err) : OUT_OK;
}

enum outcome dead_letter_maker_open(const struct settings *settings,
                                    struct dead_letter_maker *maker, struct error *err)
{
    const struct dead_letter_choice *choice = &settings->dead_letters;
    *maker = (struct dead_letter_maker){.entity = choice->topic ? choice->entity : NULL};
    mapping_work_init(&maker->work);
    arena_init(&maker->arena, ROW_LIMIT);
    buf_init(&maker->tenant, NAMES_LIMIT);
    buf_init(&maker->names, NAMES_LIMIT);
    buf_init(&maker->id, NAMES_LIMIT);
    buf_init(&maker->key, NAMES_LIMIT);
    enum outcome outcome = mapping_set_load(settings, &maker->mappings, err);
    if (outcome == OUT_OK && maker->entity) {
        outcome = take_tenant(maker, choice->tenant, err);
        if (outcome == OUT_OK)
            outcome = entity_word_check(&maker->mappings, maker->entity, err);
    }
    return outcome;
}

void dead_letter_maker_free(struct dead_letter_maker *maker)
{
    mapping_set_free(&maker->mappings);
    mapping_work_free(&maker->work);
    arena_free(&maker->arena);
    buf_free(&maker->tenant);
    buf_free(&maker->names);
    buf_free(&maker->id);
    buf_free(&maker->key);
}

/* The place in the log that a record without a version had: what the worker said of it, else the
 * time it came, which is never behind the records that came after it. */
static int64_t log_version_of(const struct picked_message *picked)
{
    int64_t ms = picked->message->timestamp_ms;
    if (picked->reading.log_version > 0)
        return picked->reading.log_version;
    return ms > 0 && ms < INT64_C(1) << 46 ? ms << VERSION_COUNTER_BITS : 1;
}

/* Of a message that names no tenant or no entity. */
static enum outcome name_record(struct dead_letter_maker *maker,
                                const struct picked_message *picked, struct record *record,
                                struct dead_letter_again *again, struct error *err)
{
    const struct mapping *mapping = mapping_set_find(&maker->mappings, bytes_text(maker->entity));
    *record = (struct record){.entity = bytes_text(maker->entity),
                              .tenant = buf_view(&maker->tenant),
                              .payload = picked->view.value,
                              .index = -1,
                              .sequence = -1};
    if (picked->view.null_value)
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "a delete that names no record");
    buf_reset(&maker->names);
    buf_reset(&maker->id);
    enum outcome outcome =
        mapping_identify(mapping, record, &maker->work, &maker->names, &maker->id, &record->version,
                         &record->has_version, err);
    if (outcome != OUT_OK)
        return outcome;
    if (maker->names.size)
        record->tenant = buf_view(&maker->names);
    if (!record->tenant.size)
        return error_set(err, OUT_REJECT, ERR_TENANT_MISSING, "the record names no tenant");
    record->id = buf_view(&maker->id);
    buf_reset(&maker->key);
    envelope_append_key(&maker->key, record->tenant, record->entity, record->id);
    again->tenant = record->tenant;
    again->entity = record->entity;
    again->key = picked->view.key.size ? (struct bytes){0} : buf_view(&maker->key);
    again->has_version = record->has_version;
    again->version = record->version;
    return OUT_OK;
}

enum outcome dead_letter_maker_record(struct dead_letter_maker *maker,
                                      const struct picked_message *picked, struct record *record,
                                      struct dead_letter_again *again, struct error *err)
{
    const struct envelope *envelope = &picked->message->envelope;
    enum outcome outcome = envelope_decode(envelope, record, err);
    if (outcome != OUT_OK && maker->entity && !(record->tenant.size && record->entity.size))
        outcome = name_record(maker, picked, record, again, err);
    if (outcome != OUT_OK || record->has_version)
        return outcome;
    const struct mapping *mapping = mapping_set_find(&maker->mappings, record->entity);
    if (mapping && mapping->version_source == VERSION_STAMPED) {
        record->version = again->version = log_version_of(picked);
        record->has_version = again->has_version = true;
    }
    return OUT_OK;
}

enum outcome dead_letter_maker_row(struct dead_letter_maker *maker,
                                   const struct picked_message *picked,
                                   const struct mapping **mapping, struct row *row,
                                   struct error *err)
{
    struct record record;
    struct dead_letter_again again = {0};
    *mapping = NULL;
    arena_reset(&maker->arena);
    enum outcome outcome = dead_letter_maker_record(maker, picked, &record, &again, err);
    return outcome == OUT_OK ? record_to_row(&maker->mappings, &record, record.version,
                                             &maker->work, &maker->arena, mapping, row, err)
                             : outcome;
}

bool dead_letter_maker_store_decides(enum error_code code)
{
    const char *id = error_code_id(code);
    return strncmp(id, "DRV-P", 5) == 0 || strncmp(id, "DRV-R", 5) == 0;
}

bool dead_letter_maker_is_untaken(const struct settings *settings,
                                  const struct dead_letter_maker *maker)
{
    struct error refusal = {0};
    const struct store *store = store_of(settings);
    return store->check_generations &&
           store->check_generations(settings, &maker->mappings, &refusal) != OUT_OK &&
           refusal.code == ERR_MAPPING_GENERATION;
}
