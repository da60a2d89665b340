#ifndef DROVER_POLICY_PRODUCE_COUNTERS_H
#define DROVER_POLICY_PRODUCE_COUNTERS_H

/*
 * What became of the records of a produce run. Each record read is in exactly one place: on its way
 * to Kafka, produced, or rejected at the source (P1); sources that could not be read are counted
 * apart, as nobody knows how many records they hold.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_out.h"
#include "common/base/error.h"

#define PRODUCE_CODES_MAX 128

struct produce_counters {
    uint64_t read;
    uint64_t queued; /* accepted by the Kafka client, not yet stored */
    uint64_t produced;
    uint64_t rejected;
    uint64_t withheld;        /* records that are a token as a whole */
    uint64_t withheld_fields; /* tokens taken out of records */
    uint64_t sealed_fields;   /* secrets sealed in records */
    uint64_t deleted;         /* of those queued: deletes */
    uint64_t twice;   /* keys that came before in their source, written otherwise, where the mapping
                         has no version that would tell which is meant */
    uint64_t overlap; /* the same in another source: the one that was modified later wins */
    bool keys_full;   /* not all keys were looked for */
    uint64_t tenant_given; /* records that name no tenant and got the one given from outside */
    uint64_t tenant_named; /* records that name it themselves, although one is given */
    uint64_t replayed;     /* of those produced: acknowledged to a process before */
    uint64_t resumed;      /* sources that went on where one was interrupted */
    uint64_t anew;         /* sources of which something was sent, and that is no use any more */
    uint64_t skipped;      /* sources that were sent before and are unchanged, */
    uint64_t skipped_records, skipped_rejected; /* and what they hold */
    uint64_t failed_sources;
    uint64_t sources;
    uint64_t payload_bytes;              /* of the records accepted */
    uint64_t by_code[PRODUCE_CODES_MAX]; /* rejections and failed sources */
};

void produce_counters_queue(struct produce_counters *counters, size_t payload_bytes);
/* A record that was sent and acknowledged before. */
void produce_counters_replay(struct produce_counters *counters, size_t payload_bytes);
void produce_counters_store(struct produce_counters *counters);
/* A queued record that Kafka refused. */
void produce_counters_refuse(struct produce_counters *counters, enum error_code code);
void produce_counters_reject(struct produce_counters *counters, enum error_code code);
/* A record that is a token: nothing of it goes on. */
void produce_counters_withhold(struct produce_counters *counters);
void produce_counters_fail_source(struct produce_counters *counters, enum error_code code);
/* P1, with nothing left on its way when `at_end`. */
bool produce_counters_adds_up(const struct produce_counters *counters, bool at_end);

/* How far it is, for a progress line. */
struct produce_state {
    const char *run;
    uint64_t source_bytes; /* read, as stored */
    uint64_t total_bytes;  /* 0: unknown */
    uint64_t elapsed_ms;
    bool done;
    bool stopped; /* by a signal, before the end */
};

/* {"role":"produce","read":N,…} without newline. */
void produce_counters_append_progress(struct buf *line, const struct produce_counters *counters,
                                      const struct produce_state *state);
/* One line for people, without newline. */
void produce_counters_append_line(struct buf *out, const struct produce_counters *counters,
                                  const struct produce_state *state);
/* The summary: lines for people, each ends in a newline. */
void produce_counters_append_summary(struct buf *out, const struct produce_counters *counters,
                                     const struct produce_state *state, size_t width);
/* For machines: members of an object that is open. */
void produce_counters_append_json(struct json_out *out, const struct produce_counters *counters,
                                  const struct produce_state *state);
/* The codes alone: {"DRV-J001": 3, …} */
void produce_counters_append_json_codes(struct json_out *out,
                                        const struct produce_counters *counters, const char *name);

#endif
