#ifndef DROVER_POLICY_COLLECT_STORAGE_PARTS_H
#define DROVER_POLICY_COLLECT_STORAGE_PARTS_H

/*
 * Parts of the localStorage codec: what the first reading remembers of each key (storage_keys),
 * which mapping takes a key (storage_choose), one value as records (storage_value), and the keys
 * that become one record together (storage_merge).
 */

#include "common/base/buf.h"
#include "common/model/json/json_walk.h"
#include "common/policy/collect/collect.h"
#include "common/policy/collect/collect_storage_check.h"

#define STORAGE_TENANT_KEY "current_tenant_id"
#define STORAGE_SHOWN_MOST 120  /* bytes of a key that people are shown */
#define STORAGE_TENANT_MOST 255 /* bytes of a tenant: as tenant.h */

/* ---- what was learned of a key; 16 bytes, by hash ---- */

struct storage_key {
    uint64_t hash;      /* 0: free */
    uint32_t broken_at; /* byte of the value, when it is broken */
    uint8_t form;       /* enum storage_form */
    uint8_t levels;
    bool repeated;   /* the key is there twice */
    bool unreadable; /* not even a string */
};

struct storage_keys {
    struct storage_key *items;
    size_t count;
    size_t capacity; /* a power of two */
};

void storage_keys_free(struct storage_keys *keys);
/* Found or made (then form 0 and *fresh). */
struct storage_key *storage_keys_put(struct storage_keys *keys, uint64_t hash, bool *fresh);
struct storage_key *storage_keys_find(const struct storage_keys *keys, uint64_t hash);

/* ---- whose a key is ---- */

enum storage_use {
    STORAGE_UNKNOWN, /* no mapping takes it */
    STORAGE_TAKEN,
    STORAGE_FOREIGN,   /* another tenant's */
    STORAGE_OTHER,     /* of a storage whose tenant is another than the one given */
    STORAGE_NO_TENANT, /* a tenant's, and nobody says which one is meant */
};

struct storage_choice {
    enum storage_use use;
    const struct mapping *mapping;     /* the most specific; a container before its elements */
    const struct mapping *elements;    /* with a container: the mapping of its elements, or NULL */
    const struct collect_merge *merge; /* of EXPAND_MERGE */
    bool any;                          /* only a pattern that takes any key fits */
    bool own;                          /* its name says that it is the tenant's */
    bool named;                        /* the whole name is the mapping's (and the tenant's) */
};

/* `tenants`: hashes of all tenants the payload names; `tenant` may be empty. */
struct storage_choice storage_choose(const struct collect_config *config, struct bytes key,
                                     struct bytes tenant, const struct storage_keys *tenants);
/* Remembers the tenants that the key may name. */
void storage_learn_tenants(const struct collect_config *config, struct bytes key,
                           struct storage_keys *tenants);
/* True when the key fits a pattern that says something: not one that takes any key. `*part`: the
 * pattern leaves a part of the key open. */
bool storage_key_fits(struct mapping *const *mappings, size_t mapping_count, struct bytes key,
                      bool *part);

/* ---- one value, piece by piece ---- */

enum storage_step {
    STORAGE_PIECE,   /* the next piece of the outer string is wanted */
    STORAGE_RECORD,  /* an element's text */
    STORAGE_REFUSED, /* an element too large: err; or the source is not what was read first: err */
    STORAGE_DONE,    /* the value has ended; whole values: `text` holds it */
};

struct storage_value {
    struct json_walk *walks[STORAGE_LEVELS_MOST]; /* each decodes one string around the value */
    struct json_walk *elements;
    struct buf text;
    struct bytes piece; /* of the outermost string; `given` until it is taken */
    bool given, last;
    bool ended[STORAGE_LEVELS_MOST + 1];
    bool whole; /* not by elements */
    bool entered;
    unsigned levels;
    int64_t index; /* of the last element */
};

void storage_value_init(struct storage_value *value, size_t record_most);
void storage_value_free(struct storage_value *value);
void storage_value_begin(struct storage_value *value, unsigned levels, bool whole);
void storage_value_feed(struct storage_value *value, struct bytes piece, bool last);
enum storage_step storage_value_next(struct storage_value *value, struct bytes *text,
                                     struct error *err);

/* `text` with the three-byte forms of lone surrogates as \uXXXX escapes, for json_parse to judge;
 * copied into `out` (reset first) only when there is one. */
struct bytes storage_escape_surrogates(struct bytes text, struct buf *out);
/* Appends text as a JSON string, surrogates and U+0000 as escapes. */
void storage_append_string(struct buf *out, struct bytes text);

/* ---- keys that are one record together ---- */

struct storage_merge;

struct storage_merge *storage_merge_new(const struct mapping *mapping, size_t record_most);
void storage_merge_free(struct storage_merge *merge);
void storage_merge_reset(struct storage_merge *merge);
bool storage_merge_is_empty(const struct storage_merge *merge);
/* A key's value. OUT_REJECT DRV-S008 (no object), DRV-J… (as json_parse), DRV-J007. */
MUST_USE enum outcome storage_merge_add(struct storage_merge *merge,
                                        const struct collect_merge *part, struct bytes key,
                                        struct bytes text, struct error *err);
/* Makes the record and the notes. OUT_REJECT DRV-J007. */
MUST_USE enum outcome storage_merge_finish(struct storage_merge *merge, struct error *err);
struct bytes storage_merge_record(const struct storage_merge *merge);
/* Notes one after the other; false when there are no more. */
bool storage_merge_note(struct storage_merge *merge, struct error *err);

#endif
