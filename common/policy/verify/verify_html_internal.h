#ifndef DROVER_POLICY_VERIFY_HTML_INTERNAL_H
#define DROVER_POLICY_VERIFY_HTML_INTERNAL_H

/* The sections of report.html, each one file's; verify_html.c puts them together. */

#include "common/policy/verify/verify_html.h"

enum {
    VERIFY_HTML_NAME_MAX = 120,    /* bytes of a tenant, an entity, a member's path */
    VERIFY_HTML_TEXT_MAX = 400,    /* of a file's name, a reason, a warning */
    VERIFY_HTML_SAMPLES_MAX = 10,  /* of one problem */
    VERIFY_HTML_SOURCES_MAX = 200, /* rows of the table; more are sums */
};

struct verify_html {
    const struct verify_report *report;
    uint64_t total[VERDICT_COUNT];
    struct buf *out;
};

/* verify_html_head.c: up to <body>, with the policy and the style; `title` is escaped here. */
void verify_html_append_head(struct buf *out, struct bytes title);
/* verify_html_bar.c: the classes of a sum as one bar, with their numbers, and the sum as a
 * sentence; and the reconciliation. */
void verify_html_append_classes(struct buf *out, const uint64_t total[VERDICT_COUNT],
                                struct bytes sentence);
void verify_html_append_bar(const struct verify_html *page);
/* verify_html_problems.c; of a verdict that has no code what to do about it, or NULL. */
const char *verify_html_advice(enum verdict verdict);
void verify_html_append_problems(const struct verify_html *page);
/* verify_html_sample.c: one record, with the members in which it differs. */
void verify_html_append_sample(const struct verify_html *page, const struct verify_sample *sample);
/* verify_html_groups.c: tenants and entities. */
void verify_html_append_groups(const struct verify_html *page);
/* verify_html_sources.c */
void verify_html_append_sources(const struct verify_html *page);
/* verify_html_flow.c: throughput and lag, as the receipts tell. */
void verify_html_append_flow(const struct verify_html *page);
/* verify_html_reads.c: what reads of both stores took; NULL: nothing, they were not compared. */
void verify_html_append_reads(const struct verify_reads *reads, struct buf *out);
/* verify_html_scope.c: what was not compared. */
void verify_html_append_scope(const struct verify_html *page);
/* A row of its table: `what` was not compared, and why; nothing when there was none. */
void verify_html_append_uncompared(struct buf *out, uint64_t count, const char *what,
                                   const char *why);

#endif
