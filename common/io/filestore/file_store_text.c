#include "common/io/filestore/file_store_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/text.h"

#define DIGEST_TEXT 33
#define READ_BYTES (256u << 10)

void file_store_folder(struct bytes tenant, char out[FILE_FOLDER_SIZE])
{
    /* '=' is not in a tenant key's alphabet, so no other tenant has that name */
    const char *mark = tenant.size && tenant.data[0] == '.' ? "=" : "";
    if (tenant.size + strlen(mark) < FILE_FOLDER_SIZE - 1) {
        snprintf(out, FILE_FOLDER_SIZE, "%s%.*s", mark, BYTES_ARGS(tenant));
        return;
    }
    char hex[DIGEST_TEXT];
    struct digest digest = digest_of(tenant);
    digest_format(&digest, hex);
    snprintf(out, FILE_FOLDER_SIZE, "=~%s", hex);
}

void file_store_name(struct bytes entity, char out[FILE_NAME_SIZE])
{
    snprintf(out, FILE_NAME_SIZE, "%.*s.json", BYTES_ARGS(entity));
}

bool file_text_is_keyed(const struct mapping *mapping)
{
    return mapping && mapping->key_count == 1 &&
           mapping->columns[mapping->key[0]].source == FROM_KEY;
}

struct printing {
    struct file_text *text;
    struct digest_parts *parts;
};

static void print(struct printing *printing, struct bytes part)
{
    if (printing->text->file)
        fwrite(part.data, 1, part.size, printing->text->file);
    digest_add_part(printing->parts, part);
    printing->text->size += part.size;
}

static void print_key(struct printing *printing, struct bytes id, struct buf *decoded,
                      struct buf *key)
{
    buf_reset(decoded);
    buf_reset(key);
    if (!text_percent_decode(decoded, id))
        buf_append_bytes(decoded, id);
    buf_append_json(key, buf_view(decoded));
    buf_append_char(key, ':');
    print(printing, buf_view(key));
}

static struct bytes column(sqlite3_stmt *statement, int at)
{
    const char *start = sqlite3_column_blob(statement, at);
    return bytes_of(start, (size_t)sqlite3_column_bytes(statement, at));
}

int file_text_print(sqlite3_stmt *list, const struct mapping *mapping, struct file_text *text)
{
    bool keyed = file_text_is_keyed(mapping);
    struct printing printing = {text, digest_begin()};
    struct buf decoded, key;
    size_t count = 0;
    int code;
    text->size = 0;
    buf_init(&decoded, 4096);
    buf_init(&key, 32768);
    print(&printing, keyed ? BYTES_LITERAL("{") : BYTES_LITERAL("["));
    while ((code = sqlite3_step(list)) == SQLITE_ROW) {
        print(&printing, count++ ? BYTES_LITERAL(",\n") : BYTES_LITERAL("\n"));
        if (keyed)
            print_key(&printing, column(list, 0), &decoded, &key);
        print(&printing, column(list, 1));
        if (text->file && ferror(text->file))
            break;
    }
    if (count)
        print(&printing, BYTES_LITERAL("\n"));
    print(&printing, keyed ? BYTES_LITERAL("}\n") : BYTES_LITERAL("]\n"));
    text->digest = digest_finish(printing.parts);
    buf_free(&decoded);
    buf_free(&key);
    return code == SQLITE_ROW ? SQLITE_DONE : code;
}

bool file_text_read(int fd, struct digest *digest, uint64_t *size)
{
    struct digest_parts *parts = digest_begin();
    char *part = malloc(READ_BYTES);
    ssize_t got;
    if (!part)
        abort();
    *size = 0;
    do {
        got = pread(fd, part, READ_BYTES, (off_t)*size);
        if (got > 0) {
            digest_add_part(parts, bytes_of(part, (size_t)got));
            *size += (uint64_t)got;
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    int number = errno;
    *digest = digest_finish(parts);
    free(part);
    errno = number;
    return got == 0;
}
