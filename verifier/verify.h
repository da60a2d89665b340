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

/* EXIT_OK only for a verified match of everything; EXIT_DISCREPANCY when the report says otherwise
 * (`err` is then not set: the report is the message); else what the error says. */
MUST_USE enum exit_code verify_main(const struct settings *settings, struct error *err);

#endif
