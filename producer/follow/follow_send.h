#ifndef DROVER_PRODUCER_FOLLOW_SEND_H
#define DROVER_PRODUCER_FOLLOW_SEND_H

/*
 * What was compared is sent and stored, several files at once: one write of the state says what may
 * be sent, then all is sent, waited for, and a second write says what was. So a change costs its
 * share of two writes and one answer of Kafka, not all of them.
 *
 *   later ─ later ─ … pending: intents ─► each file's second pass ─► acknowledged ─► stored
 *
 * No key is in two files of a batch (follow_state_clashes).
 */

#include "producer/follow/follow_read.h"

enum follow_pass {
    FOLLOW_COMPARES, /* the first one */
    FOLLOW_SENDS,
    FOLLOW_SENDS_SILENTLY, /* what is rejected was listed before */
};
/* A pass over the file; what it rejects is reader->refused. */
void follow_send_read(struct follow_reader *reader, const struct source_file *source,
                      enum follow_pass pass);
/* Of a record of the second pass. */
MUST_USE enum outcome follow_send_wanted(struct follow_reader *reader,
                                         const struct follow_seen *seen, struct record *record,
                                         bool *send, struct error *err);

/* Takes a copy; its file and source live until the batch is sent. There is room unless
 * follow_send_is_due. */
void follow_send_later(struct follow_reader *reader, const struct follow_pending *pending);
/* The batch is full, or has waited long enough. */
bool follow_send_is_due(const struct follow_reader *reader);
/* OUT_RETRY: not all of it; the files are to be read again. A failure is the producer's. */
enum outcome follow_send_pending(struct follow_reader *reader);

#endif
