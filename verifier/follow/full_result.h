#ifndef DROVER_VERIFIER_FOLLOW_FULL_RESULT_H
#define DROVER_VERIFIER_FOLLOW_FULL_RESULT_H

/* What a full pass found, from the document that `drover verify --json` ended with. Pure. */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/policy/verify/follow_report.h"

#define FULL_RESULT_WHY_MAX 400

/* Problems are discrepancies, those of the side checks included; what lags, waits, is a dead letter
 * or was rejected is none: what is rejected of the sources, and whether their readings are
 * complete, the follower knows by itself (reading_watch.h). Fills counts and problems, and says in
 * `why` what kept it from being whole: then not_whole is a view of that, else empty. OUT_REJECT: it
 * is no such document, or one of a failure.
 */
MUST_USE enum outcome full_result_read(struct bytes json, struct follow_full_pass *pass,
                                       char why[FULL_RESULT_WHY_MAX], struct error *err);

/* When the next one begins: `every_ms` after the last one's begin, and at once when there was none,
 * or the clock was set back. INT64_MAX: never (every_ms 0). */
int64_t full_result_next_ms(int64_t began_ms, uint64_t every_ms, int64_t now_ms);

#endif
