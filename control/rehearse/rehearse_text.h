#ifndef DROVER_CONTROL_REHEARSE_TEXT_H
#define DROVER_CONTROL_REHEARSE_TEXT_H

/* What a rehearsal found: lines for people, JSON for machines. */

#include "common/base/json_out.h"
#include "common/policy/produce_counters.h"
#include "common/policy/verify/verify_report.h"

enum { REHEARSE_PLACES = 5 };

/* Dead letters of one code: the first ones' places. */
struct rehearse_dead {
    uint64_t count;
    struct rehearse_place {
        struct bytes tenant, entity, where, path;
    } places[REHEARSE_PLACES];
    size_t place_count;
};

/* Of whoever rehearses. */
struct rehearse_findings {
    struct verify_report *report;
    struct produce_counters counters;
    struct rehearse_dead dead[PRODUCE_CODES_MAX]; /* by code; without the orphans */
    uint64_t *orphans;      /* by group of the report: those without a parent in the sources */
    size_t orphan_groups;   /* that `orphans` has; the others have none */
    struct buf tenant_from; /* where the tenant comes from, for people */
    bool has_key;           /* secrets are sealed with a key that is kept */
};

void rehearse_text_append(const struct rehearse_findings *findings, struct buf *out);
void rehearse_json_append(const struct rehearse_findings *findings, struct json_out *out);

#endif
