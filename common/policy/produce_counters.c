/* See the header. */
#include "common/policy/produce_counters.h"

#include <assert.h>
#include <inttypes.h>

#include "common/base/text.h"
#include "common/policy/totals.h"

static void count_code(struct produce_counters *counters, enum error_code code)
{
    assert((size_t)code < PRODUCE_CODES_MAX);
    counters->by_code[code]++;
}

void produce_counters_queue(struct produce_counters *counters, size_t payload_bytes)
{
    counters->read++;
    counters->queued++;
    counters->payload_bytes += payload_bytes;
}

void produce_counters_replay(struct produce_counters *counters, size_t payload_bytes)
{
    counters->read++;
    counters->produced++;
    counters->replayed++;
    counters->payload_bytes += payload_bytes;
}

void produce_counters_store(struct produce_counters *counters)
{
    assert(counters->queued > 0);
    counters->queued--;
    counters->produced++;
}

void produce_counters_refuse(struct produce_counters *counters, enum error_code code)
{
    assert(counters->queued > 0);
    counters->queued--;
    counters->rejected++;
    count_code(counters, code);
}

void produce_counters_reject(struct produce_counters *counters, enum error_code code)
{
    counters->read++;
    counters->rejected++;
    count_code(counters, code);
}

void produce_counters_withhold(struct produce_counters *counters)
{
    counters->read++;
    counters->withheld++;
}

void produce_counters_fail_source(struct produce_counters *counters, enum error_code code)
{
    counters->failed_sources++;
    count_code(counters, code);
}

bool produce_counters_adds_up(const struct produce_counters *counters, bool at_end)
{
    uint64_t sum = counters->produced + counters->rejected + counters->withheld + counters->queued;
    return sum == counters->read && (!at_end || counters->queued == 0);
}

void produce_counters_append_progress(struct buf *line, const struct produce_counters *counters,
                                      const struct produce_state *state)
{
    struct json_out out;
    json_out_init(&out, line);
    json_out_object(&out, NULL);
    json_out_text(&out, "role", "produce");
    /* what skipped sources hold is theirs as well */
    json_out_count(&out, "read", counters->read + counters->skipped_records);
    json_out_count(&out, "produced", counters->produced);
    json_out_count(&out, "sent_before", counters->skipped_records - counters->skipped_rejected);
    json_out_count(&out, "rejected", counters->rejected + counters->skipped_rejected);
    json_out_count(&out, "withheld", counters->withheld);
    json_out_count(&out, "bytes", state->source_bytes);
    if (state->total_bytes)
        json_out_count(&out, "total_bytes", state->total_bytes);
    else
        json_out_null(&out, "total_bytes");
    json_out_bool(&out, "done", state->done);
    json_out_end(&out);
}

static uint64_t a_second(uint64_t amount, uint64_t elapsed_ms)
{
    return amount * 1000 / (elapsed_ms ? elapsed_ms : 1);
}

void produce_counters_append_line(struct buf *out, const struct produce_counters *counters,
                                  const struct produce_state *state)
{
    char count[28];
    char size[16];
    buf_append_format(out, "produce  %s record%s read", text_format_count(counters->read, count),
                      counters->read == 1 ? "" : "s");
    buf_append_format(out, "  %s produced", text_format_count(counters->produced, count));
    if (counters->rejected)
        buf_append_format(out, "  %s rejected", text_format_count(counters->rejected, count));
    buf_append_format(out, "  %s", text_format_size(state->source_bytes, size));
    if (state->total_bytes)
        buf_append_format(out, " of %s (%" PRIu64 " %%)",
                          text_format_size(state->total_bytes, size),
                          state->source_bytes * 100 / state->total_bytes);
    buf_append_format(
        out, "  %s records/s",
        text_format_count(a_second(counters->produced - counters->replayed, state->elapsed_ms),
                          count));
}

static void append_row(struct buf *out, uint64_t value, const char *what, const char *remark)
{
    char count[28];
    if (value)
        buf_append_format(out, "  %s %s: %s\n", text_format_count(value, count), what, remark);
}

static void append_codes(struct buf *out, const struct produce_counters *counters)
{
    char count[28];
    for (size_t code = 0; code < PRODUCE_CODES_MAX; code++)
        if (counters->by_code[code])
            buf_append_format(
                out, "    %s × %s %s\n", text_format_count(counters->by_code[code], count),
                error_code_id((enum error_code)code), error_code_meaning((enum error_code)code));
}

static void append_skipped(struct buf *out, const struct produce_counters *counters)
{
    char count[3][28];
    if (!counters->skipped)
        return;
    buf_append_format(out, "  %s source%s skipped: sent before and unchanged, with %s record%s",
                      text_format_count(counters->skipped, count[0]),
                      counters->skipped == 1 ? "" : "s",
                      text_format_count(counters->skipped_records, count[1]),
                      counters->skipped_records == 1 ? "" : "s");
    if (counters->skipped_rejected)
        buf_append_format(out, ", %s of them rejected",
                          text_format_count(counters->skipped_rejected, count[2]));
    buf_append_text(out, " (--again sends all)\n");
}

/* A misspelt tenant.from looks like records that name none. */
static void append_tenants(struct buf *out, const struct produce_counters *counters)
{
    char counts[2][28];
    if (!counters->tenant_given && !counters->tenant_named)
        return;
    buf_append_format(out, "  %s name no tenant and got the one given, %s name it themselves%s\n",
                      text_format_count(counters->tenant_given, counts[0]),
                      text_format_count(counters->tenant_named, counts[1]),
                      counters->tenant_named ? "" : ": is tenant.from spelt as in the records?");
}

static void count_classes(const struct produce_counters *counters, uint64_t counts[PRODUCE_COUNT])
{
    memset(counts, 0, PRODUCE_COUNT * sizeof *counts);
    counts[PRODUCE_PRODUCED] = counters->produced;
    counts[PRODUCE_REJECTED] = counters->rejected;
    counts[PRODUCE_WITHHELD] = counters->withheld;
    counts[PRODUCE_ON_WAY] = counters->queued;
}

void produce_counters_append_summary(struct buf *out, const struct produce_counters *counters,
                                     const struct produce_state *state, size_t width)
{
    char size[2][16];
    uint64_t counts[PRODUCE_COUNT];
    count_classes(counters, counts);
    buf_append_format(out, "%s run %s\n  ", state->stopped ? "stopped" : "produced", state->run);
    totals_append_identity(out, &TOTALS_PRODUCE, counts, counters->read, "source records", 6,
                           width);
    append_codes(out, counters);
    append_row(out, counters->queued, "not acknowledged", "running again is safe");
    append_row(out, counters->replayed, "acknowledged before",
               "among those produced; not sent again");
    append_skipped(out, counters);
    append_row(out, counters->deleted, "deletes", "among those produced");
    append_row(out, counters->withheld, "withheld", "tokens, left where they were");
    append_row(out, counters->withheld_fields, "members withheld", "tokens inside records");
    append_row(out, counters->sealed_fields, "members sealed",
               "secrets, on their way to the vault");
    append_row(out, counters->failed_sources, "sources failed", "not read to their end");
    append_row(out, counters->twice, "keys twice in one source",
               "written otherwise, and no version tells which is meant");
    append_row(out, counters->overlap, "keys in several sources",
               "written otherwise; the source that was modified later wins");
    if (counters->keys_full)
        buf_append_text(out, "  not all keys were looked for among those read before\n");
    append_tenants(out, counters);
    buf_append_text(out, "  in ");
    totals_append_pace(out, counters->produced - counters->replayed, state->elapsed_ms);
    buf_append_format(out, ", %s of sources", text_format_size(state->source_bytes, size[0]));
    if (state->elapsed_ms >= 100)
        buf_append_format(
            out, ", %s/s",
            text_format_size(a_second(state->source_bytes, state->elapsed_ms), size[1]));
    buf_append_char(out, '\n');
}

void produce_counters_append_json_codes(struct json_out *out,
                                        const struct produce_counters *counters, const char *name)
{
    json_out_object(out, name);
    for (size_t code = 0; code < PRODUCE_CODES_MAX; code++)
        if (counters->by_code[code])
            json_out_count(out, error_code_id((enum error_code)code), counters->by_code[code]);
    json_out_end(out);
}

void produce_counters_append_json(struct json_out *out, const struct produce_counters *counters,
                                  const struct produce_state *state)
{
    uint64_t counts[PRODUCE_COUNT];
    count_classes(counters, counts);
    json_out_text(out, "run", state->run);
    json_out_count(out, "source_records", counters->read);
    totals_append_json_counts(out, &TOTALS_PRODUCE, counts, true);
    json_out_count(out, "withheld_members", counters->withheld_fields);
    json_out_count(out, "sealed_members", counters->sealed_fields);
    json_out_count(out, "deletes", counters->deleted);
    json_out_count(out, "keys_twice", counters->twice);
    json_out_count(out, "keys_in_several_sources", counters->overlap);
    json_out_bool(out, "keys_complete", !counters->keys_full);
    json_out_count(out, "tenant_given", counters->tenant_given);
    json_out_count(out, "tenant_named", counters->tenant_named);
    json_out_count(out, "sources", counters->sources);
    json_out_count(out, "sources_failed", counters->failed_sources);
    json_out_count(out, "sources_resumed", counters->resumed);
    json_out_count(out, "records_acknowledged_before", counters->replayed);
    json_out_count(out, "sources_anew", counters->anew);
    json_out_count(out, "sources_skipped", counters->skipped);
    json_out_count(out, "records_skipped", counters->skipped_records);
    json_out_count(out, "rejected_skipped", counters->skipped_rejected);
    json_out_count(out, "source_bytes", state->source_bytes);
    json_out_count(out, "payload_bytes", counters->payload_bytes);
    json_out_seconds(out, "duration_seconds", state->elapsed_ms);
    json_out_count(out, "records_per_second",
                   totals_rate(counters->produced - counters->replayed, state->elapsed_ms));
    json_out_bool(out, "stopped", state->stopped);
    produce_counters_append_json_codes(out, counters, "rejected_by_code");
}
