#include "control/dlq/dead_letter_tally.h"

#include <stdio.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/text.h"

static void keep(char *out, size_t size, struct bytes text)
{
    size_t used = text.size < size ? text.size : size - 1;
    if (used)
        memcpy(out, text.data, used);
    out[used] = '\0';
}

static size_t find(struct dead_letter_tally *tally, struct bytes code)
{
    char name[sizeof tally->codes[0].code];
    size_t at = 0;
    keep(name, sizeof name, code);
    while (at < tally->count && strcmp(tally->codes[at].code, name) != 0)
        at++;
    if (at == tally->count && at + 1 >= TALLY_CODES) { /* the last place is for all others */
        at = TALLY_CODES - 1;
        snprintf(name, sizeof name, "other");
        tally->count = TALLY_CODES;
    }
    if (at == tally->count)
        tally->count++;
    if (!tally->codes[at].code[0])
        memcpy(tally->codes[at].code, name, sizeof name);
    return at;
}

bool dead_letter_tally_add(struct dead_letter_tally *tally, struct bytes code, struct bytes id,
                           const char *reason)
{
    size_t at = find(tally, code);
    uint64_t sample = tally->codes[at].count++;
    tally->total++;
    if (sample >= TALLY_SAMPLES)
        return false;
    keep(tally->codes[at].samples[sample].id, sizeof tally->codes[at].samples[sample].id, id);
    keep(tally->codes[at].samples[sample].reason, sizeof tally->codes[at].samples[sample].reason,
         bytes_text(reason));
    return true;
}

void dead_letter_tally_explain(struct dead_letter_tally *tally, struct bytes id,
                               struct bytes reason)
{
    char name[sizeof tally->codes[0].samples[0].id];
    keep(name, sizeof name, id);
    for (size_t i = 0; i < tally->count; i++)
        for (size_t j = 0; j < TALLY_SAMPLES; j++)
            if (strcmp(tally->codes[i].samples[j].id, name) == 0)
                keep(tally->codes[i].samples[j].reason, sizeof tally->codes[i].samples[j].reason,
                     reason);
}

void dead_letter_tally_append(const struct dead_letter_tally *tally, struct buf *out)
{
    char number[28];
    enum error_code code;
    for (size_t i = 0; i < tally->count; i++) {
        buf_append_format(out, "  %10s  ", text_format_count(tally->codes[i].count, number));
        text_append_safe(out, bytes_text(tally->codes[i].code), 100);
        if (error_code_find(tally->codes[i].code, &code))
            buf_append_format(out, "  %s", error_code_meaning(code));
        buf_append_char(out, '\n');
        for (size_t j = 0; j < TALLY_SAMPLES && tally->codes[i].samples[j].id[0]; j++) {
            buf_append_text(out, "              ");
            text_append_safe(out, bytes_text(tally->codes[i].samples[j].id), 300);
            if (tally->codes[i].samples[j].reason[0]) {
                buf_append_text(out, ": ");
                text_append_safe(out, bytes_text(tally->codes[i].samples[j].reason), 300);
            }
            buf_append_char(out, '\n');
        }
    }
}

void dead_letter_tally_append_json(const struct dead_letter_tally *tally, struct json_out *out,
                                   const char *name)
{
    json_out_list(out, name);
    for (size_t i = 0; i < tally->count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "code", tally->codes[i].code);
        json_out_count(out, "count", tally->codes[i].count);
        json_out_list(out, "samples");
        for (size_t j = 0; j < TALLY_SAMPLES && tally->codes[i].samples[j].id[0]; j++)
            json_out_text(out, NULL, tally->codes[i].samples[j].id);
        json_out_end(out);
        json_out_end(out);
    }
    json_out_end(out);
}
