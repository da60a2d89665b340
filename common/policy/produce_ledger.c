/* See the header. */
#include "common/policy/produce_ledger.h"

#include <assert.h>
#include <inttypes.h>

#include "common/base/text.h"
#include "common/policy/totals.h"

static void count_code(struct produce_ledger *ledger, enum error_code code)
{
    assert((size_t)code < PRODUCE_CODES_MOST);
    ledger->by_code[code]++;
}

void produce_ledger_queue(struct produce_ledger *ledger, size_t payload_bytes)
{
    ledger->read++;
    ledger->queued++;
    ledger->payload_bytes += payload_bytes;
}

void produce_ledger_store(struct produce_ledger *ledger)
{
    assert(ledger->queued > 0);
    ledger->queued--;
    ledger->produced++;
}

void produce_ledger_refuse(struct produce_ledger *ledger, enum error_code code)
{
    assert(ledger->queued > 0);
    ledger->queued--;
    ledger->rejected++;
    count_code(ledger, code);
}

void produce_ledger_reject(struct produce_ledger *ledger, enum error_code code)
{
    ledger->read++;
    ledger->rejected++;
    count_code(ledger, code);
}

void produce_ledger_withhold(struct produce_ledger *ledger)
{
    ledger->read++;
    ledger->withheld++;
}

void produce_ledger_fail_source(struct produce_ledger *ledger, enum error_code code)
{
    ledger->failed_sources++;
    count_code(ledger, code);
}

bool produce_ledger_adds_up(const struct produce_ledger *ledger, bool at_end)
{
    uint64_t sum = ledger->produced + ledger->rejected + ledger->withheld + ledger->queued;
    return sum == ledger->read && (!at_end || ledger->queued == 0);
}

void produce_ledger_append_progress(struct buf *line, const struct produce_ledger *ledger,
                                    const struct produce_state *state)
{
    struct json_out out;
    json_out_init(&out, line);
    json_out_object(&out, NULL);
    json_out_text(&out, "role", "produce");
    json_out_count(&out, "read", ledger->read);
    json_out_count(&out, "produced", ledger->produced);
    json_out_count(&out, "rejected", ledger->rejected);
    json_out_count(&out, "withheld", ledger->withheld);
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

void produce_ledger_append_line(struct buf *out, const struct produce_ledger *ledger,
                                const struct produce_state *state)
{
    char count[28];
    char size[16];
    buf_append_format(out, "produce  %s records read", text_format_count(ledger->read, count));
    buf_append_format(out, "  %s produced", text_format_count(ledger->produced, count));
    if (ledger->rejected)
        buf_append_format(out, "  %s rejected", text_format_count(ledger->rejected, count));
    buf_append_format(out, "  %s", text_format_size(state->source_bytes, size));
    if (state->total_bytes)
        buf_append_format(out, " of %s (%" PRIu64 " %%)",
                          text_format_size(state->total_bytes, size),
                          state->source_bytes * 100 / state->total_bytes);
    buf_append_format(out, "  %s records/s",
                      text_format_count(a_second(ledger->produced, state->elapsed_ms), count));
}

static void append_row(struct buf *out, uint64_t value, const char *what, const char *remark)
{
    char count[28];
    if (value)
        buf_append_format(out, "  %s %s: %s\n", text_format_count(value, count), what, remark);
}

static void append_codes(struct buf *out, const struct produce_ledger *ledger)
{
    char count[28];
    for (size_t code = 0; code < PRODUCE_CODES_MOST; code++)
        if (ledger->by_code[code])
            buf_append_format(
                out, "    %s × %s %s\n", text_format_count(ledger->by_code[code], count),
                error_code_id((enum error_code)code), error_code_meaning((enum error_code)code));
}

/* A misspelt tenant.from looks like records that name none. */
static void append_tenants(struct buf *out, const struct produce_ledger *ledger)
{
    char counts[2][28];
    if (!ledger->tenant_given && !ledger->tenant_named)
        return;
    buf_append_format(out, "  %s name no tenant and got the one given, %s name it themselves%s\n",
                      text_format_count(ledger->tenant_given, counts[0]),
                      text_format_count(ledger->tenant_named, counts[1]),
                      ledger->tenant_named ? "" : ": is tenant.from spelt as in the records?");
}

void produce_ledger_append_summary(struct buf *out, const struct produce_ledger *ledger,
                                   const struct produce_state *state, size_t width)
{
    char size[2][16];
    const uint64_t counts[PRODUCE_COUNT] = {ledger->produced, ledger->rejected, ledger->withheld,
                                            ledger->queued};
    buf_append_format(out, "%s run %s\n  ", state->stopped ? "stopped" : "produced", state->run);
    totals_append_identity(out, &TOTALS_PRODUCE, counts, ledger->read, "source records", 6, width);
    append_codes(out, ledger);
    append_row(out, ledger->queued, "not acknowledged", "running again is safe");
    append_row(out, ledger->deleted, "deletes", "among those produced");
    append_row(out, ledger->withheld, "withheld", "tokens, left where they were");
    append_row(out, ledger->withheld_fields, "members withheld", "tokens inside records");
    append_row(out, ledger->sealed_fields, "members sealed", "secrets, on their way to the vault");
    append_row(out, ledger->failed_sources, "sources failed", "not read to their end");
    append_row(out, ledger->twice, "keys twice in one source",
               "written otherwise, and no version tells which is meant");
    append_row(out, ledger->overlap, "keys in several sources",
               "written otherwise; the source that was modified later wins");
    if (ledger->keys_full)
        buf_append_text(out, "  not all keys were looked for among those read before\n");
    append_tenants(out, ledger);
    buf_append_text(out, "  in ");
    totals_append_pace(out, ledger->produced, state->elapsed_ms);
    buf_append_format(out, ", %s of sources", text_format_size(state->source_bytes, size[0]));
    if (state->elapsed_ms >= 100)
        buf_append_format(
            out, ", %s/s",
            text_format_size(a_second(state->source_bytes, state->elapsed_ms), size[1]));
    buf_append_char(out, '\n');
}

void produce_ledger_append_json_codes(struct json_out *out, const struct produce_ledger *ledger,
                                      const char *name)
{
    json_out_object(out, name);
    for (size_t code = 0; code < PRODUCE_CODES_MOST; code++)
        if (ledger->by_code[code])
            json_out_count(out, error_code_id((enum error_code)code), ledger->by_code[code]);
    json_out_end(out);
}

void produce_ledger_append_json(struct json_out *out, const struct produce_ledger *ledger,
                                const struct produce_state *state)
{
    const uint64_t counts[PRODUCE_COUNT] = {ledger->produced, ledger->rejected, ledger->withheld,
                                            ledger->queued};
    json_out_text(out, "run", state->run);
    json_out_count(out, "source_records", ledger->read);
    totals_append_json_counts(out, &TOTALS_PRODUCE, counts, true);
    json_out_count(out, "withheld_members", ledger->withheld_fields);
    json_out_count(out, "sealed_members", ledger->sealed_fields);
    json_out_count(out, "deletes", ledger->deleted);
    json_out_count(out, "keys_twice", ledger->twice);
    json_out_count(out, "keys_in_several_sources", ledger->overlap);
    json_out_bool(out, "keys_complete", !ledger->keys_full);
    json_out_count(out, "tenant_given", ledger->tenant_given);
    json_out_count(out, "tenant_named", ledger->tenant_named);
    json_out_count(out, "sources", ledger->sources);
    json_out_count(out, "sources_failed", ledger->failed_sources);
    json_out_count(out, "source_bytes", state->source_bytes);
    json_out_count(out, "payload_bytes", ledger->payload_bytes);
    json_out_seconds(out, "duration_seconds", state->elapsed_ms);
    json_out_count(out, "records_per_second", totals_rate(ledger->produced, state->elapsed_ms));
    json_out_bool(out, "stopped", state->stopped);
    produce_ledger_append_json_codes(out, ledger, "rejected_by_code");
}
