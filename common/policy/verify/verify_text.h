#ifndef DROVER_POLICY_VERIFY_TEXT_H
#define DROVER_POLICY_VERIFY_TEXT_H

/*
 * The report for people: what keeps it from being trusted, then the problems, each kind with its
 * number and an example, then the tenants that have some; the others are a sum. The verdict is the
 * last line.
 */

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/policy/verify/verify_report.h"

#define VERIFY_TEXT_GROUPS 20 /* rows of the table */
#define VERIFY_TEXT_SAMPLES 6 /* shown, but one of each kind of problem at least */

struct verify_text_options {
    const char *report_path; /* named in the text; NULL: no file was written */
    const char *folder;      /* paths below it are shown relative to it; NULL: as they are */
    bool colour;
    size_t width; /* of a line */
};

void verify_text_append(const struct verify_report *report,
                        const struct verify_text_options *options, struct buf *out);

#endif
