/* See the header. */
#include "common/io/alert/alert_output.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/plural.h"
#include "common/base/text.h"

enum { DRAINS_MAX = 64 }; /* a program's child may print without an end */

static void take(struct alert_output *output, const char *bytes, size_t size)
{
    size_t room = ALERT_OUTPUT_MAX - output->kept.size;
    buf_append(&output->kept, bytes, size < room ? size : room);
    output->size += size;
}

static char read_room[16384]; /* of the loop's thread, between on_room and on_read */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    (void)handle;
    (void)suggested;
    *room = uv_buf_init(read_room, sizeof(read_room));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *room)
{
    if (size > 0)
        take((struct alert_output *)stream, room->base, (size_t)size);
    else if (size < 0)
        uv_read_stop(stream);
}

int alert_output_open(struct alert_output *output, uv_loop_t *loop, uv_file *write_end)
{
    uv_file ends[2];
    int failed = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);
    if (failed)
        return failed;
    uv_pipe_init(loop, &output->pipe, 0);
    output->size = 0;
    buf_init(&output->kept, ALERT_OUTPUT_MAX + 1);
    uv_pipe_open(&output->pipe, ends[0]);
    uv_read_start((uv_stream_t *)&output->pipe, on_room, on_read);
    *write_end = ends[1];
    return 0;
}

void alert_output_drain(struct alert_output *output)
{
    uv_os_fd_t from;
    if (uv_fileno((const uv_handle_t *)&output->pipe, &from) != 0)
        return;
    for (int i = 0; i < DRAINS_MAX; i++) {
        ssize_t size = read(from, read_room, sizeof(read_room));
        if (size <= 0)
            return;
        take(output, read_room, (size_t)size);
    }
}

/* Where it was cut, half a word may be half a secret, which nobody knows any more. */
static struct bytes whole_words(struct bytes kept)
{
    size_t size = kept.size;
    while (size > 0 && kept.data[size - 1] != ' ' && kept.data[size - 1] != '\n')
        size--;
    return bytes_of(kept.data, size);
}

void alert_output_append(const struct alert_output *output, struct buf *out)
{
    struct bytes rest = buf_view(&output->kept);
    if (output->size > rest.size)
        rest = whole_words(rest);
    uint64_t cut = output->size - rest.size;
    while (rest.size > 0) {
        const char *end = memchr(rest.data, '\n', rest.size);
        size_t size = end ? (size_t)(end - rest.data) : rest.size;
        buf_append_text(out, "  ");
        text_append_safe(out, bytes_of(rest.data, size), SIZE_MAX);
        buf_append_char(out, '\n');
        size += end != NULL;
        rest = bytes_of(rest.data + size, rest.size - size);
    }
    char number[28];
    if (cut)
        buf_append_format(out, "  … %s byte%s more, not shown\n", text_format_count(cut, number),
                          plural_end(cut));
}

void alert_output_free(struct alert_output *output)
{
    buf_free(&output->kept);
}
