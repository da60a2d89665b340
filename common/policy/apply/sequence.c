#include "common/policy/apply/sequence.h"

#include <inttypes.h>
#include <string.h>

#include <yyjson.h>

#include "common/base/hash.h"

#define LOG_NAME "~log" /* no run's name: those with ~ are digests of 33 bytes */
#define OPEN_NAME "~open"
#define DIGEST_NAME_SIZE ((size_t)33) /* ~ and 32 hex digits */

static bool is_plain(struct bytes name)
{
    if (name.size == 0 || name.size > SEQUENCE_RUN_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (c == '\0' || !strchr("._:@/-", c)))
            return false;
    }
    return true;
}

/* What is kept of a run's name. */
static void keep_name(struct bytes run, char name[SEQUENCE_RUN_MAX + 1])
{
    if (is_plain(run)) {
        memcpy(name, run.data, run.size);
        name[run.size] = '\0';
        return;
    }
    struct digest digest = digest_of(run);
    name[0] = '~';
    digest_format(&digest, name + 1);
}

static size_t find(const struct sequences *sequences, const char *name)
{
    for (size_t i = 0; i < sequences->count; i++)
        if (strcmp(sequences->runs[i].run, name) == 0)
            return i;
    return sequences->count;
}

/* Moves the run at `at` to the front, making it when it is new; the longest unseen one goes. */
static void touch(struct sequences *sequences, size_t at, const char *name, int64_t next)
{
    if (at == sequences->count && sequences->count < SEQUENCE_RUNS)
        sequences->count++;
    if (at >= sequences->count)
        at = sequences->count - 1;
    memmove(&sequences->runs[1], &sequences->runs[0], at * sizeof sequences->runs[0]);
    memcpy(sequences->runs[0].run, name, strlen(name) + 1);
    sequences->runs[0].next = next;
}

static int64_t after(int64_t sequence)
{
    return sequence < INT64_MAX ? sequence + 1 : sequence;
}

enum sequence_result sequence_see(struct sequences *sequences, struct bytes run, int64_t sequence,
                                  int64_t *missing)
{
    char name[SEQUENCE_RUN_MAX + 1];
    *missing = 0;
    if (run.size == 0 || sequence == -1)
        return SEQUENCE_OK;
    if (sequences->count && bytes_equal(bytes_text(sequences->runs[0].run), run) &&
        sequences->runs[0].next == sequence && is_plain(run)) {
        sequences->runs[0].next = after(sequence);
        return SEQUENCE_OK;
    }
    keep_name(run, name);
    size_t at = find(sequences, name);
    bool known = at < sequences->count;
    bool forgotten = !known && (sequences->count == SEQUENCE_RUNS || sequences->open_until > 0);
    if (sequence < 0 && forgotten)
        return SEQUENCE_OK; /* nobody knows which one was expected */
    int64_t next = known ? sequences->runs[at].next : forgotten ? sequence : 0;
    sequence = sequence < 0 ? next : sequence;
    if (sequence > next) {
        *missing = sequence - next;
        return SEQUENCE_GAP;
    }
    touch(sequences, at, name, sequence < next ? next : after(sequence));
    return sequence < next ? SEQUENCE_REPEAT : SEQUENCE_OK;
}

void sequence_accept(struct sequences *sequences, struct bytes run, int64_t sequence)
{
    char name[SEQUENCE_RUN_MAX + 1];
    keep_name(run, name);
    touch(sequences, find(sequences, name), name, after(sequence));
}

static bool is_digest(struct bytes name)
{
    return name.size == DIGEST_NAME_SIZE && name.data[0] == '~' &&
           is_plain(bytes_of(name.data + 1, name.size - 1));
}

bool sequence_expect(struct sequences *sequences, const char *kept, int64_t next)
{
    char name[SEQUENCE_RUN_MAX + 1];
    struct bytes run = bytes_text(kept);
    if ((!is_plain(run) && !is_digest(run)) || next < 0)
        return false;
    memcpy(name, run.data, run.size + 1);
    touch(sequences, find(sequences, name), name, next);
    return true;
}

int64_t sequence_next_of(const struct sequences *sequences, struct bytes run,
                         char kept[SEQUENCE_RUN_MAX + 1])
{
    keep_name(run, kept);
    size_t at = find(sequences, kept);
    return at < sequences->count ? sequences->runs[at].next : 0;
}

/* Oldest first, so that parsing them in order ends with the newest in front. */
void sequence_append(const struct sequences *sequences, const struct log_place *place,
                     struct buf *out)
{
    buf_append_char(out, '{');
    for (size_t i = sequences->count; i-- > 0;)
        buf_append_format(out, "\"%s\":%" PRId64 "%s", sequences->runs[i].run,
                          sequences->runs[i].next, i ? "," : "");
    bool any = sequences->count > 0;
    if (sequences->open_until > 0)
        buf_append_format(out, "%s\"" OPEN_NAME "\":%" PRId64, any ? "," : "",
                          sequences->open_until);
    any = any || sequences->open_until > 0;
    if (place->from.end >= 0)
        buf_append_format(
            out, "%s\"" LOG_NAME "\":[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]",
            any ? "," : "", place->from.end, place->from.clock, place->next.end, place->next.clock);
    buf_append_char(out, '}');
}

static bool parse_place(yyjson_val *value, struct log_place *place)
{
    int64_t *const parts[] = {&place->from.end, &place->from.clock, &place->next.end,
                              &place->next.clock};
    if (yyjson_arr_size(value) != 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        yyjson_val *part = yyjson_arr_get(value, i);
        *parts[i] = yyjson_get_sint(part);
        if (!yyjson_is_int(part) || *parts[i] < 0)
            return false;
    }
    return true;
}

static bool parse_run(struct bytes run, yyjson_val *next, struct sequences *sequences)
{
    char name[SEQUENCE_RUN_MAX + 1];
    if (!yyjson_is_int(next))
        return false;
    if (run.size == 0) /* an earlier version's, of a name that began with NUL */
        return true;
    if (is_digest(run)) {
        memcpy(name, run.data, run.size);
        name[run.size] = '\0';
    } else {
        keep_name(run, name);
    }
    touch(sequences, find(sequences, name), name, yyjson_get_sint(next));
    return true;
}

/* What somebody else keeps there (policy/apply/replay_plan.h). */
static bool is_anothers(struct bytes name)
{
    return name.size && name.data[0] == '~' && !is_digest(name);
}

bool sequence_parse(struct bytes json, struct sequences *sequences, struct log_place *place)
{
    memset(sequences, 0, sizeof *sequences);
    *place = LOG_PLACE_NONE;
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool ok = yyjson_is_obj(root);
    yyjson_obj_iter each = yyjson_obj_iter_with(root);
    for (yyjson_val *key; ok && (key = yyjson_obj_iter_next(&each));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (yyjson_equals_str(key, LOG_NAME))
            ok = parse_place(value, place);
        else if (yyjson_equals_str(key, OPEN_NAME))
            sequences->open_until = yyjson_get_sint(value);
        else if (!is_anothers(bytes_of(yyjson_get_str(key), yyjson_get_len(key))))
            ok = parse_run(bytes_of(yyjson_get_str(key), yyjson_get_len(key)), value, sequences);
    }
    yyjson_doc_free(doc);
    return ok;
}
