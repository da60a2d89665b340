#ifndef DROVER_MODEL_DEAD_LETTER_READING_H
#define DROVER_MODEL_DEAD_LETTER_READING_H

/*
 * What a dead letter says of itself, whoever wrote it: Drover, Kafka Connect (__connect.errors.…)
 * or Spring (kafka_dlt-…, whose numbers are big-endian integers). Who only needs to know what a
 * dead letter of Drover's is of asks dead_letter_read.
 */

#include "common/model/message/dead_letter.h"

#define DEAD_LETTER_SPRING "kafka_dlt-"

#define DEAD_LETTER_FAMILIES(X)                                                                    \
    X(UNKNOWN, "unknown")                                                                          \
    X(DROVER, "drover")                                                                            \
    X(CONNECT, "kafka_connect")                                                                    \
    X(SPRING, "spring")

enum dead_letter_family {
#define X(family, word) DEAD_LETTER_BY_##family,
    DEAD_LETTER_FAMILIES(X)
#undef X
};

/* Views into the message; empty, or -1, for what it does not say. */
struct dead_letter_reading {
    enum dead_letter_family family;
    struct bytes id;    /* Drover's */
    struct bytes topic; /* where the record was */
    bool has_place;     /* with partition and offset */
    int32_t partition;
    int64_t offset;
    enum error_code code;   /* ERR_NONE: none of ours */
    struct bytes code_text; /* as it stands there: DRV-…, or the class of an exception */
    struct bytes path, stage;
    struct bytes reason;  /* reason_is_ours: Drover's words, which hold no value; else whoever's */
    struct bytes details; /* a stack trace, always somebody else's */
    bool reason_is_ours;
    struct bytes truncated;
    struct bytes replayed_from;
    int64_t attempts;    /* 1 when it does not say */
    int64_t log_version; /* 0: none */
};

/* Of a header that is there several times the last one counts. */
struct dead_letter_reading dead_letter_read_all(const struct header *headers, size_t count);
/* Whether a header says why, when or where from a message became a dead letter: it goes when the
 * message is sent again. */
bool dead_letter_is_reason(struct bytes name);
/* "spring" */
const char *dead_letter_family_word(enum dead_letter_family family);

#endif
