/* See the header. */
#include "control/load/load_finish.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/model/message/topic.h"
#include "common/policy/totals.h"
#include "control/json_sender.h"
#include "control/load/load_check.h"

enum { BROKER_MS = 15000, RECEIPT_WAIT_MS = 30000, TEXT_LIMIT = 1 << 20 };

static enum outcome send_receipt(struct json_sender *sender, const struct settings *settings,
                                 const char *topic, const struct pg_load_table *table,
                                 struct error *err)
{
    struct loaded_item *items = mem_zeroed(table->left_count + 1, sizeof *items);
    for (size_t i = 0; i < table->left_count; i++)
        items[i] = (struct loaded_item){table->left[i].partition, table->left[i].the_class,
                                        table->left[i].count};
    const struct loaded_receipt receipt = {.group = bytes_text(settings->group),
                                           .topic = bytes_text(topic),
                                           .number = table->number,
                                           .items = items,
                                           .count = table->left_count};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    receipt_append_loaded(&text, &receipt);
    enum outcome outcome = json_sender_send(sender, BYTES_LITERAL("loaded"), buf_view(&text), err);
    buf_free(&text);
    free(items);
    return outcome;
}

static enum outcome send_receipts(struct bus *bus, const struct settings *settings,
                                  const struct pg_load_report *report, struct error *err)
{
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct json_sender *sender = NULL;
    enum outcome outcome = topic_format_all(settings->prefix, settings->migration, topics, err);
    if (outcome == OUT_OK)
        outcome = json_sender_open(bus, topics[TOPIC_RESULTS], BROKER_MS, &sender, err);
    for (size_t i = 0; i < report->count && outcome == OUT_OK; i++)
        outcome = send_receipt(sender, settings, topics[TOPIC_SOURCE], &report->tables[i], err);
    if (outcome == OUT_OK)
        outcome = json_sender_flush(
            sender, RECEIPT_WAIT_MS,
            "the receipt of the load could not be stored; the tables are done", err);
    json_sender_close(sender);
    return outcome;
}

static enum outcome tell(const struct settings *settings, const struct pg_load_report *report,
                         struct error *err)
{
    if (report->count == 0)
        return OUT_OK;
    struct bus *bus = kafka_bus_new(settings, NULL);
    enum outcome outcome = send_receipts(bus, settings, report, err);
    kafka_bus_free(bus);
    return outcome == OUT_OK ? pg_load_note_told(settings, report, err) : outcome;
}

enum outcome load_finish(const struct settings *settings, const struct pg_load_waiting *waiting,
                         struct pg_load_report *report, struct error *err)
{
    struct mapping_set mappings;
    *report = (struct pg_load_report){0};
    enum outcome outcome = mapping_set_load(settings, &mappings, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = load_check_topics(settings, err); /* without them nobody could be told of its end */
    if (outcome == OUT_OK)
        outcome = pg_load_finish(settings, &mappings, waiting, report, err);
    mapping_set_free(&mappings);
    return outcome == OUT_OK ? tell(settings, report, err) : outcome;
}

void load_append_table(struct buf *out, const struct pg_load_table *table)
{
    uint64_t counts[CLASS_COUNT] = {0};
    const char *before = "; left out: ";
    for (size_t i = 0; i < table->left_count; i++)
        counts[table->left[i].the_class] += table->left[i].count;
    buf_append_format(out, "%s: %" PRIu64 " row%s", table->name, table->rows,
                      table->rows == 1 ? "" : "s");
    for (int i = 0; i < CLASS_COUNT; i++) {
        if (counts[i] == 0)
            continue;
        buf_append_format(out, "%s%" PRIu64 " %s", before, counts[i],
                          record_class_name((enum record_class)i));
        before = ", ";
    }
}
