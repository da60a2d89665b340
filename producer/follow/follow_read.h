#ifndef DROVER_PRODUCER_FOLLOW_READ_H
#define DROVER_PRODUCER_FOLLOW_READ_H

/* One followed file: a first pass compares it with what is known; what changed is sent in a second
 * one, together with that of other files (follow_send.h). */

#include "producer/follow/followed.h"
#include "producer/follow/follow_rejected.h"
#include "producer/follow/follow_state.h"
#include "producer/producer.h"

#define FOLLOW_PENDING_MAX 64

/* How much of a file is read. */
enum follow_reach {
    REACH_ALL,
    REACH_PART, /* what was appended to it */
    REACH_NONE, /* it is what it was */
};

/* Of NDJSON that may grow (follow_grown.h). */
struct follow_growth {
    enum follow_reach reach;
    bool is_known;             /* what is read ends a line, and nothing is in doubt: to be stored */
    struct follow_grown grown; /* before; what was read is added to it */
    struct follow_part parts[2];
    size_t part_count;
    bool anew; /* they are all */
};

/* A file that was compared, and is to be sent. */
struct follow_pending {
    struct followed *file;
    struct source_file part; /* of REACH_PART: what `source` is */
    struct follow_growth growth;
    const struct source_file *source; /* NULL: */
    bool gone;                        /* the file is no more, and all it held is deleted */
    bool settled;                     /* an earlier scan saw the same */
    struct follow_known known;
    struct scan_identity before; /* as it was stored */
    struct follow_counts counts;
    struct passage *refused; /* what is rejected and withheld of it; NULL: it is gone */
    struct passage *late;    /* and what Kafka refused; NULL: nothing */
    uint64_t rejected;
    uint64_t left; /* changed between the two passes, and not sent */
};

/* A reading in the works. */
struct follow_reader {
    struct producer *producer;
    struct follow_state *state;
    struct follow_rejected *rejections;
    struct passage *refused; /* of the pass of hand */
    struct buf asked;        /* the key of the record of hand when it is to be sent, */
    uint64_t asked_ordinal;
    uint64_t scan_ms;
    uint64_t scan_began_ms; /* when the scan of hand began, before it listed the files */
    /* Whether there are names that were not listed yet, by what was noticed up to now. */
    bool (*names_came)(void *owner);
    void *owner;
    bool noticed;  /* the file at hand is read because a notice of it came, not by a scan */
    size_t unread; /* files with news that could not be read yet: nothing is deleted meanwhile, */
    bool waited;   /* unless that has been so for SCAN_TRIES_MAX scans */
    struct record_gate gate;
    bool sending;     /* the second pass */
    bool ended_lines; /* the first pass: lines, and the last one has an end: */
    struct json_line_start line_start;
    struct digest read_digest; /* of what it read, */
    uint64_t read_bytes;       /* so many bytes */
    uint64_t rejected;         /* of the first pass */
    bool unfinished;           /* so far: `why` */
    struct error why;
    struct follow_pending pending[FOLLOW_PENDING_MAX];
    size_t pending_count;
    uint64_t pending_changes;
    uint64_t pending_ms;       /* since the first of them waits */
    uint64_t upserts, deletes; /* of all readings, for people */
    uint64_t reading_ms;       /* spent in files that had news */
    int64_t last_change_ms;    /* something was produced then, Unix time; -1: nothing yet */
};

void follow_reader_init(struct follow_reader *reader, struct producer *producer,
                        struct follow_state *state, struct follow_rejected *rejections);
void follow_reader_free(struct follow_reader *reader);
/* Kafka refused what was sent of a file that is not stored yet. */
void follow_read_late(struct follow_reader *reader, const struct origin *origin,
                      enum error_code code);

/* All files' news are read before any file's losses are believed: what one lost, another may have.
 */
enum scan_turn { TURN_NEWS, TURN_LOSSES };
/* Looks at a file that is there. `scan`: this one is a turn of the periodic scan. Between the two
 * turns the caller counts reader->unread. */
void follow_read_file(struct follow_reader *reader, struct followed *file,
                      const struct source_file *source, enum scan_turn turn, bool scan);
/* At the end of a turn: sends what the files read had. */
void follow_read_end(struct follow_reader *reader);
/* Deletes what a file that is not there alone held; false when it is there, or cannot be told. */
bool follow_forget(struct follow_reader *reader, struct followed *file);
/* Looks at one that is known and none of the sources now, at a turn of the scan. */
void follow_read_away(struct follow_reader *reader, struct followed *file);

#endif
