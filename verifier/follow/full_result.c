/* See the header. */
#include "verifier/follow/full_result.h"

#include <stdio.h>
#include <string.h>

#include <yyjson.h>

#include "common/policy/totals.h"

static void take_counts(yyjson_val *counts, struct follow_full_pass *pass)
{
    for (size_t i = 0; i < TOTALS_VERIFY.count && i < VERDICT_COUNT; i++) {
        yyjson_val *count = yyjson_obj_get(counts, TOTALS_VERIFY.classes[i].name);
        if (yyjson_is_uint(count))
            pass->counts[i] += yyjson_get_uint(count);
    }
}

/* The numbers of a side check that are problems. */
static uint64_t sum(yyjson_val *root, const char *check, const char *const *names)
{
    uint64_t found = 0;
    for (yyjson_val *object = yyjson_obj_get(root, check); *names; names++)
        found += yyjson_get_uint(yyjson_obj_get(object, *names));
    return found;
}

static uint64_t sum_side_checks(yyjson_val *root)
{
    static const char *const REDIS[] = {"different", "stale", "target_newer", "missing", "extra",
                                        "unowned",   NULL};
    static const char *const SEALED[] = {"missing", "different", NULL};
    static const char *const FILES[] = {"edited", "missing", "unowned", "unreadable", NULL};
    uint64_t orphans = 0;
    size_t at, max;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(root, "orphans"), at, max, item) orphans +=
        yyjson_get_uint(yyjson_obj_get(item, "rows"));
    return orphans + sum(root, "redis", REDIS) + sum(root, "sealed", SEALED) +
           sum(root, "files", FILES);
}

/* At a whole character. */
static size_t cut(const char *text, size_t size)
{
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

/* What it says of itself; sources whose reading is not complete are looked at by who follows. */
static struct bytes take_not_whole(yyjson_val *root, char why[FULL_RESULT_WHY_MAX])
{
    const char *told = yyjson_get_str(yyjson_obj_get(root, "not_whole"));
    if (yyjson_is_true(yyjson_obj_get(root, "whole")) ||
        yyjson_is_true(yyjson_obj_get(root, "whole_beside_readings")))
        return (struct bytes){0};
    snprintf(why, FULL_RESULT_WHY_MAX, "%s", told && told[0] ? told : "it does not say why");
    if (strlen(why) == FULL_RESULT_WHY_MAX - 1)
        why[cut(told, FULL_RESULT_WHY_MAX - 1)] = '\0';
    return bytes_text(why);
}

enum outcome full_result_read(struct bytes json, struct follow_full_pass *pass,
                              char why[FULL_RESULT_WHY_MAX], struct error *err)
{
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *counts = yyjson_obj_get(root, "counts");
    bool is_one = yyjson_equals_str(yyjson_obj_get(root, "kind"), "verify") && counts;
    memset(pass->counts, 0, sizeof pass->counts);
    pass->problems = 0;
    pass->not_whole = (struct bytes){0};
    if (!is_one) {
        yyjson_val *first = yyjson_arr_get_first(yyjson_obj_get(root, "errors"));
        const char *code = yyjson_get_str(yyjson_obj_get(first, "code"));
        error_set(err, OUT_REJECT, ERR_INTERNAL, "it ended without a result%s%.20s",
                  code ? ": " : "", code ? code : "");
        yyjson_doc_free(doc);
        return OUT_REJECT;
    }
    take_counts(counts, pass);
    take_counts(yyjson_obj_get(root, "beside"), pass);
    pass->problems = follow_report_wrong(pass->counts) + sum_side_checks(root);
    pass->not_whole = take_not_whole(root, why);
    yyjson_doc_free(doc);
    return OUT_OK;
}

int64_t full_result_next_ms(int64_t began_ms, uint64_t every_ms, int64_t now_ms)
{
    if (every_ms == 0)
        return INT64_MAX;
    return began_ms < 0 || began_ms > now_ms ? now_ms : began_ms + (int64_t)every_ms;
}
