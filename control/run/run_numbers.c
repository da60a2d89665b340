/* Progress lines of children, and their sums. Tolerant: a line that is none is nobody's fault worth
 * stopping for. */
#include <stdio.h>
#include <string.h>

#include <yyjson.h>

#include "control/run/run.h"

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
static void take_away(yyjson_val *root, struct run_numbers *numbers)
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

void run_numbers_parse(struct run_numbers *numbers, struct bytes json)
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
    take_away(root, numbers);
    copy(numbers->next, sizeof(numbers->next), yyjson_obj_get(root, "next"));
    numbers->done = numbers->done || yyjson_is_true(yyjson_obj_get(root, "done"));
    yyjson_doc_free(doc);
}

/* ---- sums */

/* Where and when a worker kept a record as pending does not matter to the sums: one may be settled
 * by another worker, or by a later run. What that one did not take is counted among its records
 * too.
 */
static void sum_workers(const struct run *run, struct run_sums *sums)
{
    uint64_t settled = 0;
    for (size_t i = RUN_WORK; i < run->child_count; i++) {
        const struct run_numbers *one = &run->children[i].numbers;
        sums->workers += run->children[i].started;
        sums->running += run_child_is_running(&run->children[i]);
        for (int c = 0; c < WORK_COUNT; c++)
            sums->work[c] += one->work[c];
        for (int m = 0; m < METRIC_COUNT; m++)
            sums->metrics[m] += one->metrics[m];
        sums->taken += one->taken;
        settled += one->settled;
    }
    uint64_t pending = sums->work[WORK_PENDING];
    sums->work[WORK_PENDING] = pending > settled ? pending - settled : 0;
    sums->taken += settled > pending ? settled - pending : 0;
}

/* What the workers appended, and told as applied, was superseded, unchanged or in conflict. */
static void move_loaded(const struct run *run, struct run_sums *sums)
{
    uint64_t left = 0;
    totals_add_receipt(sums->work, run->load.left);
    for (int i = 0; i < CLASS_COUNT; i++)
        left += run->load.left[i];
    uint64_t applied = left < sums->work[WORK_APPLIED] ? left : sums->work[WORK_APPLIED];
    uint64_t others = left - applied;
    sums->work[WORK_APPLIED] -= applied;
    sums->work[WORK_RECOVERED] -=
        others < sums->work[WORK_RECOVERED] ? others : sums->work[WORK_RECOVERED];
}

void run_sum(const struct run *run, struct run_sums *sums)
{
    const struct run_numbers *numbers = &run->children[RUN_PRODUCE].numbers;
    uint64_t told = totals_records(&TOTALS_PRODUCE, numbers->produce);
    *sums = (struct run_sums){.read = numbers->read};
    memcpy(sums->produce, numbers->produce, sizeof(sums->produce));
    sums->produce[PRODUCE_ON_WAY] = numbers->read > told ? numbers->read - told : 0;
    sum_workers(run, sums);
    move_loaded(run, sums);
}
