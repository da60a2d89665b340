#ifndef DROVER_POLICY_COLLECT_MAPS_PARTS_H
#define DROVER_POLICY_COLLECT_MAPS_PARTS_H

/*
 * Parts of the map-dump codec: which form a source has (maps_probe), which mapping a collection
 * belongs to (maps_role), looking into a record's text (maps_peek), what is joined (maps_joins).
 * The codec itself is collect_maps.h.
 */

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/model/json/json_walk.h"
#include "common/policy/collect/collect.h"

#define MAPS_SHOWN_MOST 80 /* bytes of a name or key that people are shown */

/* ---- whose a collection is ---- */

struct maps_role {
    const struct mapping *mapping;     /* its records are records of it; or NULL */
    const struct mapping *join_target; /* its records are joined to records of it; or NULL */
};

/* `own_names`: a mapping also takes the collection named like its entity. */
struct maps_role maps_role_of(struct mapping *const *mappings, size_t count, struct bytes name,
                              bool own_names);

/* ---- which form a source has ---- */

#define MAPS_PROBE_MOST (64u << 10)

enum maps_form {
    MAPS_UNKNOWN, /* feed more */
    MAPS_TREE,    /* one value: a map of collections */
    MAPS_LINES,   /* NDJSON, an entity in each line */
};

struct maps_probe;

struct maps_probe *maps_probe_new(struct mapping *const *mappings, size_t count);
void maps_probe_free(struct maps_probe *probe);
void maps_probe_reset(struct maps_probe *probe);
/* `last`: nothing follows, or enough has been seen. *known: it names what some mapping collects. */
enum maps_form maps_probe_step(struct maps_probe *probe, struct bytes chunk, bool last,
                               bool *known);

/* ---- looking into a text ---- */

enum maps_peek {
    PEEK_FOUND,
    PEEK_ABSENT, /* also: no scalar */
    PEEK_BROKEN, /* the text is not JSON; err says why */
};

/* Appends what the RFC 6901 pointer names: a string decoded, a number or boolean as its text. */
enum maps_peek maps_peek_at(struct json_walk *walk, struct bytes text, const char *pointer,
                            struct buf *out, struct error *err);

/* What was decoded can be kept as a key: it is Unicode, and has no NUL. */
bool maps_is_key(struct bytes key);

/* A key and a value, as a pair [key, value] or as the members of a line. */
struct maps_entry {
    bool has_key;
    bool key_sound;      /* false: its key cannot be kept */
    struct bytes entity; /* of a line: as decoded into the buffer given */
    struct bytes key;
    struct bytes value;                /* within the text */
    uint64_t line, column, value_byte; /* of the value, as if the text were a document */
};

/* FOUND: `text` is an array of two whose first is a scalar. The key is appended to `out`. */
enum maps_peek maps_peek_pair(struct json_walk *walk, struct bytes text, struct buf *out,
                              struct maps_entry *entry, struct error *err);
/* FOUND: `text` is an object with a member `entity`. Entity and key are appended to `out`. */
enum maps_peek maps_peek_line(struct json_walk *walk, struct bytes text, struct buf *out,
                              struct maps_entry *entry, struct error *err);

/* ---- what is joined ---- */

struct maps_joined {
    struct maps_joined *next; /* in the order read */
    uint64_t hash;
    const struct mapping *target;
    struct bytes id;
    struct bytes text;
    struct bytes name; /* for people */
    uint64_t line, column, byte;
    bool own_row; /* it is a record of a mapping as well: nothing is lost when it fits none */
    bool matched;
};

struct maps_joins {
    struct arena arena;
    struct maps_joined **slots;
    size_t capacity; /* a power of two */
    size_t count;
    struct maps_joined *first, *last;
    bool over; /* the limit was reached: it is not complete */
};

void maps_joins_init(struct maps_joins *joins, size_t limit);
void maps_joins_free(struct maps_joins *joins);
struct maps_joined *maps_joins_find(const struct maps_joins *joins, const struct mapping *target,
                                    struct bytes id);
/* Copies `joined`, unless one of that target and id is there. */
void maps_joins_add(struct maps_joins *joins, const struct maps_joined *joined);

#endif
