#ifndef DROVER_POLICY_VERIFY_HTML_H
#define DROVER_POLICY_VERIFY_HTML_H

/*
 * report.html: the report as one page that needs nothing else: no network, no script; its only
 * style is its own, which its Content-Security-Policy names by its hash. Numbers, samples and masks
 * are those of report.json. It is for attaching to a decision: the verdict with its reason first,
 * then the sum, the problems with what to do, and what was not compared.
 */

#include "common/base/buf.h"
#include "common/policy/verify/verify_report.h"

/* Only `out` can fail. */
void verify_html_append(const struct verify_report *report, struct buf *out);

#endif
