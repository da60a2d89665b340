/* The old store as JSON files: opened, read and parsed whole, and gone through to the record. */
#include "verifier/reads/reader.h"

#include <stdlib.h>

#include <yyjson.h>

#include "common/base/mem.h"
#include "common/io/files.h"
#include "verifier/reads/reads_pick.h"
#include "verifier/reads/reads_template.h"

#define FILE_MAX (16u << 20)
#define PATH_SIZE_MAX 4096

struct read_file {
    struct reader reader;
    const char *template;
    struct buf path;
    struct reads_pick pick;
};

static enum outcome prepare(struct reader *reader, const struct reads_key *key, struct error *err)
{
    struct read_file *read = (struct read_file *)reader;
    const struct reads_place place = {.tenant = key->tenant,
                                      .entity = bytes_text(key->mapping->entity),
                                      .id = key->id,
                                      .uri = key->uri};
    buf_reset(&read->path);
    reads_template_append(&read->path, read->template, READS_TEMPLATE_PATH, &place);
    if (read->path.failed || !read->path.size ||
        !reads_pick_begin(&read->pick, key->mapping, key->tenant, key->id))
        return error_set(err, OUT_REJECT, ERR_READ_OLD, "the record's file is not known");
    return OUT_OK;
}

/* Whether the record is in a text of one value or several, as NDJSON has them. False as well where
 * it is no JSON, with *broken. */
static bool find_in_text(const struct reads_pick *pick, struct bytes text, bool *broken)
{
    const yyjson_read_flag flags = YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_STOP_WHEN_DONE;
    bool found = false;
    *broken = false;
    while (!found) {
        while (text.size && (unsigned char)text.data[0] <= ' ')
            text = bytes_of(text.data + 1, text.size - 1);
        if (!text.size)
            return false;
        yyjson_doc *doc = yyjson_read(text.data, text.size, flags);
        if (!doc) {
            *broken = true;
            return false;
        }
        found = reads_pick_find(pick, yyjson_doc_get_root(doc)) != NULL;
        size_t taken = yyjson_doc_get_read_size(doc);
        text = bytes_of(text.data + taken, text.size - taken);
        yyjson_doc_free(doc);
    }
    return true;
}

static enum outcome read_it(struct reader *reader, enum read_answer *answer, struct error *err)
{
    struct read_file *read = (struct read_file *)reader;
    struct buf content;
    bool broken = false;
    struct error cause = {0};
    *answer = READ_NOT_FOUND;
    enum outcome outcome = files_read(buf_text(&read->path), FILE_MAX, &content, &cause);
    if (outcome != OUT_OK) {
        outcome = error_set(err, OUT_REJECT, ERR_READ_OLD, "the file of a record cannot be read");
        error_cause(err, "%s", cause.text);
    } else if (find_in_text(&read->pick, buf_view(&content), &broken)) {
        *answer = READ_FOUND;
    } else if (broken) {
        outcome = error_set(err, OUT_REJECT, ERR_READ_OLD, "the file of a record is no JSON");
    }
    buf_free(&content);
    return outcome;
}

static void close_it(struct reader *reader)
{
    struct read_file *read = (struct read_file *)reader;
    buf_free(&read->path);
    reads_pick_free(&read->pick);
    free(read);
}

struct reader *read_file_new(const struct settings *settings)
{
    static const struct reader_ops OPS = {NULL, prepare, read_it, close_it};
    struct read_file *read = mem_new(sizeof *read);
    read->reader.ops = &OPS;
    read->template = settings->compare_template;
    buf_init(&read->path, PATH_SIZE_MAX);
    reads_pick_init(&read->pick);
    return &read->reader;
}
