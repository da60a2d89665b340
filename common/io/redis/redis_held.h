#ifndef DROVER_IO_REDIS_HELD_H
#define DROVER_IO_REDIS_HELD_H

/*
 * What Redis holds under the keys of a record against what it must hold there: all of it is a pure
 * function of the row (redis_rows.h), so the key's name is made from the row, and type, value, meta
 * and ttl are compared with what a worker would write. For the verifier, storage hybrid.
 *
 * Rows are asked for many at a time; answers come in the order of the questions. Blocking, on the
 * caller's thread; a connection of its own.
 */

#include "common/io/settings.h"
#include "common/model/mapping/mapping.h"

enum redis_state {
    REDIS_RIGHT,
    REDIS_ABSENT, /* the value is not there; where the mapping has a ttl, that may have taken it */
    REDIS_STALE,  /* another version, as its meta says */
    REDIS_TARGET_NEWER,
    REDIS_OTHER, /* anything else; `reason` says what */
};

struct redis_finding {
    enum redis_state state;
    const char *reason; /* a literal, without values; NULL when right */
    const struct mapping *mapping;
    struct bytes key, tenant, id; /* views until the next redis_held_ask */
    int64_t version;
    bool deleted; /* the row is a tombstone: Redis remembers it for a while only */
    void *owner;  /* redis_held_ask's */
};

struct redis_held;

/* OUT_FATAL: the url, the login, or Redis is away. */
MUST_USE enum outcome redis_held_open(const struct settings *settings, struct redis_held **held,
                                      struct error *err);
void redis_held_close(struct redis_held *held);

/* True when answers must be taken before the next question. */
bool redis_held_is_full(const struct redis_held *held);
/* Asks for a row's keys; tenant and id must be set, `json` is its record in canonical form.
 * OUT_REJECT: the row has no form that Redis could hold. */
MUST_USE enum outcome redis_held_ask(struct redis_held *held, const struct mapping *mapping,
                                     const struct row *row, struct bytes json, void *owner,
                                     struct error *err);
/* The next answer; *found false when every question is answered. OUT_FATAL: Redis is away. */
MUST_USE enum outcome redis_held_take(struct redis_held *held, struct redis_finding *finding,
                                      bool *found, struct error *err);

/* Names of the keys of a mapping's pattern, metas included, by SCAN: some may come twice. `each` is
 * called with views. */
MUST_USE enum outcome redis_held_scan(struct redis_held *held, const struct mapping *mapping,
                                      void (*each)(void *owner, struct bytes name), void *owner,
                                      struct error *err);
/* Whether a key is there, and whose record it says it is: `place`, "isolation_key/entity/id" in its
 * meta, is empty when it has none; *tombstone when that is all there is
 * and says that the record was deleted. */
MUST_USE enum outcome redis_held_find(struct redis_held *held, struct bytes name, bool *exists,
                                      bool *tombstone, struct buf *place, struct error *err);
/* Whether the mark is there that says that this Redis was filled for the migration. */
MUST_USE enum outcome redis_held_is_marked(struct redis_held *held, bool *marked,
                                           struct error *err);

#endif
