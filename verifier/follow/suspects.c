/* See the header. */
#include "verifier/follow/suspects.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define LOOK_MIN_MS 100

void suspects_init(struct suspects *suspects, uint64_t wait_ms)
{
    *suspects = (struct suspects){.wait_ms = wait_ms};
}

void suspects_free(struct suspects *suspects)
{
    for (size_t i = 0; i < suspects->count; i++)
        free(suspects->items[i].kept);
    free(suspects->items);
    *suspects = (struct suspects){0};
}

static uint64_t step_ms(const struct suspects *suspects)
{
    uint64_t step = suspects->wait_ms / SUSPECT_RECHECKS;
    return step < LOOK_MIN_MS ? LOOK_MIN_MS : step;
}

bool suspects_add(struct suspects *suspects, const struct suspect *suspect, uint64_t now_ms)
{
    if (suspects->count == SUSPECTS_MAX ||
        suspects->bytes + suspect->kept->bytes > SUSPECTS_BYTES_MAX)
        return false;
    suspects->items =
        mem_grown(suspects->items, &suspects->room, suspects->count + 1, sizeof *suspects->items);
    struct suspect *added = &suspects->items[suspects->count++];
    *added = *suspect;
    added->looks = 1;
    added->first_ms = now_ms;
    added->next_ms = now_ms + step_ms(suspects);
    suspects->bytes += added->kept->bytes;
    return true;
}

bool suspects_is_due(const struct suspect *suspect, uint64_t now_ms)
{
    return suspect->next_ms <= now_ms;
}

uint64_t suspects_next_ms(const struct suspects *suspects)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < suspects->count; i++)
        if (suspects->items[i].next_ms < next)
            next = suspects->items[i].next_ms;
    return next;
}

bool suspects_recheck(const struct suspects *suspects, struct suspect *suspect,
                      enum verdict verdict, uint64_t now_ms)
{
    suspect->verdict = verdict;
    suspect->looks++;
    suspect->next_ms = now_ms + step_ms(suspects);
    return suspect->looks >= SUSPECT_RECHECKS && now_ms - suspect->first_ms >= suspects->wait_ms;
}

struct kept_message *suspects_take(struct suspects *suspects, size_t at)
{
    struct kept_message *kept = suspects->items[at].kept;
    suspects->bytes -= kept->bytes;
    suspects->items[at] = suspects->items[--suspects->count];
    return kept;
}
