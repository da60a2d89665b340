/* `drover dlq list` and `stats`: one line a dead letter, and how many there are of each kind. Ids
 * of records are hashes unless --show-values (verify_mask.h); what a dead letter is called is no
 * value. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/text.h"
#include "control/dlq/cmd_dlq.h"
#include "control/dlq/dead_letter_text.h"

enum {
    LINE_LIMIT = 64 * 1024,
    LIST_MAX = 100,   /* where no limit is given */
    NAMES_SHOWN = 20, /* of tenants and entities, for people */
    PATH_SHOWN = 60,
};

struct listing {
    struct dead_letter_run *run;
    struct buf line;
    int64_t shown, max, open;
};

static enum outcome list_row(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct listing *listing = owner;
    struct buf *line = &listing->line;
    (void)err;
    listing->open += row->state == DEAD_LETTER_OPEN;
    if (listing->shown++ >= listing->max)
        return OUT_OK; /* it is counted */
    if (listing->run->answer->wanted) {
        struct json_out *out = answer_body(listing->run->answer);
        json_out_object(out, NULL);
        dead_letter_append_json(out, listing->run, row);
        json_out_end(out);
        answer_flush(listing->run->answer);
        return OUT_OK;
    }
    buf_reset(line);
    dead_letter_append_time(line, row->last_ms);
    buf_append_text(line, "  ");
    dead_letter_append_padded(line, row->code, 10);
    buf_append_format(line, "%-10s  %8d  ", dead_letter_state_word(row->state), row->fact.attempts);
    dead_letter_append_padded(line, row->tenant, 12);
    dead_letter_append_padded(line, row->entity, 12);
    dead_letter_append_record(line, &listing->run->mask, row->record);
    buf_append_text(line, "  ");
    text_append_safe(line, row->id, 300);
    if (row->path.size) {
        buf_append_text(line, "  ");
        text_append_safe(line, row->path, PATH_SHOWN);
    }
    printf("%s\n", buf_text(line));
    return OUT_OK;
}

enum exit_code dead_letter_list(struct dead_letter_run *run, struct error *err)
{
    struct listing listing = {.run = run,
                              .max = run->filter.limit < 0 ? LIST_MAX : run->filter.limit};
    char numbers[2][28];
    run->filter.limit = -1;
    buf_init(&listing.line, LINE_LIMIT);
    if (run->answer->wanted)
        json_out_list(answer_body(run->answer), "dead_letters");
    else
        printf("%-19s  %-10s%-10s  %8s  %-12s%-12s%-10s  id\n", "last seen (UTC)", "code", "state",
               "attempts", "tenant", "entity", "record");
    enum outcome outcome =
        dead_letter_cache_each(&run->all.cache, &run->filter, list_row, &listing, err);
    int64_t shown = listing.shown < listing.max ? listing.shown : listing.max;
    if (run->answer->wanted) {
        json_out_end(answer_body(run->answer));
        json_out_count(answer_body(run->answer), "total", (uint64_t)listing.shown);
    } else if (outcome == OUT_OK && shown < listing.shown) {
        printf("%s of %s dead letters; --limit shows more, drover dlq stats counts them\n",
               text_format_count((uint64_t)shown, numbers[0]),
               text_format_count((uint64_t)listing.shown, numbers[1]));
    } else if (outcome == OUT_OK) {
        printf("%s dead letter%s\n", text_format_count((uint64_t)listing.shown, numbers[0]),
               listing.shown == 1 ? "" : "s");
    }
    buf_free(&listing.line);
    if (outcome == OUT_OK)
        dead_letter_say_next(run, listing.open, NULL);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

/* ---- stats ---- */

struct counting {
    struct dead_letter_run *run;
    enum cache_dimension dimension;
    struct buf line;
    int64_t groups, rest;
    int64_t total, open;
};

static void answer_group(struct json_out *out, const struct counting *counting,
                         const struct cache_group *group)
{
    static const char *const NAMES[] = {"code", "entity", "tenant", "state"};
    json_out_object(out, NULL);
    if (counting->dimension == CACHE_BY_STATE)
        json_out_text(out, "state", dead_letter_state_word(group->state));
    else
        json_out_bytes(out, NAMES[counting->dimension], group->name);
    json_out_count(out, "count", (uint64_t)group->count);
    json_out_time(out, "first_time", group->first_ms);
    json_out_time(out, "last_time", group->last_ms);
    json_out_bytes(out, "sample", group->sample);
    json_out_end(out);
}

static void print_group(struct counting *counting, const struct cache_group *group)
{
    char number[28];
    struct buf *line = &counting->line;
    enum error_code code;
    buf_reset(line);
    buf_append_format(line, "  %8s  ", text_format_count((uint64_t)group->count, number));
    if (counting->dimension == CACHE_BY_STATE)
        dead_letter_append_padded(line, bytes_text(dead_letter_state_word(group->state)), 14);
    else
        dead_letter_append_padded(line, group->name, 14);
    dead_letter_append_time(line, group->first_ms);
    buf_append_text(line, "  ");
    dead_letter_append_time(line, group->last_ms);
    if (counting->dimension == CACHE_BY_CODE) {
        char id[16] = "";
        if (group->name.size < sizeof id)
            memcpy(id, group->name.data, group->name.size);
        buf_append_text(line, "  ");
        if (error_code_find(id, &code))
            buf_append_text(line, error_code_meaning(code));
        buf_append_text(line, "\n            such as ");
        text_append_safe(line, group->sample, 300);
    }
    printf("%s\n", buf_text(line));
}

static enum outcome count_group(void *owner, const struct cache_group *group, struct error *err)
{
    struct counting *counting = owner;
    (void)err;
    counting->total += group->count;
    if (counting->dimension == CACHE_BY_STATE && group->state == DEAD_LETTER_OPEN)
        counting->open += group->count;
    if (counting->run->answer->wanted) {
        answer_group(answer_body(counting->run->answer), counting, group);
        answer_flush(counting->run->answer);
    } else if (counting->groups++ < NAMES_SHOWN || counting->dimension == CACHE_BY_CODE) {
        print_group(counting, group);
    } else {
        counting->rest++;
    }
    return OUT_OK;
}

static enum outcome count_dimension(struct counting *counting, enum cache_dimension dimension,
                                    struct error *err)
{
    static const char *const NAMES[] = {"by_code", "by_entity", "by_tenant", "by_state"};
    static const char *const TITLES[] = {"code", "entity", "tenant", "state"};
    struct dead_letter_run *run = counting->run;
    struct dead_letter_filter filter = run->filter;
    if (dimension == CACHE_BY_STATE)
        filter.state = -1;
    counting->dimension = dimension;
    counting->groups = counting->rest = counting->total = 0;
    if (run->answer->wanted)
        json_out_list(answer_body(run->answer), NAMES[dimension]);
    else
        printf("  %8s  %-14s%-19s  %-19s\n", "number", TITLES[dimension], "first (UTC)",
               "last (UTC)");
    enum outcome outcome =
        dead_letter_cache_groups(&run->all.cache, dimension, &filter, count_group, counting, err);
    if (run->answer->wanted)
        json_out_end(answer_body(run->answer));
    else if (counting->rest)
        printf("  and %" PRId64 " more\n", counting->rest);
    if (!run->answer->wanted)
        putchar('\n');
    return outcome;
}

/* The table by state counts them whatever has become of them. */
static void print_total(const struct dead_letter_run *run, int64_t total, int64_t all)
{
    char numbers[2][28];
    int state = run->filter.state;
    printf("%s%s%s dead letter%s", text_format_count((uint64_t)total, numbers[0]),
           state < 0 ? "" : " ",
           state < 0 ? "" : dead_letter_state_word((enum dead_letter_state)state),
           total == 1 ? "" : "s");
    if (all != total)
        printf(", counted by code, entity and tenant; the table by state counts all %s",
               text_format_count((uint64_t)all, numbers[1]));
    printf("\n");
}

enum exit_code dead_letter_stats(struct dead_letter_run *run, struct error *err)
{
    struct counting counting = {.run = run};
    buf_init(&counting.line, LINE_LIMIT);
    enum outcome outcome = OUT_OK;
    for (int i = CACHE_BY_CODE; i <= CACHE_BY_TENANT && outcome == OUT_OK; i++)
        outcome = count_dimension(&counting, (enum cache_dimension)i, err);
    int64_t total = counting.total;
    if (outcome == OUT_OK)
        outcome = count_dimension(&counting, CACHE_BY_STATE, err);
    if (run->answer->wanted)
        json_out_count(answer_body(run->answer), "total", (uint64_t)total);
    else if (outcome == OUT_OK)
        print_total(run, total, counting.total);
    buf_free(&counting.line);
    if (outcome == OUT_OK)
        dead_letter_say_next(run, counting.open, NULL);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}
