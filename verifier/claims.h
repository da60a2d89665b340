#ifndef DROVER_VERIFIER_CLAIMS_H
#define DROVER_VERIFIER_CLAIMS_H

/*
 * What others say: receipts of workers and producers in the results topic. Producers alone know
 * what they rejected and withheld; what workers say is tested against what was found, and a claim
 * that does not hold is a warning about the worker, never a verdict about a record.
 */

#include "verifier/verify_run.h"

struct claims {
    uint64_t runs; /* finished `drover produce` runs */
    uint64_t rejected, withheld;
    uint64_t produced;
};

/* Reads the results topic, warns of claims that do not hold. A missing topic is no failure. */
MUST_USE enum outcome claims_read(struct verify_run *run, struct claims *claims, struct error *err);

#endif
