/* `drover dlq show ID`: a dead letter in full, with what was decided about it, and its attempts. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/mappings.h"
#include "control/dlq/cmd_dlq.h"
#include "control/dlq/dead_letter_picks.h"
#include "control/dlq/dead_letter_text.h"

enum {
    TEXT_LIMIT = 64 << 20,
    REASON_SHOWN = 1000,
    DETAILS_SHOWN = 4000,
    HEADER_SHOWN = 300,
    VALUE_SHOWN = 64 * 1024,
};

struct showing {
    struct dead_letter_run *run;
    struct buf text;
    const struct dead_letter_row *row; /* during its callback */
    char *chain;
    size_t found;
    bool is_open;
};

static void append_line(struct buf *out, const char *name, struct bytes text, size_t max)
{
    if (!text.size)
        return;
    buf_append_format(out, "  %-12s", name);
    text_append_safe(out, text, max);
    buf_append_char(out, '\n');
}

/* Text that may hold values, as they are shown. */
static void append_masked(struct showing *showing, const char *name, struct bytes text, size_t max)
{
    if (showing->run->mask.show_values)
        append_line(&showing->text, name, text, max);
    else if (text.size)
        buf_append_format(&showing->text,
                          "  %-12s%zu bytes h:%08" PRIx64 " (--show-values shows it)\n", name,
                          text.size, verify_mask_hash(&showing->run->mask, text) >> 32);
}

static void append_reason(struct showing *showing, const struct picked_message *picked)
{
    struct buf *out = &showing->text;
    const struct dead_letter_reading *reading = &picked->reading;
    append_line(out, "code", reading->code_text, HEADER_SHOWN);
    if (reading->code != ERR_NONE) {
        append_line(out, "meaning", bytes_text(error_code_meaning(reading->code)), HEADER_SHOWN);
        append_line(out, "try", bytes_text(error_code_advice(reading->code)), REASON_SHOWN);
    }
    append_line(out, "path", reading->path, HEADER_SHOWN);
    append_line(out, "stage", reading->stage, HEADER_SHOWN);
    if (reading->reason_is_ours)
        append_line(out, "reason", reading->reason, REASON_SHOWN);
    else
        append_masked(showing, "reason", reading->reason, REASON_SHOWN);
    append_masked(showing, "details", reading->details, DETAILS_SHOWN);
    append_line(out, "left out", reading->truncated, REASON_SHOWN);
}

/* Those that say why were told by their meaning. Others' may hold values. */
static void append_headers(struct showing *showing, const struct message_view *view)
{
    struct buf *out = &showing->text;
    buf_append_text(out, "  headers\n");
    for (size_t i = 0; i < view->header_count; i++) {
        const struct header *header = &view->headers[i];
        if (dead_letter_is_reason(header->name) ||
            bytes_equal(header->name, BYTES_LITERAL("drover-sealed")))
            continue;
        buf_append_text(out, "    ");
        text_append_safe(out, header->name, HEADER_SHOWN);
        buf_append_text(out, ": ");
        bool is_plain = envelope_is_ours(header->name) &&
                        !bytes_equal(header->name, BYTES_LITERAL(HEADER_ID)) &&
                        !bytes_equal(header->name, BYTES_LITERAL(HEADER_SOURCE_KEY)) &&
                        !bytes_equal(header->name, BYTES_LITERAL(HEADER_USER));
        if (is_plain || showing->run->mask.show_values)
            text_append_safe(out, header->value, HEADER_SHOWN);
        else
            buf_append_format(out, "%zu bytes h:%08" PRIx64, header->value.size,
                              verify_mask_hash(&showing->run->mask, header->value) >> 32);
        buf_append_char(out, '\n');
    }
}

static void append_value(struct showing *showing, const char *name, struct bytes value, bool absent)
{
    struct buf *out = &showing->text;
    buf_append_format(out, "  %-12s", name);
    if (absent)
        buf_append_text(out, "none: a delete");
    else if (showing->run->mask.show_values)
        text_append_safe(out, value, VALUE_SHOWN);
    else
        buf_append_format(out, "%zu bytes h:%08" PRIx64 " (--show-values, or --raw, shows it)",
                          value.size, verify_mask_hash(&showing->run->mask, value) >> 32);
    buf_append_char(out, '\n');
}

/* Where the mapping says what the member at the path is to be. */
static const struct column *find_column(const struct mapping *mapping, struct bytes path)
{
    for (size_t i = 0; mapping && path.size && i < mapping->column_count; i++)
        for (size_t j = 0; j < mapping->columns[i].pointer_count; j++)
            if (bytes_equal(path, bytes_text(mapping->columns[i].pointers[j])))
                return &mapping->columns[i];
    return NULL;
}

static void append_mapping(struct showing *showing, struct bytes path)
{
    struct mapping_set mappings = {0};
    if (mapping_set_load(showing->run->settings, &mappings, NULL) == OUT_OK) {
        const struct mapping *mapping = mapping_set_find(&mappings, showing->row->entity);
        const struct column *column = find_column(mapping, path);
        if (column)
            buf_append_format(&showing->text, "  %-12s%s:%d, column %s\n", "mapping", mapping->file,
                              column->line, column->name);
        else if (mapping)
            buf_append_format(&showing->text, "  %-12s%s\n", "mapping", mapping->file);
    }
    mapping_set_free(&mappings);
}

static void append_row(struct showing *showing)
{
    struct buf *out = &showing->text;
    const struct dead_letter_row *row = showing->row;
    append_line(out, "tenant", row->tenant, HEADER_SHOWN);
    append_line(out, "entity", row->entity, HEADER_SHOWN);
    buf_append_format(out, "  %-12s", "record");
    dead_letter_append_record(out, &showing->run->mask, row->record);
    buf_append_char(out, '\n');
    if (row->fact.has_version)
        buf_append_format(out, "  %-12s%" PRId64 "\n", "version", row->fact.version);
    append_line(out, "read from", row->origin, HEADER_SHOWN);
    if (row->partition >= 0)
        buf_append_format(out, "  %-12s%.*s-%d@%" PRId64 "\n", "was at", BYTES_ARGS(row->topic),
                          row->partition, row->offset);
    buf_append_format(out, "  %-12s%s-%d@%" PRId64 "\n", "lies at",
                      dead_letter_register_topic(&showing->run->all, row->at_topic),
                      row->at_partition, row->at_offset);
}

static enum outcome append_attempt(void *owner, const struct dead_letter_row *row,
                                   struct error *err)
{
    struct showing *showing = owner;
    struct buf *out = &showing->text;
    (void)err;
    if (showing->run->answer->wanted) {
        struct json_out *json = answer_body(showing->run->answer);
        json_out_object(json, NULL);
        dead_letter_append_json(json, showing->run, row);
        json_out_end(json);
        return OUT_OK;
    }
    buf_append_format(out, "    %d  ", row->fact.attempts);
    dead_letter_append_time(out, row->last_ms);
    buf_append_text(out, "  ");
    dead_letter_append_padded(out, row->code, 10);
    dead_letter_append_padded(out, bytes_text(dead_letter_state_word(row->state)), 12);
    text_append_safe(out, row->id, HEADER_SHOWN);
    buf_append_char(out, '\n');
    return OUT_OK;
}

static enum outcome append_decision(void *owner, const struct cache_decision *decision,
                                    struct error *err)
{
    struct showing *showing = owner;
    struct buf *out = &showing->text;
    (void)err;
    if (showing->run->answer->wanted) {
        struct json_out *json = answer_body(showing->run->answer);
        json_out_object(json, "decision");
        json_out_text(json, "decision", decision_kind_name(decision->kind));
        json_out_bytes(json, "who", decision->who);
        json_out_bytes(json, "why", decision->why);
        json_out_time(json, "time", decision->at_ms);
        json_out_end(json);
        return OUT_OK;
    }
    buf_append_format(out, "  %-12s", decision_kind_name(decision->kind));
    dead_letter_append_time(out, decision->at_ms);
    buf_append_text(out, " by ");
    text_append_safe(out, decision->who, HEADER_SHOWN);
    if (decision->why.size) {
        buf_append_text(out, ": ");
        text_append_safe(out, decision->why, REASON_SHOWN);
    }
    buf_append_char(out, '\n');
    return OUT_OK;
}

static void append_text(struct showing *showing, const struct picked_message *picked)
{
    struct buf *out = &showing->text;
    text_append_safe(out, picked->id, HEADER_SHOWN);
    buf_append_format(out, "  %s\n", dead_letter_state_word(showing->row->state));
    append_reason(showing, picked);
    append_row(showing);
    append_mapping(showing, picked->reading.path);
    append_value(showing, "key", picked->view.key, false);
    append_headers(showing, &picked->view);
    append_value(showing, "value", picked->view.value, picked->view.null_value);
}

static void append_json_reason(struct showing *showing, const struct picked_message *picked)
{
    struct json_out *out = answer_body(showing->run->answer);
    bool shown = showing->run->mask.show_values || picked->reading.reason_is_ours;
    json_out_bytes(out, "reason", shown ? picked->reading.reason : (struct bytes){"", 0});
    json_out_bytes(out, "stage", picked->reading.stage);
    json_out_list(out, "headers");
    for (size_t i = 0; i < picked->view.header_count; i++)
        if (!dead_letter_is_reason(picked->view.headers[i].name))
            json_out_bytes(out, NULL, picked->view.headers[i].name);
    json_out_end(out);
    if (showing->run->mask.show_values && !picked->view.null_value)
        json_out_bytes(out, "value", picked->view.value);
    else
        json_out_null(out, "value");
}

/* --raw: nothing but the bytes. */
static enum outcome write_raw(const struct picked_message *picked, struct error *err)
{
    if (picked->view.value.size)
        fwrite(picked->view.value.data, 1, picked->view.value.size, stdout);
    if (fflush(stdout) == 0)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "standard output cannot be written");
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_FATAL;
}

static enum outcome show_message(void *owner, const struct picked_message *picked,
                                 struct error *err)
{
    struct showing *showing = owner;
    showing->found++;
    if (showing->run->settings->dead_letters.raw)
        return write_raw(picked, err);
    if (showing->run->answer->wanted)
        append_json_reason(showing, picked);
    else
        append_text(showing, picked);
    return OUT_OK;
}

static enum outcome show_row(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct showing *showing = owner;
    struct dead_letter_pick pick = {.id = row->fact.id,
                                    .at_offset = row->at_offset,
                                    .at_partition = row->at_partition,
                                    .at_topic = (uint8_t)row->at_topic};
    const struct dead_letter_picks picks = {.items = &pick, .count = 1};
    uint64_t missing;
    showing->row = row;
    showing->is_open = row->state == DEAD_LETTER_OPEN;
    showing->chain = mem_text_part(row->chain.data, row->chain.size);
    if (showing->run->answer->wanted)
        dead_letter_append_json(answer_body(showing->run->answer), showing->run, row);
    return dead_letter_picks_read(&picks, &showing->run->all, NULL, show_message, showing, &missing,
                                  err);
}

static enum outcome append_rest(struct showing *showing, struct error *err)
{
    struct dead_letter_cache *cache = &showing->run->all.cache;
    struct answer *answer = showing->run->answer;
    enum outcome outcome =
        dead_letter_cache_decisions(cache, showing->run->id, append_decision, showing, err);
    if (answer->wanted)
        json_out_list(answer_body(answer), "chain");
    else
        buf_append_format(&showing->text, "  %-12s\n", "attempts");
    if (outcome == OUT_OK)
        outcome = dead_letter_cache_attempts(cache, bytes_text(showing->chain), append_attempt,
                                             showing, err);
    if (answer->wanted)
        json_out_end(answer_body(answer));
    return outcome;
}

enum exit_code dead_letter_show(struct dead_letter_run *run, struct error *err)
{
    struct showing showing = {.run = run};
    const struct dead_letter_filter only = run->filter;
    buf_init(&showing.text, TEXT_LIMIT);
    enum outcome outcome = dead_letter_cache_each(&run->all.cache, &only, show_row, &showing, err);
    if (outcome == OUT_OK && !showing.chain) {
        outcome =
            error_set(err, OUT_FATAL, ERR_DEAD_LETTER_UNKNOWN, "there is no such dead letter");
        error_where(err, "%s", run->id);
    } else if (outcome == OUT_OK && !showing.found) {
        outcome = error_set(err, OUT_RETRY, ERR_KAFKA_OFFSET,
                            "the dead letter is no longer in its topic");
        error_where(err, "%s", run->id);
    }
    if (outcome == OUT_OK && !run->settings->dead_letters.raw)
        outcome = append_rest(&showing, err);
    if (outcome == OUT_OK && showing.text.size)
        fwrite(showing.text.data, 1, showing.text.size, stdout);
    if (outcome == OUT_OK && !run->settings->dead_letters.raw)
        dead_letter_say_next(run, showing.is_open, run->id);
    free(showing.chain);
    buf_free(&showing.text);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}
