/* `drover dlq discard --reason TEXT`: a person decides that records are not migrated. Their dead
 * letters stay where they are, and every verdict names how many there are. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "control/dlq/cmd_dlq.h"
#include "control/dlq/dead_letter_decide.h"
#include "control/dlq/dead_letter_tally.h"
#include "control/dlq/discard_confirm.h"

enum { LINE_MAX_BYTES = 300, LINE_LIMIT = 64 * 1024 };

struct discarding {
    struct dead_letter_run *run;
    struct dead_letter_picks picks; /* what is told and asked about is what is decided */
    struct dead_letter_tally tally; /* of them */
    uint64_t count;
};

static enum outcome choose(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct discarding *discarding = owner;
    (void)err;
    dead_letter_picks_add(&discarding->picks, row);
    dead_letter_tally_add(&discarding->tally, row->code, row->id, NULL);
    return OUT_OK;
}

static void tell_code(const struct discarding *discarding, const char *code, uint64_t count)
{
    struct buf line;
    char number[28];
    if (discarding->run->answer->wanted) {
        struct json_out *out = answer_body(discarding->run->answer);
        json_out_object(out, NULL);
        json_out_text(out, "code", code);
        json_out_count(out, "count", count);
        json_out_end(out);
        return;
    }
    buf_init(&line, LINE_LIMIT);
    buf_append_format(&line, "  %8s  ", text_format_count(count, number));
    text_append_safe(&line, bytes_text(code), LINE_MAX_BYTES);
    fprintf(stderr, "%s\n", buf_text(&line));
    buf_free(&line);
}

static void tell_codes(const struct discarding *discarding)
{
    const struct dead_letter_tally *tally = &discarding->tally;
    if (discarding->run->answer->wanted)
        json_out_list(answer_body(discarding->run->answer), "by_code");
    for (size_t i = 0; i < tally->count; i++)
        tell_code(discarding, tally->codes[i].code, tally->codes[i].count);
    if (discarding->run->answer->wanted)
        json_out_end(answer_body(discarding->run->answer));
}

static enum outcome confirm(const struct discarding *discarding, struct error *err)
{
    char what[48], number[28];
    if (discarding->count <= 1)
        return OUT_OK;
    snprintf(what, sizeof what, "%s dead letters", text_format_count(discarding->count, number));
    return discard_confirm(discarding->run->settings, what, err);
}

static void tell_end(const struct discarding *discarding, bool done)
{
    char number[28];
    const struct dead_letter_run *run = discarding->run;
    if (run->answer->wanted) {
        json_out_bool(answer_body(run->answer), "dry_run", !done);
        json_out_text(answer_body(run->answer), "reason", run->settings->reason);
        json_out_count(answer_body(run->answer), "discarded", discarding->count);
        return;
    }
    printf("%s dead letter%s %sdiscarded\n", text_format_count(discarding->count, number),
           discarding->count == 1 ? "" : "s", done ? "" : "would be ");
}

static enum outcome discard(struct discarding *discarding, struct error *err)
{
    struct dead_letter_run *run = discarding->run;
    const struct settings *settings = run->settings;
    const struct decision decision = {.kind = DECISION_DISCARDED,
                                      .why = bytes_text(settings->reason)};
    enum outcome outcome =
        dead_letter_cache_each(&run->all.cache, &run->filter, choose, discarding, err);
    if (outcome != OUT_OK)
        return outcome;
    discarding->count = discarding->picks.count;
    tell_codes(discarding);
    if (run->id && discarding->count == 0)
        return dead_letter_picks_refuse(&run->all, run->id, err);
    if (settings->dry_run)
        return OUT_OK;
    outcome = confirm(discarding, err);
    return outcome == OUT_OK && discarding->count
               ? dead_letter_decide(&run->all, &discarding->picks, NULL, &decision,
                                    &discarding->count, err)
               : outcome;
}

enum exit_code dead_letter_discard(struct dead_letter_run *run, struct error *err)
{
    struct discarding *discarding = mem_zeroed(1, sizeof *discarding);
    discarding->run = run;
    enum outcome outcome = discard(discarding, err);
    if (outcome == OUT_OK)
        tell_end(discarding, !run->settings->dry_run);
    dead_letter_picks_free(&discarding->picks);
    free(discarding);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}
