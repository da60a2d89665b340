#ifndef DROVER_CONTROL_EXPORT_RUN_H
#define DROVER_CONTROL_EXPORT_RUN_H

/* The state of one `drover export`: read and take apart, sort, write, tell. */

#include <stdint.h>

#include "common/io/answer.h"
#include "common/io/export_sort.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/policy/export/export_secrets.h"
#include "common/port/store_reader.h"

struct pg_snapshot;

enum {
    EXPORT_PROBLEMS_SHOWN = 20, /* of each kind; all are counted */
};

enum export_problem_kind {
    EXPORT_UNREADABLE, /* a record that could not be given back */
    EXPORT_SEALED,     /* a value that stays sealed */
    EXPORT_WITHHELD,   /* a token, which was never stored */
    EXPORT_DROPPED,    /* a text that does not fit what else is under its key */
    EXPORT_PROBLEM_KINDS,
};

struct export_problem {
    char entity[64];
    char id[128]; /* safe for a terminal */
    char what[240];
    char place[120]; /* the member, or the storage key; safe for a terminal; or empty */
};

struct export_run {
    const struct settings *settings;
    struct answer *answer;
    enum export_form form;
    struct mapping_set mappings;
    struct buf tenant, plain_tenant; /* isolation key; the id that {tenant} in keys stands for */
    struct store_reader *reader;
    struct export_sort *sort;
    struct export_maker maker;
    struct secret_ring *ring;  /* NULL: no key */
    struct pg_snapshot *vault; /* NULL: the storage has none that can be read */
    struct export_secrets secrets;
    const struct stored_record *stored; /* at work */

    uint64_t *records;                          /* by mapping */
    uint64_t opened, elsewhere, deleted, given; /* given: texts of records */
    bool found;                                 /* anything of the tenant, deleted or not */
    bool unordered; /* the store does not keep what stands outside of records */
    uint64_t problem_counts[EXPORT_PROBLEM_KINDS];
    struct export_problem problems[EXPORT_PROBLEM_KINDS][EXPORT_PROBLEMS_SHOWN];
    struct buf files; /* names written, each ends in a NUL */
    size_t file_count;
    uint64_t bytes;
};

/* ---- export_write.c */
/* Counts what could not be exported, and keeps the first of each kind to be shown. */
void export_run_problem(struct export_run *run, enum export_problem_kind kind, const char *entity,
                        struct bytes id, const char *what, struct bytes place);
/* The sorted texts as files. */
MUST_USE enum outcome export_write(struct export_run *run, struct error *err);
/* export_summary.c */
void export_summary_print(const struct export_run *run);

#endif
