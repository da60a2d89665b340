#ifndef DROVER_VERIFIER_SAMPLES_H
#define DROVER_VERIFIER_SAMPLES_H

/* Examples of a verdict in the report: whose record it is, where, and why. */

#include "verifier/verify_run.h"

/* A sample of a record at its place in the topic; NULL when there are enough of that verdict. */
struct verify_sample *samples_add(struct verify_run *run, enum verdict verdict,
                                  enum error_code code, const struct record *record,
                                  int32_t partition, int64_t offset);

/* Where the key came before in the source, as the reason of an ambiguous record's sample. */
void samples_reason_ambiguous(struct verify_run *run, struct verify_sample *sample,
                              const struct diff_entry *first);
/* "DRV-V001: a required member is missing at /kind" as the sample's reason. */
void samples_reason(struct verify_run *run, struct verify_sample *sample, enum error_code code,
                    const char *path);

#endif
