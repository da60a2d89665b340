#include "control/resume/resume_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/plural.h"
#include "common/policy/apply/sequence.h"

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Where a worker would begin to read. */
static int64_t begin_of(const struct checkpoint_image *image, bool hybrid)
{
    int64_t begin = min(image->next_offset, image->results_next);
    return hybrid ? min(begin, image->redis_next) : begin;
}

/* They are in PostgreSQL, but Redis would never get them from the topic. */
static void plan_redis(const struct resume_case *known, struct resume_plan *plan)
{
    plan->gives_up = true;
    plan->from = known->image.redis_next;
    plan->to = known->low;
    snprintf(plan->what, sizeof plan->what,
             "%" PRId64 " offset%s not yet in Redis, %" PRId64 " to %" PRId64
             ": drover rebuild redis fills it",
             plan->to - plan->from, plural_end((uint64_t)(plan->to - plan->from)), plan->from,
             plan->to - 1);
}

/* Retention ate what was not applied yet; or what was applied, and is to be told or written to
 * Redis again. */
static void plan_offsets(const struct resume_case *known, int64_t begin, bool hybrid,
                         struct resume_plan *plan)
{
    int64_t next = known->image.next_offset;
    plan->code = error_code_id(ERR_KAFKA_OFFSET);
    plan->next_offset = max(next, known->low);
    plan->forgets_sequences = plan->next_offset > next;
    if (known->low <= next) {
        snprintf(plan->cause, sizeof plan->cause,
                 "offsets %" PRId64 " to %" PRId64
                 " are gone from the topic; they are applied, and "
                 "were to be read again for what follows",
                 begin, known->low - 1);
        if (hybrid && known->image.redis_next < known->low)
            plan_redis(known, plan);
        return;
    }
    plan->gives_up = true;
    plan->from = next;
    plan->to = known->low;
    snprintf(plan->cause, sizeof plan->cause,
             "offsets %" PRId64 " to %" PRId64 " are gone from the topic, and were not applied yet",
             plan->from, plan->to - 1);
    snprintf(plan->what, sizeof plan->what,
             "%" PRId64 " offset%s of the topic, %" PRId64 " to %" PRId64 "%s",
             plan->to - plan->from, plural_end((uint64_t)(plan->to - plan->from)), plan->from,
             plan->to - 1,
             hybrid && known->image.redis_next < next
                 ? "; and what came before is not all in Redis: drover rebuild redis fills it"
                 : "");
}

static void plan_numbers(const struct halted *halted, struct resume_plan *plan)
{
    int64_t count = halted->found - halted->expected;
    plan->gives_up = true;
    plan->first = halted->expected;
    plan->last = halted->found - 1;
    snprintf(plan->run, sizeof plan->run, "%s", halted->run);
    snprintf(plan->what, sizeof plan->what,
             "%" PRId64 " message%s of run %s, number%s %" PRId64 " to %" PRId64, count,
             plural_end((uint64_t)count), plan->run, plural_end((uint64_t)count), plan->first,
             plan->last);
}

static enum outcome refuse_topic(const struct resume_case *known, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_KAFKA_OFFSET,
              "the topic ends at %" PRId64 ", but %" PRId64
              " has been committed: it is another one",
              known->high, known->image.next_offset);
    error_where(err, "partition %" PRId32, known->partition);
    error_hint(err, "was the topic made anew? a new migration name begins anew as well");
    return OUT_FATAL;
}

static enum outcome refuse_running(const struct resume_case *known, struct error *err)
{
    const struct checkpoint_image *image = &known->image;
    error_set(err, OUT_FATAL, ERR_NOT_HALTED, "partition %" PRId32 " is not halted",
              known->partition);
    if (image->owner[0])
        error_cause(err, "%s has it, at offset %" PRId64 " of %" PRId64, image->owner,
                    image->next_offset, known->high);
    else
        error_cause(err, "no worker has it; it is at offset %" PRId64 " of %" PRId64,
                    image->next_offset, known->high);
    return OUT_FATAL;
}

enum outcome resume_plan_decide(const struct resume_case *known, bool hybrid,
                                struct resume_plan *plan, struct error *err)
{
    enum error_code code = ERR_NONE;
    int64_t begin = begin_of(&known->image, hybrid);
    *plan = (struct resume_plan){.code = "",
                                 .from = known->image.next_offset,
                                 .to = known->image.next_offset,
                                 .first = -1,
                                 .last = -1,
                                 .next_offset = known->image.next_offset};
    if (known->image.next_offset > known->high)
        return refuse_topic(known, err);
    if (begin < known->low) {
        plan_offsets(known, begin, hybrid, plan);
        return OUT_OK;
    }
    if (!known->has_halted)
        return refuse_running(known, err);
    if (!error_code_find(known->halted.code, &code))
        code = ERR_NONE;
    plan->code = known->halted.code;
    snprintf(plan->cause, sizeof plan->cause, "%s", known->halted.text);
    if (code == ERR_SEQUENCE_GAP) {
        plan_numbers(&known->halted, plan);
    } else if (code == ERR_SEQUENCES) {
        plan->gives_up = plan->forgets_sequences = true;
        snprintf(plan->what, sizeof plan->what,
                 "the numbers of all runs: a gap before offset %" PRId64 " is not seen",
                 known->high);
    }
    return OUT_OK;
}

enum outcome resume_plan_make(const struct resume_case *known, const struct resume_plan *plan,
                              struct checkpoint_image *now, struct error *err)
{
    struct log_place place = LOG_PLACE_NONE;
    struct sequences sequences = {0};
    struct bytes stored = buf_view(&known->image.sequences);
    bool readable = stored.size == 0 || sequence_parse(stored, &sequences, &place);
    now->exists = true;
    now->next_offset = plan->next_offset;
    now->results_next = max(known->image.results_next, known->low);
    now->redis_next = max(known->image.redis_next, known->low);
    if (plan->forgets_sequences) {
        memset(&sequences, 0, sizeof sequences);
        sequences.open_until = known->high;
        readable = true;
    }
    if (plan->run[0])
        readable = readable && sequence_expect(&sequences, plan->run, plan->last + 1);
    if (!readable) {
        error_set(err, OUT_FATAL, ERR_SEQUENCES,
                  "the stored sequence numbers of partition %" PRId32 " cannot be read",
                  known->partition);
        return OUT_FATAL;
    }
    buf_reset(&now->sequences);
    sequence_append(&sequences, &place, &now->sequences);
    return OUT_OK;
}
