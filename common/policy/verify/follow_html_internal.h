#ifndef DROVER_POLICY_FOLLOW_HTML_INTERNAL_H
#define DROVER_POLICY_FOLLOW_HTML_INTERNAL_H

/* The sections of the page of a verification that follows; follow_html.c puts them together. */

#include "common/policy/verify/follow_report.h"

enum {
    FOLLOW_HTML_SAMPLES_MAX = 10,      /* of a verdict */
    FOLLOW_HTML_FULL_SAMPLES_MAX = 50, /* of the last full pass */
    FOLLOW_HTML_GROUPS_MAX = 1000,     /* rows; more are a number */
};

/* follow_html_samples.c: discrepancies by verdict, each with what to do and its samples. */
void follow_html_append_problems(const struct follow_report *report, struct buf *out);
/* follow_html_windows.c: how many were compared, the rate and its bound, by window; and by tenant.
 */
void follow_html_append_windows(const struct follow_report *report, struct buf *out);
void follow_html_append_groups(const struct follow_report *report, struct buf *out);
/* follow_html_plots.c */
void follow_html_append_plots(const struct follow_report *report, struct buf *out);
/* follow_html_scope.c: what was not compared; the last full pass; how far it is. */
void follow_html_append_scope(const struct follow_report *report, struct buf *out);
void follow_html_append_partitions(const struct follow_report *report, struct buf *out);

#endif
