#ifndef DROVER_VERIFIER_VERIFY_H
#define DROVER_VERIFIER_VERIFY_H

/*
 * `drover verify`: one verification over Kafka and the store of the settings, at one snapshot.
 *
 *   snapshot ── checkpoints ── the snapshot: what the worker has committed
 *      │                          │
 *      │        source topic ───► expected: last version per key below the snapshot
 *      └─────── tables, inverse mapping ► actual ──► verdicts ──► recheck ──► report
 *
 * Blocking, on the caller's thread. Worker receipts are hints to be tested, never proof.
 */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/policy/verify/verify_report.h"

/* EXIT_OK only for a verified match of everything; EXIT_DISCREPANCY when the report says otherwise
 * (`err` is then not set: the report is the message); else what the error says. `next`: what to
 * type next, where something is; who began this one as a child is told by its progress instead. */
MUST_USE enum exit_code verify_main(const struct settings *settings, struct buf *next,
                                    struct error *err);

/* Makes report.json (the caller's `json`) and report.html, and writes them into a folder of their
 * own (report_folder.h), readable by their owner alone; *path is where the latter is, malloc'ed,
 * NULL without a folder or after a failure. OUT_FATAL DRV-Y006; `json` is whole unless it says
 * `failed`. */
MUST_USE enum outcome verify_save(const struct settings *settings,
                                  const struct verify_report *report, struct buf *json, char **path,
                                  struct error *err);
/* The report as people read it on standard output; `path` of report.html may be NULL. */
void verify_append_text(const struct settings *settings, const struct verify_report *report,
                        const char *path, struct buf *out);

#endif
