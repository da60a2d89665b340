#ifndef DROVER_VERIFIER_VERIFY_RUN_H
#define DROVER_VERIFIER_VERIFY_RUN_H

/* The state of one verification, shared by the verifier's parts. Internal to verifier/. */

#include <libpq-fe.h>

#include "common/base/arena.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/model/message/topic.h"
#include "common/policy/verify/diff.h"
#include "common/policy/verify/diff_dead.h"
#include "common/policy/verify/judge.h"
#include "common/policy/verify/verify_report.h"
#include "common/policy/version.h"
#include "common/port/stored.h"
#include "verifier/holes.h"
#include "verifier/verify_progress.h"

/* Records that never got into the topic have no tenant to be counted under. */
#define VERIFY_AT_SOURCE BYTES_LITERAL("(at the source)")

/* A mapping and what the comparison needs to know of it. */
struct verify_mapping {
    const struct mapping *mapping;
    bool tolerates; /* has a column with a tolerance */
};

struct verify_run {
    const struct settings *settings;
    struct mapping_set mappings;
    struct verify_mapping *items; /* as mappings.items */
    char source_topic[TOPIC_NAME_SIZE];
    char results_topic[TOPIC_NAME_SIZE];
    char dlq_topic[TOPIC_NAME_SIZE];

    PGconn *snapshot; /* open transaction: REPEATABLE READ, READ ONLY; NULL with `store` */
    struct stored_reader *store; /* storage redis, file: what is compared instead of tables */
    struct diff_table table;
    struct diff_dead dead;
    struct diff_dead waiting;           /* places only: records that wait for their parents */
    struct verify_sealed_check *sealed; /* sealed_check.c's */
    int64_t *dead_next;                 /* by DLQ partition: read up to here */
    size_t dead_partitions;
    uint32_t pass;
    struct holes holes;           /* offsets below `high` that are no messages */
    struct version_clock *clocks; /* by partition: versions of messages that bring none */
    int64_t log_version;          /* of the message that expected_make is given, if it needs one */

    struct judge_work judge;
    struct arena arena; /* one record */
    struct buf key;

    struct verify_report report;
    struct verify_progress progress;
};

/* Tells whether records of this tenant are in the report's scope. */
bool verify_run_in_scope(const struct verify_run *run, struct bytes tenant);
/* True when the store keeps records alone, without what columns hold from outside. */
bool verify_run_keeps_no_cells(const struct verify_run *run);
/* NULL when there is none. */
const struct verify_mapping *verify_run_mapping(const struct verify_run *run, struct bytes entity);

#endif
