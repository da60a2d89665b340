#ifndef DROVER_MODEL_MAPPING_INTERNAL_H
#define DROVER_MODEL_MAPPING_INTERNAL_H

/* Parts of a mapping besides its columns: where records are found, what they refer to, what a
 * delete leaves, and what Redis holds of them. See mapping_types.h for who owns them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the value under a localStorage key becomes records. */
enum collect_expand {
    EXPAND_ELEMENTS,  /* a JSON array: each element one record, $index its place */
    EXPAND_VALUE,     /* JSON of any kind: one record, as it is */
    EXPAND_CONTAINER, /* one record that says what the value is: {"form":"array"} (its elements
                         belong to another mapping) or {"form":"value","value":…} */
    EXPAND_TEXT,      /* any text: one record {"value":"…"}; keys no other mapping takes */
    EXPAND_MERGE,     /* all keys together one record, see struct collect_merge */
};

/* merge: {ui_preferences: "*ui_preferences*", …}: JSON objects under keys that match are merged
 * into `member`; the first pattern that matches counts. take: {theme: theme}: the text under the
 * key `pattern` becomes `member`. */
struct collect_merge {
    const char *member;
    const char *pattern;
    bool take;
};

/* join: {map_dump: marketplaceProjects, on: /projectId, as: marketplace}: a record of that
 * collection becomes the member `member` of the record whose id it names. One a record. */
struct collect_join {
    const char *collection;
    const char *pointer;
    const char *member;
};

/* references: - { columns: [project_id], entity: project }: the columns hold the key of a record of
 * that entity, in the order of its key. NULL in one of them: no reference. */
struct mapping_reference {
    const char *entity;
    const size_t *columns; /* positions */
    size_t column_count;
    int line;
};

/* What a delete leaves behind. */
enum delete_policy {
    DELETE_TOMBSTONE, /* the key and the version; tenants do not see it */
    DELETE_SOFT, /* the row, with a column set: on_delete: { column: status, value: deleted } */
    DELETE_HARD, /* a tombstone that is removed after work.tombstone_life */
};

enum redis_form {
    REDIS_NONE,
    REDIS_JSON, /* a string: the record's canonical JSON */
    REDIS_HASH, /* a hash: one field a column, texts as PostgreSQL prints them */
};

/* redis: { key: "chat:{isolation_key}:{session_id}", ttl: 24h, value: json }. Placeholders:
 * isolation_key, entity, id, and key columns; values are percent-encoded. */
struct mapping_redis {
    enum redis_form form;
    const char *key;
    uint64_t ttl_s; /* 0: none */
};

#endif
