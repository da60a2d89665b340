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
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/run_name.h"
#include "common/io/stop.h"
#include "common/io/terminal.h"
#include "common/io/terminal_live.h"
#include "control/dlq/cmd_dlq.h"
#include "control/dlq/dead_letter_decide.h"
#include "control/dlq/dead_letter_maker.h"
#include "control/dlq/dead_letter_tally.h"

enum {
    TEXT_LIMIT = 1 << 20,
    FULL_WAIT_MS = 100,
    FLUSH_MS = 60000,
    STEP_MS = 250,    /* between two looks at the checkpoint */
    LINE_MS = 10000,  /* between two lines where there is no terminal */
    STILL_MS = 10000, /* without any movement: is there a worker? */
};

/* What became of a pick. */
enum fate {
    FATE_CHOSEN,
    FATE_SENT,
    FATE_ON_WAY,  /* sent before, by somebody else or an earlier call */
    FATE_UNNAMED, /* it names no record, and no entity was given */
    FATE_STRANGE, /* nothing says that it is a dead letter */
    FATE_TOO_LARGE,
    FATE_LANDED,
    FATE_NEWER, /* the store holds a newer version */
    FATE_REFUSED,
    FATE_WAITING, /* applied, but neither in the store nor dead: its parent is not there; or not yet
                     applied */
    FATE_COUNT,
};

struct resend {
    struct dead_letter_run *run;
    struct dead_letter_register *all;
    struct dead_letter_maker maker;
    struct dead_letter_picks picks;
    struct bus_sender *sender;
    char name[RUN_NAME_SIZE];             /* of the run */
    int64_t *sequences, *first, *targets; /* by partition; targets: one behind the last; 0: none */
    struct dead_letter_tally refused;     /* again; of --dry-run those that would be */
    uint64_t queued, missing, untold;
    uint64_t said_ms, moved_ms;
    int64_t applied; /* at the last look */
    bool said_still;
    struct terminal_live live;
    struct error failure; /* the first message that could not be stored */
};

/* ---- the view ---- */

static void tell(struct resend *resend, bool at_once, const char *format, ...) PRINTF_LIKE(3, 4);

/* One line: in place on a terminal, else now and then. */
static void tell(struct resend *resend, bool at_once, const char *format, ...)
{
    char line[400];
    va_list args;
    const struct settings *settings = resend->run->settings;
    uint64_t now_ms = clock_monotonic_ms();
    if (settings->quiet)
        return;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (size < 0)
        return;
    size_t used = (size_t)size < sizeof line - 2 ? (size_t)size : sizeof line - 2;
    line[used] = '\n';
    if (resend->live.is_open) {
        if (at_once)
            terminal_live_print(&resend->live, bytes_of(line, used));
        else
            terminal_live_draw(&resend->live, bytes_of(line, used + 1));
        return;
    }
    if (!at_once && resend->said_ms && now_ms - resend->said_ms < LINE_MS)
        return;
    resend->said_ms = at_once ? resend->said_ms : now_ms;
    fwrite(line, 1, used + 1, stderr);
}

static void open_view(struct resend *resend)
{
    if (terminal_is(STDERR_FILENO) && !resend->run->settings->plain && !resend->run->settings->json)
        terminal_live_open(&resend->live, STDERR_FILENO);
}

/* ---- choosing ---- */

/* What is on its way is waited for: its place is a target. */
static void choose_fates(struct resend *resend)
{
    const struct dead_letter_index *index = &resend->all->index;
    for (size_t i = 0; i < resend->picks.count; i++) {
        struct dead_letter_pick *pick = &resend->picks.items[i];
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
        int32_t partition = item->fact.partition;
        if (partition >= 0 && partition < resend->all->partition_count &&
            resend->targets[partition] <= item->sent)
            resend->targets[partition] = item->sent + 1;
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

static uint64_t count_fate(const struct resend *resend, enum fate fate)
{
    uint64_t count = 0;
    for (size_t i = 0; i < resend->picks.count; i++)
        count += resend->picks.items[i].outcome == fate;
    return count;
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
        const char *id = error_code_id(picked->reading.code);
        picked->pick->outcome = FATE_LANDED;
        resend->untold += strncmp(id, "DRV-P", 5) == 0 || strncmp(id, "DRV-R", 5) == 0;
        return OUT_OK;
    }
    picked->pick->outcome = FATE_REFUSED;
    dead_letter_tally_add(&resend->refused, bytes_text(error_code_id(refusal.code)), picked->id,
                          refusal.text);
    return OUT_OK;
}

static void tell_tried(struct resend *resend)
{
    char numbers[3][28];
    struct buf text;
    uint64_t passing = count_fate(resend, FATE_LANDED);
    if (resend->run->answer->wanted) {
        struct json_out *out = answer_body(resend->run->answer);
        json_out_bool(out, "dry_run", true);
        json_out_count(out, "chosen", resend->picks.count);
        json_out_count(out, "would_pass", passing);
        json_out_count(out, "store_decides", resend->untold);
        json_out_count(out, "would_be_refused", resend->refused.total);
        dead_letter_tally_append_json(&resend->refused, out, "refused_by_code");
        json_out_count(out, "missing", resend->missing);
        return;
    }
    printf("%s dead letter%s under the mappings of now: %s would pass, %s would be refused again\n",
           text_format_count(resend->picks.count, numbers[0]), resend->picks.count == 1 ? "" : "s",
           text_format_count(passing, numbers[1]),
           text_format_count(resend->refused.total, numbers[2]));
    if (resend->untold)
        printf("  %10s  of those that would pass were refused by the store: it decides again\n",
               text_format_count(resend->untold, numbers[0]));
    if (resend->missing)
        printf("  %10s  are no longer in their topic\n",
               text_format_count(resend->missing, numbers[0]));
    if (count_fate(resend, FATE_STRANGE))
        printf("  %10s  are passed over: nothing says that they are dead letters\n",
               text_format_count(count_fate(resend, FATE_STRANGE), numbers[0]));
    buf_init(&text, TEXT_LIMIT);
    dead_letter_tally_append(&resend->refused, &text);
    fputs(buf_text(&text), stdout);
    buf_free(&text);
}

static enum exit_code dry_run(struct resend *resend, struct error *err)
{
    enum outcome outcome = dead_letter_picks_read(&resend->picks, resend->all, is_dead_letter,
                                                  try_message, resend, &resend->missing, err);
    if (outcome != OUT_OK)
        return command_fail(err);
    tell_tried(resend);
    return resend->refused.total || resend->missing || count_fate(resend, FATE_STRANGE)
               ? EXIT_DISCREPANCY
               : EXIT_OK;
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
        dead_letter_tally_add(&resend->refused, bytes_text(error_code_id(refusal.code)), picked->id,
                              refusal.text);
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
        tell(resend, false, "sent %s of %s dead letters",
             text_format_count(resend->queued, numbers[0]),
             text_format_count(resend->picks.count, numbers[1]));
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
        dead_letter_decide(all, &resend->picks, is_chosen, &decision, &decided, err);
    if (outcome == OUT_OK)
        outcome = bus_open_sender(all->bus, all->topics[TOPIC_SOURCE], all->partition_count,
                                  all->timeout_ms, on_delivered, resend, &resend->sender, err);
    if (outcome == OUT_OK)
        outcome = bus_sender_begin_bulk(resend->sender, all->timeout_ms, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_picks_read(&resend->picks, all, is_chosen, send_message, resend,
                                         &resend->missing, err);
    struct error later;
    if (resend->sender && flush(resend, &later) != OUT_OK && outcome == OUT_OK) {
        *err = later;
        outcome = later.outcome;
    }
    bus_sender_close(resend->sender);
    resend->sender = NULL;
    return outcome;
}

/* ---- waiting ---- */

/* How many offsets are applied of those that are waited for, and of how many; names the first that
 * is behind. */
static bool is_applied(const struct resend *resend, int64_t *applied, int64_t *wanted,
                       const struct register_partition **behind)
{
    *applied = *wanted = 0;
    *behind = NULL;
    for (int32_t i = 0; i < resend->all->partition_count; i++) {
        const struct register_partition *partition = &resend->all->partitions[i];
        if (resend->targets[i] == 0)
            continue;
        int64_t begin = resend->first[i] < resend->targets[i] ? resend->first[i] : 0;
        int64_t next = partition->next_offset < resend->targets[i] ? partition->next_offset
                                                                   : resend->targets[i];
        *wanted += resend->targets[i] - begin;
        *applied += next > begin ? next - begin : 0;
        if (next < resend->targets[i] && !*behind)
            *behind = partition;
    }
    return !*behind;
}

static void say_still(struct resend *resend, const struct register_partition *behind)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (resend->said_still || now_ms - resend->moved_ms < STILL_MS)
        return;
    resend->said_still = true;
    if (behind->owner[0])
        tell(resend, true,
             "partition %td has not moved for %d s; its worker is %s: drover status says more",
             behind - resend->all->partitions, STILL_MS / 1000, behind->owner);
    else
        tell(resend, true,
             "no worker seems to be at work: they are in the topic, drover work applies them");
}

static void rest(void)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    nanosleep(&step, NULL);
}

/* OUT_OK with *in_time false: the time given is over. */
static enum outcome wait_for_workers(struct resend *resend, bool *in_time, struct error *err)
{
    char numbers[2][28];
    int64_t applied, wanted;
    const struct register_partition *behind;
    uint64_t wait_ms = resend->run->settings->dead_letters.wait_ms;
    uint64_t begun_ms = clock_monotonic_ms();
    resend->moved_ms = begun_ms;
    *in_time = true;
    for (int32_t i = 0; i < resend->all->partition_count; i++)
        resend->first[i] = resend->all->partitions[i].next_offset;
    for (;;) {
        enum outcome outcome = dead_letter_register_read_checkpoint(resend->all, err);
        if (outcome == OUT_FATAL || stop_signal())
            return outcome == OUT_FATAL ? outcome : OUT_RETRY;
        if (outcome == OUT_OK && is_applied(resend, &applied, &wanted, &behind))
            return OUT_OK;
        if (outcome == OUT_OK) {
            if (applied != resend->applied)
                resend->moved_ms = clock_monotonic_ms();
            resend->applied = applied;
            tell(resend, false, "applied %s of %s messages that are waited for",
                 text_format_count((uint64_t)applied, numbers[0]),
                 text_format_count((uint64_t)wanted, numbers[1]));
            say_still(resend, behind);
        }
        if (wait_ms && clock_monotonic_ms() - begun_ms >= wait_ms) {
            *in_time = false;
            return OUT_OK;
        }
        rest();
    }
}

/* ---- what became of them ---- */

static bool was_sent(const struct dead_letter_pick *pick)
{
    return pick->outcome == FATE_SENT || pick->outcome == FATE_ON_WAY;
}

/* Codes of what was refused again are in the rows of the dead letters that took their place. */
struct naming {
    struct resend *resend;
    uint8_t *is_ours; /* by number in the index */
};

static enum outcome name_refused(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct naming *naming = owner;
    uint32_t number = dead_letter_index_find(&naming->resend->all->index, &row->fact.id);
    (void)err;
    for (uint8_t i = 0; number != DEAD_LETTER_NONE && i < naming->is_ours[number]; i++)
        dead_letter_tally_add(&naming->resend->refused, row->code, row->id, NULL);
    return OUT_OK;
}

static enum outcome judge(struct resend *resend, struct error *err)
{
    const struct dead_letter_index *index = &resend->all->index;
    const struct dead_letter_filter every = DEAD_LETTER_FILTER_ALL;
    struct naming naming = {resend, mem_zeroed(index->count, 1)};
    for (size_t i = 0; i < resend->picks.count; i++) {
        struct dead_letter_pick *pick = &resend->picks.items[i];
        uint32_t number = dead_letter_index_find(index, &pick->id);
        if (!was_sent(pick) || number == DEAD_LETTER_NONE)
            continue;
        uint32_t last = dead_letter_index_last(index, number);
        pick->outcome = index->items[last].fact.taken >= 0 ? FATE_LANDED
                        : last == number                   ? FATE_WAITING
                                                           : FATE_REFUSED;
        if (pick->outcome == FATE_REFUSED && naming.is_ours[last] < UINT8_MAX)
            naming.is_ours[last]++;
    }
    enum outcome outcome =
        dead_letter_cache_each(&resend->all->cache, &every, name_refused, &naming, err);
    free(naming.is_ours);
    return outcome;
}

/* ---- which version the store holds ---- */

struct asking {
    struct resend *resend;
    struct store_reader *reader;
};

static bool has_landed(const struct dead_letter_pick *pick)
{
    return pick->outcome == FATE_LANDED;
}

static enum outcome ask_message(void *owner, const struct picked_message *picked, struct error *err)
{
    struct asking *asking = owner;
    const struct mapping *mapping;
    struct row row;
    struct stored_record stored;
    struct error refusal;
    bool found = false;
    if (dead_letter_maker_row(&asking->resend->maker, picked, &mapping, &row, &refusal) != OUT_OK)
        return OUT_OK; /* under another mapping than the worker's: it cannot be told */
    enum outcome outcome = asking->reader->ops->find(asking->reader, mapping, row.tenant, row.id,
                                                     &stored, &found, err);
    if (outcome == OUT_OK && found && stored.version > row.version)
        picked->pick->outcome = FATE_NEWER;
    else if (outcome == OUT_OK && !found && !row.deleted)
        picked->pick->outcome = FATE_WAITING;
    return outcome == OUT_REJECT ? OUT_OK : outcome;
}

static enum outcome ask_store(struct resend *resend, struct error *err)
{
    const struct store_reading reading = {0};
    const struct store *store = store_of(resend->run->settings);
    struct asking asking = {.resend = resend};
    uint64_t missing;
    if (!store->open_reader || count_fate(resend, FATE_LANDED) == 0)
        return OUT_OK;
    enum outcome outcome = store->open_reader(resend->run->settings, &resend->maker.mappings,
                                              &reading, &asking.reader, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = dead_letter_picks_read(&resend->picks, resend->all, has_landed, ask_message, &asking,
                                     &missing, err);
    asking.reader->ops->close(asking.reader);
    return outcome;
}

/* ---- the end ---- */

static void answer_end_of(struct resend *resend, const uint64_t counts[FATE_COUNT])
{
    struct json_out *out = answer_body(resend->run->answer);
    json_out_bool(out, "dry_run", false);
    json_out_text(out, "run", resend->name);
    json_out_count(out, "chosen", resend->picks.count);
    json_out_count(out, "landed", counts[FATE_LANDED]);
    json_out_count(out, "superseded", counts[FATE_NEWER]);
    json_out_count(out, "refused_again", counts[FATE_REFUSED]);
    json_out_count(out, "waiting", counts[FATE_WAITING]);
    json_out_count(out, "not_sent",
                   counts[FATE_UNNAMED] + counts[FATE_STRANGE] + counts[FATE_TOO_LARGE]);
    json_out_count(out, "missing", resend->missing);
    dead_letter_tally_append_json(&resend->refused, out, "refused_by_code");
}

static void print_count(uint64_t count, const char *what, const char *why)
{
    char number[28];
    if (count)
        printf("  %10s  %s%s%s\n", text_format_count(count, number), what, why[0] ? ": " : "", why);
}

static void print_end(struct resend *resend, const uint64_t counts[FATE_COUNT])
{
    char numbers[7][28];
    struct buf text;
    printf("%s dead letter%s = %s landed + %s superseded + %s refused again + %s waiting + %s not "
           "sent\n",
           text_format_count(resend->picks.count, numbers[0]), resend->picks.count == 1 ? "" : "s",
           text_format_count(counts[FATE_LANDED], numbers[1]),
           text_format_count(counts[FATE_NEWER], numbers[2]),
           text_format_count(counts[FATE_REFUSED], numbers[3]),
           text_format_count(counts[FATE_WAITING], numbers[4]),
           text_format_count(counts[FATE_UNNAMED] + counts[FATE_STRANGE] + counts[FATE_TOO_LARGE] +
                                 resend->missing,
                             numbers[5]));
    print_count(counts[FATE_NEWER], "superseded", "the store holds a newer version, which stays");
    print_count(counts[FATE_WAITING], "waiting",
                "not applied yet, or for the records they refer to (drover status)");
    print_count(counts[FATE_UNNAMED], "not sent",
                "they name no tenant or entity: --entity NAME, and --tenant KEY");
    print_count(counts[FATE_STRANGE], "not sent",
                "nothing in their headers says that they are dead letters");
    print_count(counts[FATE_TOO_LARGE], "not sent", "larger than the source topic takes");
    print_count(resend->missing, "not sent", "no longer in their topic");
    buf_init(&text, TEXT_LIMIT);
    dead_letter_tally_append(&resend->refused, &text);
    if (text.size)
        printf("refused:\n%s", buf_text(&text));
    buf_free(&text);
}

static enum exit_code tell_end(struct resend *resend)
{
    uint64_t counts[FATE_COUNT] = {0};
    for (size_t i = 0; i < resend->picks.count; i++)
        counts[resend->picks.items[i].outcome]++;
    counts[FATE_WAITING] += counts[FATE_SENT] + counts[FATE_ON_WAY];
    terminal_live_clear(&resend->live);
    if (resend->run->answer->wanted)
        answer_end_of(resend, counts);
    else
        print_end(resend, counts);
    return counts[FATE_LANDED] + counts[FATE_NEWER] == resend->picks.count ? EXIT_OK
                                                                           : EXIT_DISCREPANCY;
}

static enum exit_code stopped(const struct resend *resend)
{
    fprintf(stderr, "stopped; what was sent is in the topic, and the same command again goes on\n");
    if (resend->run->answer->wanted)
        json_out_text(answer_body(resend->run->answer), "run", resend->name);
    return EXIT_STOPPED;
}

static enum exit_code really(struct resend *resend, struct error *err)
{
    bool in_time = true;
    open_view(resend);
    enum outcome outcome = count_fate(resend, FATE_CHOSEN) ? send_all(resend, err) : OUT_OK;
    if (outcome == OUT_OK)
        outcome = wait_for_workers(resend, &in_time, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_register_read(resend->all, false, err);
    if (outcome == OUT_OK)
        outcome = judge(resend, err);
    if (outcome == OUT_OK)
        outcome = ask_store(resend, err);
    if (outcome == OUT_OK)
        return tell_end(resend);
    terminal_live_clear(&resend->live);
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
    resend->first = mem_zeroed(partitions, sizeof *resend->first);
    resend->targets = mem_zeroed(partitions, sizeof *resend->targets);
    run_name_make(resend->name, "-dlq");
    enum outcome outcome = dead_letter_maker_open(run->settings, &resend->maker, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_picks_choose(&resend->picks, &run->all, &run->filter, err);
    if (outcome == OUT_OK && run->id && resend->picks.count == 0)
        outcome = dead_letter_picks_refuse(&run->all, run->id, err);
    choose_fates(resend);
    if (outcome != OUT_OK)
        code = command_fail(err);
    else
        code = run->settings->dry_run ? dry_run(resend, err) : really(resend, err);
    terminal_live_close(&resend->live);
    dead_letter_picks_free(&resend->picks);
    dead_letter_maker_free(&resend->maker);
    free(resend->sequences);
    free(resend->first);
    free(resend->targets);
    free(resend);
    return code;
}
