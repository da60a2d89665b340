#ifndef DROVER_VERIFIER_VERIFY_SESSION_H
#define DROVER_VERIFIER_VERIFY_SESSION_H

/*
 * One verification: an own reading of the source against an own reading of the store.
 *
 *   open ── feed ──► dead letters, receipts, source messages up to given offsets:
 *    │       │       what each key's row must be, 64 bytes a key
 *    │       └─ again, as often as there is more; what was read may be dropped from the bus
 *   note_produced    by which codes the producer rejected, where its books are at hand
 *    └─ conclude ──► the store, row by row: verdicts, recheck, side checks, report
 *
 * `drover verify` feeds once, up to the checkpoints of the store's snapshot, reads the topic again
 * where that is needed (further passes, the recheck), and judges the store of the settings. A
 * rehearsal and a run in memory feed what their worker has committed whenever there is enough of
 * it, and each message is read once. Blocking, on the caller's thread.
 */

#include "common/base/attributes.h"
#include "common/io/settings.h"
#include "common/model/message/topic.h"
#include "common/policy/produce_counters.h"
#include "common/policy/verify/verify_report.h"
#include "verifier/verify_options.h"

struct verify_session;

/* Loads the mappings unless they are given, takes the snapshot of the settings' store, where it is
 * that one, its checkpoints, and then the begins and ends of the source topic. *session is NULL
 * after a failure. Without read_once the report's folder is tried before. DRV-K003 when there is no
 * source topic. */
MUST_USE enum outcome verify_session_open(const struct settings *settings,
                                          const struct verify_options *options,
                                          struct verify_session **session, struct error *err);
/* NULL is allowed. */
void verify_session_close(struct verify_session *session);

/* Reads what is new: all dead letters, all receipts, and of each partition of the source topic the
 * messages below ends[partition], in order; all of them are committed by the store. A dead letter
 * is in its topic before its record is committed, so it is never seen too late. `ends` NULL: the
 * checkpoints of the settings' store. Without read_once it is called once.
 * OUT_FATAL DRV-Y001 (read_once: DRV-F003) when the keys or the dead letters do not fit the memory;
 * else the bus's failures. */
MUST_USE enum outcome verify_session_feed(struct verify_session *session, const int64_t *ends,
                                          struct error *err);
/* Offset up to which feed has read a partition of one of the topics: what is below may go. */
int64_t verify_session_fed(const struct verify_session *session, enum topic_kind kind,
                           int32_t partition);
/* Bytes held by now, apart from one record and the report. */
size_t verify_session_bytes(const struct verify_session *session);

/* What the producer's own books say beyond its run report, which feed reads: by which codes records
 * were rejected, and that sources could not be read whole, which makes the report broken. Once,
 * before conclude; where a process has the books. */
void verify_session_note_produced(struct verify_session *session,
                                  const struct produce_counters *counters);

/* Reads the store, judges, and completes the report. Messages beyond what was fed are counted as
 * lagging. Once. */
MUST_USE enum outcome verify_session_conclude(struct verify_session *session, struct error *err);

/* The session's own: warnings may be added before conclude, the verdict is there after it. */
struct verify_report *verify_session_report(struct verify_session *session);

#endif
