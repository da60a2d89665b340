#ifndef DROVER_POLICY_OUTAGE_H
#define DROVER_POLICY_OUTAGE_H

/*
 * A server that is away, as a state that begins and ends, not as a stream of messages: who watches
 * (a run and its workers) tells each time what it sees, and is told when that changes something.
 * Pure: the clock is handed in (milliseconds, monotonic).
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json_out.h"

enum outage_service {
    OUTAGE_KAFKA,
    OUTAGE_POSTGRES,
    OUTAGE_REDIS,
    OUTAGE_SERVICES,
};

enum { OUTAGE_CAUSE_SIZE = 160 };

struct outage {
    bool is_on;
    uint64_t since_ms;
    char code[12];                 /* "DRV-P001"; of the newest report */
    char cause[OUTAGE_CAUSE_SIZE]; /* "connection refused 127.0.0.1:5432"; "" when not known */
};

struct outages {
    struct outage of[OUTAGE_SERVICES];
};

enum outage_change {
    OUTAGE_SAME,
    OUTAGE_BEGAN,
    OUTAGE_ENDED, /* since_ms still says when it had begun */
};

/* Whose the code is; OUTAGE_SERVICES: nobody's. */
enum outage_service outage_service_of(enum error_code code);
/* "PostgreSQL", and "postgres" as in names of events and progress lines. */
const char *outage_title(enum outage_service service);
const char *outage_word(enum outage_service service);
/* The event that is logged of a change, "postgres.away": static, as the log keeps the name. */
const char *outage_event(enum outage_service service, enum outage_change change);
/* By the word; OUTAGE_SERVICES: none. */
enum outage_service outage_find(const char *word);
/* What is seen now: away for this reason, or there. `code` and `cause` may be "". */
enum outage_change outage_see(struct outages *outages, enum outage_service service, bool is_away,
                              const char *code, const char *cause, uint64_t now_ms);
/* The error's reason in a few words without control characters: of a refused connection what
 * refused and where, whatever client said it. */
void outage_append_cause(struct buf *out, const struct error *err);
/* "PostgreSQL away 0:23, connection refused 127.0.0.1:5432; nothing is lost", as far as it fits;
 * one that is on. */
void outage_append_line(struct buf *out, const struct outages *outages, enum outage_service service,
                        uint64_t now_ms, const char *indent, int width);
/* "away": the servers that somebody cannot reach, and since when; nothing is lost meanwhile. */
void outage_append_json(struct json_out *out, const struct outages *outages, uint64_t now_ms);
/* "0:23", "1:02:03". */
void outage_append_time(struct buf *out, uint64_t span_ms);

#endif
