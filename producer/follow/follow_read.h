#ifndef DROVER_PRODUCER_FOLLOW_READ_H
#define DROVER_PRODUCER_FOLLOW_READ_H

/* One followed file: a first pass compares it with what is known, a second one sends what changed;
 * then all is waited for, and stored. */

#include "producer/follow/followed.h"
#include "producer/follow/follow_state.h"
#include "producer/producer.h"

/* A reading in the works. */
struct follow_reader {
    struct producer *producer;
    struct follow_state *state;
    uint64_t scan_ms;
    uint64_t scan_began_ms; /* when the scan of hand began, before it listed the files */
    size_t unread; /* files with news that could not be read yet: nothing is deleted meanwhile, */
    bool waited;   /* unless that has been so for SCAN_TRIES_MAX scans */
    struct record_gate gate;
    bool sending;      /* the second pass */
    uint64_t rejected; /* of the first pass */
    bool unfinished;   /* so far: `why` */
    struct error why;
    uint64_t upserts, deletes; /* of all readings, for people */
    uint64_t reading_ms;       /* spent in files that had news */
    int64_t last_change_ms;    /* something was produced then, Unix time; -1: nothing yet */
};

void follow_reader_init(struct follow_reader *reader, struct producer *producer,
                        struct follow_state *state);

/* All files' news are read before any file's losses are believed: what one lost, another may have.
 */
enum scan_turn { TURN_NEWS, TURN_LOSSES };
/* Looks at a file that is there. `scan`: this one is a turn of the periodic scan. Between the two
 * turns the caller counts reader->unread. */
void follow_read_file(struct follow_reader *reader, struct followed *file,
                      const struct source_file *source, enum scan_turn turn, bool scan);
/* Deletes what a file that is not there alone held; false when it is there, or cannot be told. */
bool follow_forget(struct follow_reader *reader, struct followed *file);
/* Looks at one that is known and none of the sources now, at a turn of the scan. */
void follow_read_away(struct follow_reader *reader, struct followed *file);

#endif
