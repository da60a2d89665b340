#ifndef DROVER_POLICY_REPORT_FACTS_H
#define DROVER_POLICY_REPORT_FACTS_H

/*
 * What every report says of how it came about: which program with which settings looked at which
 * servers, where, for whom and when. A digest of the settings tells whether two reports were made
 * with the same ones; it holds no secret and nothing that can be guessed from.
 */

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_out.h"

/* Texts are borrowed; NULL or empty: not known. */
struct report_facts {
    const char *run;      /* names this report among those of its migration */
    const char *who;      /* "user@host" */
    const char *storage;  /* a word of the settings */
    const char *settings; /* their digest */
    const char *postgres; /* version of the server */
    const char *redis;    /* the same */
    const char *kafka;    /* version of its client library */
    int64_t began_ms;     /* Unix time; negative: not known */
    int64_t ended_ms;     /* the same; negative: it goes on */
    int64_t written_ms;
};

/* Members of an object that is open: "run", "by", "storage", "settings", "versions", "ended". */
void report_facts_append_json(const struct report_facts *facts, struct json_out *out);
/* Rows of a list of facts that is open: <dt>, <dd>. */
void report_facts_append_html(const struct report_facts *facts, struct buf *out);

#endif
