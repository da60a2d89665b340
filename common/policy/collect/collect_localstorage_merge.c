/*
 * Keys that become one record together: {"<member>": {…merged…}, …, "keys": {"<key>": true}}.
 * Objects under one member are merged as {...earlier, ...later} does; a key that shares its member
 * with another keeps its own object beside it, so that every key can be written back as it was.
 */
#include <stdlib.h>

#include "common/base/text.h"
#include "common/base/mem.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/policy/collect/collect_localstorage.h"

#define NOTES_MAX (16u << 10) /* bytes of all notes of a record; the rest is counted */

/* What one key gave. */
struct part {
    const struct collect_merge *merge;
    yyjson_doc *key;   /* a string */
    yyjson_doc *value; /* an object, or for a taken text a string */
    bool shares;       /* another key gives to the same member */
};

/* A member of an object given, while merging. */
struct entry {
    yyjson_val *name;
    yyjson_val *value;
    const struct part *part;
};

struct localstorage_merge {
    const struct mapping *mapping;
    struct part *parts;
    size_t count;
    size_t capacity;
    size_t size; /* of all parts, written as the record has them */
    struct buf record;
    struct buf scratch;
    struct buf notes; /* each ends in a NUL */
    size_t note_at;
    size_t notes_left_out;
};

struct localstorage_merge *localstorage_merge_new(const struct mapping *mapping, size_t record_max)
{
    struct localstorage_merge *merge = mem_new(sizeof(*merge));
    merge->mapping = mapping;
    buf_init(&merge->record, record_max);
    buf_init(&merge->scratch, record_max * 2);
    buf_init(&merge->notes, NOTES_MAX + 1024);
    return merge;
}

static void free_part(struct part *part)
{
    yyjson_doc_free(part->key);
    yyjson_doc_free(part->value);
}

void localstorage_merge_free(struct localstorage_merge *merge)
{
    if (!merge)
        return;
    localstorage_merge_reset(merge);
    buf_free(&merge->record);
    buf_free(&merge->scratch);
    buf_free(&merge->notes);
    free(merge->parts);
    free(merge);
}

void localstorage_merge_reset(struct localstorage_merge *merge)
{
    for (size_t i = 0; i < merge->count; i++)
        free_part(&merge->parts[i]);
    merge->count = merge->size = 0;
    merge->note_at = merge->notes_left_out = 0;
    buf_reset(&merge->record);
    buf_reset(&merge->notes);
}

bool localstorage_merge_is_empty(const struct localstorage_merge *merge)
{
    return merge->count == 0;
}

static enum outcome too_large(const struct localstorage_merge *merge, struct error *err)
{
    return error_set(err, OUT_REJECT, ERR_JSON_SIZE,
                     "the keys that are one %s together are larger than the limit of %zu bytes",
                     merge->mapping->entity, merge->record.limit);
}

/* ---- one key ---- */

static struct part *new_part(struct localstorage_merge *merge)
{
    merge->parts =
        mem_grown(merge->parts, &merge->capacity, merge->count + 1, sizeof *merge->parts);
    return &merge->parts[merge->count];
}

static enum outcome read_object(struct localstorage_merge *merge, struct bytes text,
                                yyjson_doc **doc, struct error *err)
{
    text = localstorage_escape_surrogates(text, &merge->scratch);
    enum outcome outcome = json_parse(text, merge->mapping->unicode, NULL, doc, err);
    if (outcome == OUT_OK && !yyjson_is_obj(yyjson_doc_get_root(*doc)))
        return error_set(err, OUT_REJECT, ERR_SOURCE_LOCALSTORAGE, "the value is no JSON object");
    return outcome;
}

/* A string that the record could not hold is this key's fault alone. */
static enum outcome read_string(struct localstorage_merge *merge, struct bytes text,
                                yyjson_doc **doc, struct error *err)
{
    buf_reset(&merge->scratch);
    localstorage_append_string(&merge->scratch, text);
    if (merge->scratch.failed)
        return too_large(merge, err);
    return json_parse(buf_view(&merge->scratch), merge->mapping->unicode, NULL, doc, err);
}

enum outcome localstorage_merge_add(struct localstorage_merge *merge,
                                    const struct collect_merge *part, struct bytes key,
                                    struct bytes text, struct error *err)
{
    struct part *made = new_part(merge);
    *made = (struct part){.merge = part};
    enum outcome outcome = read_string(merge, key, &made->key, err);
    if (outcome == OUT_OK)
        outcome = part->take ? read_string(merge, text, &made->value, err)
                             : read_object(merge, text, &made->value, err);
    if (outcome == OUT_OK) {
        buf_reset(&merge->record); /* for its size */
        json_append(&merge->record, yyjson_doc_get_root(made->key));
        json_append(&merge->record, yyjson_doc_get_root(made->value));
        if (merge->record.failed || merge->size + merge->record.size > merge->record.limit)
            outcome = too_large(merge, err);
    }
    if (outcome != OUT_OK) {
        free_part(made);
        return outcome;
    }
    merge->size += merge->record.size;
    merge->count++;
    return OUT_OK;
}

/* ---- notes ---- */

/* With its quotes. */
static void append_shown(struct localstorage_merge *merge, const struct part *part)
{
    buf_reset(&merge->scratch);
    json_append(&merge->scratch, yyjson_doc_get_root(part->key));
    text_append_safe(&merge->notes, buf_view(&merge->scratch), LOCALSTORAGE_SHOWN_MAX / 2);
}

static void note(struct localstorage_merge *merge, const struct part *earlier,
                 const struct part *later, struct bytes member)
{
    if (merge->notes.size > NOTES_MAX) {
        merge->notes_left_out++;
        return;
    }
    buf_append_text(&merge->notes, "the keys ");
    append_shown(merge, earlier);
    buf_append_text(&merge->notes, " and ");
    append_shown(merge, later);
    buf_append_format(&merge->notes, " disagree on %s", later->merge->member);
    if (member.size) {
        buf_append_char(&merge->notes, '.');
        text_append_safe(&merge->notes, member, LOCALSTORAGE_SHOWN_MAX / 2);
    }
    buf_append_text(&merge->notes, ": the later one counts");
    buf_append_char(&merge->notes, '\0');
}

bool localstorage_merge_note(struct localstorage_merge *merge, struct error *err)
{
    if (merge->note_at < merge->notes.size) {
        const char *text = merge->notes.data + merge->note_at;
        merge->note_at += strlen(text) + 1;
        error_set(err, OUT_OK, ERR_NONE, "%s", text);
        return true;
    }
    if (!merge->notes_left_out)
        return false;
    error_set(err, OUT_OK, ERR_NONE, "and keys disagree on %zu members more",
              merge->notes_left_out);
    merge->notes_left_out = 0;
    return true;
}

/* ---- one member ---- */

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    int order = bytes_compare(json_text_of(a->name), json_text_of(b->name));
    return order ? order : (a->part > b->part) - (a->part < b->part);
}

static bool gives_to(const struct part *part, const char *member)
{
    return strcmp(part->merge->member, member) == 0;
}

/* Of all objects given to `member`, by name, the later ones last. The caller frees them. */
static struct entry *sorted_entries(const struct localstorage_merge *merge, const char *member,
                                    size_t *count)
{
    size_t max = 0;
    for (size_t i = 0; i < merge->count; i++)
        max += yyjson_obj_size(yyjson_doc_get_root(merge->parts[i].value));
    struct entry *entries = mem_zeroed(max + 1, sizeof(*entries));
    *count = 0;
    for (size_t i = 0; i < merge->count; i++) {
        const struct part *part = &merge->parts[i];
        if (!gives_to(part, member))
            continue;
        yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_doc_get_root(part->value));
        yyjson_val *name;
        while ((name = yyjson_obj_iter_next(&iter)))
            entries[(*count)++] = (struct entry){name, yyjson_obj_iter_get_val(name), part};
    }
    qsort(entries, *count, sizeof(*entries), compare_entries);
    return entries;
}

/* The last of the entries of one name counts; each that says something else is told. */
static void append_merged(struct localstorage_merge *merge, const char *member)
{
    size_t count;
    struct entry *entries = sorted_entries(merge, member, &count);
    char before = '{';
    for (size_t i = 0; i < count; i++) {
        bool same_name = i + 1 < count && yyjson_equals(entries[i].name, entries[i + 1].name);
        if (same_name && !canonical_equal(entries[i].value, entries[i + 1].value))
            note(merge, entries[i].part, entries[i + 1].part, json_text_of(entries[i].name));
        if (same_name)
            continue;
        json_append_key(&merge->record, before, entries[i].name);
        json_append(&merge->record, entries[i].value);
        before = ',';
    }
    buf_append_text(&merge->record, before == '{' ? "{}" : "}");
    free(entries);
}

static void append_member(struct localstorage_merge *merge, const char *member, size_t givers,
                          const struct part *last)
{
    if (merge->record.size > 1)
        buf_append_char(&merge->record, ',');
    localstorage_append_string(&merge->record, bytes_text(member));
    buf_append_char(&merge->record, ':');
    if (givers > 1 && !last->merge->take)
        append_merged(merge, member);
    else
        json_append(&merge->record, yyjson_doc_get_root(last->value));
}

/* Counts who gives to the member, marks them when they share it. */
static const struct part *find_givers(struct localstorage_merge *merge, const char *member,
                                      size_t *givers)
{
    struct part *last = NULL;
    *givers = 0;
    for (size_t i = 0; i < merge->count; i++) {
        struct part *part = &merge->parts[i];
        if (!gives_to(part, member))
            continue;
        if (last) {
            last->shares = part->shares = true;
            if (part->merge->take &&
                !yyjson_equals(yyjson_doc_get_root(last->value), yyjson_doc_get_root(part->value)))
                note(merge, last, part, (struct bytes){0});
        }
        last = part;
        ++*givers;
    }
    return last;
}

static void append_keys(struct localstorage_merge *merge)
{
    buf_append_text(&merge->record, ",\"keys\":{");
    for (size_t i = 0; i < merge->count; i++) {
        const struct part *part = &merge->parts[i];
        if (i)
            buf_append_char(&merge->record, ',');
        json_append(&merge->record, yyjson_doc_get_root(part->key));
        buf_append_char(&merge->record, ':');
        if (part->shares)
            json_append(&merge->record, yyjson_doc_get_root(part->value));
        else
            buf_append_text(&merge->record, "true");
    }
    buf_append_text(&merge->record, "}}");
}

enum outcome localstorage_merge_finish(struct localstorage_merge *merge, struct error *err)
{
    buf_reset(&merge->record);
    buf_append_char(&merge->record, '{');
    for (size_t i = 0; i < merge->mapping->merge_count; i++) {
        const char *member = merge->mapping->merges[i].member;
        size_t givers;
        const struct part *last = find_givers(merge, member, &givers);
        if (last)
            append_member(merge, member, givers, last);
    }
    append_keys(merge);
    return merge->record.failed ? too_large(merge, err) : OUT_OK;
}

struct bytes localstorage_merge_record(const struct localstorage_merge *merge)
{
    return buf_view(&merge->record);
}
