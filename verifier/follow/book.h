#ifndef DROVER_VERIFIER_BOOK_H
#define DROVER_VERIFIER_BOOK_H

/*
 * What a following verifier remembers, in SQLite: counts by minute, how far each partition was
 * read, the suspects that are looked at again, samples, the last full pass. What one step of the
 * follower adds is written in one transaction (book_add), counts and positions together: whatever
 * ends the process, after a restart nothing is lost and nothing counts twice.
 *
 *   book_open ── book_suspects, book_position ── book_add… ── book_windows, book_groups … ── close
 *
 * Everything has a bound, given at open. Where there are more tenants or entities, the later ones
 * are counted as BOOK_OTHERS together; the same happens, minute by minute, to what would need more
 * rows of counts than `cells_max`.
 *
 * All failures are OUT_FATAL DRV-X004, unless written otherwise. The file is readable by its owner
 * alone: samples are in it. Opened by one process at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/model/message/record.h"
#include "common/policy/rate/rolling.h"

struct book;
struct alerts; /* common/io/alert/alerts.h */

#define BOOK_OTHERS "(others)"
#define BOOK_ENTITIES_MAX 1000    /* named; as many as a migration has mappings, and more */
#define BOOK_PARTITIONS_MAX 10000 /* as kafka.partitions */
#define BOOK_SAMPLE_FIELDS_MAX 20
#define BOOK_SAMPLE_TEXT_MAX 1000 /* bytes of one text of a sample; longer ones are cut */

struct book_conf {
    const char *folder, *migration;
    const char *id;       /* names this verifier among several of the migration */
    uint64_t tenants_max; /* verify.report_tenants */
    uint64_t cells_max;   /* verify.follow_cells: rows of counts by minute */
    uint64_t samples_max; /* verify.samples: of each verdict */
    uint64_t suspects_max;
};

/* Opens or makes <folder>/<migration>.verify.<id>.db and holds its lock. What is damaged is
 * refused, never begun anew silently. `unix_ms`: now. OUT_RETRY DRV-X004: another process has it.
 */
MUST_USE enum outcome book_open(const struct book_conf *conf, int64_t unix_ms, struct book **book,
                                struct error *err);
/* Every two seconds, and OUT_OK between: its path leads to it, or nothing of it will be left. */
MUST_USE enum outcome book_check_place(struct book *book, struct error *err);
/* NULL is allowed. */
void book_close(struct book *book);

/* ---- what is added ---- */

struct book_count {
    struct bytes tenant, entity;
    enum operation operation;
    unsigned class; /* a verdict or a rolling_class */
    uint64_t count;
};

struct book_position {
    int32_t partition;
    int64_t results_next; /* in the results topic; everything before it is in the book */
    int64_t verified;     /* in the source topic */
};

/* A message that looked wrong and has no verdict yet. It is in the book until that is counted, so a
 * restart looks at it again. */
struct book_suspect {
    int32_t partition;
    int64_t offset;   /* in the source topic */
    int64_t since_ms; /* Unix time of the first look */
    uint32_t looks;
};

/* One step's work: everything in it, or nothing, is written. Borrowed for the call. */
struct book_page {
    const struct book_count *counts; /* any order; the same group and class may come again */
    size_t count_count;
    const struct book_position *positions;
    size_t position_count;
    const struct book_suspect *suspects; /* new ones, and known ones with what has changed */
    size_t suspect_count;
    const struct book_suspect *settled; /* by partition and offset */
    size_t settled_count;
    const struct follow_sample *samples; /* known ones by verdict, partition and offset */
    size_t sample_count;
    const struct rolling_gauges *gauges; /* NULL: nothing new */
};

/* `unix_ms`: now, the minute in which it counts. New suspects above `suspects_max` are OUT_FATAL
 * DRV-X999: who adds them counts. Samples above `samples_max` take the place of those of the same
 * verdict that were seen longest ago. After a failure the book is as it was before. */
MUST_USE enum outcome book_add(struct book *book, const struct book_page *page, int64_t unix_ms,
                               struct error *err);
/* Keeps it as the last one, and its samples apart from the follower's, instead of those before. */
MUST_USE enum outcome book_add_full_pass(struct book *book, const struct follow_full_pass *pass,
                                         const struct follow_sample *samples, size_t count,
                                         struct error *err);

/* Which of the alerts are told breaches by now; and, after a restart, which were, so that they are
 * not told again. */
MUST_USE enum outcome book_keep_alerts(struct book *book, const struct alerts *alerts,
                                       struct error *err);
MUST_USE enum outcome book_resume_alerts(struct book *book, struct alerts *alerts,
                                         struct error *err);

/* ---- what is in it ---- */

/* Time goes on, also when nothing is added: windows end now. */
void book_tick(struct book *book, int64_t unix_ms);

/* Counts and minutes, without reading the file: also between two steps of the loop. Valid until the
 * book is closed. */
const struct rolling *book_rolling(const struct book *book);
/* When the book was begun (Unix time), how often it was opened, this time included. */
int64_t book_since_ms(const struct book *book);
uint32_t book_starts(const struct book *book);
/* How many suspects it holds. */
uint64_t book_suspect_count(const struct book *book);

/* results_next and verified are -1 when nothing is known of the partition. */
MUST_USE enum outcome book_position(struct book *book, int32_t partition,
                                    struct book_position *position, struct error *err);

/* The lists below are made in the arena; OUT_FATAL DRV-X004 also when it is too small. */

MUST_USE enum outcome book_positions(struct book *book, struct arena *arena,
                                     struct book_position **positions, size_t *count,
                                     struct error *err);
/* Of a partition, by offset. */
MUST_USE enum outcome book_suspects(struct book *book, int32_t partition, struct arena *arena,
                                    struct book_suspect **suspects, size_t *count,
                                    struct error *err);
/* By tenant, entity and operation, of a window: at most `max` of them, those with the most
 * discrepancies first. */
MUST_USE enum outcome book_groups(struct book *book, enum follow_window_kind kind, size_t max,
                                  struct arena *arena, struct follow_group **groups, size_t *count,
                                  struct error *err);
/* The newest first; of the last full pass, or the follower's own. */
MUST_USE enum outcome book_samples(struct book *book, bool of_full_pass, struct arena *arena,
                                   struct follow_sample **samples, size_t *count,
                                   struct error *err);
/* began_ms is negative when there was none. next_ms is not the book's. */
MUST_USE enum outcome book_full_pass(struct book *book, struct arena *arena,
                                     struct follow_full_pass *pass, struct error *err);

#endif
