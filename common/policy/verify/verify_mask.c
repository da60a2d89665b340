#include "common/policy/verify/verify_mask.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "common/base/text.h"

void verify_mask_draw_key(struct verify_report *report)
{
    randombytes_buf(report->mask_key, sizeof report->mask_key);
}

uint64_t verify_mask_hash(const struct verify_report *report, struct bytes text)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    uint64_t first = 0;
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text.data, text.size,
                       report->mask_key, sizeof report->mask_key);
    for (size_t i = 0; i < sizeof first; i++)
        first = first << 8 | hash[i];
    return first;
}

uint64_t verify_mask_hash_key(const struct verify_report *report, const struct diff_key *key)
{
    return verify_mask_hash(report, bytes_of(key, sizeof *key));
}

static const char *kind_of(struct bytes value)
{
    switch (value.data[0]) {
    case '"':
        return "string";
    case '{':
        return "object";
    case '[':
        return "array";
    case 't':
    case 'f':
        return "boolean";
    case 'n':
        return "null";
    default:
        return "number";
    }
}

static void append_masked(struct buf *out, const struct verify_report *report, struct bytes value,
                          bool for_people)
{
    const char *kind = kind_of(value);
    buf_append_text(out, kind);
    if (strcmp(kind, "null") == 0)
        return;
    if (strcmp(kind, "boolean") != 0) {
        size_t quotes = value.data[0] == '"' ? 2 : 0;
        buf_append_format(out, " of %zu bytes", value.size - quotes);
    }
    uint64_t hash = verify_mask_hash(report, value);
    buf_append_format(out, " h:%0*" PRIx64, for_people ? 8 : 16, for_people ? hash >> 32 : hash);
}

static void append(struct buf *out, const struct verify_report *report, struct bytes value,
                   bool for_people)
{
    if (value.size == 0)
        buf_append_text(out, "absent");
    else if (report->show_values)
        text_append_safe(out, value, VERIFY_VALUE_MAX);
    else
        append_masked(out, report, value, for_people);
}

void verify_mask_append(struct buf *out, const struct verify_report *report, struct bytes value)
{
    append(out, report, value, true);
}

void verify_mask_append_long(struct buf *out, const struct verify_report *report,
                             struct bytes value)
{
    append(out, report, value, false);
}

void verify_mask_append_json(struct buf *out, const struct verify_report *report,
                             struct bytes value)
{
    struct buf text;
    if (value.size == 0) {
        buf_append_text(out, "null");
        return;
    }
    buf_init(&text, 16 * VERIFY_VALUE_MAX + 64);
    verify_mask_append_long(&text, report, value);
    buf_append_json(out, buf_view(&text));
    buf_free(&text);
}
