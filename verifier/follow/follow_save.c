/* See the header. */
#include "verifier/follow/follow_save.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "verifier/follow/follow_files.h"
#include "verifier/follow/full_result.h"

#define LISTS_BYTES_MAX ((size_t)16 << 20)
#define GROUPS_SHOWN_MAX 1000

void follow_save_init(struct follow_save *save)
{
    verify_facts_take(&save->texts, save->settings, &save->lookup->run.mappings, NULL,
                      &save->facts);
}

/* The end that the last receipt told of; after a restart there is none yet. */
static int64_t end_of(const struct receipt_intake_partition *at)
{
    int64_t known = at->due.told > at->due.position ? at->due.told : at->due.position;
    return at->end > known ? at->end : known;
}

static size_t take_partitions(const struct follow_save *save, struct follow_partition *partitions)
{
    size_t count = 0;
    for (size_t i = 0; i < save->intake->count; i++) {
        const struct receipt_intake_partition *at = &save->intake->partitions[i];
        if (at->is_ours)
            partitions[count++] =
                (struct follow_partition){(int32_t)i, at->due.position, at->due.told, end_of(at)};
    }
    return count;
}

void follow_save_free(struct follow_save *save)
{
    free(save->path);
    save->path = NULL;
}

/* What the book holds in lists; in the arena. */
static enum outcome take_lists(const struct follow_save *save, struct arena *arena,
                               struct follow_report *report, struct error *err)
{
    struct book *book = save->notes->book;
    struct follow_group *groups = NULL;
    struct follow_sample *samples = NULL, *full_samples = NULL;
    enum outcome outcome = book_groups(book, FOLLOW_TOTAL, GROUPS_SHOWN_MAX, arena, &groups,
                                       &report->group_count, err);
    if (outcome == OUT_OK)
        outcome = book_samples(book, false, arena, &samples, &report->sample_count, err);
    if (outcome == OUT_OK)
        outcome = book_samples(book, true, arena, &full_samples, &report->full_sample_count, err);
    if (outcome == OUT_OK)
        outcome = book_full_pass(book, arena, &report->full_pass, err);
    report->groups = groups;
    report->samples = samples;
    report->full_samples = full_samples;
    return outcome;
}

enum outcome follow_save_write(struct follow_save *save, const struct follow_numbers *numbers,
                               bool ended, struct error *err)
{
    const struct settings *settings = save->settings;
    struct follow_report report = {
        .migration = settings->migration,
        .group = settings->group,
        .topic = save->lookup->run.topics[TOPIC_SOURCE],
        .id = save->notes->id,
        .facts = save->facts,
        .mappings = &save->lookup->run.mappings,
        .since_ms = book_since_ms(save->notes->book),
        .starts = book_starts(save->notes->book),
    };
    struct arena arena;
    char *path = NULL;
    if (!settings->report_dir || !settings->report_dir[0])
        return OUT_OK;
    arena_init(&arena, LISTS_BYTES_MAX);
    int64_t now_ms = clock_unix_ms();
    report.facts.ended_ms = ended ? now_ms : -1;
    follow_numbers_report(numbers, &report);
    struct follow_partition *partitions = mem_zeroed(save->intake->count, sizeof *partitions);
    report.partitions = partitions;
    report.partition_count = take_partitions(save, partitions);
    struct follow_minute *minutes = mem_zeroed(ROLLING_MINUTES, sizeof *minutes);
    report.minutes = minutes;
    report.minute_count = rolling_series(numbers->rolling, ROLLING_MINUTES, minutes);
    enum outcome outcome = take_lists(save, &arena, &report, err);
    int64_t next_ms =
        full_result_next_ms(report.full_pass.began_ms, settings->full_every_ms, now_ms);
    report.full_pass.next_ms = next_ms == INT64_MAX || ended ? -1 : next_ms;
    if (outcome == OUT_OK)
        outcome = follow_files_write(settings, &report, &path, err);
    if (outcome == OUT_OK) {
        free(save->path);
        save->path = path;
    }
    free(minutes);
    free(partitions);
    arena_free(&arena);
    return outcome;
}
