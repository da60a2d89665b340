/* `drover resume PARTITION…`: a halted partition goes on, on whichever worker has it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/stores.h"
#include "control/command.h"
#include "control/decision_log.h"
#include "control/partition_words.h"
#include "control/resume/resume_plan.h"
#include "control/topic_messages.h"

enum {
    SERVER_MS = 8000,
    SEND_MS = 15000,
    TEXT_LIMIT = 1 << 16,
};

struct resume {
    const struct settings *settings;
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct bus *bus;
    struct bus_range *ranges; /* of the source topic */
    int32_t partition_count;
    struct checkpoint_editor *editor;
    struct json_sender *control; /* NULL: nothing is changed */
    struct resume_case *cases;   /* by partition */
    struct resume_plan *plans;
    bool *chosen, *moved;
};

/* ---- what is known ----------------------------------------------------------------------- */

/* What is said last of each partition counts, when it is true of the checkpoint as it is. */
static enum outcome take_halted(void *owner, const struct bus_message *message, struct error *err)
{
    struct resume *resume = owner;
    struct halted halted;
    (void)err;
    if (halted_parse(message->envelope.value, &halted, NULL) != OUT_OK || halted.partition < 0 ||
        halted.partition >= resume->partition_count ||
        strcmp(halted.group, resume->settings->group) != 0 ||
        strcmp(halted.topic, resume->topics[TOPIC_SOURCE]) != 0)
        return OUT_OK;
    struct resume_case *known = &resume->cases[halted.partition];
    if (known->image.exists &&
        halted_is_current(&halted, known->image.next_offset, known->image.epoch)) {
        known->halted = halted;
        known->has_halted = true;
    }
    return OUT_OK;
}

static enum outcome read_checkpoints(struct resume *resume, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (int32_t i = 0; i < resume->partition_count && outcome == OUT_OK; i++) {
        struct resume_case *known = &resume->cases[i];
        const struct checkpoint_place place = {resume->settings->group,
                                               resume->topics[TOPIC_SOURCE], i};
        if (resume->chosen[i])
            outcome = checkpoint_editor_read(resume->editor, &place, &known->image, err);
    }
    return outcome;
}

static enum outcome read_topic(struct resume *resume, struct error *err)
{
    size_t count = 0;
    enum outcome outcome = bus_ranges(resume->bus, resume->topics[TOPIC_SOURCE], SERVER_MS,
                                      &resume->ranges, &count, err);
    if (outcome != OUT_OK)
        return outcome;
    if (count == 0)
        return kafka_topics_no_migration(resume->settings, err);
    resume->partition_count = (int32_t)count;
    resume->cases = mem_zeroed(count, sizeof *resume->cases);
    resume->plans = mem_zeroed(count, sizeof *resume->plans);
    resume->chosen = mem_zeroed(count, sizeof *resume->chosen);
    resume->moved = mem_zeroed(count, sizeof *resume->moved);
    for (size_t i = 0; i < count; i++) {
        struct resume_case *known = &resume->cases[i];
        known->partition = (int32_t)i;
        known->low = resume->ranges[i].from;
        known->high = resume->ranges[i].to;
        checkpoint_image_init(&known->image);
    }
    return OUT_OK;
}

static enum outcome open_editor(struct resume *resume, struct error *err)
{
    const struct store *store = store_of(resume->settings);
    if (!store->open_editor)
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "storage memory ends with the run that filled it");
    return store->open_editor(resume->settings, SERVER_MS, &resume->editor, err);
}

/* ---- what is to be done ------------------------------------------------------------------ */

static enum outcome refuse_gap(const struct resume_case *known, const struct resume_plan *plan,
                               struct error *err)
{
    error_set(err, OUT_FATAL, ERR_GAP, "partition %" PRId32 " would give up %s", known->partition,
              plan->what);
    error_cause(err, "%s: %s", plan->code, plan->cause);
    error_hint(err,
               "drover produce --again SOURCE… (it is safe); then drover resume %" PRId32
               " --accept-gap --reason TEXT",
               known->partition);
    return OUT_FATAL;
}

/* All are decided before any is moved. With --all those that are not halted are left out. */
static enum outcome decide(struct resume *resume, struct error *err)
{
    const struct settings *settings = resume->settings;
    bool hybrid = store_of(settings)->has_stage;
    for (int32_t i = 0; i < resume->partition_count; i++) {
        if (!resume->chosen[i])
            continue;
        struct resume_plan *plan = &resume->plans[i];
        enum outcome outcome = resume_plan_decide(&resume->cases[i], hybrid, plan, err);
        if (outcome != OUT_OK && settings->all && err->code == ERR_NOT_HALTED) {
            *err = (struct error){0};
            resume->chosen[i] = false;
            continue;
        }
        if (outcome == OUT_OK && plan->gives_up && !settings->accept_gap && !settings->dry_run)
            outcome = refuse_gap(&resume->cases[i], plan, err);
        if (outcome != OUT_OK)
            return outcome;
    }
    return OUT_OK;
}

static enum outcome ask(struct resume *resume, const struct conf_list *words, struct error *err)
{
    enum outcome outcome = topic_format_all(resume->settings->prefix, resume->settings->migration,
                                            resume->topics, err);
    resume->bus = kafka_bus_new(resume->settings, NULL);
    kafka_bus_answer_within(resume->bus, SERVER_MS);
    if (outcome == OUT_OK)
        outcome = read_topic(resume, err);
    if (outcome == OUT_OK)
        outcome = partition_words_choose(words, "", resume->chosen, resume->partition_count, err);
    if (outcome == OUT_OK)
        outcome = open_editor(resume, err);
    if (outcome == OUT_OK)
        outcome = read_checkpoints(resume, err);
    if (outcome == OUT_OK)
        outcome = topic_messages_all(resume->bus, resume->topics[TOPIC_RESULTS], SERVER_MS,
                                     take_halted, resume, err);
    return outcome == OUT_OK ? decide(resume, err) : outcome;
}

/* ---- doing it ---------------------------------------------------------------------------- */

/* Who, when and why: kept for good. */
static enum outcome note(struct resume *resume, int32_t number, struct error *err)
{
    const struct resume_plan *plan = &resume->plans[number];
    const char *reason = resume->settings->reason;
    const struct decision decision = {.kind = DECISION_RESUMED,
                                      .why = bytes_text(reason ? reason : ""),
                                      .run = bytes_text(plan->run),
                                      .group = bytes_text(resume->settings->group),
                                      .partition = number,
                                      .from = plan->from,
                                      .to = plan->to,
                                      .sequence_first = plan->first,
                                      .sequence_last = plan->last};
    enum outcome outcome =
        decision_log_write(resume->control, decision_kind_name(decision.kind), &decision, err);
    if (outcome == OUT_OK)
        outcome = json_sender_flush(resume->control, SEND_MS,
                                    "the control topic did not take the decision in time", err);
    if (outcome != OUT_OK)
        error_hint(err,
                   "partition %" PRId32 " is not resumed, as who decided it could not be kept: the "
                   "same command again",
                   number);
    return outcome;
}

/* The decision first: nothing is given up that nobody can name. One that was not carried out is
 * there as well then, and told. */
static enum outcome move(struct resume *resume, int32_t number, struct error *err)
{
    const struct resume_case *known = &resume->cases[number];
    const struct checkpoint_place place = {resume->settings->group, resume->topics[TOPIC_SOURCE],
                                           number};
    struct checkpoint_image now;
    checkpoint_image_init(&now);
    enum outcome outcome = resume_plan_make(known, &resume->plans[number], &now, err);
    if (outcome == OUT_OK)
        outcome = note(resume, number, err);
    if (outcome == OUT_OK)
        outcome = checkpoint_editor_move(resume->editor, &place, &known->image, &now,
                                         &resume->moved[number], err);
    checkpoint_image_free(&now);
    if (outcome != OUT_OK || resume->moved[number])
        return outcome;
    error_set(err, OUT_FATAL, ERR_MOVED, "partition %" PRId32 " was moved or claimed meanwhile",
              number);
    return OUT_FATAL;
}

static enum outcome act(struct resume *resume, struct error *err)
{
    enum outcome outcome = json_sender_open(resume->bus, resume->topics[TOPIC_CONTROL], SEND_MS,
                                            &resume->control, err);
    for (int32_t i = 0; i < resume->partition_count && outcome == OUT_OK; i++)
        if (resume->chosen[i])
            outcome = move(resume, i, err);
    return outcome;
}

/* ---- what is said ------------------------------------------------------------------------ */

static void print_one(const struct resume_case *known, const struct resume_plan *plan, bool dry)
{
    struct buf cause;
    buf_init(&cause, TEXT_LIMIT);
    text_append_safe(&cause, bytes_text(plan->cause), sizeof plan->cause);
    printf("partition %" PRId32 ": %s at offset %" PRId64 ": %s\n", known->partition, plan->code,
           known->image.next_offset, buf_text(&cause));
    buf_free(&cause);
    if (plan->gives_up)
        printf("  %s %s\n", dry ? "would give up" : "gives up", plan->what);
    printf("  %s at offset %" PRId64 "\n", dry ? "would go on" : "goes on", plan->next_offset);
}

static void append_one(struct json_out *out, const struct resume_case *known,
                       const struct resume_plan *plan)
{
    json_out_object(out, NULL);
    json_out_int(out, "partition", known->partition);
    json_out_text(out, "code", plan->code);
    json_out_text(out, "cause", plan->cause);
    json_out_int(out, "halted_at", known->image.next_offset);
    json_out_bool(out, "gives_up", plan->gives_up);
    json_out_int(out, "offsets_from", plan->from);
    json_out_int(out, "offsets_to", plan->to);
    json_out_text(out, "run", plan->run[0] ? plan->run : NULL);
    json_out_int(out, "sequence_first", plan->first);
    json_out_int(out, "sequence_last", plan->last);
    json_out_int(out, "next_offset", plan->next_offset);
    json_out_end(out);
}

/* What was done, also when another partition could not be moved; of --dry-run what would be. */
static void show(const struct resume *resume, bool failed, struct answer *answer)
{
    int shown = 0;
    if (answer->wanted)
        json_out_list(answer_body(answer), "partitions");
    for (int32_t i = 0; i < resume->partition_count; i++) {
        if (!(resume->settings->dry_run ? resume->chosen[i] : resume->moved[i]))
            continue;
        shown++;
        if (answer->wanted)
            append_one(answer_body(answer), &resume->cases[i], &resume->plans[i]);
        else
            print_one(&resume->cases[i], &resume->plans[i], resume->settings->dry_run);
    }
    if (answer->wanted) {
        json_out_end(answer_body(answer));
        json_out_bool(answer_body(answer), "dry_run", resume->settings->dry_run);
    } else if (!shown) {
        printf("%s", failed ? "" : "no partition is halted\n");
    } else if (!resume->settings->dry_run) {
        printf("a worker that has %s goes on within seconds; else the next one does\n",
               shown == 1 ? "it" : "them");
    }
}

static enum outcome check_usage(const struct invocation *invocation, struct error *err)
{
    const struct settings *settings = &invocation->settings;
    bool named = invocation->words.count > 0;
    if (named == settings->all)
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "drover resume takes numbers of partitions, or --all");
    if (settings->accept_gap && !settings->dry_run && (!settings->reason || !settings->reason[0]))
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "what is given up needs its reason: --accept-gap --reason TEXT");
    return OUT_OK;
}

static void close_resume(struct resume *resume)
{
    json_sender_close(resume->control);
    checkpoint_editor_close(resume->editor);
    for (int32_t i = 0; i < resume->partition_count; i++)
        checkpoint_image_free(&resume->cases[i].image);
    free(resume->cases);
    free(resume->plans);
    free(resume->chosen);
    free(resume->moved);
    free(resume->ranges);
    kafka_bus_free(resume->bus);
}

enum exit_code resume_command(const struct invocation *invocation, struct error *err)
{
    struct resume resume = {.settings = &invocation->settings};
    if (check_usage(invocation, err) != OUT_OK)
        return EXIT_USAGE;
    enum outcome outcome = ask(&resume, &invocation->words, err);
    bool asked = outcome == OUT_OK;
    if (asked && !invocation->settings.dry_run)
        outcome = act(&resume, err);
    if (asked)
        show(&resume, outcome != OUT_OK, invocation->answer);
    close_resume(&resume);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}
