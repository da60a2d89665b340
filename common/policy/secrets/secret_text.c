/* See the header. */
#include "common/policy/secrets/secret_text.h"

#include <string.h>

#include "common/policy/secrets/secret_box.h"

#define SEALED "{sealed:"
#define WITHHELD "{withheld:"
#define TOKEN "token}"

_Static_assert(SECRET_TEXT_MARK_SIZE == 1 + sizeof SEALED - 1 + SECRET_REFERENCE_SIZE + 1,
               "the size of ${sealed:sec_…}");

static bool starts(struct bytes text, size_t at, const char *with)
{
    size_t size = strlen(with);
    return text.size - at >= size && memcmp(text.data + at, with, size) == 0;
}

static bool is_word(struct bytes text, size_t at)
{
    return starts(text, at, SEALED) || starts(text, at, WITHHELD);
}

/* The next run of '$' from `at` on: where it begins, *end behind it. text.size: none. */
static size_t find_run(struct bytes text, size_t at, size_t *end)
{
    const char *dollar = at < text.size ? memchr(text.data + at, '$', text.size - at) : NULL;
    size_t start = dollar ? (size_t)(dollar - text.data) : text.size;
    for (*end = start; *end < text.size && text.data[*end] == '$';)
        ++*end;
    return start;
}

/* "{sealed:sec_…}" or "{withheld:token}" at `at`, behind its '$'. */
static bool read_mark(struct bytes text, size_t at, struct secret_text_mark *mark)
{
    mark->start = at - 1;
    mark->kind = SECRET_TEXT_WITHHELD;
    mark->size = 1 + sizeof WITHHELD TOKEN - 1;
    mark->reference = (struct bytes){0};
    if (starts(text, at, WITHHELD TOKEN))
        return true;
    size_t from = at + sizeof SEALED - 1;
    if (!starts(text, at, SEALED "sec_") || text.size - from < SECRET_REFERENCE_SIZE + 1 ||
        text.data[from + SECRET_REFERENCE_SIZE] != '}')
        return false;
    for (size_t i = from + 4; i < from + SECRET_REFERENCE_SIZE; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '2' && c <= '7')))
            return false;
    }
    mark->kind = SECRET_TEXT_SEALED;
    mark->size = SECRET_TEXT_MARK_SIZE;
    mark->reference = bytes_of(text.data + from, SECRET_REFERENCE_SIZE);
    return true;
}

bool secret_text_next(struct bytes text, size_t *at, struct secret_text_mark *mark)
{
    size_t end, start = find_run(text, *at, &end);
    for (; start < text.size; start = find_run(text, end, &end)) {
        if ((end - start) % 2 == 0 || !read_mark(text, end, mark))
            continue;
        *at = mark->start + mark->size;
        return true;
    }
    *at = text.size;
    return false;
}

bool secret_text_is_mark(struct bytes text, struct secret_text_mark *mark)
{
    size_t at = 0;
    return text.size <= SECRET_TEXT_MARK_SIZE && secret_text_next(text, &at, mark) &&
           mark->size == text.size;
}

static void append_run(struct buf *out, size_t count)
{
    while (count--)
        buf_append_char(out, '$');
}

void secret_text_append_spelled(struct buf *out, struct bytes own, bool before_mark)
{
    size_t at = 0, end, start;
    while ((start = find_run(own, at, &end)) < own.size) {
        buf_append(out, own.data + at, end - at);
        if (end == own.size ? before_mark : is_word(own, end))
            append_run(out, end - start);
        at = end;
    }
    buf_append(out, own.data + at, own.size - at);
}

void secret_text_append_own(struct buf *out, struct bytes spelled, bool before_mark)
{
    size_t at = 0, end, start;
    while ((start = find_run(spelled, at, &end)) < spelled.size) {
        size_t half = (end - start) / 2;
        bool twice = end == spelled.size ? before_mark : is_word(spelled, end);
        buf_append(out, spelled.data + at, (twice ? end - half : end) - at);
        at = end;
    }
    buf_append(out, spelled.data + at, spelled.size - at);
}

void secret_text_append_sealed(struct buf *out, const char *reference)
{
    buf_append_text(out, "$" SEALED);
    buf_append_text(out, reference);
    buf_append_char(out, '}');
}

void secret_text_append_withheld(struct buf *out)
{
    buf_append_text(out, "$" WITHHELD TOKEN);
}

bool secret_text_needs_spelling(struct bytes own)
{
    size_t end, start = find_run(own, 0, &end);
    for (; start < own.size; start = find_run(own, end, &end))
        if (is_word(own, end))
            return true;
    return false;
}

/* '$', then '{' and the first letter, each perhaps escaped. */
static bool may_begin(struct bytes json, size_t behind)
{
    if (behind >= json.size || (json.data[behind] != '{' && json.data[behind] != '\\'))
        return false;
    return json.data[behind] == '\\' || behind + 1 >= json.size ||
           strchr("sw\\", json.data[behind + 1]);
}

bool secret_text_may_need_spelling(struct bytes json)
{
    const char *at = json.data, *end = json.data + json.size;
    for (; at < end && (at = memchr(at, '$', (size_t)(end - at))); at++)
        if (may_begin(json, (size_t)(at - json.data) + 1))
            return true;
    for (at = json.data; at && at < end && (at = memchr(at, '\\', (size_t)(end - at))); at++)
        if (end - at >= 6 && memcmp(at, "\\u0024", 6) == 0)
            return true;
    return false;
}
