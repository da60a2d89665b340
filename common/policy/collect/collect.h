#ifndef DROVER_POLICY_COLLECT_H
#define DROVER_POLICY_COLLECT_H

/*
 * Codecs that find records of several entities in one source: a browser's localStorage, a dump of
 * a program's maps. (Files of one entity are json_stream.h's.) Pure: bytes in, finds out.
 *
 * What is needed first may stand last (a payload's tenant, what is joined). A localStorage is
 * therefore kept whole: the caller bounds it (produce.body), and finds come when it has ended. A
 * dump is not: when it joins, it is read twice. The first reading learns and finds nothing; the
 * second one finds. The caller feeds the same bytes both times; other bytes are a source that
 * changed.
 *
 *   collect_new ─ feed… finish ─ next… END ─ collect_rewind ─ feed… finish ─ next… END
 *
 * Memory of a localStorage: the body and its values decoded (four times the body at most), 64 bytes
 * a key, and what is merged (record_max). Of a dump: one record (record_max) and what is joined
 * (join_max).
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"

enum collect_form {
    COLLECT_FILES, /* one entity: json_stream */
    COLLECT_LOCALSTORAGE,
    COLLECT_MAP_DUMP,
};

struct collect_config {
    struct mapping *const *mappings;
    size_t mapping_count;
    struct bytes tenant;    /* plain tenant id that {tenant} in keys must be; empty: the payload's
                               current_tenant_id */
    const char *web_origin; /* take only this one; NULL: all */
    size_t record_max;
    size_t join_max;
};

enum source_item_kind {
    SOURCE_ITEM_RECORD,   /* for a mapping */
    SOURCE_ITEM_REJECTED, /* err says why */
    SOURCE_ITEM_WITHHELD, /* a token: `name` is all that is said of it */
    SOURCE_ITEM_NOTE,     /* something to be told, not a record: err is a text (unknown key kept as
                       local_storage_item; two keys that disagree) */
};

/* Everything valid until the next call. */
struct source_item {
    enum source_item_kind kind;
    const struct mapping *mapping;
    struct bytes payload;
    struct bytes source_key; /* localStorage key, or map key, either may be ""; data NULL: none */
    struct bytes localstorage_origin;
    struct bytes tenant;         /* plain tenant id the payload names; empty: config's or none */
    int64_t index;               /* -1: none */
    struct bytes name;           /* for people: "ai_agents_acme[3]", "projects/p1" */
    uint64_t line, column, byte; /* in the source; of the key's value when it was a string */
    uint64_t ordinal;            /* finds before it, all kinds but notes */
};

enum collect_result { COLLECT_ITEM, COLLECT_MORE, COLLECT_END };

struct collect;

/* `form` is not COLLECT_FILES. Texts of `config` must outlive it. */
struct collect *collect_new(enum collect_form form, const struct collect_config *config);
void collect_free(struct collect *collect);
void collect_feed(struct collect *collect, struct bytes chunk);
void collect_finish(struct collect *collect);
/* FOUND with *item (and *err for REJECTED and NOTE). */
enum collect_result collect_next(struct collect *collect, struct source_item *item,
                                 struct error *err);
/* After END of the first reading. OUT_FATAL DRV-S010 (join memory): the run cannot go on so. */
MUST_USE enum outcome collect_rewind(struct collect *collect, struct error *err);

/* False when nothing is to be learned: the first reading may then be left out, and collect_rewind
 * called at once (collect_next says END without being fed). */
bool collect_wants_first_reading(enum collect_form form, struct mapping *const *mappings,
                                 size_t mapping_count);

/* What a key of a localStorage is merged by (expand: merge); NULL: by nothing. Texts that are taken
 * come first, as a pattern of merges may fit any key. */
const struct collect_merge *collect_merge_of(const struct mapping *mapping, struct bytes key);

/* Which form a source has that nobody declared, from its first bytes (up to 64 KiB; `whole` when
 * they are all there are). A file whose name a mapping's collect.files takes is not asked about. */
enum collect_form collect_detect(struct bytes first, bool whole, struct mapping *const *mappings,
                                 size_t mapping_count);

/* The two codecs behind it. */
struct collect_ops {
    void (*feed)(struct collect *collect, struct bytes chunk);
    void (*finish)(struct collect *collect);
    enum collect_result (*next)(struct collect *collect, struct source_item *item,
                                struct error *err);
    enum outcome (*rewind)(struct collect *collect, struct error *err);
    void (*free)(struct collect *collect);
};
struct collect {
    const struct collect_ops *ops;
};
struct collect *collect_localstorage_new(const struct collect_config *config);
struct collect *collect_maps_new(const struct collect_config *config);
bool collect_localstorage_detect(struct bytes first, struct mapping *const *mappings,
                                 size_t mapping_count);
bool collect_maps_detect(struct bytes first, bool whole, struct mapping *const *mappings,
                         size_t mapping_count);

#endif
