#include "worker/halts.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/io/log.h"
#include "common/model/message/halted.h"
#include "common/port/checkpoint.h"

#define LOOK_MS 2000

/* It is true of this checkpoint and this claim: whoever moves either makes it history. */
static void tell(struct halts *halts, struct partition *partition)
{
    const struct worker_config *config = halts->partitions->config;
    const struct partition_halt *halt = &partition->halt;
    struct halted halted = {.partition = partition->number,
                            .offset = partition->next_offset,
                            .epoch = partition->epoch,
                            .expected = halt->expected,
                            .found = halt->found,
                            .at_ms = clock_wall_ms(config->clock)};
    snprintf(halted.topic, sizeof halted.topic, "%s", config->source);
    snprintf(halted.group, sizeof halted.group, "%s", config->group);
    snprintf(halted.code, sizeof halted.code, "%s", error_code_id(halt->err.code));
    snprintf(halted.text, sizeof halted.text, "%s", halt->err.text);
    snprintf(halted.run, sizeof halted.run, "%s", halt->run);
    snprintf(halted.worker, sizeof halted.worker, "%s", config->name);
    receipts_send_halted(halts->receipts, &halted);
    partition->halt.told = true;
}

void halts_tick(struct halts *halts, uint64_t now_ms)
{
    if (halts->partitions->config->replay) /* it ends: nobody resumes it, and no group has it */
        return;
    bool looks = state_is_working(halts->partitions->state) && now_ms - halts->looked_ms >= LOOK_MS;
    if (looks)
        halts->looked_ms = now_ms;
    for (struct partition *next = NULL; (next = partitions_next(halts->partitions, next));) {
        if (next->state != PARTITION_HALTED)
            continue;
        if (!next->halt.told)
            tell(halts, next);
        if (!looks || next->halt.looking)
            continue;
        next->halt.looking = true;
        checkpoint_look(halts->ports->checkpoint, next->number);
    }
}

/* A worker that is stopped later has not failed for what was put right. */
static void forget_failure(const struct halts *halts)
{
    struct worker_state *state = halts->partitions->state;
    if (state->exit_code != EXIT_OK)
        return;
    state->failure = (struct error){0};
    for (struct partition *next = NULL; (next = partitions_next(halts->partitions, next));)
        if (next->state == PARTITION_HALTED && state->failure.code == ERR_NONE)
            state->failure = next->halt.err;
}

/* One that somebody else has claimed meanwhile is his, or will be ours by the group. */
void halts_on_seen(struct halts *halts, int32_t number, const struct checkpoint_seen *seen)
{
    struct partition *partition = partitions_find(halts->partitions, number);
    if (!partition || partition->state != PARTITION_HALTED)
        return;
    partition->halt.looking = false;
    if (seen->epoch == partition->epoch || seen->is_owned)
        return;
    log_line(LOG_INFO, "partition.resumed", "partition=%d epoch=%" PRId64, number, seen->epoch);
    membership_claim_one(halts->membership, partition);
    forget_failure(halts);
}
