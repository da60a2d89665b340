#ifndef DROVER_POLICY_COLLECT_MAPS_PEEK_H
#define DROVER_POLICY_COLLECT_MAPS_PEEK_H

/*
 * What the map-dump codec (collect_maps.c) can tell of a text without building it: which form a
 * source has (maps_probe), which mapping a collection belongs to (maps_role), and what is in a
 * record's text (maps_peek).
 */

#include "common/base/buf.h"
#include "common/model/json/json_walk.h"
#include "common/policy/collect/collect.h"

/* ---- whose a collection is ---- */

struct maps_role {
    const struct mapping *mapping;     /* its records are records of it; or NULL */
    const struct mapping *join_target; /* its records are joined to records of it; or NULL */
};

/* `own_names`: a mapping also takes the collection named like its entity. */
struct maps_role maps_role_of(struct mapping *const *mappings, size_t count, struct bytes name,
                              bool own_names);

/* ---- which form a source has ---- */

#define MAPS_PROBE_MAX (64u << 10)

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

#endif
