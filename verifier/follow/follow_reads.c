#include "verifier/follow/follow_reads.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "verifier/reads/reads.h"

#define TURN_MS 10000

struct follow_reads {
    struct notes *notes;
    struct reads *reads;
    struct verify_reads total;
    uint64_t turn_ms; /* not before; monotonic */
};

enum outcome follow_reads_open(const struct settings *settings, struct notes *notes,
                               struct follow_reads **out, struct error *err)
{
    *out = NULL;
    if (!settings->compare_per_second)
        return OUT_OK;
    if (reads_check(settings, err) != OUT_OK)
        return err->outcome;
    struct follow_reads *reads = mem_zeroed(1, sizeof *reads);
    reads->notes = notes;
    reads->reads = reads_open(settings);
    reads->turn_ms = clock_monotonic_ms() + TURN_MS;
    reads_start(reads->reads, 0);
    reads_result(reads->reads, &reads->total, NULL);
    *out = reads;
    return OUT_OK;
}

void follow_reads_see(struct follow_reads *reads, const struct lookup_item *item)
{
    if (!reads)
        return;
    const struct reads_key key = {.mapping = item->mapping,
                                  .tenant = item->record.tenant,
                                  .id = item->record.id,
                                  .uri = item->record.origin.uri};
    if (item->entry.deleted)
        reads_withdraw(reads->reads, &key);
    else
        reads_offer(reads->reads, &key);
}

static void note(const struct verify_reads_store *store, double *p50_ms, double *p99_ms)
{
    if (!store->reads)
        return;
    *p50_ms = (double)store->ns[READS_P50] / 1e6;
    *p99_ms = (double)store->ns[READS_P99] / 1e6;
}

enum outcome follow_reads_turn(struct follow_reads *reads, bool at_once, struct error *err)
{
    struct verify_reads recent;
    struct rolling_gauges gauges = ROLLING_NO_GAUGES;
    if (!reads || (!at_once && clock_monotonic_ms() < reads->turn_ms))
        return OUT_OK;
    reads->turn_ms = clock_monotonic_ms() + TURN_MS;
    reads_result(reads->reads, &reads->total, &recent);
    note(&recent.stores[0], &gauges.old_p50_ms, &gauges.old_p99_ms);
    note(&recent.stores[1], &gauges.new_p50_ms, &gauges.new_p99_ms);
    const struct book_page page = {.gauges = &gauges};
    return book_add(reads->notes->book, &page, clock_unix_ms(), err);
}

const struct verify_reads *follow_reads_result(const struct follow_reads *reads)
{
    return reads ? &reads->total : NULL;
}

void follow_reads_close(struct follow_reads *reads)
{
    if (!reads)
        return;
    reads_close(reads->reads);
    free(reads);
}
