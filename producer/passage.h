#ifndef DROVER_PRODUCER_PASSAGE_H
#define DROVER_PRODUCER_PASSAGE_H

/*
 * A source on its way: read, sent, acknowledged, told. Several are under way at once, as the next
 * one is read while the topic has not acknowledged the last messages of the one before.
 *
 *   read ─► messages ─► marks ─► acknowledged: the manifest's row moves ─► the end: row, reading
 *
 * Its counts and rejections are of the whole source, however many processes read it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/model/message/reading.h"
#include "common/model/message/record.h"
#include "producer/manifest/manifest.h"

/* Whose messages they are: a run and its numbers. */
struct producer_run {
    char name[MANIFEST_RUN_SIZE];
    int64_t *sequences;        /* next one, by partition */
    struct manifest_tip *tips; /* acknowledged, by partition */
    bool moved;                /* tips that are not stored */
};

struct passage {
    const char *path; /* the list's */
    bool stream;
    bool remembered; /* it has a row in the manifest: */
    struct manifest_source row;
    struct producer_run *run;
    uint64_t records;       /* taken: sent, rejected, withheld */
    uint64_t replayed;      /* of them: acknowledged before, so they are not sent again */
    uint64_t marked;        /* of them: before the last mark */
    uint64_t marked_ms;     /* when that was made */
    int64_t told_ms;        /* finished_ms of what was told of the source before */
    bool broken;            /* it was not read to its end, or is not what it was at its beginning */
    bool refused;           /* the topic did not take a message: its row tells no place any more */
    struct reading reading; /* its counts; texts are the passage's */
    struct reading_code *codes;
    struct reading_place *places;
};

/* `run` must outlive it. */
struct passage *passage_new(const char *path, bool stream, struct producer_run *run);
/* Fills in `source`: what makes it another source than one whose path is spelled alike: the folder
 * that a relative path is seen from, the isolation key given for its records (or empty), and the
 * one origin that is taken of a browser's profile (NULL: all). Not the host: a container has
 * another name each time. A path that begins with '/' is taken as it is: what a link leads to may
 * be another tomorrow. */
void passage_identify(struct reading *reading, const char *path, struct bytes tenant,
                      const char *web_origin);
void passage_free(struct passage *passage);

/* A record that is not sent; `entity` may be empty. */
void passage_reject(struct passage *passage, const struct origin *origin, struct bytes entity,
                    enum error_code code);
/* What an earlier reading of the source's begin rejected and withheld, before its own. */
void passage_join(struct passage *passage, const struct reading *before);
/* A message that was sent, and that the topic does not take: its number is missing there. */
void passage_refuse(struct passage *passage, const struct origin *origin, enum error_code code);
/* The message of the results topic, complete or not: later than all that was told before. */
void passage_append_reading(struct passage *passage, bool complete, int64_t now_ms,
                            struct buf *out);

#endif
