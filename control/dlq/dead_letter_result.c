#include "control/dlq/dead_letter_result.h"

#include <stdio.h>

#include "common/base/text.h"

enum { TEXT_LIMIT = 1 << 20 };

void dead_letter_result_free(struct dead_letter_result *result)
{
    dead_letter_picks_free(&result->picks);
}

uint64_t dead_letter_result_count(const struct dead_letter_result *result, enum fate fate)
{
    uint64_t count = 0;
    for (size_t i = 0; i < result->picks.count; i++)
        count += result->picks.items[i].outcome == fate;
    return count;
}

static void print_count(uint64_t count, const char *what, const char *why)
{
    char number[28];
    if (count)
        printf("  %10s  %s%s%s\n", text_format_count(count, number), what, why[0] ? ": " : "", why);
}

static void print_refused(const struct dead_letter_result *result, const char *title)
{
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    dead_letter_tally_append(&result->refused, &text);
    if (text.size)
        printf("%s%s", title, buf_text(&text));
    buf_free(&text);
}

/* Beside the answer, which has numbers. */
static void print_note(const struct answer *answer, const char *note)
{
    fprintf(answer->wanted ? stderr : stdout, "%s\n", note);
}

/* ---- what would pass ---- */

static void answer_tried(const struct dead_letter_result *result, struct json_out *out)
{
    json_out_bool(out, "dry_run", true);
    json_out_count(out, "chosen", result->picks.count);
    json_out_count(out, "would_pass", dead_letter_result_count(result, FATE_LANDED));
    json_out_count(out, "store_decides", result->untold);
    json_out_count(out, "would_be_refused", result->refused.total);
    dead_letter_tally_append_json(&result->refused, out, "refused_by_code");
    json_out_count(out, "missing", result->missing);
}

static void print_tried(const struct dead_letter_result *result)
{
    char numbers[3][28];
    printf("%s dead letter%s under the mappings of now: %s would pass, %s would be refused again\n",
           text_format_count(result->picks.count, numbers[0]), result->picks.count == 1 ? "" : "s",
           text_format_count(dead_letter_result_count(result, FATE_LANDED), numbers[1]),
           text_format_count(result->refused.total, numbers[2]));
    print_count(result->untold,
                "of those that would pass were refused by the store: it decides again", "");
    print_count(result->missing, "are no longer in their topic", "");
    print_count(dead_letter_result_count(result, FATE_STRANGE),
                "are passed over: nothing says that they are dead letters", "");
    print_refused(result, "");
}

bool dead_letter_result_tell_tried(const struct dead_letter_result *result, struct answer *answer)
{
    if (answer->wanted)
        answer_tried(result, answer_body(answer));
    else
        print_tried(result);
    if (result->is_untaken)
        print_note(answer,
                   "note: this mapping is not the newest one that is registered, and workers "
                   "refuse it (DRV-M005) until drover schema apply takes it over");
    return !result->refused.total && !result->missing &&
           !dead_letter_result_count(result, FATE_STRANGE);
}

/* ---- the end ---- */

static uint64_t not_sent(const uint64_t counts[FATE_COUNT])
{
    return counts[FATE_UNNAMED] + counts[FATE_STRANGE] + counts[FATE_TOO_LARGE];
}

static void answer_end_of(const struct dead_letter_result *result,
                          const uint64_t counts[FATE_COUNT], const char *run, struct json_out *out)
{
    json_out_bool(out, "dry_run", false);
    json_out_text(out, "run", run);
    json_out_count(out, "chosen", result->picks.count);
    json_out_count(out, "landed", counts[FATE_LANDED]);
    json_out_count(out, "superseded", counts[FATE_NEWER]);
    json_out_count(out, "conflict", counts[FATE_CONFLICT]);
    json_out_count(out, "refused_again", counts[FATE_REFUSED]);
    json_out_count(out, "waiting", counts[FATE_WAITING]);
    json_out_count(out, "not_sent", not_sent(counts));
    json_out_count(out, "missing", result->missing);
    dead_letter_tally_append_json(&result->refused, out, "refused_by_code");
}

static void print_end(const struct dead_letter_result *result, const uint64_t counts[FATE_COUNT])
{
    char numbers[7][28];
    printf("%s dead letter%s = %s landed + %s superseded + %s conflict + %s refused again + "
           "%s waiting + %s not sent\n",
           text_format_count(result->picks.count, numbers[0]), result->picks.count == 1 ? "" : "s",
           text_format_count(counts[FATE_LANDED], numbers[1]),
           text_format_count(counts[FATE_NEWER], numbers[2]),
           text_format_count(counts[FATE_CONFLICT], numbers[3]),
           text_format_count(counts[FATE_REFUSED], numbers[4]),
           text_format_count(counts[FATE_WAITING], numbers[5]),
           text_format_count(not_sent(counts) + result->missing, numbers[6]));
    print_count(counts[FATE_NEWER], "superseded", "the store holds a newer version, which stays");
    print_count(counts[FATE_CONFLICT], "conflict",
                "the store holds the same version with other content, which stays");
    print_count(counts[FATE_WAITING], "waiting",
                "not applied yet, or for the records they refer to (drover status)");
    print_count(counts[FATE_UNNAMED], "not sent",
                "they name no tenant or entity: --entity NAME, and --tenant KEY");
    print_count(counts[FATE_STRANGE], "not sent",
                "nothing in their headers says that they are dead letters");
    print_count(counts[FATE_TOO_LARGE], "not sent", "larger than the source topic takes");
    print_count(result->missing, "not sent", "no longer in their topic");
    print_refused(result, "refused:\n");
}

bool dead_letter_result_tell(const struct dead_letter_result *result, const char *run,
                             struct answer *answer)
{
    uint64_t counts[FATE_COUNT] = {0};
    for (size_t i = 0; i < result->picks.count; i++)
        counts[result->picks.items[i].outcome]++;
    counts[FATE_WAITING] += counts[FATE_SENT] + counts[FATE_ON_WAY];
    if (answer->wanted)
        answer_end_of(result, counts, run, answer_body(answer));
    else
        print_end(result, counts);
    if (result->passes_here)
        print_note(answer, result->is_untaken
                               ? "they would pass under this mapping, which is not registered: "
                                 "drover schema apply, then restart the workers"
                               : "the workers have an older mapping: restart them");
    return counts[FATE_LANDED] + counts[FATE_NEWER] == result->picks.count;
}
