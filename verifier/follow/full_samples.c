/* See the header. */
#include "verifier/follow/full_samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "common/base/text.h"
#include "common/policy/totals.h"

/* What is wrong with something that stands beside the records. */
struct list {
    const char *name, *what;
};

static const struct list LISTS[] = {
    {"samples", NULL},
    {"redis_samples", "in Redis"},
    {"sealed_samples", "in the vault"},
    {"file_samples", "in the files of the store"},
};

static bool find_verdict(const char *name, enum verdict *verdict)
{
    for (int i = 0; name && i < VERDICT_COUNT; i++) {
        *verdict = (enum verdict)i;
        if (strcmp(TOTALS_VERIFY.classes[i].name, name) == 0)
            return true;
    }
    return false;
}

static struct bytes copy(struct arena *arena, yyjson_val *text)
{
    if (!yyjson_is_str(text))
        return (struct bytes){0};
    return arena_copy(arena, bytes_of(yyjson_get_str(text), yyjson_get_len(text)));
}

/* A number, or a text where JSON's numbers are not exact. */
static bool take_exact(yyjson_val *value, int64_t *number)
{
    *number = yyjson_get_sint(value);
    return yyjson_is_int(value) ||
           (yyjson_is_str(value) &&
            text_parse_int64(bytes_of(yyjson_get_str(value), yyjson_get_len(value)), number));
}

static void take_fields(yyjson_val *fields, struct arena *arena, struct follow_sample *sample)
{
    size_t at, max, count = yyjson_arr_size(fields);
    yyjson_val *item;
    struct follow_sample_field *items = count ? arena_array(arena, count, sizeof *items) : NULL;
    sample->fields = items;
    yyjson_arr_foreach(fields, at, max, item)
    {
        yyjson_val *path = yyjson_obj_get(item, "path");
        if (!items)
            return;
        items[sample->field_count++] =
            (struct follow_sample_field){copy(arena, path ? path : yyjson_obj_get(item, "column")),
                                         copy(arena, yyjson_obj_get(item, "source")),
                                         copy(arena, yyjson_obj_get(item, "stored"))};
    }
}

/* "in Redis: the key has a ttl" */
static struct bytes reason_of(yyjson_val *item, const char *what, struct arena *arena)
{
    const char *reason = yyjson_get_str(yyjson_obj_get(item, "reason"));
    char text[512];
    if (!what)
        return copy(arena, yyjson_obj_get(item, "reason"));
    int size =
        snprintf(text, sizeof text, "%s%s%.400s", what, reason ? ": " : "", reason ? reason : "");
    return arena_copy(arena, bytes_of(text, (size_t)size));
}

static bool take_sample(yyjson_val *item, const char *what, struct arena *arena,
                        struct follow_sample *sample)
{
    enum verdict verdict;
    const char *code = yyjson_get_str(yyjson_obj_get(item, "code"));
    const char *key = yyjson_get_str(yyjson_obj_get(item, "key"));
    yyjson_val *offset = yyjson_obj_get(item, "offset"), *file = yyjson_obj_get(item, "file");
    if (!find_verdict(yyjson_get_str(yyjson_obj_get(item, "verdict")), &verdict) ||
        (what ? !verdict_is_problem(verdict) : !follow_report_is_wrong(verdict)))
        return false;
    *sample = (struct follow_sample){
        .verdict = verdict,
        .tenant = copy(arena, yyjson_obj_get(item, "tenant")),
        .entity = copy(arena, yyjson_obj_get(item, "entity")),
        .key_hash = key && strncmp(key, "h:", 2) == 0 ? strtoull(key + 2, NULL, 16) : 0,
        .partition = offset ? (int32_t)yyjson_get_sint(yyjson_obj_get(item, "partition")) : -1,
        .offset = yyjson_get_sint(offset),
        .origin = copy(arena, file ? file : yyjson_obj_get(yyjson_obj_get(item, "where"), "text")),
        .reason = reason_of(item, what, arena),
        .seen = 1,
        .field_total = yyjson_get_uint(yyjson_obj_get(item, "fields_total")),
    };
    bool has_source = take_exact(yyjson_obj_get(item, "source_version"), &sample->source_version);
    sample->has_versions =
        take_exact(yyjson_obj_get(item, "stored_version"), &sample->stored_version) && has_source;
    if (!code || !error_code_find(code, &sample->code))
        sample->code = ERR_NONE;
    take_fields(yyjson_obj_get(item, "fields"), arena, sample);
    return true;
}

size_t full_samples_read(struct bytes json, int64_t unix_ms, size_t max, struct arena *arena,
                         struct follow_sample **samples)
{
    size_t count = 0;
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    *samples = max ? arena_array(arena, max, sizeof **samples) : NULL;
    for (size_t list = 0; *samples && list < sizeof LISTS / sizeof *LISTS; list++) {
        size_t at, size;
        yyjson_val *item;
        yyjson_arr_foreach(yyjson_obj_get(root, LISTS[list].name), at, size, item)
        {
            if (count == max || !take_sample(item, LISTS[list].what, arena, &(*samples)[count]))
                continue;
            (*samples)[count].first_ms = (*samples)[count].last_ms = unix_ms;
            count++;
        }
    }
    yyjson_doc_free(doc);
    return count;
}
