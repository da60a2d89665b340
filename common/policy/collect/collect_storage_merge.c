/*
 * Keys that become one record together: {"<member>": {…merged…}, …, "keys": {"<key>": true}}.
 * Objects under one member are merged as {...earlier, ...later} does; a key that shares its member
 * with another keeps its own object beside it, so that every key can be written back as it was.
 */
#include <stdlib.h>

#include "common/base/text.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/policy/collect/collect_storage_parts.h"

#define NOTES_MOST (16u << 10) /* bytes of all notes of a record; the rest is counted */

/* What one key gave; key (a JSON string) and text are in `pool`. */
struct part {
    const struct collect_merge *merge;
    size_t key_at, key_size;
    size_t text_at, text_size; /* a JSON object, or for a taken text a JSON string */
    bool shares;               /* another key gives to the same member */
    yyjson_doc *doc;           /* while merging */
};

/* A member of an object given, while merging. */
struct entry {
    yyjson_val *name;
    yyjson_val *value;
    size_t part;
};

struct storage_merge {
    const struct mapping *mapping;
    struct part *parts;
    size_t count;
    size_t capacity;
    struct buf pool;
    struct buf record;
    struct buf scratch;
    struct buf notes; /* each ends in a NUL */
    size_t note_at;
    size_t notes_left_out;
};

struct storage_merge *storage_merge_new(const struct mapping *mapping, size_t record_most)
{
    struct storage_merge *merge = calloc(1, sizeof(*merge));
    if (!merge)
        abort();
    merge->mapping = mapping;
    buf_init(&merge->pool, record_most);
    buf_init(&merge->record, record_most);
    buf_init(&merge->scratch, record_most * 2);
    buf_init(&merge->notes, NOTES_MOST + 1024);
    return merge;
}

void storage_merge_free(struct storage_merge *merge)
{
    if (!merge)
        return;
    buf_free(&merge->pool);
    buf_free(&merge->record);
    buf_free(&merge->scratch);
    buf_free(&merge->notes);
    free(merge->parts);
    free(merge);
}

void storage_merge_reset(struct storage_merge *merge)
{
    merge->count = 0;
    merge->note_at = merge->notes_left_out = 0;
    buf_reset(&merge->pool);
    buf_reset(&merge->record);
    buf_reset(&merge->notes);
}

bool storage_merge_is_empty(const struct storage_merge *merge)
{
    return merge->count == 0;
}

/* With its quotes. */
static struct bytes key_of(const struct storage_merge *merge, const struct part *part)
{
    return bytes_of(merge->pool.data + part->key_at, part->key_size);
}

static struct bytes text_of(const struct storage_merge *merge, const struct part *part)
{
    return bytes_of(merge->pool.data + part->text_at, part->text_size);
}

static enum outcome too_large(const struct storage_merge *merge, struct error *err)
{
    return error_set(err, OUT_REJECT, ERR_JSON_SIZE,
                     "the keys that are one %s together are larger than the limit of %zu bytes",
                     merge->mapping->entity, merge->record.limit);
}

/* ---- one key ---- */

static struct part *new_part(struct storage_merge *merge)
{
    if (merge->count == merge->capacity) {
        merge->capacity = merge->capacity ? merge->capacity * 2 : 16;
        merge->parts = reallocarray(merge->parts, merge->capacity, sizeof(*merge->parts));
        if (!merge->parts)
            abort();
    }
    return &merge->parts[merge->count];
}

static enum outcome append_object(struct storage_merge *merge, struct bytes text, struct error *err)
{
    yyjson_doc *doc;
    text = storage_escape_surrogates(text, &merge->scratch);
    enum outcome outcome = json_parse(text, merge->mapping->unicode, NULL, &doc, err);
    if (outcome != OUT_OK)
        return outcome;
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        json_append(&merge->pool, yyjson_doc_get_root(doc));
    else
        outcome = error_set(err, OUT_REJECT, ERR_SOURCE_STORAGE, "the value is no JSON object");
    yyjson_doc_free(doc);
    return outcome;
}

/* A string that the record could not hold is this key's fault alone. */
static enum outcome append_string(struct storage_merge *merge, struct bytes text, struct error *err)
{
    yyjson_doc *doc;
    buf_reset(&merge->scratch);
    storage_append_string(&merge->scratch, text);
    if (merge->scratch.failed)
        return too_large(merge, err);
    enum outcome outcome =
        json_parse(buf_view(&merge->scratch), merge->mapping->unicode, NULL, &doc, err);
    if (outcome != OUT_OK)
        return outcome;
    json_append(&merge->pool, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return OUT_OK;
}

enum outcome storage_merge_add(struct storage_merge *merge, const struct collect_merge *part,
                               struct bytes key, struct bytes text, struct error *err)
{
    struct part *made = new_part(merge);
    size_t before = merge->pool.size;
    *made = (struct part){.merge = part, .key_at = before};
    enum outcome outcome = append_string(merge, key, err);
    made->text_at = merge->pool.size;
    made->key_size = made->text_at - before;
    if (outcome == OUT_OK)
        outcome = part->take ? append_string(merge, text, err) : append_object(merge, text, err);
    if (outcome == OUT_OK && merge->pool.failed)
        outcome = too_large(merge, err);
    made->text_size = merge->pool.size - made->text_at;
    merge->count += outcome == OUT_OK;
    if (outcome != OUT_OK) {
        merge->pool.size = before;
        merge->pool.failed = false;
    }
    return outcome;
}

/* ---- notes ---- */

static void note(struct storage_merge *merge, const struct part *earlier, const struct part *later,
                 struct bytes member)
{
    if (merge->notes.size > NOTES_MOST) {
        merge->notes_left_out++;
        return;
    }
    buf_append_text(&merge->notes, "the keys ");
    text_append_safe(&merge->notes, key_of(merge, earlier), STORAGE_SHOWN_MOST / 2);
    buf_append_text(&merge->notes, " and ");
    text_append_safe(&merge->notes, key_of(merge, later), STORAGE_SHOWN_MOST / 2);
    buf_append_format(&merge->notes, " disagree on %s", later->merge->member);
    if (member.size) {
        buf_append_char(&merge->notes, '.');
        text_append_safe(&merge->notes, member, STORAGE_SHOWN_MOST / 2);
    }
    buf_append_text(&merge->notes, ": the later one counts");
    buf_append_char(&merge->notes, '\0');
}

bool storage_merge_note(struct storage_merge *merge, struct error *err)
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
    int order = bytes_compare(bytes_of(yyjson_get_str(a->name), yyjson_get_len(a->name)),
                              bytes_of(yyjson_get_str(b->name), yyjson_get_len(b->name)));
    return order ? order : (a->part > b->part) - (a->part < b->part);
}

static bool gives_to(const struct part *part, const char *member)
{
    return strcmp(part->merge->member, member) == 0;
}

static size_t open_parts(struct storage_merge *merge, const char *member)
{
    size_t entries = 0;
    for (size_t i = 0; i < merge->count; i++) {
        struct part *part = &merge->parts[i];
        struct error ignored; /* it was parsed when it was added */
        part->doc = NULL;
        if (gives_to(part, member) && json_parse(text_of(merge, part), merge->mapping->unicode,
                                                 NULL, &part->doc, &ignored) == OUT_OK)
            entries += yyjson_obj_size(yyjson_doc_get_root(part->doc));
    }
    return entries;
}

static void close_parts(struct storage_merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        yyjson_doc_free(merge->parts[i].doc);
        merge->parts[i].doc = NULL;
    }
}

static struct entry *sorted_entries(struct storage_merge *merge, size_t count)
{
    struct entry *entries = calloc(count + 1, sizeof(*entries));
    size_t at = 0;
    if (!entries)
        abort();
    for (size_t i = 0; i < merge->count; i++) {
        yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_doc_get_root(merge->parts[i].doc));
        yyjson_val *name;
        while ((name = yyjson_obj_iter_next(&iter)))
            entries[at++] = (struct entry){name, yyjson_obj_iter_get_val(name), i};
    }
    qsort(entries, at, sizeof(*entries), compare_entries);
    return entries;
}

/* The last of the entries of one name counts; each that says something else is told. */
static void append_merged(struct storage_merge *merge, const char *member)
{
    size_t count = open_parts(merge, member);
    struct entry *entries = sorted_entries(merge, count);
    char before = '{';
    for (size_t i = 0; i < count; i++) {
        bool same_name = i + 1 < count && yyjson_equals(entries[i].name, entries[i + 1].name);
        if (same_name && !canonical_equal(entries[i].value, entries[i + 1].value))
            note(merge, &merge->parts[entries[i].part], &merge->parts[entries[i + 1].part],
                 bytes_of(yyjson_get_str(entries[i].name), yyjson_get_len(entries[i].name)));
        if (same_name)
            continue;
        json_append_key(&merge->record, before, entries[i].name);
        json_append(&merge->record, entries[i].value);
        before = ',';
    }
    buf_append_text(&merge->record, before == '{' ? "{}" : "}");
    free(entries);
    close_parts(merge);
}

static void append_member(struct storage_merge *merge, const char *member, size_t givers,
                          const struct part *last)
{
    if (merge->record.size > 1)
        buf_append_char(&merge->record, ',');
    storage_append_string(&merge->record, bytes_text(member));
    buf_append_char(&merge->record, ':');
    if (givers > 1 && !last->merge->take)
        append_merged(merge, member);
    else
        buf_append_bytes(&merge->record, text_of(merge, last));
}

/* Counts who gives to the member, marks them when they share it. */
static const struct part *find_givers(struct storage_merge *merge, const char *member,
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
            if (part->merge->take && !bytes_equal(text_of(merge, last), text_of(merge, part)))
                note(merge, last, part, (struct bytes){0});
        }
        last = part;
        ++*givers;
    }
    return last;
}

static void append_keys(struct storage_merge *merge)
{
    buf_append_text(&merge->record, ",\"keys\":{");
    for (size_t i = 0; i < merge->count; i++) {
        const struct part *part = &merge->parts[i];
        if (i)
            buf_append_char(&merge->record, ',');
        buf_append_bytes(&merge->record, key_of(merge, part));
        buf_append_char(&merge->record, ':');
        if (part->shares)
            buf_append_bytes(&merge->record, text_of(merge, part));
        else
            buf_append_text(&merge->record, "true");
    }
    buf_append_text(&merge->record, "}}");
}

enum outcome storage_merge_finish(struct storage_merge *merge, struct error *err)
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

struct bytes storage_merge_record(const struct storage_merge *merge)
{
    return buf_view(&merge->record);
}
