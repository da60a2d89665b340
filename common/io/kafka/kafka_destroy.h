#ifndef DROVER_IO_KAFKA_DESTROY_H
#define DROVER_IO_KAFKA_DESTROY_H

/*
 * The end of a client of librdkafka. Destroying one joins its threads, and those may wait for a
 * broker's answer as long as a request may take (socket.timeout.ms, a minute). So it happens on a
 * thread of its own, which is waited for KAFKA_DESTROY_MS at most and then left behind (stop.h).
 */

#include <librdkafka/rdkafka.h>

/* All of a process's clients together are waited for this long beyond what they need. */
#define KAFKA_DESTROY_MS 500

/* Takes `client`, of which nothing may be held any more: no message, queue, topic. `flags` are
 * rd_kafka_destroy_flags'. No callback runs after this. NULL: nothing. */
void kafka_destroy(rd_kafka_t *client, int flags);
/* The same for a client of which something is held whose release may block as well (stopping a
 * partition waits for its broker): `release` lets go of it, on that thread, and frees `held`. */
void kafka_destroy_held(rd_kafka_t *client, int flags, void (*release)(void *held), void *held);

#endif
