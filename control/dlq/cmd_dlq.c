/* `drover dlq list|show|stats|export|replay|discard`: which dead letters are meant, and by whom
 * they are seen. */
#include "control/dlq/cmd_dlq.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/key_file.h"
#include "common/io/mappings.h"
#include "common/io/stop.h"
#include "common/policy/secrets/secret_key.h"
#include "control/code_word.h"
#include "control/dlq/source_discard.h"
#include "control/entity_word.h"
#include "control/moment.h"
#include "control/partition_words.h"

enum {
    SERVER_MS = 10000,
    CODES_LIMIT = 64 * 1024,
};

enum way { WAY_LIST, WAY_SHOW, WAY_STATS, WAY_EXPORT, WAY_REPLAY, WAY_DISCARD };

static const char *const WORDS[] = {"list", "show", "stats", "export", "replay", "discard", NULL};

/* ---- which of them ---- */

static enum outcome refuse_flag(struct error *err, const char *flag, const char *value,
                                const char *hint)
{
    error_set(err, OUT_FATAL, ERR_USAGE, "--%s does not take \"%.60s\"", flag, value);
    error_hint(err, "%s", hint);
    return OUT_FATAL;
}

static enum outcome take_moment(const char *flag, const char *text, int64_t *ms, struct error *err)
{
    return !text || moment_parse(text, ms) ? OUT_OK : refuse_flag(err, flag, text, MOMENT_FORMS);
}

static enum outcome take_offsets(const char *text, struct dead_letter_filter *filter,
                                 struct error *err)
{
    static const char HINT[] = "one offset, 100-200, or 100-";
    if (!text)
        return OUT_OK;
    size_t first = strcspn(text, "-");
    bool is_range = text[first] == '-';
    const char *rest = text + first + is_range;
    if (!text_parse_int64(bytes_of(text, first), &filter->from))
        return refuse_flag(err, "offset", text, HINT);
    if (is_range && !*rest)
        return OUT_OK;
    if (is_range && !text_parse_int64(bytes_text(rest), &filter->to))
        return refuse_flag(err, "offset", text, HINT);
    if (!is_range)
        filter->to = filter->from;
    if (filter->to < filter->from || filter->to == INT64_MAX)
        return refuse_flag(err, "offset", text, HINT);
    filter->to++;
    return OUT_OK;
}

static enum outcome take_partition(const char *text, struct dead_letter_filter *filter,
                                   struct error *err)
{
    if (text && (!text_parse_int64(bytes_text(text), &filter->partition) || filter->partition < 0))
        return refuse_flag(err, "partition", text, "a partition of the source topic, from 0");
    return OUT_OK;
}

/* Ours in whichever case; a class of an exception, and a code of another system, as it is. */
static enum outcome take_codes(const struct conf_list *codes, struct dead_letter_run *run,
                               struct error *err)
{
    enum error_code code;
    bool is_own = !run->settings->dead_letters.topic;
    buf_init(&run->codes, CODES_LIMIT);
    for (size_t i = 0; i < codes->count; i++) {
        const char *word = codes->items[i];
        if (code_word_is_ours(word, is_own) && !code_word_find(word, &code, err))
            return OUT_FATAL;
        buf_append_format(&run->codes, "%s%s,", i ? "" : ",",
                          error_code_find(word, &code) ? error_code_id(code) : word);
    }
    run->filter.codes = codes->count ? buf_text(&run->codes) : NULL;
    return OUT_OK;
}

static int state_of(const char *word)
{
    for (int i = 0; i < DEAD_LETTER_STATE_COUNT; i++)
        if (strcmp(word, dead_letter_state_word((enum dead_letter_state)i)) == 0)
            return i;
    return -1;
}

static enum outcome take_filter(struct dead_letter_run *run, int way, struct error *err)
{
    bool acts = way == WAY_REPLAY || way == WAY_DISCARD;
    const struct dead_letter_choice *choice = &run->settings->dead_letters;
    run->filter = DEAD_LETTER_FILTER_ALL;
    run->filter.tenant = choice->tenant;
    run->filter.entity = choice->entity;
    run->filter.file = choice->file;
    run->filter.id = run->id;
    run->filter.state = run->id && !acts ? -1 : state_of(choice->state);
    run->filter.limit = choice->limit ? (int64_t)(choice->limit % INT64_MAX) : -1;
    if (take_codes(&choice->codes, run, err) != OUT_OK ||
        take_moment("since", choice->since, &run->filter.since_ms, err) != OUT_OK ||
        take_moment("until", choice->until, &run->filter.until_ms, err) != OUT_OK ||
        take_partition(choice->partition, &run->filter, err) != OUT_OK)
        return OUT_FATAL;
    return take_offsets(choice->offsets, &run->filter, err);
}

/* ---- what nothing is chosen by ---- */

static enum outcome on_any(void *owner, const struct dead_letter_row *row, struct error *err)
{
    bool *any = owner;
    (void)row;
    (void)err;
    *any = true;
    return OUT_OK;
}

static enum outcome has_any(struct dead_letter_run *run, struct dead_letter_filter filter,
                            bool *any, struct error *err)
{
    *any = false;
    filter.at_topic = run->filter.at_topic;
    filter.limit = 1;
    return dead_letter_cache_each(&run->all.cache, &filter, on_any, any, err);
}

/* Without mappings that can be read nobody knows. */
static enum outcome check_entity(struct dead_letter_run *run, struct error *err)
{
    struct dead_letter_filter filter = DEAD_LETTER_FILTER_ALL;
    struct mapping_set mappings;
    bool any = false;
    filter.entity = run->filter.entity;
    enum outcome outcome = filter.entity ? has_any(run, filter, &any, err) : OUT_OK;
    if (outcome != OUT_OK || !filter.entity || any ||
        mapping_set_load(run->settings, &mappings, NULL) != OUT_OK)
        return outcome;
    outcome = entity_word_check(&mappings, filter.entity, err);
    mapping_set_free(&mappings);
    return outcome;
}

/* How many a topic of somebody else's has, from which records came to --topic, nobody knows. */
static enum outcome check_partition(struct dead_letter_run *run, struct error *err)
{
    const struct conf_list words = {
        .items = (const char *[]){run->settings->dead_letters.partition}, .count = 1};
    struct dead_letter_filter filter = DEAD_LETTER_FILTER_ALL;
    int32_t count = run->all.partition_count;
    bool any = false;
    filter.partition = run->filter.partition;
    if (filter.partition < count || run->all.other)
        return OUT_OK;
    enum outcome outcome = has_any(run, filter, &any, err);
    if (outcome != OUT_OK || any)
        return outcome;
    bool *chosen = mem_zeroed((size_t)count, sizeof *chosen);
    outcome = partition_words_choose(&words, "--partition ", chosen, count, err);
    free(chosen);
    return outcome;
}

/* With a key file an id has the hash that it has in the reports of the migration. */
static enum outcome take_mask(struct dead_letter_run *run, struct error *err)
{
    struct secret_ring ring;
    bool present = false;
    run->mask.show_values = run->settings->show_values;
    verify_mask_draw_key(&run->mask);
    enum outcome outcome = key_file_load(run->settings, &ring, &present, err);
    if (outcome != OUT_OK || !present)
        return outcome;
    secret_ring_report_key(&ring, run->mask.mask_key);
    secret_ring_wipe(&ring);
    return OUT_OK;
}

/* ---- the command ---- */

static int choose_way(const struct invocation *invocation, const char **id, struct error *err)
{
    struct invocation first = *invocation;
    *id = NULL;
    if (first.words.count == 2) {
        *id = first.words.items[1];
        first.words.count = 1;
    }
    int way = command_choose(&first, WORDS, err);
    if (way < 0)
        return way;
    answer_name(invocation->answer, "dlq", WORDS[way]);
    bool takes_id = way == WAY_SHOW || way == WAY_REPLAY || way == WAY_DISCARD;
    if (way == WAY_SHOW && !*id) {
        error_set(err, OUT_FATAL, ERR_USAGE, "drover dlq show needs the id of a dead letter");
        error_hint(err, "drover dlq list shows the ids");
        return -1;
    }
    if (*id && !takes_id) {
        error_set(err, OUT_FATAL, ERR_USAGE, "drover dlq %s takes no id", WORDS[way]);
        error_hint(err, "drover dlq show %s, or choose by --tenant, --code, …", *id);
        return -1;
    }
    return way;
}

/* A source is discarded as a whole. */
static enum outcome check_source_flags(const struct settings *settings, int way, struct error *err)
{
    const struct dead_letter_choice *choice = &settings->dead_letters;
    if (way != WAY_DISCARD || !choice->source)
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "--source is of drover dlq discard, and --all of --source");
    if (choice->tenant || choice->entity || choice->codes.count || choice->since || choice->until ||
        choice->file || choice->partition || choice->offsets || choice->limit || choice->topic) {
        error_set(err, OUT_FATAL, ERR_USAGE,
                  "--source discards what is not in the topic of a source that never comes again, "
                  "and takes no choice of dead letters");
        error_hint(err, "--file PATH chooses the dead letters of a source");
        return OUT_FATAL;
    }
    return OUT_OK;
}

/* What would be left out in silence otherwise. */
static enum outcome check_flags(const struct settings *settings, int way, struct error *err)
{
    const struct dead_letter_choice *choice = &settings->dead_letters;
    if (settings->dry_run && way != WAY_REPLAY && way != WAY_DISCARD)
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "only drover dlq replay and discard take --dry-run");
    if (choice->limit && way == WAY_STATS)
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "drover dlq stats counts all of them, and takes no --limit");
    if (way == WAY_DISCARD && (!settings->reason || !settings->reason[0])) {
        error_set(err, OUT_FATAL, ERR_USAGE, "drover dlq discard needs --reason TEXT");
        error_hint(err, "it is kept with who and when, and the verdict of the migration names how "
                        "many were discarded");
        return OUT_FATAL;
    }
    if (choice->source || settings->all)
        return check_source_flags(settings, way, err);
    if (settings->reason && way != WAY_DISCARD)
        return error_set(err, OUT_FATAL, ERR_USAGE, "only drover dlq discard takes --reason");
    if (choice->raw && (way != WAY_SHOW || settings->json))
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "--raw is of drover dlq show, and not with --json");
    return OUT_OK;
}

static enum exit_code run_way(struct dead_letter_run *run, int way, struct error *err)
{
    static enum exit_code (*const WAYS[])(struct dead_letter_run *, struct error *) = {
        dead_letter_list,   dead_letter_show,   dead_letter_stats,
        dead_letter_export, dead_letter_replay, dead_letter_discard};
    if (take_filter(run, way, err) != OUT_OK)
        return EXIT_USAGE;
    if (take_mask(run, err) != OUT_OK ||
        dead_letter_register_open(run->settings, SERVER_MS, run->settings->dead_letters.topic,
                                  &run->all, err) != OUT_OK)
        return command_fail(err);
    if (dead_letter_cache_is_lost(&run->all.cache))
        fprintf(stderr, DEAD_LETTER_CACHE_LOST "\n", run->settings->state_dir);
    run->filter.at_topic = run->all.other ? CACHE_OTHER_TOPIC : TOPIC_DEAD_LETTERS;
    run->filter.takes_nameless = run->all.other && way == WAY_REPLAY;
    if (dead_letter_register_read(&run->all, way == WAY_REPLAY, err) != OUT_OK)
        return stop_signal() ? (enum exit_code)(128 + stop_signal()) : command_fail(err);
    if (check_entity(run, err) != OUT_OK || check_partition(run, err) != OUT_OK)
        return command_fail(err);
    return WAYS[way](run, err);
}

enum exit_code dlq_command(const struct invocation *invocation, struct error *err)
{
    struct dead_letter_run run = {
        .settings = &invocation->settings, .conf = &invocation->conf, .answer = invocation->answer};
    int way = choose_way(invocation, &run.id, err);
    if (way < 0 || check_flags(run.settings, way, err) != OUT_OK)
        return EXIT_USAGE;
    stop_install();
    if (run.settings->dead_letters.source)
        return source_discard(run.settings, run.id, run.answer, err);
    enum exit_code code = run_way(&run, way, err);
    dead_letter_register_close(&run.all);
    buf_free(&run.codes);
    return code;
}
