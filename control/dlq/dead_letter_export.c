/* `drover dlq export`: the original bytes of many dead letters, as NDJSON or a file each. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/files.h"
#include "control/dlq/cmd_dlq.h"
#include "control/dlq/dead_letter_picks.h"

struct exporting {
    struct dead_letter_run *run;
    const char *folder; /* NULL: NDJSON on standard output, or into the answer */
    struct buf line, encoded;
    uint64_t written;
};

/* Text as it is; other bytes in base64, under another name. */
static void append_bytes(struct exporting *exporting, struct json_out *out, const char *name,
                         const char *name_base64, struct bytes value)
{
    if (text_is_utf8(value, NULL)) {
        json_out_verbatim(out, name, value);
        return;
    }
    size_t size = sodium_base64_encoded_len(value.size, sodium_base64_VARIANT_ORIGINAL);
    buf_reset(&exporting->encoded);
    char *text = mem_sure(buf_extend(&exporting->encoded, size));
    sodium_bin2base64(text, size, (const unsigned char *)value.data, value.size,
                      sodium_base64_VARIANT_ORIGINAL);
    json_out_verbatim(out, name_base64, bytes_of(text, size - 1));
}

static void append_document(struct exporting *exporting, struct json_out *out,
                            const struct picked_message *picked)
{
    const struct dead_letter_reading *reading = &picked->reading;
    json_out_object(out, NULL);
    json_out_verbatim(out, "id", picked->id);
    json_out_verbatim(out, "first_id", picked->chain);
    json_out_bytes(out, "code", reading->code_text);
    json_out_bytes(out, "reason", reading->reason);
    json_out_int(out, "attempts", reading->attempts);
    json_out_time(out, "time", picked->message->timestamp_ms);
    json_out_verbatim(out, "topic", reading->topic);
    json_out_int(out, "partition", reading->partition);
    json_out_int(out, "offset", reading->offset);
    json_out_list(out, "headers");
    for (size_t i = 0; i < picked->view.header_count; i++) {
        const struct header *header = &picked->view.headers[i];
        if (dead_letter_is_reason(header->name))
            continue;
        json_out_object(out, NULL);
        json_out_bytes(out, "name", header->name);
        append_bytes(exporting, out, "value", "value_base64", header->value);
        json_out_end(out);
    }
    json_out_end(out);
    append_bytes(exporting, out, "key", "key_base64", picked->view.key);
    if (picked->view.null_value)
        json_out_null(out, "value");
    else
        append_bytes(exporting, out, "value", "value_base64", picked->view.value);
    json_out_end(out);
}

static enum outcome write_value(struct exporting *exporting, const struct picked_message *picked,
                                struct error *err)
{
    struct bytes value = picked->view.value;
    buf_reset(&exporting->encoded);
    buf_append_text(&exporting->encoded, exporting->folder);
    buf_append_char(&exporting->encoded, '/');
    text_percent_encode(&exporting->encoded, picked->id);
    buf_append_text(&exporting->encoded, picked->view.null_value ? ".delete" : ".value");
    const char *path = buf_text(&exporting->encoded);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (fd >= 0 && value.size) {
        ssize_t put = write(fd, value.data, value.size);
        if (put <= 0 && errno != EINTR)
            break;
        value =
            bytes_of(value.data + (put > 0 ? put : 0), value.size - (size_t)(put > 0 ? put : 0));
    }
    if (fd >= 0 && close(fd) == 0 && value.size == 0)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "a file cannot be written");
    error_cause(err, "%s", strerrordesc_np(errno));
    error_where(err, "%s", path);
    return OUT_FATAL;
}

static enum outcome export_message(void *owner, const struct picked_message *picked,
                                   struct error *err)
{
    struct exporting *exporting = owner;
    struct answer *answer = exporting->run->answer;
    struct json_out out;
    exporting->written++;
    if (exporting->folder)
        return write_value(exporting, picked, err);
    if (answer->wanted) {
        append_document(exporting, answer_body(answer), picked);
        answer_flush(answer);
        return OUT_OK;
    }
    buf_reset(&exporting->line);
    json_out_init(&out, &exporting->line);
    append_document(exporting, &out, picked);
    buf_append_char(&exporting->line, '\n');
    fwrite(exporting->line.data, 1, exporting->line.size, stdout);
    if (!ferror(stdout))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "standard output cannot be written");
    return OUT_FATAL;
}

static void tell_export(const struct exporting *exporting, uint64_t missing)
{
    char number[28];
    struct answer *answer = exporting->run->answer;
    if (answer->wanted) {
        if (!exporting->folder)
            json_out_end(answer_body(answer));
        json_out_text(answer_body(answer), "to", exporting->folder);
        json_out_count(answer_body(answer), "exported", exporting->written);
        json_out_count(answer_body(answer), "missing", missing);
        return;
    }
    fprintf(stderr, "%s dead letter%s exported%s%s\n",
            text_format_count(exporting->written, number), exporting->written == 1 ? "" : "s",
            exporting->folder ? " to " : "", exporting->folder ? exporting->folder : "");
    if (missing)
        fprintf(stderr, "%" PRIu64 " are no longer in their topic\n", missing);
}

enum exit_code dead_letter_export(struct dead_letter_run *run, struct error *err)
{
    struct dead_letter_picks picks = {0};
    struct exporting exporting = {.run = run};
    uint64_t missing = 0;
    if (strcmp(run->settings->dead_letters.to, "-") != 0)
        exporting.folder = run->settings->dead_letters.to;
    buf_init(&exporting.line, ANSWER_MAX);
    buf_init(&exporting.encoded, ANSWER_MAX);
    enum outcome outcome = exporting.folder ? files_make_folder(exporting.folder, err) : OUT_OK;
    if (outcome == OUT_OK)
        outcome = dead_letter_picks_choose(&picks, &run->all, &run->filter, err);
    if (outcome == OUT_OK && run->answer->wanted && !exporting.folder)
        json_out_list(answer_body(run->answer), "dead_letters");
    if (outcome == OUT_OK)
        outcome = dead_letter_picks_read(&picks, &run->all, NULL, export_message, &exporting,
                                         &missing, err);
    if (outcome == OUT_OK)
        tell_export(&exporting, missing);
    dead_letter_picks_free(&picks);
    buf_free(&exporting.line);
    buf_free(&exporting.encoded);
    if (outcome != OUT_OK)
        return command_fail(err);
    return missing ? EXIT_DISCREPANCY : EXIT_OK;
}
