/* See the header. */
#include "common/io/filestore/file_generation.h"

#include "common/model/mapping/mapping_generation.h"

static enum outcome see(struct sqlite_db *db, const struct mapping *mapping,
                        struct mapping_generation *generation, struct error *err)
{
    static const char SQL[] =
        "SELECT generation, fingerprint FROM mapping_generation WHERE entity = ?1";
    sqlite3_stmt *row;
    mapping_generation_begin(generation, mapping);
    enum outcome outcome = sqlite_get(db, SQL, VALUES(NAME(mapping->entity)), &row, err);
    while (row && outcome == OUT_OK) {
        mapping_generation_see(generation, sqlite3_column_int(row, 0), sqlite_bytes(row, 1));
        outcome = sqlite_next(db, &row, err);
    }
    return outcome;
}

static enum outcome register_it(struct sqlite_db *db, const struct mapping *mapping,
                                const struct mapping_generation *generation, struct error *err)
{
    static const char SQL[] = "INSERT INTO mapping_generation (entity, generation, fingerprint, "
                              "since) VALUES (?1, ?2, ?3, unixepoch())";
    return sqlite_run(db, SQL,
                      VALUES(NAME(mapping->entity), NUMBER(mapping_generation_number(generation)),
                             NAME(generation->form)),
                      err);
}

enum outcome file_generation_take(struct sqlite_db *db, const struct mapping_set *mappings,
                                  bool pinned, struct error *err)
{
    for (size_t i = 0; i < mappings->count; i++) {
        struct mapping_generation generation;
        struct mapping *mapping = mappings->items[i];
        enum outcome outcome = see(db, mapping, &generation, err);
        enum mapping_generation_state state = mapping_generation_state(&generation);
        if (outcome == OUT_OK && !pinned)
            outcome = mapping_generation_check(
                &generation, mapping,
                "start with the newest one; or another --group takes this one over", err);
        if (outcome == OUT_OK && state != GENERATION_NEWEST)
            outcome = register_it(db, mapping, &generation, err);
        if (outcome != OUT_OK)
            return outcome;
        mapping->generation = mapping_generation_number(&generation);
    }
    return OUT_OK;
}

enum outcome file_generation_read(const struct settings *settings,
                                  const struct mapping_set *mappings, struct error *err)
{
    struct sqlite_db db;
    enum outcome outcome = file_db_open_reader(&db, settings->store_dir, err);
    if (outcome != OUT_OK)
        return outcome;
    for (size_t i = 0; i < mappings->count && outcome == OUT_OK; i++) {
        struct mapping_generation generation;
        outcome = see(&db, mappings->items[i], &generation, err);
        mappings->items[i]->generation = mapping_generation_number(&generation);
    }
    sqlite_close(&db);
    return outcome;
}
