#ifndef DROVER_VERIFIER_FOLLOW_FOLLOW_STEP_H
#define DROVER_VERIFIER_FOLLOW_FOLLOW_STEP_H

/*
 * One step of the follower: a snapshot, the messages that receipts told of and that it has passed,
 * the suspects whose time has come; their verdicts, as one page of the book.
 *
 *   due ranges ── source messages ─┐
 *   suspects, those that waited ───┴► look ──► page: counts, positions, suspects, samples
 *
 * A step that fails changed nothing, and is done again. Blocking.
 */

#include "common/policy/rate/write_times.h"
#include "verifier/follow/follow_reads.h"
#include "verifier/follow/receipt_intake.h"
#include "verifier/follow/row_lookup.h"
#include "verifier/follow/notes.h"
#include "verifier/follow/share.h"
#include "verifier/follow/suspects.h"
#include "verifier/follow/tally.h"

struct follow_step {
    const struct settings *settings;
    struct bus *bus;
    struct receipt_intake *intake;
    struct row_lookup *lookup;
    struct suspects *suspects;
    struct notes *notes;
    struct write_times *writes;
    struct follow_reads *reads; /* NULL: none are compared */
    struct share share;
    uint64_t left; /* messages that the last step could have looked at, and did not */
    struct tally tally;
    bool is_ending; /* suspects alone are looked at */

    /* of the step in hand */
    struct bus_range *spans; /* by partition */
    int64_t *reached;        /* by partition: offsets below were read */
    struct version_clock *clocks;
    struct settled_list known; /* suspects of the book, at the start */
    int64_t judged_ms;         /* Unix time */
    struct arena arena;        /* of the page */
    struct follow_sample *samples;
    size_t sample_count;
    struct book_suspect *added, *removed;
    size_t added_count, removed_count;
    struct kept_message **gone; /* of those removed */
};

void follow_step_init(struct follow_step *step);
void follow_step_free(struct follow_step *step);
/* Whether there is anything to look at by now. */
bool follow_step_is_due(const struct follow_step *step, uint64_t now_ms);
/* OUT_RETRY: a server is away (err->code says which); anything else is for good. */
MUST_USE enum outcome follow_step_do(struct follow_step *step, uint64_t now_ms, struct error *err);
/* The suspects that the book holds, at the start. Fails as reading the source does, or the book. */
MUST_USE enum outcome follow_step_restore(struct follow_step *step, struct error *err);
/* `ranges` of the source: what they no longer hold is not compared. Fails as the book does. */
MUST_USE enum outcome follow_step_skip_gone(struct follow_step *step,
                                            const struct bus_range *ranges, size_t count,
                                            struct error *err);

#endif
