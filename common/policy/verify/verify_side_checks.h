#ifndef DROVER_POLICY_VERIFY_SIDE_CHECKS_H
#define DROVER_POLICY_VERIFY_SIDE_CHECKS_H

/*
 * What a verification finds beside the source records' verdicts: Redis against PostgreSQL, rows
 * whose parent is not there, sealed values against the vault. It counts for the verdict.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_out.h"

#define VERIFY_ORPHANS_MAX 256 /* references of all mappings; more are summed in the last */

/* Rows that refer to a parent that is not there. */
struct verify_orphans {
    const char *entity, *parent;
    uint64_t rows;
};

/* Redis against the rows it follows. */
struct verify_redis {
    bool compared;
    uint64_t match;
    uint64_t different, stale, target_newer, missing, extra; /* problems */
    uint64_t unexpected; /* keys of the mappings' patterns that no row explains; a problem */
    uint64_t expired;    /* gone, and their ttl is over since they were produced: no fault */
    bool emptied;        /* the sentinel that says Redis is whole is not there; a problem */
};

struct verify_sealed {
    uint64_t match;
    uint64_t missing, different; /* no box in the vault; another value, or none that opens */
    uint64_t not_compared;       /* without the key, or a store whose vault is not read */
};

/* Storage file: files of the store, and what lies among them. All but `match` are problems. */
struct verify_files {
    bool compared;
    uint64_t match;   /* byte for byte what the store's records give */
    uint64_t edited;  /* something else lies there */
    uint64_t missing; /* nothing does */
    uint64_t unowned; /* not the store's: in a file's place, or a *.json among them */
    uint64_t unreadable;
    uint64_t unwritten; /* the store's records have moved on, the file has not */
};

struct verify_side_checks {
    struct verify_orphans orphans[VERIFY_ORPHANS_MAX];
    size_t orphan_count;
    struct verify_redis redis;
    struct verify_sealed sealed;
    struct verify_files files;
};

/* Keeps only those that there are. */
void verify_side_checks_orphans(struct verify_side_checks *side_checks, const char *entity,
                                const char *parent, uint64_t rows);
uint64_t verify_side_checks_redis_problems(const struct verify_side_checks *side_checks);
uint64_t verify_side_checks_file_problems(const struct verify_side_checks *side_checks);
uint64_t verify_side_checks_orphan_rows(const struct verify_side_checks *side_checks);
uint64_t verify_side_checks_problems(const struct verify_side_checks *side_checks);
/* Lines for people; nothing when there is nothing to tell. */
void verify_side_checks_append_text(const struct verify_side_checks *side_checks, size_t width,
                                    struct buf *out);
/* ,"redis":{…},"orphans":[…],"sealed":{…} */
void verify_side_checks_append_json(const struct verify_side_checks *side_checks,
                                    struct json_out *out);

#endif
