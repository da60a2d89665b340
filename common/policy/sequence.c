#include "common/policy/sequence.h"

#include <inttypes.h>
#include <string.h>

#include <yyjson.h>

static size_t find(const struct sequences *sequences, struct bytes run)
{
    for (size_t i = 0; i < sequences->count; i++)
        if (bytes_equal(bytes_text(sequences->runs[i].run), run))
            return i;
    return sequences->count;
}

/* Moves the run at `at` to the front, making it when it is new; the longest unseen one goes. */
static void touch(struct sequences *sequences, size_t at, struct bytes run, int64_t next)
{
    if (at == sequences->count && sequences->count < SEQUENCE_RUNS)
        sequences->count++;
    if (at >= sequences->count)
        at = sequences->count - 1;
    memmove(&sequences->runs[1], &sequences->runs[0], at * sizeof sequences->runs[0]);
    memcpy(sequences->runs[0].run, run.data, run.size);
    sequences->runs[0].run[run.size] = '\0';
    sequences->runs[0].next = next;
}

enum sequence_result sequence_see(struct sequences *sequences, struct bytes run, int64_t sequence,
                                  int64_t *missing)
{
    *missing = 0;
    if (run.size == 0 || run.size > SEQUENCE_RUN_MOST || sequence < 0)
        return SEQUENCE_OK;
    if (sequences->count && bytes_equal(bytes_text(sequences->runs[0].run), run) &&
        sequences->runs[0].next == sequence) {
        sequences->runs[0].next++;
        return SEQUENCE_OK;
    }
    size_t at = find(sequences, run);
    bool known = at < sequences->count;
    bool forgotten = !known && sequences->count == SEQUENCE_RUNS;
    int64_t next = known ? sequences->runs[at].next : forgotten ? sequence : 0;
    if (sequence > next) {
        *missing = sequence - next;
        return SEQUENCE_GAP;
    }
    touch(sequences, at, run, sequence < next ? next : sequence + 1);
    return sequence < next ? SEQUENCE_REPEAT : SEQUENCE_OK;
}

void sequence_accept(struct sequences *sequences, struct bytes run, int64_t sequence)
{
    touch(sequences, find(sequences, run), run, sequence + 1);
}

/* Oldest first, so that parsing them in order ends with the newest in front. */
void sequence_append(const struct sequences *sequences, struct buf *out)
{
    buf_append_char(out, '{');
    for (size_t i = sequences->count; i-- > 0;) {
        buf_append_json(out, bytes_text(sequences->runs[i].run));
        buf_append_format(out, ":%" PRId64 "%s", sequences->runs[i].next, i ? "," : "");
    }
    buf_append_char(out, '}');
}

bool sequence_parse(struct bytes json, struct sequences *sequences)
{
    memset(sequences, 0, sizeof *sequences);
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool good = yyjson_is_obj(root);
    yyjson_obj_iter each = yyjson_obj_iter_with(root);
    for (yyjson_val *key; good && (key = yyjson_obj_iter_next(&each));) {
        struct bytes run = bytes_of(yyjson_get_str(key), yyjson_get_len(key));
        yyjson_val *next = yyjson_obj_iter_get_val(key);
        good = yyjson_is_int(next) && run.size && run.size <= SEQUENCE_RUN_MOST;
        if (good)
            touch(sequences, find(sequences, run), run, yyjson_get_sint(next));
    }
    yyjson_doc_free(doc);
    return good;
}
