#include "control/dlq/dead_letter_wait.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/stop.h"

enum {
    STEP_MS = 250,    /* between two looks at the checkpoint */
    STILL_MS = 10000, /* without any movement: is there a worker? */
};

struct waiting {
    struct dead_letter_register *all;
    const int64_t *targets;
    int64_t *first; /* by partition: where the checkpoint was when the waiting began */
    struct dead_letter_progress *progress;
    uint64_t moved_ms;
    bool said_still;
};

/* How many offsets are applied of those that are waited for, and of how many; names the first that
 * is behind. */
static bool is_applied(const struct waiting *waiting, int64_t *applied, int64_t *wanted,
                       const struct register_partition **behind)
{
    *applied = *wanted = 0;
    *behind = NULL;
    for (int32_t i = 0; i < waiting->all->partition_count; i++) {
        const struct register_partition *partition = &waiting->all->partitions[i];
        if (waiting->targets[i] == 0)
            continue;
        int64_t begin = waiting->first[i] < waiting->targets[i] ? waiting->first[i] : 0;
        int64_t next = partition->next_offset < waiting->targets[i] ? partition->next_offset
                                                                    : waiting->targets[i];
        *wanted += waiting->targets[i] - begin;
        *applied += next > begin ? next - begin : 0;
        if (next < waiting->targets[i] && !*behind)
            *behind = partition;
    }
    return !*behind;
}

static void say_no_worker(struct waiting *waiting)
{
    waiting->said_still = true;
    dead_letter_progress_tell(
        waiting->progress, true,
        "no worker seems to be at work: they are in the topic, drover work applies them");
}

/* A wait that ends earlier than that says as much, where nobody is to move it. */
static void say_at_end(struct waiting *waiting, uint64_t begun_ms,
                       const struct register_partition *behind)
{
    if (behind && !behind->owner[0] && !waiting->said_still && waiting->moved_ms == begun_ms)
        say_no_worker(waiting);
}

static void say_still(struct waiting *waiting, const struct register_partition *behind)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (waiting->said_still || now_ms - waiting->moved_ms < STILL_MS)
        return;
    waiting->said_still = true;
    if (behind->owner[0])
        dead_letter_progress_tell(
            waiting->progress, true,
            "partition %td has not moved for %d s; its worker is %s: drover status says more",
            behind - waiting->all->partitions, STILL_MS / 1000, behind->owner);
    else
        say_no_worker(waiting);
}

static void rest(void)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    nanosleep(&step, NULL);
}

static enum outcome wait_until(struct waiting *waiting, uint64_t wait_ms, struct error *err)
{
    char numbers[2][28];
    int64_t applied, wanted, before = 0;
    const struct register_partition *behind = NULL;
    uint64_t begun_ms = clock_monotonic_ms();
    waiting->moved_ms = begun_ms;
    for (;;) {
        enum outcome outcome = dead_letter_register_read_checkpoint(waiting->all, err);
        if (outcome == OUT_FATAL || stop_signal())
            return outcome == OUT_FATAL ? outcome : OUT_RETRY;
        if (outcome == OUT_OK && is_applied(waiting, &applied, &wanted, &behind))
            return OUT_OK;
        if (outcome == OUT_OK) {
            if (applied != before)
                waiting->moved_ms = clock_monotonic_ms();
            before = applied;
            dead_letter_progress_tell(waiting->progress, false,
                                      "applied %s of %s messages that are waited for",
                                      text_format_count((uint64_t)applied, numbers[0]),
                                      text_format_count((uint64_t)wanted, numbers[1]));
            say_still(waiting, behind);
        }
        if (wait_ms && clock_monotonic_ms() - begun_ms >= wait_ms) {
            say_at_end(waiting, begun_ms, behind);
            return OUT_OK;
        }
        rest();
    }
}

enum outcome dead_letter_wait(struct dead_letter_register *all, const int64_t *targets,
                              uint64_t wait_ms, struct dead_letter_progress *progress,
                              struct error *err)
{
    size_t count = (size_t)all->partition_count;
    struct waiting waiting = {.all = all,
                              .targets = targets,
                              .first = mem_zeroed(count, sizeof *waiting.first),
                              .progress = progress};
    for (size_t i = 0; i < count; i++)
        waiting.first[i] = all->partitions[i].next_offset;
    enum outcome outcome = wait_until(&waiting, wait_ms, err);
    free(waiting.first);
    return outcome;
}
