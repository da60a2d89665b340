#ifndef DROVER_CONTROL_REHEARSE_H
#define DROVER_CONTROL_REHEARSE_H

/*
 * Everything in one process and without a server: `drover rehearse`, and `drover run` with storage
 * memory. Producer, worker and verifier run as they always do, over ports of memory; whenever the
 * producer polls, the other two take their turn:
 *
 *   producer ─► bus ─► worker ─► store
 *                └──► verifier: what each row must be ─► at the end the store, row by row ─► report
 *
 * A rehearsal keeps 64 bytes a key on both sides and runs each row backwards at once; a run in
 * memory keeps the rows and reads them back at the end. Either fits store.memory, or is DRV-F003.
 */

#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/model/message/topic.h"
#include "common/policy/produce_counters.h"
#include "common/port/bus_memory.h"
#include "common/port/store_memory.h"
#include "verifier/verify_session.h"
#include "worker/worker_memory.h"

enum { REHEARSE_PLACES = 5, REHEARSE_PARTITIONS = 4, REHEARSE_TOPICS = TOPIC_DEAD_LETTERS + 1 };

/* Dead letters of one code: the first ones' places. */
struct rehearse_dead {
    uint64_t count;
    struct rehearse_place {
        struct bytes tenant, entity, where, path; /* in the rehearsal's arena */
    } places[REHEARSE_PLACES];
    size_t place_count;
};

struct rehearsal {
    struct clock clock; /* the machine's, moved on at the end instead of waiting; stays first */
    uint64_t ahead_ms;
    const struct settings *settings;
    struct settings worker_settings;
    struct mapping_set mappings;
    char topics[REHEARSE_TOPICS][TOPIC_NAME_SIZE];
    struct bus_memory *bus;
    struct memory_store *store;
    struct memory_worker *worker;
    struct verify_session *verifier;
    struct verify_report *report; /* the verifier's */
    struct verify_store verify_store;
    struct verify_listener listener;
    size_t fed_bytes, seen_bytes; /* the bus held when the verifier was fed, at the last poll */
    unsigned stands;              /* polls since then in which nothing moved */
    bool finishing;
    struct error failure; /* code ERR_NONE: none */
    struct arena arena;
    struct rehearse_dead dead[PRODUCE_CODES_MAX];
    uint64_t *orphans; /* by group of the report; room for orphan_groups */
    size_t orphan_groups;
    struct produce_counters counters;
    struct buf tenant_from; /* where the tenant comes from, for people */
};

/* Records without a parent in the sources, of one group of the report. */
static inline uint64_t rehearse_orphans(const struct rehearsal *rehearsal, size_t group)
{
    return group < rehearsal->orphan_groups ? rehearsal->orphans[group] : 0;
}

/* rehearse_text.c */
void rehearse_text_append(const struct rehearsal *rehearsal, struct buf *out);
void rehearse_json_append(const struct rehearsal *rehearsal, struct json_out *out);
/* rehearse.c: both commands. `keeps`: rows for a run, checks for a rehearsal. */
MUST_USE enum exit_code rehearse_main(const struct settings *settings, enum memory_keeps keeps,
                                      struct error *err);

#endif
