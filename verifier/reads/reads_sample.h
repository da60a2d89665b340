#ifndef DROVER_VERIFIER_READS_SAMPLE_H
#define DROVER_VERIFIER_READS_SAMPLE_H

/* Whose records' reads are compared when a verification has ended: a sample of those that were
 * found to be as they should be, each with the same chance, however many there are. */

#include "common/policy/verify/diff.h"
#include "common/policy/verify/verify_reads.h"
#include "verifier/reads/reads_pool.h"

struct reads_sample;
struct settings;

struct reads_sample *reads_sample_new(uint64_t seed);
/* NULL is allowed. */
void reads_sample_free(struct reads_sample *sample);

/* A record of the pass that says what its row must be, and is no delete. Copies, but for the
 * mapping. */
void reads_sample_see(struct reads_sample *sample, const struct diff_key *diff_key,
                      const struct reads_key *key);
/* When the pass was judged: leaves out those of its records that are not in the store. */
void reads_sample_settle(struct reads_sample *sample, const struct diff_table *table, uint32_t pass,
                         uint32_t passes);
/* Reads them as the settings say; ends early when the process is asked to stop. */
void reads_sample_read(struct reads_sample *sample, const struct settings *settings,
                       struct verify_reads *result);

#endif
