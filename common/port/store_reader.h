#ifndef DROVER_PORT_STORE_READER_H
#define DROVER_PORT_STORE_READER_H

/*
 * Reading back what a store holds, for the verifier and the export: every record once, in any
 * order, as the source record it gives back. Stores that keep cells run the mapping's inverse
 * first. Blocking, on the caller's thread; own connections.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/model/mapping/mapping.h"

struct diff_key;

struct stored_record {
    const struct mapping *mapping; /* NULL: the end */
    struct bytes tenant, id;
    int64_t version;
    int32_t generation;   /* of the mapping it was written under (mapping_types.h) */
    struct digest digest; /* as the store claims it */
    bool deleted;         /* a tombstone: json is empty */
    struct bytes json;    /* canonical; valid until the next call */
    struct bytes fields;  /* of a Redis hash: what its fields hold (redis_rows.h), valid as json;
                             else empty */
    const char *flaw;     /* a literal: how it is kept otherwise than its mapping says; NULL: not */
    const struct digest *given_back; /* of a store that ran the inverse when it wrote and keeps no
                                        more than what came out of it, with the cells
                                        (diff_content_digest): then json is empty; else NULL */
    const struct diff_key *key; /* of tenant, entity and id, by a store that keeps no texts: then
                                   these are empty; valid as json. Others may leave it NULL */
    const struct cell *cells; /* in the order of mapping->columns, when the store keeps cells; NULL:
                                 what stands outside the record is in the id alone */
};

struct store_reader;

struct store_reader_ops {
    /* Offset up to which the store holds the partition's records; -1: it knows nothing of it. */
    enum outcome (*checkpoint)(struct store_reader *reader, const char *group, const char *topic,
                               int32_t partition, int64_t *next_offset, struct error *err);
    /* OUT_REJECT: this record cannot be read back (err; mapping, tenant, id are set as far as
     * known), go on; OUT_FATAL otherwise. */
    enum outcome (*next)(struct store_reader *reader, struct stored_record *stored,
                         struct error *err);
    /* One record by its key; *found false when there is none. */
    enum outcome (*find)(struct store_reader *reader, const struct mapping *mapping,
                         struct bytes tenant, struct bytes id, struct stored_record *stored,
                         bool *found, struct error *err);
    void (*close)(struct store_reader *reader);
};

struct store_reader {
    const struct store_reader_ops *ops;
};

#endif
