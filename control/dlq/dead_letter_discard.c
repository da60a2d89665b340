/* `drover dlq discard --reason TEXT`: a person decides that records are not migrated. Their dead
 * letters stay where they are, and every verdict names how many there are. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/io/terminal.h"
#include "control/dlq/cmd_dlq.h"
#include "control/dlq/dead_letter_decide.h"
#include "control/dlq/dead_letter_text.h"

enum { LINE_MAX_BYTES = 300, LINE_LIMIT = 64 * 1024 };

struct discarding {
    struct dead_letter_run *run;
    struct buf line;
    uint64_t count;
};

static enum outcome tell_group(void *owner, const struct cache_group *group, struct error *err)
{
    struct discarding *discarding = owner;
    char number[28];
    (void)err;
    discarding->count += (uint64_t)group->count;
    if (discarding->run->answer->wanted) {
        struct json_out *out = answer_body(discarding->run->answer);
        json_out_object(out, NULL);
        json_out_bytes(out, "code", group->name);
        json_out_count(out, "count", (uint64_t)group->count);
        json_out_end(out);
        return OUT_OK;
    }
    buf_reset(&discarding->line);
    buf_append_format(&discarding->line, "  %8s  ",
                      text_format_count((uint64_t)group->count, number));
    text_append_safe(&discarding->line, group->name, LINE_MAX_BYTES);
    fprintf(stderr, "%s\n", buf_text(&discarding->line));
    return OUT_OK;
}

static enum outcome tell_groups(struct discarding *discarding, struct error *err)
{
    struct dead_letter_run *run = discarding->run;
    if (run->answer->wanted)
        json_out_list(answer_body(run->answer), "by_code");
    enum outcome outcome = dead_letter_cache_groups(&run->all.cache, CACHE_BY_CODE, &run->filter,
                                                    tell_group, discarding, err);
    if (run->answer->wanted)
        json_out_end(answer_body(run->answer));
    return outcome;
}

/* More than one is asked for: by the migration's name, which nobody types by mistake. */
static enum outcome confirm(const struct discarding *discarding, struct error *err)
{
    char typed[LINE_MAX_BYTES] = "", number[28];
    const struct settings *settings = discarding->run->settings;
    if (discarding->count <= 1 || settings->dead_letters.yes)
        return OUT_OK;
    if (settings->json || !terminal_is(STDIN_FILENO)) {
        error_set(err, OUT_FATAL, ERR_USAGE,
                  "%s dead letters would be discarded, and nobody is asked",
                  text_format_count(discarding->count, number));
        error_hint(err, "with --yes it is done, with --dry-run it is only told");
        return OUT_FATAL;
    }
    fprintf(stderr, "They are not migrated then. Type the migration's name (%s) to discard them: ",
            settings->migration);
    if (!fgets(typed, sizeof typed, stdin))
        typed[0] = '\0';
    typed[strcspn(typed, "\n")] = '\0';
    if (strcmp(typed, settings->migration) == 0)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_USAGE, "nothing was discarded");
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

enum exit_code dead_letter_discard(struct dead_letter_run *run, struct error *err)
{
    struct discarding discarding = {.run = run};
    const struct settings *settings = run->settings;
    if (run->id) /* named: only while it is open */
        run->filter.state = DEAD_LETTER_OPEN;
    buf_init(&discarding.line, LINE_LIMIT);
    enum outcome outcome = tell_groups(&discarding, err);
    buf_free(&discarding.line);
    if (outcome == OUT_OK && run->id && discarding.count == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_DEAD_LETTER_UNKNOWN,
                            "there is no open dead letter of this id");
        error_where(err, "%s", run->id);
    }
    if (outcome == OUT_OK && !settings->dry_run)
        outcome = confirm(&discarding, err);
    if (outcome == OUT_OK && !settings->dry_run && discarding.count) {
        const struct decision decision = {.kind = DECISION_DISCARDED,
                                          .why = bytes_text(settings->reason)};
        outcome =
            dead_letter_decide(&run->all, &run->filter, NULL, &decision, &discarding.count, err);
    }
    if (outcome != OUT_OK)
        return command_fail(err);
    tell_end(&discarding, !settings->dry_run);
    return EXIT_OK;
}
