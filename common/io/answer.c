#include "common/io/answer.h"

#include <stdio.h>

#include "common/base/json_document.h"
#include "common/io/clock.h"

enum {
    FLUSH_AT = 64 << 10,
};

void answer_init(struct answer *answer, bool wanted, const char *kind)
{
    *answer = (struct answer){.wanted = wanted};
    answer_name(answer, kind, NULL);
    buf_init(&answer->buf, ANSWER_MAX);
}

void answer_name(struct answer *answer, const char *command, const char *word)
{
    snprintf(answer->kind, sizeof answer->kind, "%s%s%s", command, word ? "_" : "",
             word ? word : "");
}

void answer_free(struct answer *answer)
{
    buf_free(&answer->buf);
}

static void begin(struct answer *answer)
{
    buf_reset(&answer->buf);
    json_out_init(&answer->out, &answer->buf);
    answer->open = true;
    answer->partly = false;
    json_document_begin(&answer->out, answer->kind, clock_unix_ms());
}

struct json_out *answer_body(struct answer *answer)
{
    if (!answer->open)
        begin(answer);
    return &answer->out;
}

static void write_out(struct answer *answer)
{
    fwrite(answer->buf.data, 1, answer->buf.size, stdout);
    answer->partly = true;
    buf_reset(&answer->buf);
}

void answer_flush(struct answer *answer)
{
    if (answer->buf.size >= FLUSH_AT && !answer->buf.failed)
        write_out(answer);
}

static void end(struct answer *answer, const struct error_list *errors, const int *exit_code)
{
    json_document_end(answer_body(answer), errors, exit_code);
    buf_append_char(&answer->buf, '\n');
    write_out(answer);
    fflush(stdout);
    answer->open = false;
}

/* What does not fit is dropped as a whole: half a document is none. */
static enum exit_code end_too_large(struct answer *answer, const struct error_list *errors)
{
    struct error err;
    struct error_list all;
    enum exit_code code = error_code_exit(ERR_STATE_FILE);
    int exit_code = code;
    error_list_init(&all);
    for (size_t i = 0; errors && i < errors->count; i++)
        error_list_add(&all, &errors->items[i]);
    error_set(&err, OUT_FATAL, ERR_STATE_FILE, "the answer is larger than %zu MiB",
              ANSWER_MAX >> 20);
    error_list_add(&all, &err);
    begin(answer);
    end(answer, &all, &exit_code);
    error_list_free(&all);
    return code;
}

void answer_next(struct answer *answer)
{
    if (answer->wanted)
        end(answer, NULL, NULL);
}

enum exit_code answer_end(struct answer *answer, const struct error_list *errors,
                          enum exit_code code)
{
    int exit_code = code;
    if (!answer->wanted)
        return code;
    if (answer->buf.failed && !answer->partly)
        return end_too_large(answer, errors);
    end(answer, errors, &exit_code);
    return code;
}

void answer_pass_on(struct answer *answer, struct bytes line)
{
    if (!answer->wanted || answer->open)
        return;
    fwrite(line.data, 1, line.size, stdout);
    putchar('\n');
    fflush(stdout);
}
