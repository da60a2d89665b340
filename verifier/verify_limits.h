#ifndef DROVER_VERIFIER_VERIFY_LIMITS_H
#define DROVER_VERIFIER_VERIFY_LIMITS_H

/* How long the verifier waits for others, and how --memory is divided. */

enum {
    VERIFY_CONNECT_MS = 10000,
    VERIFY_KAFKA_MS = 15000,    /* for a broker, and for the next message */
    VERIFY_LOOKED_MOST = 10000, /* suspects a verdict that are looked at member by member */
    VERIFY_CHUNK_RECORDS = 500, /* suspects looked up at once */
    VERIFY_CHUNK_BYTES = 8 << 20,
};

/* Half of --memory holds the keys, a sixteenth the dead letters; the rest is for librdkafka's
 * queue, one record on each side and the report. */
#define VERIFY_TABLE_SHARE(memory) ((memory) / 2)
#define VERIFY_DEAD_SHARE(memory) ((memory) / 16)

#endif
