/* `drover replay`: what was read is read once more, harmless by the version guard. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "control/command.h"
#include "control/replay/replay.h"
#include "control/replay/replay_dead_letters.h"
#include "control/replay/replay_kept.h"
#include "worker/work.h"

static enum outcome check_usage(const struct settings *settings, struct error *err)
{
    bool ranges = settings->replay_partitions.count || settings->replay_from || settings->replay_to;
    bool some = ranges || settings->replay_tenant || settings->replay_entity;
    int ways = some + settings->replay_rewrite + (settings->replay_id != NULL);
    if (ways == 1)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_USAGE,
              ways ? "--rewrite is everything, --resume what was asked for before: nothing else is "
                     "to be said"
                   : "drover replay must know what");
    error_hint(err, "give --partition, --from, --to, --tenant or --entity; or --rewrite for all of "
                    "it; or --resume ID");
    return OUT_FATAL;
}

/* The worker, as `drover work --until-end` would be of these ranges. */
static enum exit_code read_ranges(struct replay *replay, struct replay_dead_letters *dead_letters,
                                  struct replay_view *view, struct error *err)
{
    struct settings settings = *replay->settings;
    size_t count = replay->count;
    struct replay_range *ranges = mem_zeroed(count, sizeof *ranges);
    int64_t *read_to = mem_zeroed((size_t)replay->partition_count, sizeof *read_to);
    for (size_t i = 0; i < count; i++) {
        ranges[i] = replay->parts[i].range;
        read_to[ranges[i].partition] = ranges[i].to;
    }
    settings.until_end = true;
    settings.progress_fd = -1;
    const struct worker_replay plan = {.group = replay->group,
                                       .ranges = ranges,
                                       .count = count,
                                       .plan = replay->plan,
                                       .read_to = read_to,
                                       .on_record = replay_dead_letters_on_record,
                                       .owner = dead_letters,
                                       .go_on = replay->go_on};
    const struct work_watch watch = {replay_view_on_tick, view};
    enum exit_code code = work_replay(&settings, &plan, &watch, err);
    free(ranges);
    free(read_to);
    return code;
}

/* Read whole: its checkpoints go, whatever became of the records. What landed is told in any case:
 * no later call reads it. */
static enum exit_code conclude(struct replay *replay, struct replay_dead_letters *dead_letters,
                               struct replay_view *view, enum exit_code code, struct error *err)
{
    struct error later = {0};
    bool done = false;
    enum outcome outcome = replay_kept_look(replay, &done, &later);
    replay_view_end(view);
    done = done && code == EXIT_OK;
    struct error untold = {0};
    if (replay_dead_letters_decide(dead_letters, &untold) != OUT_OK && outcome == OUT_OK) {
        outcome = untold.outcome;
        later = untold;
    }
    replay_dead_letters_count(dead_letters);
    if (outcome == OUT_OK && done)
        outcome = replay_kept_forget(replay, &later);
    replay_show(replay, done);
    if (code != EXIT_OK)
        return code;
    if (outcome != OUT_OK) {
        *err = later;
        return command_fail(err);
    }
    if (!done)
        return EXIT_STOPPED;
    return replay->counts.classes[CLASS_DEAD] ? EXIT_DISCREPANCY : EXIT_OK;
}

static enum exit_code run(struct replay *replay, struct error *err)
{
    if (replay_find(replay, err) != OUT_OK)
        return command_fail(err);
    if (replay->settings->dry_run || replay->count == 0) {
        replay_show(replay, replay->count == 0);
        return EXIT_OK;
    }
    if (replay_kept_make(replay, err) != OUT_OK)
        return command_fail(err);
    log_line(LOG_INFO, "replay.begins", "id=%s group=%s partitions=%zu", replay->id, replay->group,
             replay->count);
    struct replay_dead_letters dead_letters;
    enum exit_code code = EXIT_OK;
    if (replay_dead_letters_find(replay, &dead_letters, err) != OUT_OK) {
        code = command_fail(err);
    } else {
        struct replay_view *view = replay_view_new(replay);
        code = read_ranges(replay, &dead_letters, view, err);
        code = conclude(replay, &dead_letters, view, code, err);
    }
    replay_dead_letters_close(&dead_letters);
    return code;
}

enum exit_code replay_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err) ||
        check_usage(&invocation->settings, err) != OUT_OK)
        return EXIT_USAGE;
    struct replay *replay = mem_zeroed(1, sizeof *replay);
    replay->settings = &invocation->settings;
    replay->began_ms = clock_monotonic_ms();
    enum exit_code code = run(replay, err);
    replay_close(replay);
    free(replay);
    return code;
}
