#ifndef DROVER_VERIFIER_VERIFY_SESSION_H
#define DROVER_VERIFIER_VERIFY_SESSION_H

/*
 * One verification: an own reading of the source against an own reading of the store.
 *
 *   open ── feed ──► dead letters, receipts, source messages up to given offsets:
 *    │       │       what each key's row must be, 64 bytes a key
 *    │       └─ again, as often as there is more; what was read may be dropped from the bus
 *   note_produced    by which codes the producer rejected, where its books are at hand
 *    └─ conclude ──► the store, row by row: verdicts, recheck, side checks, report
 *
 * `drover verify` feeds once, up to the checkpoints of the store's snapshot, reads the topic again
 * where that is needed (further passes, the recheck), and judges the store of the settings. A
 * rehearsal and a run in memory feed whenever their worker has committed, and read each message
 * once. Blocking, on the caller's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/model/mapping/mapping_set.h"
#include "common/model/message/topic.h"
#include "common/policy/produce_counters.h"
#include "common/policy/verify/verify_report.h"
#include "common/port/bus.h"
#include "common/port/store_reader.h"

struct verify_session;

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

/* Told during feed (on_dead_letter: during conclude too, of records that waited). Any may be NULL.
 * Views are valid during the call. */
struct verify_listener {
    /* A record that is a dead letter, or should be one (`unusable`): why, and "/member" or "". */
    void (*on_dead_letter)(void *owner, const struct record *record, enum error_code code,
                           const char *path, bool unusable);
    /* A record that leads its key by now, and does not wait. `group`: of the report's groups. */
    void (*on_leader)(void *owner, const struct mapping *mapping, const struct row *row,
                      uint32_t group);
    void *owner;
};

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
};

/* Loads the mappings, opens the store's snapshot (of the settings' store) and takes the topics'
 * begins. *session is NULL after a failure. DRV-K003 when there is no source topic. */
MUST_USE enum outcome verify_session_open(const struct settings *settings,
                                          const struct verify_options *options,
                                          struct verify_session **session, struct error *err);
/* NULL is allowed. */
void verify_session_close(struct verify_session *session);

/* Reads what is new: all dead letters, all receipts, and of each partition of the source topic the
 * messages below ends[partition], in order; all of them are committed by the store. A dead letter
 * is in its topic before its record is committed, so it is never seen too late. `ends` NULL: the
 * checkpoints of the settings' store. Without read_once it is called once.
 * OUT_FATAL DRV-Y001 (read_once: DRV-F003) when the keys or the dead letters do not fit the memory;
 * else the bus's failures. */
MUST_USE enum outcome verify_session_feed(struct verify_session *session, const int64_t *ends,
                                          struct error *err);
/* Offset up to which feed has read a partition of one of the three topics: what is below may go. */
int64_t verify_session_fed(const struct verify_session *session, enum topic_kind kind,
                           int32_t partition);
/* Bytes held by now, apart from one record and the report. */
size_t verify_session_bytes(const struct verify_session *session);

/* What the producer's own books say beyond its run report, which feed reads: by which codes records
 * were rejected, and that sources could not be read whole, which makes the report broken. Once,
 * before conclude; where a process has the books. */
void verify_session_note_produced(struct verify_session *session,
                                  const struct produce_counters *counters);

/* Reads the store, judges, and completes the report. Messages beyond what was fed are counted as
 * lagging. Once. */
MUST_USE enum outcome verify_session_conclude(struct verify_session *session, struct error *err);

/* The session's own: warnings may be added before conclude, the verdict is there after it. */
struct verify_report *verify_session_report(struct verify_session *session);

#endif
