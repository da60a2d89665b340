/* See the header. */
#include <stdio.h>
#include <string.h>

#include <yyjson.h>

#include "control/child/child_numbers.h"

static void take(yyjson_val *root, const char *name, uint64_t *place)
{
    yyjson_val *value = yyjson_obj_get(root, name);
    if (yyjson_is_uint(value))
        *place = yyjson_get_uint(value);
}

static void copy(char *out, size_t size, yyjson_val *text)
{
    const char *from = yyjson_get_str(text);
    if (from)
        snprintf(out, size, "%s", from);
}

/* The list of servers that are away is a state: who is not named is there. */
static void take_away(yyjson_val *root, struct child_numbers *numbers)
{
    yyjson_val *list = yyjson_obj_get(root, "away"), *item;
    size_t at, count;
    if (!yyjson_is_arr(list))
        return;
    numbers->away = (struct outages){0};
    yyjson_arr_foreach(list, at, count, item)
    {
        const char *word = yyjson_get_str(yyjson_obj_get(item, "service"));
        enum outage_service service = word ? outage_find(word) : OUTAGE_SERVICES;
        if (service == OUTAGE_SERVICES)
            continue;
        struct outage *away = &numbers->away.of[service];
        away->is_on = true;
        copy(away->code, sizeof(away->code), yyjson_obj_get(item, "code"));
        copy(away->cause, sizeof(away->cause), yyjson_obj_get(item, "cause"));
    }
}

/* Of the last window, which is all there is. */
static void take_upper(yyjson_val *root, struct child_numbers *numbers)
{
    yyjson_val *last = yyjson_arr_get_last(yyjson_obj_get(root, "windows"));
    yyjson_val *upper = yyjson_obj_get(last, "upper");
    if (yyjson_is_num(upper))
        numbers->upper = yyjson_get_num(upper);
}

/* null: there was none yet. */
static void take_full_pass(yyjson_val *root, struct child_numbers *numbers)
{
    yyjson_val *full = yyjson_obj_get(root, "full_pass");
    if (!full)
        return;
    numbers->has_full_pass = yyjson_is_obj(full);
    take(full, "problems", &numbers->full_pass_problems);
    numbers->full_pass_not_whole = yyjson_is_str(yyjson_obj_get(full, "not_whole"));
}

static void take_sources(yyjson_val *root, struct child_numbers *numbers)
{
    yyjson_val *sources = yyjson_obj_get(root, "sources");
    if (!sources)
        return;
    numbers->has_sources = yyjson_is_true(yyjson_obj_get(sources, "known"));
    take(sources, "rejected", &numbers->sources_rejected);
}

void child_numbers_parse(struct child_numbers *numbers, struct bytes json)
{
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc); /* NULL goes through all of these */
    numbers->told = numbers->told || root;
    for (size_t i = 0; i < TOTALS_PRODUCE.count; i++)
        take(root, TOTALS_PRODUCE.classes[i].name, &numbers->produce[i]);
    for (size_t i = 0; i < TOTALS_WORK.count; i++)
        take(root, TOTALS_WORK.classes[i].name, &numbers->work[i]);
    for (int i = 0; i < METRIC_COUNT; i++)
        take(root, WORK_METRIC[i].name, &numbers->metrics[i]);
    take(root, "read", &numbers->read);
    take(root, "bytes", &numbers->bytes);
    take(root, "total_bytes", &numbers->total_bytes);
    take(root, "taken", &numbers->taken);
    take(root, "settled", &numbers->settled);
    take(root, "compared", &numbers->compared);
    take(root, "total", &numbers->total);
    take(root, "discrepancies", &numbers->discrepancies);
    take_upper(root, numbers);
    take_away(root, numbers);
    take_full_pass(root, numbers);
    take_sources(root, numbers);
    copy(numbers->reason, sizeof(numbers->reason), yyjson_obj_get(root, "reason"));
    copy(numbers->report, sizeof(numbers->report), yyjson_obj_get(root, "report"));
    copy(numbers->next, sizeof(numbers->next), yyjson_obj_get(root, "next"));
    numbers->done = numbers->done || yyjson_is_true(yyjson_obj_get(root, "done"));
    yyjson_doc_free(doc);
}
