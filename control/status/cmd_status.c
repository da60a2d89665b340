/* `drover status [--watch] [--json]` */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/plural.h"
#include "common/base/text.h"
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/stop.h"
#include "common/io/stores.h"
#include "common/io/terminal.h"
#include "common/io/terminal_live.h"
#include "control/command.h"
#include "control/dlq/dead_letter_cache.h"
#include "control/status/status.h"
#include "control/status/status_retention.h"
#include "control/status/status_screen.h"

enum {
    TEXT_LIMIT = 1 << 20,
    WATCH_MS = 1000,
    SERVER_MS = 8000,
};

/* How fast the work went since the last reading. */
struct pace {
    uint64_t at_ms;
    uint64_t committed;
    double per_second; /* negative: not known yet */
};

static void update_pace(struct pace *pace, const struct status *status)
{
    uint64_t now_ms = clock_monotonic_ms();
    pace->per_second = -1;
    if (pace->at_ms && now_ms > pace->at_ms && status->committed >= pace->committed)
        pace->per_second =
            (double)(status->committed - pace->committed) * 1000.0 / (double)(now_ms - pace->at_ms);
    pace->at_ms = now_ms;
    pace->committed = status->committed;
}

static const char *count_text(uint64_t value, char out[28])
{
    return text_format_count(value, out);
}

static void append_owner(struct buf *out, const struct status_partition *partition)
{
    if (partition->owner[0])
        text_append_safe(out, bytes_text(partition->owner), sizeof(partition->owner));
    else
        buf_append_text(out, partition->epoch ? "(released)" : "-");
}

/* A row a partition: of messages, as nobody can tell records by their offsets. */
static void append_partitions(struct buf *out, const struct status *status, size_t width)
{
    const struct totals_table table = {.set = &TOTALS_WORK,
                                       .name_titles = {"partition"},
                                       .records_title = "messages",
                                       .tail_title = "owner",
                                       .width = width};
    size_t count = (size_t)status->partition_count;
    struct totals_row *rows = mem_zeroed(count, sizeof(*rows));
    char(*names)[24] = mem_zeroed(count, sizeof(*names));
    struct buf *owners = mem_zeroed(count, sizeof(*owners));
    for (size_t i = 0; i < count; i++) {
        buf_init(&owners[i], 4096);
        append_owner(&owners[i], &status->partitions[i]);
        snprintf(names[i], sizeof(names[i]), "%zu", i);
        rows[i] = (struct totals_row){.names = {bytes_text(names[i])},
                                      .counts = status->partitions[i].counts,
                                      .tail = buf_view(&owners[i])};
    }
    totals_append_table(out, &table, rows, count);
    for (int32_t i = 0; i < status->partition_count; i++)
        buf_free(&owners[i]);
    free(rows);
    free(names);
    free(owners);
}

/* What became of the messages; what never got into the topic is among the sources. */
static void append_messages(struct buf *out, const struct status *status, size_t width)
{
    uint64_t counts[WORK_COUNT];
    memcpy(counts, status->counts, sizeof counts);
    counts[WORK_REJECTED] = counts[WORK_WITHHELD] = 0;
    totals_append_identity(out, &TOTALS_WORK, counts, status->messages, "messages in the topic", 4,
                           width);
}

/* Storage hybrid: messages that are in PostgreSQL and not yet in Redis. */
static uint64_t behind_in_redis(const struct status *status)
{
    uint64_t behind = 0;
    for (int32_t i = 0; i < status->partition_count; i++) {
        const struct status_partition *partition = &status->partitions[i];
        if (partition->redis_next >= 0 && partition->next_offset > partition->redis_next)
            behind += (uint64_t)(partition->next_offset - partition->redis_next);
    }
    return store_of(status->settings)->has_stage ? behind : 0;
}

/* What the sum does not say: offsets of the topic that are no records of it, and the pace. */
static void append_footnotes(struct buf *out, const struct status *status, const struct pace *pace)
{
    char numbers[2][28];
    if (status->total != status->messages)
        buf_append_format(out,
                          "%s offsets in the topic, of %s messages: the others are markers of "
                          "transactions, or records that are no longer kept\n",
                          count_text(status->total, numbers[0]),
                          count_text(status->messages, numbers[1]));
    uint64_t behind = behind_in_redis(status);
    if (behind)
        buf_append_format(out, "Redis is %s message%s behind PostgreSQL: a worker brings it up\n",
                          count_text(behind, numbers[0]), plural_end(behind));
    for (const char *at = status->store.loading; *at; at += strcspn(at, "\n") + 1)
        buf_append_format(out, "%.*s is still being loaded: drover load finish makes it whole\n",
                          (int)strcspn(at, "\n"), at);
    if (pace->per_second < 0)
        return;
    buf_append_format(out, "%s records/s",
                      count_text((uint64_t)(pace->per_second + 0.5), numbers[0]));
    if (pace->per_second > 0.5 && status->lag)
        buf_append_format(out, ", about %.0f s left", (double)status->lag / pace->per_second);
    buf_append_char(out, '\n');
}

static void append_table(struct buf *out, const struct status *status, const struct pace *pace)
{
    size_t width = terminal_text_width(STDOUT_FILENO);
    buf_append_format(out, "%s · group %s\n", status->topics[TOPIC_SOURCE],
                      status->settings->group);
    status_screen_append_sources(out, status, width);
    append_partitions(out, status, width);
    append_messages(out, status, width);
    status_screen_append_dead_letters(out, status, width);
    status_screen_append_halted(out, status, width);
    status_screen_append_lag(out, status, clock_unix_ms());
    append_footnotes(out, status, pace);
    status_followers_append(out, &status->followers, clock_unix_ms(), width);
}

static void append_json_partition(struct json_out *out, const struct status_partition *partition,
                                  int32_t at)
{
    json_out_object(out, NULL);
    json_out_int(out, "partition", at);
    json_out_int(out, "low", partition->low);
    json_out_int(out, "high", partition->high);
    json_out_int(out, "next_offset", partition->next_offset);
    json_out_int(out, "redis_next", partition->redis_next);
    json_out_int(out, "results_next", partition->results_next);
    json_out_int(out, "epoch", partition->epoch);
    json_out_int(out, "lag", partition->lag);
    json_out_text(out, "owner", partition->owner[0] ? partition->owner : NULL);
    json_out_count(out, "messages", totals_records(&TOTALS_WORK, partition->counts));
    totals_append_json_counts(out, &TOTALS_WORK, partition->counts, true);
    json_out_end(out);
}

static void append_json(struct json_out *out, const struct status *status, const struct pace *pace)
{
    json_out_text(out, "topic", status->topics[TOPIC_SOURCE]);
    json_out_text(out, "group", status->settings->group);
    json_out_count(out, "total", status->total);
    json_out_count(out, "committed", status->committed);
    json_out_count(out, "lag", status->lag);
    json_out_count(out, "source_records", status->source_records);
    json_out_count(out, "messages", status->messages);
    totals_append_json_counts(out, &TOTALS_WORK, status->counts, true);
    status_screen_append_json(out, status, clock_unix_ms());
    status_followers_append_json(out, &status->followers, clock_unix_ms());
    if (status->store.loading[0]) {
        json_out_list(out, "loading");
        for (const char *at = status->store.loading; *at; at += strcspn(at, "\n") + 1)
            json_out_bytes(out, NULL, bytes_of(at, strcspn(at, "\n")));
        json_out_end(out);
    }
    json_out_object(out, "dead_letters_by_code");
    for (size_t i = 0; i < status->dead.code_count; i++)
        json_out_count(out, status->dead.codes[i].code, status->dead.codes[i].count);
    json_out_end(out);
    if (pace->per_second >= 0)
        json_out_real(out, "records_per_second", pace->per_second, 1);
    else
        json_out_null(out, "records_per_second");
    json_out_list(out, "partitions");
    for (int32_t i = 0; i < status->partition_count; i++)
        append_json_partition(out, &status->partitions[i], i);
    json_out_end(out);
}

static enum outcome read_now(struct status *status, struct error *err)
{
    enum outcome outcome = status_read(status, err);
    if (outcome == OUT_OK)
        outcome = status_read_receipts(status, err);
    if (outcome == OUT_OK)
        outcome = status_read_dead_letters(status, err);
    if (outcome == OUT_OK)
        outcome = status_read_followers(status, err);
    return outcome == OUT_OK ? status_read_oldest(status, err) : outcome;
}

/* One answer: redrawn in place on a terminal, else below the last one. */
static void show(const struct status *status, const struct pace *pace,
                 const struct retention *retention, struct terminal_live *live)
{
    struct buf out;
    if (status->settings->json) {
        append_json(answer_body(status->settings->answer), status, pace);
        retention_append_json(answer_body(status->settings->answer), retention, status);
        return;
    }
    buf_init(&out, TEXT_LIMIT);
    append_table(&out, status, pace);
    retention_append_lines(&out, retention, status);
    if (live) {
        terminal_live_draw(live, buf_view(&out));
    } else {
        fwrite(out.data, 1, out.size, stdout);
        fflush(stdout);
    }
    buf_free(&out);
}

/* Waits for the rest of the second; true when the user ended the watch. A signal that comes just
 * before the sleep is seen behind it. */
static bool wait_or_end(void)
{
    const struct timespec rest = {.tv_sec = WATCH_MS / 1000};
    if (!stop_signal())
        nanosleep(&rest, NULL);
    return stop_signal() != 0;
}

static void say(struct terminal_live *live, const char *line)
{
    if (live && terminal_is(STDERR_FILENO))
        terminal_live_print(live, bytes_text(line));
    else
        fprintf(stderr, "%s\n", line);
}

static void say_error(struct terminal_live *live, const struct error *err, const char *more)
{
    char line[320];
    snprintf(line, sizeof line, "%s: %s%s", error_code_id(err->code), err->text, more);
    say(live, line);
}

/* What is not seen in the answer; each once. */
struct said {
    bool not_kept;
    enum error_code why;
};

static void say_not_kept(struct said *said, const struct status *status, struct terminal_live *live)
{
    char line[600];
    if (said->not_kept || !status_dead_letters_are_not_kept(&status->dead))
        return;
    snprintf(line, sizeof line, DEAD_LETTER_CACHE_LOST, status->settings->state_dir);
    say(live, line);
    said->not_kept = true;
}

static void say_not_known(struct said *said, const struct status *status,
                          struct terminal_live *live)
{
    const struct error *why = &status->dead.why;
    if (why->code != ERR_NONE && why->code != said->why)
        say_error(live, why, "; what became of the dead letters is not known");
    said->why = why->code;
}

/* A dependency that is away for a moment does not end the watch; it is said and asked again. */
static enum exit_code watch(struct status *status, struct error *err)
{
    const struct settings *settings = status->settings;
    struct terminal_live live = {0};
    bool in_place = terminal_is(STDOUT_FILENO) && !settings->json && !settings->plain;
    if (in_place)
        terminal_live_open(&live, STDOUT_FILENO);
    struct pace pace = {0};
    struct retention retention = {0};
    struct said said = {0};
    stop_install();
    do {
        struct error now = {0};
        enum outcome outcome = read_now(status, &now);
        if (outcome == OUT_FATAL) {
            terminal_live_close(&live);
            retention_free(&retention);
            *err = now;
            return command_fail(err);
        }
        if (outcome == OUT_OK) {
            update_pace(&pace, status);
            retention_read(&retention, status, clock_wall_ms(&CLOCK_MACHINE));
            show(status, &pace, &retention, in_place ? &live : NULL);
            answer_next(settings->answer);
            say_not_kept(&said, status, &live);
            say_not_known(&said, status, &live);
        } else if (!stop_signal()) {
            say_error(&live, &now, "; trying again");
        }
    } while (!ferror(stdout) && !wait_or_end());
    terminal_live_close(&live);
    retention_free(&retention);
    answer_name(settings->answer, "status", "end");
    return EXIT_OK;
}

static enum exit_code once(struct status *status, struct error *err)
{
    const struct pace unknown = {.per_second = -1};
    if (read_now(status, err) != OUT_OK)
        return command_fail(err);
    struct retention retention = {0};
    retention_read(&retention, status, clock_wall_ms(&CLOCK_MACHINE));
    show(status, &unknown, &retention, NULL);
    say_not_kept(&(struct said){0}, status, NULL);
    enum outcome outcome = retention_lost(&retention, status, err);
    if (outcome == OUT_OK && status->dead.why.code != ERR_NONE) {
        *err = status->dead.why;
        outcome = OUT_FATAL;
    }
    retention_free(&retention);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

enum exit_code status_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    struct status status;
    if (status_open(&invocation->settings, SERVER_MS, invocation->settings.watch ? 1 : 0, &status,
                    err) != OUT_OK)
        return command_fail(err);
    enum exit_code code = invocation->settings.watch ? watch(&status, err) : once(&status, err);
    status_close(&status);
    return code;
}
