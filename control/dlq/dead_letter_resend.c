/*
 * `drover dlq replay`: dead letters into the source topic again, and what becomes of them. They are
 * read twice, one after the other, so memory is bounded by their number (32 bytes each), never by
 * their payloads:
 *
 *   choose ─► decide (control topic) ─► send ─► wait for the checkpoint ─► read the register again
 *     │                                                                       ├ superseded: refused
 *     └ what was sent before and is on its way is waited for, not sent        └ resolved: ask the
 *                                                                               store which version
 *                                                                               it holds
 *
 * The message names the first dead letter of its chain, so whoever asks later, or begins again
 * after an interruption, finds in the source topic what was sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/run_name.h"
#include "common/io/stop.h"
#include "control/dlq/cmd_dlq.h"
#include "control/dlq/dead_letter_decide.h"
#include "control/dlq/dead_letter_judge.h"
#include "control/dlq/dead_letter_wait.h"

enum {
    FULL_WAIT_MS = 100,
    FLUSH_MS = 60000,
};

struct resend {
    struct dead_letter_run *run;
    struct dead_letter_register *all;
    struct dead_letter_maker maker;
    struct dead_letter_result result;
    struct bus_sender *sender;
    char name[RUN_NAME_SIZE];     /* of the run */
    int64_t *sequences, *targets; /* by partition; targets: one behind the last; 0: none */
    uint64_t queued;
    struct dead_letter_progress progress;
    struct error failure; /* the first message that could not be stored */
};

/* ---- choosing ---- */

/* What is on its way is waited for: its place is a target. */
static void choose_fates(struct resend *resend)
{
    const struct dead_letter_index *index = &resend->all->index;
    for (size_t i = 0; i < resend->result.picks.count; i++) {
        struct dead_letter_pick *pick = &resend->result.picks.items[i];
        uint32_t number = dead_letter_index_find(index, &pick->id);
        const struct dead_letter_item *item =
            number == DEAD_LETTER_NONE ? NULL : &index->items[number];
        pick->outcome = FATE_CHOSEN;
        if (pick->at_topic == CACHE_OTHER_TOPIC && pick->family == DEAD_LETTER_BY_UNKNOWN) {
            pick->outcome = FATE_STRANGE;
            continue;
        }
        if (!item || item->sent < 0)
            continue;
        pick->outcome = FATE_ON_WAY;
        if (item->sent_partition < resend->all->partition_count &&
            resend->targets[item->sent_partition] <= item->sent)
            resend->targets[item->sent_partition] = item->sent + 1;
    }
}

static bool is_dead_letter(const struct dead_letter_pick *pick)
{
    return pick->outcome != FATE_STRANGE;
}

static bool is_chosen(const struct dead_letter_pick *pick)
{
    return pick->outcome == FATE_CHOSEN;
}

/* ---- what would pass ---- */

static enum outcome try_message(void *owner, const struct picked_message *picked, struct error *err)
{
    struct resend *resend = owner;
    const struct mapping *mapping;
    struct row row;
    struct error refusal = {0};
    (void)err;
    enum outcome outcome = dead_letter_maker_row(&resend->maker, picked, &mapping, &row, &refusal);
    if (outcome == OUT_OK) {
        picked->pick->outcome = FATE_LANDED;
        resend->result.untold += dead_letter_maker_store_decides(picked->reading.code);
        return OUT_OK;
    }
    picked->pick->outcome = FATE_REFUSED;
    dead_letter_tally_add(&resend->result.refused, bytes_text(error_code_id(refusal.code)),
                          picked->id, refusal.text);
    return OUT_OK;
}

static enum exit_code dry_run(struct resend *resend, struct error *err)
{
    enum outcome outcome =
        dead_letter_picks_read(&resend->result.picks, resend->all, is_dead_letter, try_message,
                               resend, &resend->result.missing, err);
    if (outcome != OUT_OK)
        return command_fail(err);
    resend->result.is_untaken = dead_letter_maker_is_untaken(resend->run->settings, &resend->maker);
    return dead_letter_result_tell_tried(&resend->result, resend->run->answer) ? EXIT_OK
                                                                               : EXIT_DISCREPANCY;
}

/* ---- sending ---- */

static bool has_failed(const struct resend *resend)
{
    return resend->failure.outcome != OUT_OK;
}

static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    struct resend *resend = owner;
    struct dead_letter_pick *pick = item;
    if (outcome == OUT_OK) {
        pick->outcome = FATE_SENT;
        if (resend->targets[partition] <= offset)
            resend->targets[partition] = offset + 1;
    } else if (!has_failed(resend)) {
        resend->failure = *err;
    }
}

/* Where its record was: producers that choose partitions in another way than Java's are kept to it.
 */
static int32_t partition_of(const struct resend *resend, const struct picked_message *picked,
                            struct bytes key)
{
    const struct dead_letter_reading *reading = &picked->reading;
    int32_t count = bus_sender_partitions(resend->sender);
    if (reading->family == DEAD_LETTER_BY_DROVER && reading->has_place &&
        reading->partition < count &&
        bytes_equal(reading->topic, bytes_text(resend->all->topics[TOPIC_SOURCE])))
        return reading->partition;
    return hash_partition(key, count);
}

static enum outcome send_message(void *owner, const struct picked_message *picked,
                                 struct error *err)
{
    struct resend *resend = owner;
    struct record record;
    struct error refusal;
    char numbers[2][28];
    struct dead_letter_replay replay;
    struct dead_letter_again again = {.first_id = picked->chain,
                                      .attempts = picked->reading.attempts,
                                      .run = bytes_text(resend->name)};
    enum outcome named =
        dead_letter_maker_record(&resend->maker, picked, &record, &again, &refusal);
    if (named != OUT_OK && picked->pick->at_topic == CACHE_OTHER_TOPIC) {
        picked->pick->outcome = FATE_UNNAMED;
        dead_letter_tally_add(&resend->result.refused, bytes_text(error_code_id(refusal.code)),
                              picked->id, refusal.text);
        return OUT_OK;
    }
    int32_t partition = partition_of(resend, picked, again.key.size ? again.key : picked->view.key);
    again.sequence = resend->sequences[partition];
    dead_letter_replay_make(&picked->view, &again, &replay);
    enum outcome outcome;
    while ((outcome = bus_sender_send_message(resend->sender, partition, &replay.view, picked->pick,
                                              err)) == OUT_RETRY &&
           !stop_signal() && !has_failed(resend))
        bus_sender_poll(resend->sender, FULL_WAIT_MS);
    dead_letter_replay_free(&replay);
    if (has_failed(resend)) {
        *err = resend->failure;
        return err->outcome;
    }
    if (outcome == OUT_REJECT) {
        picked->pick->outcome = FATE_TOO_LARGE;
        return OUT_OK;
    }
    if (outcome != OUT_OK)
        return outcome;
    resend->sequences[partition]++;
    if (++resend->queued % 256 == 0) {
        bus_sender_poll(resend->sender, 0);
        dead_letter_progress_tell(&resend->progress, false, "sent %s of %s dead letters",
                                  text_format_count(resend->queued, numbers[0]),
                                  text_format_count(resend->result.picks.count, numbers[1]));
    }
    return OUT_OK;
}

static enum outcome flush(struct resend *resend, struct error *err)
{
    if (!bus_sender_flush(resend->sender, FLUSH_MS) && !has_failed(resend))
        return error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE,
                         "not all messages could be stored; the same command again sends the rest");
    if (!has_failed(resend))
        return OUT_OK;
    *err = resend->failure;
    return err->outcome;
}

static enum outcome send_all(struct resend *resend, struct error *err)
{
    struct dead_letter_register *all = resend->all;
    const struct decision decision = {.kind = DECISION_REPLAYED, .run = bytes_text(resend->name)};
    uint64_t decided;
    enum outcome outcome =
        dead_letter_decide(all, &resend->result.picks, is_chosen, &decision, &decided, err);
    if (outcome == OUT_OK)
        outcome = bus_open_sender(all->bus, all->topics[TOPIC_SOURCE], all->partition_count,
                                  all->timeout_ms, on_delivered, resend, &resend->sender, err);
    if (outcome == OUT_OK)
        outcome = bus_sender_begin_bulk(resend->sender, all->timeout_ms, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_picks_read(&resend->result.picks, all, is_chosen, send_message,
                                         resend, &resend->result.missing, err);
    struct error later;
    if (resend->sender && flush(resend, &later) != OUT_OK && outcome == OUT_OK) {
        *err = later;
        outcome = later.outcome;
    }
    bus_sender_close(resend->sender);
    resend->sender = NULL;
    return outcome;
}

/* ---- the end ---- */

static enum exit_code stopped(const struct resend *resend)
{
    fprintf(stderr, "stopped; what was sent is in the topic, and the same command again goes on\n");
    if (resend->run->answer->wanted)
        json_out_text(answer_body(resend->run->answer), "run", resend->name);
    return EXIT_STOPPED;
}

static enum exit_code really(struct resend *resend, struct error *err)
{
    dead_letter_progress_open(&resend->progress, resend->run->settings);
    enum outcome outcome =
        dead_letter_result_count(&resend->result, FATE_CHOSEN) ? send_all(resend, err) : OUT_OK;
    if (outcome == OUT_OK)
        outcome =
            dead_letter_wait(resend->all, resend->targets,
                             resend->run->settings->dead_letters.wait_ms, &resend->progress, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_register_read(resend->all, false, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_judge(&resend->result, resend->all, &resend->maker, err);
    if (outcome == OUT_OK && resend->result.passes_here)
        resend->result.is_untaken =
            dead_letter_maker_is_untaken(resend->run->settings, &resend->maker);
    dead_letter_progress_clear(&resend->progress);
    if (outcome == OUT_OK)
        return dead_letter_result_tell(&resend->result, resend->name, resend->run->answer)
                   ? EXIT_OK
                   : EXIT_DISCREPANCY;
    if (!stop_signal())
        return command_fail(err);
    *err = (struct error){0};
    return stopped(resend);
}

enum exit_code dead_letter_replay(struct dead_letter_run *run, struct error *err)
{
    struct resend *resend = mem_new(sizeof *resend);
    size_t partitions = (size_t)run->all.partition_count;
    enum exit_code code;
    resend->run = run;
    resend->all = &run->all;
    resend->sequences = mem_zeroed(partitions, sizeof *resend->sequences);
    resend->targets = mem_zeroed(partitions, sizeof *resend->targets);
    run_name_make(resend->name, "-dlq");
    enum outcome outcome = dead_letter_maker_open(run->settings, &resend->maker, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_picks_choose(&resend->result.picks, &run->all, &run->filter, err);
    if (outcome == OUT_OK && run->id && resend->result.picks.count == 0)
        outcome = dead_letter_picks_refuse(&run->all, run->id, err);
    choose_fates(resend);
    if (outcome != OUT_OK)
        code = command_fail(err);
    else
        code = run->settings->dry_run ? dry_run(resend, err) : really(resend, err);
    dead_letter_progress_close(&resend->progress);
    dead_letter_result_free(&resend->result);
    dead_letter_maker_free(&resend->maker);
    free(resend->sequences);
    free(resend->targets);
    free(resend);
    return code;
}
