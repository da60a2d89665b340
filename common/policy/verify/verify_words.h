#ifndef DROVER_POLICY_VERIFY_WORDS_H
#define DROVER_POLICY_VERIFY_WORDS_H

/* What the report says to people in the same words wherever they read it: on a screen, in a page.
 * Without ends of lines. */

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/policy/verify/verify_report.h"

/* Behind the code. */
#define VERIFY_WORDS_COUNTS "the classes do not add up to the source count"

/* "MATCH", "NOT EQUAL", "NOT VERIFIED". */
const char *verify_words_verdict(const struct verify_report *report);
/* Why: "3 missing, 1 dead-lettered". */
void verify_words_append_reason(const struct verify_report *report, struct buf *out);
/* Why it is not whole (verify_report_is_whole); of one that is: nothing. */
void verify_words_append_not_whole(const struct verify_report *report, struct buf *out);
/* Behind the number of records at the begin of the topic that are gone. */
const char *verify_words_evicted(uint64_t count);
/* What the identity counts: "source records", or one. */
const char *verify_words_records(const struct verify_report *report);
/* "13 messages in the topic", when they are not as many as the records that were sent: one may have
 * been sent several times. False: there is nothing to say. */
bool verify_words_append_messages(const struct verify_report *report, struct buf *out);
/* The reason without the sample's code and its meaning, which stand above. */
struct bytes verify_words_sample_reason(const struct verify_sample *sample);

#endif
