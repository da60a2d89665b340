#ifndef DROVER_IO_REDIS_ROWS_H
#define DROVER_IO_REDIS_ROWS_H

/*
 * Records as words of one call of the script `apply` (redis_script.h). What Redis holds of a record
 * is a pure function of its row: the canonical JSON of the mapping's inverse, or the columns as
 * texts. So it does not matter whether a row comes from a message or back from PostgreSQL.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"
#include "common/policy/apply/batch.h"

/* Records of one form and ttl, one behind the other. */
struct redis_run {
    char form; /* '\0': none yet */
    uint64_t ttl_ms;
    size_t count, digits_at; /* so many records; where that is said in `words` */
};

struct redis_rows {
    struct buf keys, words;
    size_t key_count, word_count;
    struct redis_run run; /* the last one */
    size_t record_at; /* where the last record's own words, behind its run's, begin in `words` */
    bool all;         /* also of mappings without redis: (storage redis) */
    uint64_t life_ms; /* of a tombstone */
    struct mapping_work work;
    struct buf key, text;
};

/* What a batch's call stands on, when it is one. */
struct redis_fence {
    const struct batch_fence *at;
    bool in_doubt; /* it may have been done before */
};

#define REDIS_MODE_WRITE 'w' /* see redis_script.h */
#define REDIS_MODE_SKIP 's'
#define REDIS_MODE_FIX 'r'
#define REDIS_MODE_CLASSIFY 'l'

void redis_rows_init(struct redis_rows *rows, bool all, uint64_t life_ms);
void redis_rows_reset(struct redis_rows *rows);
void redis_rows_free(struct redis_rows *rows);

/* Whether Redis holds records of the mapping. */
bool redis_rows_takes(const struct redis_rows *rows, const struct mapping *mapping);
/* The form a mapping's records have; REDIS_JSON for one without redis: when all are taken. */
enum redis_form redis_rows_form(const struct mapping *mapping);
uint64_t redis_rows_ttl_ms(const struct mapping *mapping); /* 0: for good */

/* What the fields of a record's hash say, column by column, in a form of its own: for comparing
 * with what a hash holds (redis_rows_append_field). False when a cell has no form in Redis. */
MUST_USE bool redis_rows_append_fields(struct buf *out, const struct mapping *mapping,
                                       const struct cell *cells);
/* One column's part of that; `text.data` NULL: the hash has no such field. */
void redis_rows_append_field(struct buf *out, struct bytes text);

/* One record; `id` and tenant must be set in `row`. `json`: its canonical form when it is known, or
 * empty: row.json, or the mapping's inverse. OUT_REJECT when the row gives no record back. */
MUST_USE enum outcome redis_rows_add(struct redis_rows *rows, const struct mapping *mapping,
                                     const struct row *row, struct bytes json, struct error *err);
/* A sealed value into the tenant's vault. */
void redis_rows_add_sealed(struct redis_rows *rows, struct bytes tenant, struct bytes reference,
                           struct bytes box);
/* Bytes of the call so far, about. */
size_t redis_rows_size(const struct redis_rows *rows);

/* The call, without its script: all that stands behind it (redis_driver_call); *words is what the
 * whole command has. Made while Redis is away, it may be kept. False when it does not fit `out`. */
MUST_USE bool redis_rows_append_call(const struct redis_rows *rows, char mode,
                                     const struct redis_fence *fence, struct buf *out,
                                     size_t *words);

/* ---- names of keys */
/* The record's key; false when a part of it is malformed. `cells`: in mapping order, key columns
 * set. */
MUST_USE bool redis_rows_append_key(struct buf *out, const struct mapping *mapping,
                                    struct bytes tenant, struct bytes id, const struct cell *cells);
/* A pattern for SCAN that fits all keys of the mapping. */
void redis_rows_append_glob(struct buf *out, const struct mapping *mapping);
void redis_rows_append_checkpoint_key(struct buf *out, const char *group, const char *topic,
                                      int32_t partition);
/* The sentinel's value is `<id of the rebuild> <run_id>`: of another run of the server, whose data
 * may be those of an older snapshot or of a replica that lagged, it does not count. A run_id that
 * an ACL hides, from either side, is no objection. */
bool redis_rows_is_whole(struct bytes sentinel, const char *run_id);
/* Whether what PTTL says of a key fits its mapping's ttl, 0 for none: some of it has run off since
 * the key was written, how much is not known. */
bool redis_rows_ttl_fits(int64_t left_ms, uint64_t ttl_ms);
/* drover:sentinel:<migration> and drover:rebuild:<migration> */
void redis_rows_append_name(struct buf *out, const char *what, const char *migration);

/* ---- meta */
void redis_meta_append(struct buf *out, const struct mapping *mapping, const struct row *row);
struct redis_meta {
    int64_t version;
    int32_t generation;
    struct digest digest;
    bool deleted;
    struct bytes tenant, entity, id; /* views */
};
/* Whose it is, of a meta's text; empty when it is too short. */
struct bytes redis_meta_owner(struct bytes text);
MUST_USE bool redis_meta_parse(struct bytes text, struct redis_meta *meta);

#endif
