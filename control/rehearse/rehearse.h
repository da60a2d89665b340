#ifndef DROVER_CONTROL_REHEARSE_H
#define DROVER_CONTROL_REHEARSE_H

/*
 * Everything in one process and without a server: `drover rehearse`, and `drover run` with storage
 * memory. The producer runs as it always does, over a bus in memory; whenever it polls, the other
 * two take their turn:
 *
 *   producer ─► bus ─┬─► rehearse_work:  decode ─ map ─ batch ─► memory sink ─► store
 *                    └─► rehearse_check: what a row must give back ─► table of keys
 *   end:  store, each row run backwards ─► table of keys ─► verdicts ─► report
 *
 * A rehearsal keeps 64 bytes a key on both sides and runs each row backwards at once; a run in
 * memory keeps the rows and reads them back at the end. Either fits store.memory, or is DRV-F003.
 */

#include "common/policy/version.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/model/message/topic.h"
#include "common/policy/produce_ledger.h"
#include "common/policy/verify/verify_report.h"
#include "common/port/bus_memory.h"
#include "common/port/sink_memory.h"
#include "common/port/store_memory_unique.h"

enum { REHEARSE_PLACES = 5, REHEARSE_PARTITIONS = 4 };

/* Dead letters of one code: the first ones' places. */
struct rehearse_dead {
    uint64_t count;
    struct rehearse_place {
        struct bytes tenant, entity, where, path; /* in the rehearsal's arena */
    } places[REHEARSE_PLACES];
    size_t place_count;
};

struct rehearsal {
    const struct settings *settings;
    struct mapping_set mappings;
    char source_topic[TOPIC_NAME_SIZE];
    struct bus_memory *bus;
    struct bus_memory_reader *reader;
    struct memory_store *store;
    struct sink *sink;
    struct arena arena;
    struct error failure; /* code ERR_NONE: none */

    /* work */
    struct mapping_work work;
    struct batch *batch;
    bool batch_done;
    int64_t epochs[REHEARSE_PARTITIONS], starts[REHEARSE_PARTITIONS];
    struct version_clock clocks[REHEARSE_PARTITIONS];       /* the worker's */
    struct version_clock check_clocks[REHEARSE_PARTITIONS]; /* the verifier's own */
    uint64_t classes[CLASS_COUNT];
    struct rehearse_dead dead[PRODUCE_CODES_MOST];
    struct memory_unique *unique;

    /* check */
    struct mapping_work check_work;
    struct arena check_arena;
    struct buf key, content;
    struct diff_table table;
    struct rehearse_parents *parents;
    struct verify_report report;

    struct produce_ledger ledger;
    struct buf tenant_from; /* where the tenant comes from, for people */
};

/* rehearse_work.c */
void rehearse_work_open(struct rehearsal *rehearsal);
void rehearse_work_close(struct rehearsal *rehearsal);
/* Takes a message into the open batch; *dead when it cannot become a row. */
void rehearse_work_take(struct rehearsal *rehearsal, const struct bus_message *message, bool *dead);
/* Writes what is in the open batch. */
void rehearse_work_flush(struct rehearsal *rehearsal);

/* rehearse_check.c */
void rehearse_check_open(struct rehearsal *rehearsal);
void rehearse_check_close(struct rehearsal *rehearsal);
void rehearse_check_take(struct rehearsal *rehearsal, const struct bus_message *message, bool dead);
/* At the end: the store against what was taken. */
void rehearse_check_judge(struct rehearsal *rehearsal, enum memory_keeps keeps);

/* rehearse_parents.c: references to records that are nowhere. */
struct rehearse_parents *rehearse_parents_new(void);
void rehearse_parents_free(struct rehearse_parents *parents);
size_t rehearse_parents_bytes(const struct rehearse_parents *parents);
void rehearse_parents_take(struct rehearse_parents *parents, const struct mapping_set *mappings,
                           const struct mapping *mapping, const struct row *row, uint32_t group);
/* Adds to the entities' counts by group; returns how many. `counts` has report.groups.count
 * places. */
uint64_t rehearse_parents_judge(const struct rehearse_parents *parents,
                                const struct memory_store *store, uint64_t *counts);

/* rehearse_text.c */
void rehearse_text_append(const struct rehearsal *rehearsal, const uint64_t *orphans,
                          struct buf *out);
void rehearse_json_append(const struct rehearsal *rehearsal, const uint64_t *orphans,
                          struct json_out *out);

/* The first failure is kept. */
void rehearse_fail(struct rehearsal *rehearsal, const struct error *err);
/* What all parts hold by now, apart from one batch and one record. */
size_t rehearse_bytes(const struct rehearsal *rehearsal);

/* rehearse.c: both commands. `keeps`: rows for a run, checks for a rehearsal. */
MUST_USE enum exit_code rehearse_main(const struct settings *settings, enum memory_keeps keeps,
                                      struct error *err);

#endif
