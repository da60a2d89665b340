#include "control/command.h"

#include <stdio.h>
#include <string.h>

#include "common/io/kafka/kafka_topics.h"
#include "common/io/postgres/pg_schema.h"
#include "common/policy/text_line.h"
#include "common/policy/verify/verify_next.h"
#include "control/advice.h"
#include "control/code_word.h"
#include "producer/produce.h"
#include "verifier/follow/follow.h"
#include "verifier/verify.h"
#include "worker/work.h"

enum {
    EXPLAIN_WIDTH = 80,
};

/* Sources on the command line stand in for those of the file. */
static struct settings with_sources(const struct invocation *invocation)
{
    struct settings settings = invocation->settings;
    if (invocation->words.count)
        settings.sources = invocation->words;
    return settings;
}

enum exit_code produce_command(const struct invocation *invocation, struct error *err)
{
    struct settings settings = with_sources(invocation);
    return produce_main(&settings, err);
}

enum exit_code work_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    return work_main(&invocation->settings, err);
}

enum exit_code verify_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    const struct settings *settings = &invocation->settings;
    struct buf next;
    if (settings->verify_follow) {
        answer_name(invocation->answer, "verify", "follow");
        return verify_follow_main(settings, err);
    }
    buf_init(&next, VERIFY_NEXT_MAX);
    enum exit_code code = verify_main(settings, &next, err);
    if (!settings->json && !settings->quiet)
        advice_say_next(&invocation->conf, &next);
    buf_free(&next);
    return code;
}

static void append_code(struct json_out *out, enum error_code code)
{
    const char *advice = error_code_advice(code);
    json_out_object(out, NULL);
    json_out_text(out, "code", error_code_id(code));
    json_out_text(out, "meaning", error_code_meaning(code));
    json_out_text(out, "try", advice[0] ? advice : NULL);
    json_out_int(out, "exit_code", error_code_exit(code));
    json_out_end(out);
}

static void print_row(const char *id, const char *meaning)
{
    struct buf text;
    buf_init(&text, 4096);
    struct text_line line = text_line_begin(&text, 10, EXPLAIN_WIDTH);
    text_line_format(&line, "%-9s ", id);
    text_line_words(&line, bytes_text(meaning));
    text_line_end(&line);
    fputs(buf_text(&text), stdout);
    buf_free(&text);
}

static void explain_all(struct answer *answer, const char *const *ids, size_t count)
{
    enum error_code code;
    if (answer->wanted)
        json_out_list(answer_body(answer), "codes");
    for (size_t i = 0; i < count; i++) {
        if (!error_code_find(ids[i], &code) || code == ERR_NONE)
            continue;
        if (answer->wanted)
            append_code(answer_body(answer), code);
        else
            print_row(ids[i], error_code_meaning(code));
    }
    if (answer->wanted)
        json_out_end(answer_body(answer));
}

enum exit_code explain_command(const struct invocation *invocation, struct error *err)
{
    enum error_code code;
    size_t count;
    const char *const *ids = code_words(&count);
    size_t asked = invocation->words.count;
    const char *const *words = invocation->words.items;
    if (asked == 0) {
        explain_all(invocation->answer, ids, count);
        return EXIT_OK;
    }
    for (size_t i = 0; i < asked; i++)
        if (!code_word_find(words[i], &code, err))
            return EXIT_USAGE;
    if (invocation->answer->wanted) {
        explain_all(invocation->answer, words, asked);
        return EXIT_OK;
    }
    for (size_t i = 0; i < asked; i++) {
        (void)error_code_find(words[i], &code);
        printf("%s%s  %s\n", i ? "\n" : "", error_code_id(code), error_code_meaning(code));
        if (error_code_advice(code)[0])
            printf("try:  %s\n", error_code_advice(code));
        printf("exit: %d\n", (int)error_code_exit(code));
    }
    return EXIT_OK;
}

enum exit_code version_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    if (invocation->answer->wanted) {
        struct json_out *out = answer_body(invocation->answer);
        json_out_object(out, "libraries");
        json_out_text(out, "librdkafka", kafka_topics_library());
        json_out_int(out, "libpq", pg_schema_library());
        json_out_end(out);
        return EXIT_OK;
    }
    printf("drover %s (librdkafka %s, libpq %d)\n", DROVER_VERSION, kafka_topics_library(),
           pg_schema_library());
    return EXIT_OK;
}
