#ifndef DROVER_POLICY_VERIFY_HTML_H
#define DROVER_POLICY_VERIFY_HTML_H

/*
 * report.html: the report as one page that needs nothing else: no network, no script; its only
 * style is its own, which its Content-Security-Policy names by its hash. Numbers, samples and masks
 * are those of report.json. It is for attaching to a decision: the verdict with its reason first,
 * then the sum, the problems with what to do, and what was not compared.
 */

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/policy/verify/verify_report.h"

/* What the report itself does not know. */
struct verify_html_facts {
    int64_t unix_ms;     /* when it is written */
    const char *who;     /* "user@host" */
    const char *storage; /* a word of the settings */
    size_t files;        /* original files, or folders, that were compared with the topic */
};

/* Only `out` can fail. */
void verify_html_append(const struct verify_report *report, const struct verify_html_facts *facts,
                        struct buf *out);

#endif
