#ifndef DROVER_VERIFIER_FOLLOW_FOLLOW_SAVE_H
#define DROVER_VERIFIER_FOLLOW_FOLLOW_SAVE_H

/* The follower's report: a page and JSON, made of its book, in a folder that is written again and
 * again under one name. */

#include "common/io/settings.h"
#include "verifier/follow/follow_view.h"
#include "verifier/follow/notes.h"
#include "verifier/follow/receipt_intake.h"
#include "verifier/follow/row_lookup.h"
#include "verifier/verify_facts.h"

struct follow_save {
    const struct settings *settings;
    const struct notes *notes;
    const struct receipt_intake *intake;
    const struct row_lookup *lookup;
    struct verify_facts texts;
    struct report_facts facts;
    char *path; /* of the page that was written last; NULL: none was */
};

/* What it came about by is asked once. All of it outlives `save`. */
void follow_save_init(struct follow_save *save);
void follow_save_free(struct follow_save *save);
/* Writes it, `ended`: for the last time. Nothing without verify.report. Fails as the book does, or
 * OUT_FATAL DRV-Y006. */
MUST_USE enum outcome follow_save_write(struct follow_save *save,
                                        const struct follow_numbers *numbers, bool ended,
                                        struct error *err);

#endif
