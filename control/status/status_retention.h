#ifndef DROVER_CONTROL_STATUS_RETENTION_H
#define DROVER_CONTROL_STATUS_RETENTION_H

/*
 * What Kafka's retention eats: records of the source topic that are not applied yet (they are lost,
 * DRV-K005), and what it will eat soon: such records, open dead letters, and what receipts tell.
 * Soon is within a day, or a quarter of the retention when that is less. Of retention by bytes it
 * is known only how near its edge the workers are.
 */

#include "common/base/json_out.h"
#include "common/io/kafka/kafka_topics.h"
#include "control/status/status.h"

enum retention_kind {
    RETENTION_LOST, /* offsets [from, to) of one partition are gone, and were not applied */
    RETENTION_SOON, /* `count` messages of the topic go within `within_ms` */
    RETENTION_EDGE, /* one partition's next record is among the oldest tenth of what is kept */
};

struct retention_finding {
    enum retention_kind kind;
    enum topic_kind topic;
    int32_t partition; /* -1: all of them */
    int64_t from, to;
    uint64_t count;
    int64_t within_ms; /* SOON */
    bool is_all;       /* of dead letters: which of them are open is not known */
};

struct retention {
    bool asked; /* the topics' settings: once */
    struct topic_retention limits[TOPIC_KINDS];
    uint64_t dead_reading; /* of status->dead, at which it was counted: */
    uint64_t dead_open;    /* that will be deleted soon */
    struct retention_finding *items;
    size_t count, room;
};

/* After a reading of status, whose dead letters are read when some of them are old. What nobody
 * says is not found. */
void retention_read(struct retention *retention, struct status *status, int64_t now_ms);
void retention_free(struct retention *retention);

/* What was lost, as an error; OUT_OK: nothing was. */
enum outcome retention_lost(const struct retention *retention, const struct status *status,
                            struct error *err);
/* One finding as a sentence, and what to do; `fix` has room for 600. */
void retention_append(struct buf *out, const struct retention_finding *item,
                      const struct retention *retention, const struct status *status);
void retention_fix(const struct retention_finding *item, const struct status *status,
                   char fix[600]);
/* A line each; nothing when there is nothing. */
void retention_append_lines(struct buf *out, const struct retention *retention,
                            const struct status *status);
/* The list "retention"; left out when there is nothing. */
void retention_append_json(struct json_out *out, const struct retention *retention,
                           const struct status *status);

#endif
