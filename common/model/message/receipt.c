#include "common/base/mem.h"
#include "common/model/message/receipt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

static const char *const CLASS_NAMES[CLASS_COUNT] = {
    "applied",  "superseded", "unchanged", "conflict",  "dead_lettered",
    "rejected", "withheld",   "waiting",   "recovered",
};

const char *record_class_name(enum record_class record_class)
{
    return CLASS_NAMES[record_class];
}

static void append_text(struct buf *out, const char *name, struct bytes value)
{
    buf_append_format(out, "\"%s\":", name);
    buf_append_json(out, value);
    buf_append_char(out, ',');
}

static void append_group(struct buf *out, const struct receipt_group *group)
{
    char hex[33];
    digest_format(&group->sum, hex);
    buf_append_char(out, '{');
    if (group->tenant.size)
        append_text(out, "tenant", group->tenant);
    else
        buf_append_format(out, "\"share\":[%d,%d],", group->share, RECEIPT_SHARES);
    append_text(out, "entity", group->entity);
    buf_append_format(out, "\"applied\":%" PRIu64 ",\"sum\":\"%s\"}", group->applied, hex);
}

static void append_reject(struct buf *out, const struct receipt_reject *reject)
{
    buf_append_format(out, "{\"offset\":%" PRId64 ",\"code\":\"%s\",\"class\":\"%s\"}",
                      reject->offset, reject->code, record_class_name(reject->the_class));
}

/* What a message has behind its lists, at most. */
#define TAIL_MAX 160

/* One list as far as there is room; *at is where it stands. */
static void append_list(struct buf *out, const struct receipt *receipt, bool groups, size_t max,
                        bool *any, size_t *at)
{
    size_t count = groups ? receipt->group_count : receipt->reject_count;
    buf_append_text(out, groups ? "\"groups\":[" : "\"rejected\":[");
    for (bool first = true; *at < count; first = false, ++*at) {
        size_t before = out->size;
        if (!first)
            buf_append_char(out, ',');
        if (groups)
            append_group(out, &receipt->groups[*at]);
        else
            append_reject(out, &receipt->rejects[*at]);
        if (*any && out->size + TAIL_MAX > max) {
            out->size = before;
            break;
        }
        *any = true;
    }
    buf_append_text(out, "],");
}

static void append_counts(struct buf *out, const struct receipt *receipt)
{
    buf_append_text(out, "\"counts\":{");
    for (int i = 0; i <= CLASS_DEAD; i++)
        buf_append_format(out, "%s\"%s\":%" PRIu64, i ? "," : "", CLASS_NAMES[i],
                          receipt->counts[i]);
    for (int i = CLASS_WAITING; i < CLASS_COUNT; i++)
        if (receipt->counts[i])
            buf_append_format(out, ",\"%s\":%" PRIu64, CLASS_NAMES[i], receipt->counts[i]);
    buf_append_text(out, "},");
}

void receipt_add_run(struct receipt *receipt, int64_t offset, enum record_class the_class)
{
    struct receipt_run *last = receipt->run_count ? &receipt->runs[receipt->run_count - 1] : NULL;
    if (last && last->the_class == the_class && last->offset + last->count == offset)
        last->count++;
    else
        receipt->runs[receipt->run_count++] = (struct receipt_run){offset, 1, the_class};
}

/* Runs that would fill more than half of a message are left out: who reads them does without.
 * "runs":{"recovered":[[17,4],[30,1]],"dead_lettered":[[21,9]]} */
static void append_runs(struct buf *out, const struct receipt *receipt, size_t max)
{
    bool any = false;
    size_t before = out->size;
    buf_append_text(out, "\"runs\":{");
    for (int class = 0; class < CLASS_COUNT; class ++) {
        bool open = false;
        for (size_t i = 0; i < receipt->run_count; i++) {
            const struct receipt_run *run = &receipt->runs[i];
            if ((int)run->the_class != class)
                continue;
            if (!open)
                buf_append_format(out, "%s\"%s\":[", any ? "," : "", CLASS_NAMES[class]);
            buf_append_format(out, "%s[%" PRId64 ",%" PRIu32 "]", open ? "," : "", run->offset,
                              run->count);
            open = any = true;
        }
        if (open)
            buf_append_char(out, ']');
    }
    buf_append_text(out, "},");
    if (out->size > max / 2)
        out->size = before;
}

void receipt_append_part(struct buf *out, const struct receipt *receipt, size_t max,
                         struct receipt_cursor *cursor)
{
    bool any = false;
    buf_append_format(out, "{\"kind\":\"%s\",", cursor->part ? "batch_part" : "batch");
    append_text(out, "worker", receipt->worker);
    append_text(out, "topic", receipt->topic);
    append_text(out, "group", receipt->group);
    buf_append_format(
        out, "\"partition\":%d,\"first\":%" PRId64 ",\"next\":%" PRId64 ",\"epoch\":%" PRId64 ",",
        receipt->partition, receipt->first, receipt->next, receipt->epoch);
    if (cursor->part)
        buf_append_format(out, "\"part\":%" PRIu32 ",", cursor->part);
    else
        append_counts(out, receipt);
    if (!cursor->part && receipt->run_count)
        append_runs(out, receipt, max);
    append_list(out, receipt, true, max, &any, &cursor->group);
    if (cursor->group == receipt->group_count)
        append_list(out, receipt, false, max, &any, &cursor->reject);
    else
        buf_append_text(out, "\"rejected\":[],");
    cursor->more = cursor->group < receipt->group_count || cursor->reject < receipt->reject_count;
    cursor->part++;
    if (cursor->more)
        buf_append_text(out, "\"more\":true,");
    buf_append_format(out, "\"recovered\":%s,\"committed_ms\":%" PRId64 ",\"lag\":%" PRId64 "}",
                      receipt->recovered ? "true" : "false", receipt->committed_ms, receipt->lag);
}

/* Partitions and offsets in one list each for a class: {"applied":[[0,17],[3,4]],…}. */
void receipt_append_settled(struct buf *out, const struct settled_receipt *receipt)
{
    buf_append_text(out, "{\"kind\":\"settled\",");
    append_text(out, "worker", receipt->worker);
    append_text(out, "topic", receipt->topic);
    append_text(out, "group", receipt->group);
    buf_append_format(out, "\"round\":%" PRId64 ",\"settled\":{", receipt->round);
    bool any = false;
    for (int class = 0; class < CLASS_COUNT; class ++) {
        bool open = false;
        for (size_t i = 0; i < receipt->count; i++) {
            const struct settled_item *item = &receipt->items[i];
            if ((int)item->the_class != class)
                continue;
            if (!open)
                buf_append_format(out, "%s\"%s\":[", any ? "," : "", CLASS_NAMES[class]);
            buf_append_format(out, "%s[%d,%" PRId64 "]", open ? "," : "", item->partition,
                              item->offset);
            open = any = true;
        }
        if (open)
            buf_append_char(out, ']');
    }
    buf_append_text(out, "}}");
}

static void take_settled(yyjson_val *places, enum record_class the_class,
                         struct settled_receipt *receipt)
{
    size_t at, max;
    yyjson_val *place;
    yyjson_arr_foreach(places, at, max, place)
    {
        yyjson_val *partition = yyjson_arr_get(place, 0), *offset = yyjson_arr_get(place, 1);
        if (!yyjson_is_int(partition) || !yyjson_is_int(offset))
            continue;
        receipt->items[receipt->count++] = (struct settled_item){
            (int32_t)yyjson_get_sint(partition), yyjson_get_sint(offset), the_class};
    }
}

enum outcome receipt_parse_settled(struct bytes json, struct settled_receipt *receipt,
                                   struct error *err)
{
    size_t room = 1;
    *receipt = (struct settled_receipt){0};
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_equals_str(yyjson_obj_get(root, "kind"), "settled")) {
        yyjson_doc_free(doc);
        return error_set(err, OUT_REJECT, ERR_ENVELOPE,
                         "the message is no receipt of settled ones");
    }
    yyjson_val *settled = yyjson_obj_get(root, "settled");
    receipt->round = yyjson_get_sint(yyjson_obj_get(root, "round"));
    for (int class = 0; class < CLASS_COUNT; class ++)
        room += yyjson_arr_size(yyjson_obj_get(settled, CLASS_NAMES[class]));
    receipt->items = mem_zeroed(room, sizeof *receipt->items);
    for (int class = 0; class < CLASS_COUNT; class ++)
        take_settled(yyjson_obj_get(settled, CLASS_NAMES[class]), (enum record_class) class,
                     receipt);
    yyjson_doc_free(doc);
    return OUT_OK;
}

void receipt_free_settled(struct settled_receipt *receipt)
{
    free(receipt->items);
    *receipt = (struct settled_receipt){0};
}

/* {"superseded":[[0,17],[3,1]],…}: partition and count. */
void receipt_append_loaded(struct buf *out, const struct loaded_receipt *receipt)
{
    buf_append_text(out, "{\"kind\":\"loaded\",");
    append_text(out, "topic", receipt->topic);
    append_text(out, "group", receipt->group);
    buf_append_format(out, "\"number\":%" PRId64 ",\"left_out\":[", receipt->number);
    for (size_t i = 0; i < receipt->count; i++)
        buf_append_format(out, "%s[\"%s\",%" PRId32 ",%" PRIu64 "]", i ? "," : "",
                          CLASS_NAMES[receipt->items[i].the_class], receipt->items[i].partition,
                          receipt->items[i].count);
    buf_append_text(out, "]}");
}

static void take_loaded(yyjson_val *entry, struct loaded_receipt *receipt)
{
    const char *name = yyjson_get_str(yyjson_arr_get(entry, 0));
    yyjson_val *partition = yyjson_arr_get(entry, 1), *count = yyjson_arr_get(entry, 2);
    for (int class = 0; name && class < CLASS_COUNT; class ++)
        if (strcmp(CLASS_NAMES[class], name) == 0 && yyjson_is_int(partition) &&
            yyjson_is_uint(count))
            receipt->items[receipt->count++] =
                (struct loaded_item){(int32_t)yyjson_get_sint(partition), (enum record_class) class,
                                     yyjson_get_uint(count)};
}

enum outcome receipt_parse_loaded(struct bytes json, struct bytes group,
                                  struct loaded_receipt *receipt, struct error *err)
{
    *receipt = (struct loaded_receipt){0};
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *list = yyjson_obj_get(root, "left_out"), *entry;
    size_t at, max;
    bool ours = yyjson_equals_str(yyjson_obj_get(root, "kind"), "loaded") &&
                yyjson_equals_strn(yyjson_obj_get(root, "group"), group.data, group.size);
    receipt->number = yyjson_get_sint(yyjson_obj_get(root, "number"));
    receipt->items = mem_zeroed(yyjson_arr_size(list) + 1, sizeof *receipt->items);
    yyjson_arr_foreach(list, at, max, entry) take_loaded(entry, receipt);
    yyjson_doc_free(doc);
    if (ours)
        return OUT_OK;
    free(receipt->items);
    *receipt = (struct loaded_receipt){0};
    return error_set(err, OUT_REJECT, ERR_ENVELOPE, "the message is no receipt of a load");
}

void receipt_append_produce(struct buf *out, const struct produce_receipt *receipt)
{
    buf_append_text(out, "{\"kind\":\"produce\",");
    append_text(out, "run", receipt->run);
    buf_append_format(out,
                      "\"read\":%" PRIu64 ",\"produced\":%" PRIu64 ",\"rejected\":%" PRIu64
                      ",\"withheld\":%" PRIu64 ",\"finished_ms\":%" PRId64 "}",
                      receipt->read, receipt->produced, receipt->rejected, receipt->withheld,
                      receipt->finished_ms);
}

bool receipt_count_from(struct bytes json, int64_t from, uint64_t counts[CLASS_COUNT])
{
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *runs = yyjson_obj_get(yyjson_doc_get_root(doc), "runs");
    bool exists = yyjson_is_obj(runs);
    for (int class = 0; class < CLASS_COUNT; class ++) {
        size_t at, max;
        yyjson_val *run;
        yyjson_arr_foreach(yyjson_obj_get(runs, CLASS_NAMES[class]), at, max, run)
        {
            int64_t first = yyjson_get_sint(yyjson_arr_get(run, 0));
            uint64_t count = yyjson_get_uint(yyjson_arr_get(run, 1));
            uint64_t before = from > first ? (uint64_t)(from - first) : 0;
            counts[class] += count > before ? count - before : 0;
        }
    }
    yyjson_doc_free(doc);
    return exists;
}

bool receipt_parse_dead(struct bytes json, struct bytes group, struct receipt_dead *dead)
{
    static const char *const DEAD = CLASS_NAMES[CLASS_DEAD];
    size_t at, max;
    yyjson_val *reject;
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *kind = yyjson_obj_get(root, "kind");
    yyjson_val *list = yyjson_obj_get(root, "rejected"), *its_group = yyjson_obj_get(root, "group");
    bool ours =
        yyjson_get_len(its_group) == 0 || yyjson_equals_strn(its_group, group.data, group.size);
    *dead = (struct receipt_dead){(int32_t)yyjson_get_sint(yyjson_obj_get(root, "partition")),
                                  mem_zeroed(yyjson_arr_size(list) + 1, sizeof *dead->offsets), 0};
    if (ours && (yyjson_equals_str(kind, "batch") || yyjson_equals_str(kind, "batch_part"))) {
        yyjson_arr_foreach(list, at, max, reject)
        {
            if (yyjson_equals_str(yyjson_obj_get(reject, "class"), DEAD))
                dead->offsets[dead->count++] = yyjson_get_sint(yyjson_obj_get(reject, "offset"));
        }
    }
    yyjson_doc_free(doc);
    if (dead->count)
        return true;
    free(dead->offsets);
    *dead = (struct receipt_dead){0};
    return false;
}

/* A run tells of at most as many records as a batch may have. */
#define TOLD_RUN_MAX 100000

static void add_told(struct receipt_told *told, size_t *room, int32_t partition, int64_t offset,
                     enum record_class the_class)
{
    told->items = mem_grown(told->items, room, told->count + 1, sizeof *told->items);
    told->items[told->count++] = (struct settled_item){partition, offset, the_class};
}

bool receipt_parse_told(struct bytes json, struct bytes group, struct receipt_told *told)
{
    size_t at, max, room = 0;
    yyjson_val *item;
    *told = (struct receipt_told){0};
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *kind = yyjson_obj_get(root, "kind");
    yyjson_val *runs = yyjson_obj_get(root, "runs"), *its_group = yyjson_obj_get(root, "group");
    bool ours =
        (yyjson_get_len(its_group) == 0 || yyjson_equals_strn(its_group, group.data, group.size)) &&
        (yyjson_equals_str(kind, "batch") || yyjson_equals_str(kind, "batch_part"));
    int32_t partition = (int32_t)yyjson_get_sint(yyjson_obj_get(root, "partition"));
    yyjson_val *rejected = ours ? yyjson_obj_get(root, "rejected") : NULL;
    yyjson_arr_foreach(rejected, at, max, item)
    {
        yyjson_val *its_class = yyjson_obj_get(item, "class");
        for (int class = CLASS_CONFLICT; class <= CLASS_DEAD; class ++)
            if (yyjson_equals_str(its_class, CLASS_NAMES[class]))
                add_told(told, &room, partition, yyjson_get_sint(yyjson_obj_get(item, "offset")),
                         (enum record_class) class);
    }
    told->tells_waiting = ours && yyjson_is_obj(runs);
    yyjson_val *waiting = ours ? yyjson_obj_get(runs, CLASS_NAMES[CLASS_WAITING]) : NULL;
    yyjson_arr_foreach(waiting, at, max, item)
    {
        int64_t first = yyjson_get_sint(yyjson_arr_get(item, 0));
        uint64_t count = yyjson_get_uint(yyjson_arr_get(item, 1));
        for (uint64_t i = 0; i < count && i < TOLD_RUN_MAX; i++)
            add_told(told, &room, partition, first + (int64_t)i, CLASS_WAITING);
    }
    yyjson_doc_free(doc);
    if (ours)
        return true;
    free(told->items);
    *told = (struct receipt_told){0};
    return false;
}

static void parse_batch(yyjson_val *root, struct receipt_summary *summary)
{
    yyjson_val *counts = yyjson_obj_get(root, "counts");
    for (int i = 0; i < CLASS_COUNT; i++)
        summary->counts[i] = yyjson_get_uint(yyjson_obj_get(counts, CLASS_NAMES[i]));
    summary->partition = (int32_t)yyjson_get_sint(yyjson_obj_get(root, "partition"));
    summary->first = yyjson_get_sint(yyjson_obj_get(root, "first"));
    summary->next = yyjson_get_sint(yyjson_obj_get(root, "next"));
    summary->epoch = yyjson_get_sint(yyjson_obj_get(root, "epoch"));
    summary->committed_ms = yyjson_get_sint(yyjson_obj_get(root, "committed_ms"));
    summary->lag = yyjson_get_sint(yyjson_obj_get(root, "lag"));
}

static void parse_produce(yyjson_val *root, struct receipt_summary *summary)
{
    const char *run = yyjson_get_str(yyjson_obj_get(root, "run"));
    summary->is_produce = true;
    snprintf(summary->run, sizeof summary->run, "%s", run ? run : "");
    summary->read = yyjson_get_uint(yyjson_obj_get(root, "read"));
    summary->produced = yyjson_get_uint(yyjson_obj_get(root, "produced"));
    summary->counts[CLASS_REJECTED] = yyjson_get_uint(yyjson_obj_get(root, "rejected"));
    summary->counts[CLASS_WITHHELD] = yyjson_get_uint(yyjson_obj_get(root, "withheld"));
    summary->committed_ms = yyjson_get_sint(yyjson_obj_get(root, "finished_ms"));
}

enum outcome receipt_parse(struct bytes json, struct receipt_summary *summary, struct error *err)
{
    memset(summary, 0, sizeof *summary);
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *kind = yyjson_obj_get(root, "kind");
    const char *group = yyjson_get_str(yyjson_obj_get(root, "group"));
    enum outcome outcome = OUT_OK;
    snprintf(summary->group, sizeof summary->group, "%s", group ? group : "");
    if (yyjson_equals_str(kind, "batch")) /* not "batch_part": the first part says it all */
        parse_batch(root, summary);
    else if (yyjson_equals_str(kind, "produce"))
        parse_produce(root, summary);
    else if (yyjson_equals_str(kind, "settled"))
        summary->is_settled = true;
    else if (yyjson_equals_str(kind, "loaded"))
        summary->is_loaded = true;
    else
        outcome = error_set(err, OUT_REJECT, ERR_ENVELOPE, "the message is no receipt");
    yyjson_doc_free(doc);
    return outcome;
}
