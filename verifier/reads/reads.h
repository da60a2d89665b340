#ifndef DROVER_VERIFIER_READS_H
#define DROVER_VERIFIER_READS_H

/*
 * Reads of the same records from the old store and the new one, at a steady pace, to compare what
 * they take.
 *
 *   open ── offer a key, again and again ── start ── result, as often as wanted ── close
 *
 * Each store is read by threads of its own (compare.connections), with a connection each, so that
 * a slow store holds up neither the other one nor the caller: no call here waits for a store, but
 * for close, which waits for reads under way (compare.timeout at most, about). The pace is that of
 * a clock and latencies count from when a read was to begin: reads_pace.h says why. A store that
 * does not answer is asked again after a pause that grows; reads that would have been meanwhile
 * count as errors.
 *
 * Memory: READS_POOL_MAX keys, two histograms of 220 KiB a store, a connection a thread; old files
 * of up to 16 MiB while they are parsed.
 */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/policy/verify/verify_reads.h"
#include "verifier/reads/reads_pool.h"

struct reads;

/* What can be told without any server: OUT_FATAL DRV-C008, DRV-C009: the settings of compare: do
 * not fit each other, or the storage has nothing to compare with. Cheap: before other work. */
MUST_USE enum outcome reads_check(const struct settings *settings, struct error *err);

/* Of settings that were checked; they outlive it. Reads nothing yet. */
struct reads *reads_open(const struct settings *settings);
/* A key that may be read from now on; copies. The latest READS_POOL_MAX are read, one after the
 * other, from both stores. Its mapping outlives `reads`. */
void reads_offer(struct reads *reads, const struct reads_key *key);
/* A record that is gone: its key is not read any more. */
void reads_withdraw(struct reads *reads, const struct reads_key *key);
/* At compare.reads a second; for_ms 0: until it is closed. Once. */
void reads_start(struct reads *reads, uint64_t for_ms);
/* Until all is read, or the process is asked to stop. */
void reads_wait(struct reads *reads);
/* All by now; `recent` (NULL allowed): since the last call. */
void reads_result(struct reads *reads, struct verify_reads *total, struct verify_reads *recent);
/* NULL is allowed. */
void reads_close(struct reads *reads);

#endif
