#ifndef DROVER_POLICY_COLLECT_LOCALSTORAGE_H
#define DROVER_POLICY_COLLECT_LOCALSTORAGE_H

/*
 * Parts of the localStorage codec: which mapping takes a key (localstorage_choose), what a value
 * holds (localstorage_value), and the keys that become one record together (localstorage_merge).
 */

#include "common/base/buf.h"
#include "common/model/json/json_walk.h"
#include "common/policy/collect/collect.h"

#define LOCALSTORAGE_TENANT_KEY "current_tenant_id"
#define LOCALSTORAGE_SHOWN_MAX 120  /* bytes of a key that people are shown */
#define LOCALSTORAGE_TENANT_MAX 255 /* bytes of a tenant: as tenant.h */
#define LOCALSTORAGE_LEVELS_MAX 2   /* with the storage's own string three: fault row L01 */

/* ---- whose a key is: collect_localstorage_keys.c ---- */

/* Hashes of all tenants the payload names; sorted when they are asked for. */
struct localstorage_tenants {
    uint64_t *hashes; /* owned */
    size_t count, capacity;
};

void localstorage_tenants_add(struct localstorage_tenants *tenants, struct bytes tenant);
/* After the last one was added. */
void localstorage_tenants_sort(struct localstorage_tenants *tenants);

enum localstorage_use {
    LOCALSTORAGE_UNKNOWN, /* no mapping takes it */
    LOCALSTORAGE_TAKEN,
    LOCALSTORAGE_UNOWNED,   /* another tenant's */
    LOCALSTORAGE_OTHER,     /* of a localStorage whose tenant is another than the one given */
    LOCALSTORAGE_NO_TENANT, /* a tenant's, and nobody says which one is meant */
};

struct localstorage_choice {
    enum localstorage_use use;
    const struct mapping *mapping;     /* the most specific; a container before its elements */
    const struct mapping *elements;    /* with a container: the mapping of its elements, or NULL */
    const struct collect_merge *merge; /* of EXPAND_MERGE */
    bool any;                          /* only a pattern that takes any key fits */
    bool own;                          /* its name says that it is the tenant's */
    bool named;                        /* the whole name is the mapping's (and the tenant's) */
};

/* `tenant` may be empty. */
struct localstorage_choice localstorage_choose(const struct collect_config *config,
                                               struct bytes key, struct bytes tenant,
                                               const struct localstorage_tenants *tenants);
/* True when the key may name a tenant: *tenant is that part of it. */
bool localstorage_names_tenant(const struct collect_config *config, struct bytes key,
                               struct bytes *tenant);

/* True when the key fits a pattern that says something: not one that takes any key. `*part`: the
 * pattern leaves a part of the key open. */
bool localstorage_key_fits(struct mapping *const *mappings, size_t mapping_count, struct bytes key,
                           bool *part);

/* ---- what a value holds: collect_localstorage_value.c ---- */

enum localstorage_form {
    LOCALSTORAGE_BROKEN, /* no JSON, cut, or more than one value */
    LOCALSTORAGE_ARRAY,
    LOCALSTORAGE_OBJECT,
    LOCALSTORAGE_SCALAR,
};

struct localstorage_value {
    struct json_walk *walk;
    struct buf texts[LOCALSTORAGE_LEVELS_MAX + 1]; /* what each string around it holds */
    struct bytes text;                             /* the innermost that counts */
    enum localstorage_form form;
    unsigned levels;  /* JSON strings around it, besides the storage's own */
    size_t broken_at; /* byte of the outermost text, when broken */
    size_t record_max;
    struct buf slice;
    bool entered;
};

void localstorage_value_init(struct localstorage_value *value, size_t record_max);
void localstorage_value_free(struct localstorage_value *value);
/* Decodes a JSON string with its quotes into value->text; the form is not known then. False: it
 * has an escape that is not JSON. */
bool localstorage_value_decode(struct localstorage_value *value, struct bytes quoted);
/* Is `text` one whole JSON value, of which kind, and how often was it encoded? JSON inside a JSON
 * string counts as what the inner text is when that is an array or an object. What the grammar
 * allows and a record may not have (json.h) is no fault here: each record is judged by itself. */
void localstorage_value_judge(struct localstorage_value *value, struct bytes text);
/* The elements of an array, as they are written: begin, then CAPTURED, REJECTED (too large: err)
 * and END as in json_walk.h; *step says more. */
void localstorage_value_begin_list(struct localstorage_value *value);
enum json_walk_result localstorage_value_next(struct localstorage_value *value,
                                              struct json_walk_step *step, struct error *err);

/* `text` with the three-byte forms of lone surrogates as \uXXXX escapes, for json_parse to judge;
 * copied into `out` (reset first) only when there is one. */
struct bytes localstorage_escape_surrogates(struct bytes text, struct buf *out);
/* Appends text as a JSON string, surrogates and U+0000 as escapes. */
void localstorage_append_string(struct buf *out, struct bytes text);

/* ---- keys that are one record together: collect_localstorage_merge.c ---- */

struct localstorage_merge;

struct localstorage_merge *localstorage_merge_new(const struct mapping *mapping, size_t record_max);
void localstorage_merge_free(struct localstorage_merge *merge);
void localstorage_merge_reset(struct localstorage_merge *merge);
bool localstorage_merge_is_empty(const struct localstorage_merge *merge);
/* A key's value. OUT_REJECT DRV-S008 (no object), DRV-J… (as json_parse), DRV-J007. */
MUST_USE enum outcome localstorage_merge_add(struct localstorage_merge *merge,
                                             const struct collect_merge *part, struct bytes key,
                                             struct bytes text, struct error *err);
/* Makes the record and the notes. OUT_REJECT DRV-J007. */
MUST_USE enum outcome localstorage_merge_finish(struct localstorage_merge *merge,
                                                struct error *err);
struct bytes localstorage_merge_record(const struct localstorage_merge *merge);
/* Notes one after the other; false when there are no more. */
bool localstorage_merge_note(struct localstorage_merge *merge, struct error *err);

#endif
