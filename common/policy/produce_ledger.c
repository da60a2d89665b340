/* See the header. */
#include "common/policy/produce_ledger.h"

#include <assert.h>
#include <inttypes.h>

#include "common/base/text.h"

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

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

void produce_ledger_append_progress(struct buf *out, const struct produce_ledger *ledger,
                                    const struct produce_state *state)
{
    buf_append_format(
        out,
        "{\"role\":\"produce\",\"read\":%" PRIu64 ",\"produced\":%" PRIu64 ",\"rejected\":%" PRIu64
        ",\"withheld\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"total_bytes\":",
        ledger->read, ledger->produced, ledger->rejected, ledger->withheld, state->source_bytes);
    if (state->total_bytes)
        buf_append_format(out, "%" PRIu64, state->total_bytes);
    else
        buf_append_text(out, "null");
    buf_append_format(out, ",\"done\":%s}", truth(state->done));
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

static void append_row(struct buf *out, const char *name, uint64_t value, const char *remark)
{
    char count[28];
    buf_append_format(out, "  %-18s %16s%s%s\n", name, text_format_count(value, count),
                      remark[0] ? "   " : "", remark);
}

static void append_codes(struct buf *out, const struct produce_ledger *ledger)
{
    char count[28];
    for (size_t code = 0; code < PRODUCE_CODES_MOST; code++)
        if (ledger->by_code[code])
            buf_append_format(
                out, "    %16s × %s %s\n", text_format_count(ledger->by_code[code], count),
                error_code_id((enum error_code)code), error_code_meaning((enum error_code)code));
}

void produce_ledger_append_summary(struct buf *out, const struct produce_ledger *ledger,
                                   const struct produce_state *state)
{
    char size[16];
    char rate[28];
    buf_append_format(out, "%s run %s\n", state->stopped ? "stopped" : "produced", state->run);
    bool sums = produce_ledger_adds_up(ledger, true);
    const char *equal =
        ledger->withheld ? "= produced + rejected + withheld" : "= produced + rejected";
    append_row(out, "records read", ledger->read, sums ? equal : "NOT the sum of the classes");
    append_row(out, "produced", ledger->produced, "acknowledged by all in-sync replicas");
    append_row(out, "rejected", ledger->rejected, ledger->rejected ? "at the source" : "");
    if (ledger->withheld)
        append_row(out, "withheld", ledger->withheld, "tokens, left where they were");
    if (ledger->withheld_fields)
        append_row(out, "members withheld", ledger->withheld_fields, "tokens inside records");
    if (ledger->sealed_fields)
        append_row(out, "members sealed", ledger->sealed_fields,
                   "secrets, on their way to the vault");
    if (ledger->deleted)
        append_row(out, "deletes", ledger->deleted, "among those produced");
    if (ledger->queued)
        append_row(out, "not acknowledged", ledger->queued, "running again is safe");
    if (ledger->failed_sources)
        append_row(out, "sources failed", ledger->failed_sources, "not read to their end");
    append_codes(out, ledger);
    buf_append_format(out, "  %-18s %16s   in %" PRIu64 ".%" PRIu64 " s,", "source bytes",
                      text_format_size(state->source_bytes, size), state->elapsed_ms / 1000,
                      state->elapsed_ms % 1000 / 100);
    buf_append_format(out, " %s records/s, %s/s\n",
                      text_format_count(a_second(ledger->produced, state->elapsed_ms), rate),
                      text_format_size(a_second(state->source_bytes, state->elapsed_ms), size));
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
    json_out_text(out, "run", state->run);
    json_out_count(out, "read", ledger->read);
    json_out_count(out, "produced", ledger->produced);
    json_out_count(out, "rejected", ledger->rejected);
    json_out_count(out, "withheld", ledger->withheld);
    json_out_count(out, "withheld_members", ledger->withheld_fields);
    json_out_count(out, "sealed_members", ledger->sealed_fields);
    json_out_count(out, "deletes", ledger->deleted);
    json_out_count(out, "not_acknowledged", ledger->queued);
    json_out_count(out, "sources", ledger->sources);
    json_out_count(out, "sources_failed", ledger->failed_sources);
    json_out_count(out, "source_bytes", state->source_bytes);
    json_out_count(out, "payload_bytes", ledger->payload_bytes);
    json_out_seconds(out, "duration_seconds", state->elapsed_ms);
    json_out_count(out, "records_per_second", a_second(ledger->produced, state->elapsed_ms));
    json_out_bool(out, "stopped", state->stopped);
    produce_ledger_append_json_codes(out, ledger, "codes");
}
