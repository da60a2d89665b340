#ifndef DROVER_PRODUCER_REJECTS_H
#define DROVER_PRODUCER_REJECTS_H

/*
 * The list of what could not be produced: the first ones on standard error as people read errors,
 * all of them as JSON lines in a file when one is named. Nothing is kept in memory.
 *
 * A follower has no end at which it could say how many more there were: its first ones are those of
 * each minute, and how many more there were is said when the minute is over. Sources that cannot be
 * read, and the first record of each, have a bound of their own there: no source hides another.
 */

#include <stdint.h>
#include <stdio.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/model/message/record.h"

/* What is told that is no rejection; each kind within a bound of its own. */
enum note_kind {
    NOTE_RECORD,
    NOTE_SOURCE,  /* from where it is read */
    NOTE_SKIPPED, /* a source */
    NOTE_OVER,    /* nothing is wrong any more with a followed source */
    NOTE_KINDS,
};

struct rejects {
    FILE *file; /* NULL: none */
    const char *path;
    uint64_t shown;
    uint64_t shown_max;
    uint64_t hidden;
    uint64_t sources_shown, sources_hidden; /* of a follower, */
    bool is_first;      /* what is added next is the first that is wrong with a followed source */
    uint64_t minute_ms; /* a follower: when it began, monotonic; else 0 */
    uint64_t noted[NOTE_KINDS], notes_hidden[NOTE_KINDS];
    bool failed; /* the file could not be written */
};

/* OUT_FATAL DRV-X004 when the file cannot be made. */
MUST_USE enum outcome rejects_open(struct rejects *rejects, const struct settings *settings,
                                   struct error *err);
/* `origin`: where the record began; line 0: the source as a whole. */
void rejects_add(struct rejects *rejects, const struct origin *origin, const struct error *err);
/* Of a follower, before a source is read of which nothing was rejected: the first record that is.
 */
void rejects_begin_source(struct rejects *rejects, bool is_first);
/* The source as a whole. */
void rejects_add_source(struct rejects *rejects, const struct origin *origin,
                        const struct error *err);
/* A follower's minute is over. */
bool rejects_is_due(const struct rejects *rejects, uint64_t now_ms);
/* Says how many were not shown in it. */
void rejects_begin_minute(struct rejects *rejects, uint64_t now_ms);
/* Shown within the same bound, not in the file. */
void rejects_note(struct rejects *rejects, enum note_kind kind, const struct origin *origin,
                  const struct error *err);
/* Says how many were not shown. OUT_FATAL DRV-X004 when the file is not complete. */
MUST_USE enum outcome rejects_close(struct rejects *rejects, struct error *err);

#endif
