#ifndef DROVER_VERIFIER_VERIFY_OPTIONS_H
#define DROVER_VERIFIER_VERIFY_OPTIONS_H

/* What a verification is given besides the settings: its bus, another store, who listens. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/model/mapping/mapping_set.h"
#include "common/model/message/record.h"
#include "common/port/bus.h"
#include "common/port/store_reader.h"

/* A store other than the one of settings->storage. */
struct verify_store {
    /* A reader of all that it holds by now, from its beginning, which the session closes: one a
     * pass, one for the recheck. It may give json and cells, json alone, or given_back (with `key`
     * instead of texts). */
    enum outcome (*open)(void *owner, struct store_reader **reader, struct error *err);
    /* Whether the record at this place of the source topic waits for its parents by now; NULL: none
     * ever does. */
    bool (*is_pending)(void *owner, int32_t partition, int64_t offset);
    bool has_cells; /* what columns hold from outside of the record is compared too */
    void *owner;
};

/* Told during feed, and during conclude of records that waited. Views are valid during the call. */
struct verify_listener {
    /* A record that is a dead letter, or should be one: why, and "/member" or "". */
    void (*on_dead_letter)(void *owner, const struct record *record, enum error_code code,
                           const char *path);
    void *owner;
};

struct reads_sample; /* verifier/reads */

/* All of it outlives the session. */
struct verify_options {
    struct bus *bus;
    const struct mapping_set *mappings; /* NULL: those of the settings, loaded by open */
    const struct verify_store *store;   /* NULL: the store of settings->storage, with its snapshot,
                                           vault, Redis and files, as far as it has them */
    /* Messages are gone when feed has returned: one pass, no recheck; a sample says the record's
     * place in its source instead of naming members. Memory is settings->store_memory then, which
     * others use as well: others_bytes says how much of it by now (NULL: nothing). Else it is
     * settings->verify_memory. */
    bool read_once;
    size_t (*others_bytes)(void *owner);
    void *others;
    const struct verify_listener *listener; /* NULL: nobody */
    struct reads_sample *sample; /* takes records whose reads are compared later; NULL: none does */
    /* Returns when the store may be asked. Without read_once the files are read before, if they can
     * be (source_check_read_ahead). NULL: it may be asked at once. */
    void (*hold)(void);
};

#endif
