/* See the header. */
#include "common/policy/verify/readings_sum.h"

#include <inttypes.h>

#include "common/base/text.h"

#define NAME_MAX_BYTES 120 /* of a source's name in a sentence */

uint64_t readings_sum_rejected(const struct readings_entry *entry)
{
    return entry->complete && !readings_is_discarded(entry) ? entry->rejected : 0;
}

static void name(struct readings_sum *sum, const struct readings_entry *entry)
{
    if (sum->named_count < READINGS_SUM_NAMED)
        sum->named[sum->named_count++] = entry;
}

void readings_sum_of(const struct readings *readings, struct readings_sum *sum)
{
    size_t at = 0;
    sum->rejected = sum->rejected_sources = sum->incomplete = 0;
    sum->named_count = 0;
    for (const struct readings_entry *entry; (entry = readings_next(readings, &at));) {
        uint64_t rejected = readings_sum_rejected(entry);
        sum->rejected += rejected;
        sum->rejected_sources += rejected > 0;
        sum->incomplete += readings_is_incomplete(entry);
        if (readings_is_incomplete(entry))
            name(sum, entry);
    }
    for (at = 0; sum->named_count < READINGS_SUM_NAMED;) {
        const struct readings_entry *entry = readings_next(readings, &at);
        if (!entry)
            break;
        if (readings_sum_rejected(entry) && !readings_is_incomplete(entry))
            name(sum, entry);
    }
}

bool readings_sum_is_clean(const struct readings_sum *sum)
{
    return sum->is_known && !sum->beyond && !sum->rejected && !sum->incomplete;
}

/* ---- in words ---------------------------------------------------------------------------- */

static void append_name(const struct readings_sum *sum, bool is_incomplete, struct buf *out)
{
    for (size_t i = 0; i < sum->named_count; i++) {
        const struct readings_entry *entry = sum->named[i];
        if (is_incomplete ? !readings_is_incomplete(entry) : !readings_sum_rejected(entry))
            continue;
        text_append_safe(out, entry->uri, NAME_MAX_BYTES);
        return;
    }
    buf_append_text(out, "one that drover status names"); /* behind READINGS_SUM_NAMED others */
}

static void append_rejected(const struct readings_sum *sum, struct buf *out)
{
    char number[28];
    buf_append_format(out, "%s %s of ", text_format_count(sum->rejected, number),
                      sum->rejected == 1 ? "record" : "records");
    if (sum->rejected_sources == 1) {
        append_name(sum, false, out);
        buf_append_text(out, sum->rejected == 1 ? " is rejected" : " are rejected");
        return;
    }
    buf_append_format(
        out, "%s sources are rejected: ", text_format_count(sum->rejected_sources, number));
    append_name(sum, false, out);
    buf_append_text(out, ", …");
}

static void append_incomplete(const struct readings_sum *sum, struct buf *out)
{
    char number[28];
    if (sum->incomplete == 1) {
        buf_append_text(out, "the reading of ");
        append_name(sum, true, out);
        buf_append_text(out, " is not complete");
        return;
    }
    buf_append_format(out, "the readings of %s sources are not complete: ",
                      text_format_count(sum->incomplete, number));
    append_name(sum, true, out);
    buf_append_text(out, ", …");
}

void readings_sum_append_words(const struct readings_sum *sum, const char *between, struct buf *out)
{
    if (sum->rejected) {
        buf_append_text(out, between);
        append_rejected(sum, out);
        between = "; ";
    }
    if (sum->incomplete) {
        buf_append_text(out, between);
        append_incomplete(sum, out);
        between = "; ";
    }
    if (sum->beyond) {
        char number[28];
        buf_append_format(out, "%s%s readings of sources had no room, what they say is not known",
                          between, text_format_count(sum->beyond, number));
    } else if (!sum->is_known) {
        buf_append_format(out, "%swhat is rejected of the sources was not read yet", between);
    }
}

void readings_sum_append_json(const struct readings_sum *sum, struct json_out *out)
{
    json_out_object(out, "sources");
    json_out_bool(out, "known", sum->is_known);
    json_out_count(out, "not_kept", sum->beyond);
    json_out_count(out, "rejected", sum->rejected);
    json_out_count(out, "rejected_sources", sum->rejected_sources);
    json_out_count(out, "incomplete", sum->incomplete);
    json_out_list(out, "named");
    for (size_t i = 0; i < sum->named_count; i++) {
        const struct readings_entry *entry = sum->named[i];
        json_out_object(out, NULL);
        json_out_bytes(out, "uri", entry->uri);
        json_out_count(out, "rejected", readings_sum_rejected(entry));
        json_out_bool(out, "complete", !readings_is_incomplete(entry));
        json_out_end(out);
    }
    json_out_end(out);
    json_out_end(out);
}
