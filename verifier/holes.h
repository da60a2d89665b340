#ifndef DROVER_VERIFIER_HOLES_H
#define DROVER_VERIFIER_HOLES_H

/*
 * Offsets of a topic that are no messages: transaction markers, aborted transactions, what
 * compaction removed. Found by reading the topic in order; who counts records by offsets asks here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hole {
    int32_t partition;
    int64_t from, to;
};

struct holes {
    struct hole *items;
    size_t count, room;
    int64_t *next;   /* by partition: behind the last message seen */
    bool overflowed; /* there are more than are kept: what is asked is not known */
};

/* Forgets what was seen; then holes_start for each partition. */
void holes_begin(struct holes *holes, size_t partitions);
void holes_start(struct holes *holes, int32_t partition, int64_t low);
/* A message, in the order of its partition. */
void holes_see(struct holes *holes, int32_t partition, int64_t offset);
/* After the reading, before the first question. */
void holes_finish(struct holes *holes);
/* Offsets in [from, to) that are no messages. */
uint64_t holes_in(const struct holes *holes, int32_t partition, int64_t from, int64_t to);
/* All that were seen. */
uint64_t holes_count(const struct holes *holes);
void holes_free(struct holes *holes);

#endif
