#include "control/dlq/dead_letter_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "common/base/text.h"
#include "common/base/text_width.h"

enum { SHOWN_MAX = 200 };

void dead_letter_append_time(struct buf *out, int64_t unix_ms)
{
    char text[32];
    struct tm utc;
    time_t seconds = (time_t)(unix_ms / 1000);
    if (unix_ms < 0 || !gmtime_r(&seconds, &utc) ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc) == 0)
        snprintf(text, sizeof text, "%-19s", "-");
    buf_append_text(out, text);
}

void dead_letter_append_padded(struct buf *out, struct bytes text, size_t width)
{
    size_t at = out->size;
    text_append_safe(out, text.size ? text : BYTES_LITERAL("-"), SHOWN_MAX);
    size_t wide = (size_t)text_width(bytes_of(out->data + at, out->size - at));
    for (size_t i = wide; i < width || i < wide + 2; i++)
        buf_append_char(out, ' ');
}

void dead_letter_append_record(struct buf *out, const struct verify_report *mask,
                               struct bytes record)
{
    if (!record.size)
        buf_append_format(out, "%-10s", "-");
    else if (mask->show_values)
        text_append_safe(out, record, SHOWN_MAX);
    else
        buf_append_format(out, "h:%08" PRIx64, verify_mask_hash(mask, record) >> 32);
}

static void append_texts(struct json_out *out, const struct dead_letter_run *run,
                         const struct dead_letter_row *row)
{
    char hash[32];
    json_out_bytes(out, "id", row->id);
    json_out_bytes(out, "first_id", row->chain);
    json_out_text(out, "state", dead_letter_state_word(row->state));
    json_out_bytes(out, "code", row->code);
    if (row->path.size)
        json_out_bytes(out, "path", row->path);
    else
        json_out_null(out, "path");
    json_out_bytes(out, "tenant", row->tenant);
    json_out_bytes(out, "entity", row->entity);
    snprintf(hash, sizeof hash, "h:%016" PRIx64, verify_mask_hash(&run->mask, row->record));
    if (!row->record.size)
        json_out_null(out, "record");
    else if (run->mask.show_values)
        json_out_bytes(out, "record", row->record);
    else
        json_out_text(out, "record", hash);
    if (row->fact.has_version)
        json_out_exact(out, "record_version", row->fact.version);
    else
        json_out_null(out, "record_version");
    if (row->origin.size)
        json_out_bytes(out, "origin", row->origin);
    else
        json_out_null(out, "origin");
}

void dead_letter_append_json(struct json_out *out, const struct dead_letter_run *run,
                             const struct dead_letter_row *row)
{
    append_texts(out, run, row);
    json_out_text(out, "written_by", dead_letter_family_word(row->family));
    json_out_int(out, "attempts", row->fact.attempts);
    json_out_time(out, "first_time", row->first_ms);
    json_out_time(out, "last_time", row->last_ms);
    if (row->size >= 0)
        json_out_int(out, "value_bytes", row->size);
    else
        json_out_null(out, "value_bytes");
    json_out_object(out, "record_place");
    json_out_bytes(out, "topic", row->topic);
    json_out_int(out, "partition", row->partition);
    json_out_int(out, "offset", row->offset);
    json_out_end(out);
    json_out_object(out, "dead_letter_place");
    json_out_text(out, "topic", dead_letter_register_topic(&run->all, row->at_topic));
    json_out_int(out, "partition", row->at_partition);
    json_out_int(out, "offset", row->at_offset);
    json_out_end(out);
}
