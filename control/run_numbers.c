/* Progress lines of children. Tolerant: a line that is none is nobody's fault worth stopping for.
 */
#include <stdio.h>
#include <string.h>

#include <yyjson.h>

#include "control/run.h"

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
    memset(numbers->away, 0, sizeof(numbers->away));
    yyjson_arr_foreach(list, at, count, item)
    {
        const char *word = yyjson_get_str(yyjson_obj_get(item, "service"));
        enum outage_service service = word ? outage_find(word) : OUTAGE_SERVICES;
        if (service == OUTAGE_SERVICES)
            continue;
        struct run_away *away = &numbers->away[service];
        away->is_away = true;
        copy(away->code, sizeof(away->code), yyjson_obj_get(item, "code"));
        copy(away->cause, sizeof(away->cause), yyjson_obj_get(item, "cause"));
    }
}

void run_numbers_parse(struct run_numbers *numbers, struct bytes json)
{
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc); /* NULL goes through all of these */
    numbers->told = numbers->told || root;
    take(root, "read", &numbers->read);
    take(root, "produced", &numbers->produced);
    take(root, "rejected", &numbers->rejected);
    take(root, "bytes", &numbers->bytes);
    take(root, "total_bytes", &numbers->total_bytes);
    take(root, "polled", &numbers->polled);
    take(root, "applied", &numbers->applied);
    take(root, "unchanged", &numbers->unchanged);
    take(root, "superseded", &numbers->superseded);
    take(root, "conflict", &numbers->conflict);
    take(root, "dead", &numbers->dead);
    take(root, "withheld", &numbers->withheld);
    take(root, "taken", &numbers->taken);
    take(root, "recovered", &numbers->recovered);
    take(root, "parked", &numbers->parked);
    take(root, "settled", &numbers->settled);
    take(root, "mem", &numbers->mem);
    take(root, "halted", &numbers->halted);
    take(root, "compared", &numbers->compared);
    take(root, "total", &numbers->total);
    take_away(root, numbers);
    numbers->done = numbers->done || yyjson_is_true(yyjson_obj_get(root, "done"));
    yyjson_doc_free(doc);
}
