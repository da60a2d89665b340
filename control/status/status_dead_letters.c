#include "control/status/status_dead_letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "control/dlq/dead_letter_register.h"
#include "control/status/status.h"

/* Of the time of a watch no more than a tenth goes into what became of the dead letters. */
#define REST_FACTOR 10

void status_dead_letters_free(struct status_dead_letters *dead)
{
    if (dead->all)
        dead_letter_register_close(dead->all);
    free(dead->all);
    *dead = (struct status_dead_letters){0};
}

bool status_dead_letters_are_not_kept(const struct status_dead_letters *dead)
{
    return dead->all && dead_letter_cache_is_lost(&dead->all->cache);
}

/* ---- the sums ---------------------------------------------------------------------------- */

static void copy_safe(char *out, size_t size, struct bytes text)
{
    struct buf safe;
    buf_init(&safe, 4096);
    text_append_safe(&safe, text, size / 4);
    snprintf(out, size, "%s", buf_text(&safe));
    buf_free(&safe);
}

/* Without the place in bytes: "uri:line:column@byte". */
static struct bytes place_of(struct bytes origin)
{
    size_t size = origin.size;
    while (size && origin.data[size - 1] != '@' && origin.data[size - 1] != ':')
        size--;
    return size && origin.data[size - 1] == '@' ? bytes_of(origin.data, size - 1) : origin;
}

static void keep_example(struct status_example *example, const struct dead_letter_row *row)
{
    copy_safe(example->id, sizeof example->id, row->id);
    copy_safe(example->tenant, sizeof example->tenant, row->tenant);
    copy_safe(example->entity, sizeof example->entity, row->entity);
    copy_safe(example->place, sizeof example->place, place_of(row->origin));
}

/* In the order of the codes; those of the last place have none in common. */
static struct status_code *code_of(struct status_dead_letters *dead, struct bytes name)
{
    char code[sizeof dead->codes[0].code];
    size_t at = 0, max = STATUS_CODES_MAX - 1;
    copy_safe(code, sizeof code, name);
    while (at < dead->code_count && at < max && strcmp(dead->codes[at].code, code) < 0)
        at++;
    struct status_code *found = &dead->codes[at];
    if (at < dead->code_count && strcmp(found->code, code) == 0)
        return found;
    if (dead->code_count >= max) {
        found = &dead->codes[max];
        snprintf(found->code, sizeof found->code, "other");
        dead->code_count = STATUS_CODES_MAX;
        return found;
    }
    memmove(found + 1, found, (dead->code_count - at) * sizeof *found);
    dead->code_count++;
    *found = (struct status_code){.count = 0};
    snprintf(found->code, sizeof found->code, "%s", code);
    return found;
}

static enum outcome count_row(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct status_dead_letters *dead = owner;
    (void)err;
    dead->resolved += row->state == DEAD_LETTER_RESOLVED;
    dead->discarded += row->state == DEAD_LETTER_DISCARDED;
    if (row->state != DEAD_LETTER_OPEN)
        return OUT_OK;
    dead->open++;
    struct status_code *code = code_of(dead, row->code);
    if (!code->count++)
        keep_example(&code->example, row);
    return OUT_OK;
}

static void forget_counts(struct status_dead_letters *dead)
{
    memset(dead->codes, 0, sizeof dead->codes);
    dead->code_count = 0;
    dead->open = dead->resolved = dead->discarded = 0;
}

struct counting {
    const int64_t *offsets;
    size_t partition_count;
    uint64_t open;
};

static enum outcome count_old(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct counting *counting = owner;
    (void)err;
    counting->open += row->at_partition >= 0 &&
                      (size_t)row->at_partition < counting->partition_count &&
                      row->at_offset < counting->offsets[row->at_partition];
    return OUT_OK;
}

bool status_dead_letters_count_before(struct status_dead_letters *dead, const int64_t *offsets,
                                      size_t partition_count, uint64_t *open)
{
    struct error ignored;
    struct counting counting = {offsets, partition_count, 0};
    struct dead_letter_filter filter = DEAD_LETTER_FILTER_ALL;
    filter.state = DEAD_LETTER_OPEN;
    bool counted = dead->all && dead_letter_cache_each(&dead->all->cache, &filter, count_old,
                                                       &counting, &ignored) == OUT_OK;
    *open = counting.open;
    return counted;
}

/* ---- a reading --------------------------------------------------------------------------- */

static enum outcome open_register(struct status *status, struct error *err)
{
    struct dead_letter_register *all = mem_zeroed(1, sizeof *all);
    enum outcome outcome = dead_letter_register_open_beside(
        status->settings, status->timeout_ms, status->bus, status->partition_count, all, err);
    if (outcome == OUT_OK)
        status->dead.all = all;
    else
        free(all);
    return outcome;
}

static enum outcome read_register(struct status *status, struct error *err)
{
    struct status_dead_letters *dead = &status->dead;
    const struct dead_letter_filter every = DEAD_LETTER_FILTER_ALL;
    enum outcome outcome = dead->all ? OUT_OK : open_register(status, err);
    for (int32_t i = 0; outcome == OUT_OK && i < status->partition_count; i++) {
        const struct status_partition *partition = &status->partitions[i];
        dead->all->partitions[i] = (struct register_partition){
            .low = partition->low, .high = partition->high, .next_offset = partition->next_offset};
    }
    if (outcome == OUT_OK)
        outcome = dead_letter_register_read(dead->all, false, err);
    if (outcome != OUT_OK)
        return outcome;
    forget_counts(dead);
    dead->readings++;
    return dead_letter_cache_each(&dead->all->cache, &every, count_row, dead, err);
}

enum outcome status_read_dead_letters(struct status *status, struct error *err)
{
    struct status_dead_letters *dead = &status->dead;
    uint64_t begin_ms = clock_monotonic_ms();
    if (begin_ms < dead->due_ms)
        return OUT_OK;
    enum outcome outcome = read_register(status, err);
    uint64_t end_ms = clock_monotonic_ms();
    if (outcome == OUT_RETRY)
        return outcome;
    dead->due_ms = end_ms + (end_ms - begin_ms) * REST_FACTOR;
    dead->why = (struct error){0};
    if (outcome == OUT_OK)
        return OUT_OK;
    dead->why = *err;
    *err = (struct error){0};
    forget_counts(dead);
    return OUT_OK;
}
