#include "common/model/message/dead_letter_replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define ADDED 5 /* packed, replayed from, attempts, tenant, entity */

static bool is_named(struct bytes name, const char *other)
{
    return bytes_equal(name, bytes_text(other));
}

/* The version in a packed header's first part; empty: it has none. */
static struct bytes packed_version(struct bytes packed)
{
    const char *space = packed.size ? memchr(packed.data, ' ', packed.size) : NULL;
    struct bytes version = bytes_of(packed.data, space ? (size_t)(space - packed.data) : 0);
    return bytes_equal(version, BYTES_LITERAL("-")) ? (struct bytes){0} : version;
}

static struct bytes since(const struct buf *text, size_t at)
{
    return bytes_of(text->data + at, text->size - at);
}

static void add(struct dead_letter_replay *replay, const char *name, struct bytes value)
{
    replay->headers[replay->view.header_count++] = (struct header){bytes_text(name), value};
}

/* Copies the headers that stay; gives the version that one of them, or the packed one, says. */
static struct bytes keep_headers(struct dead_letter_replay *replay,
                                 const struct message_view *dead_letter, bool *has_version)
{
    struct bytes version = {0};
    *has_version = false;
    for (size_t i = 0; i < dead_letter->header_count; i++) {
        const struct header *header = &dead_letter->headers[i];
        if (is_named(header->name, HEADER_PACKED)) {
            version = packed_version(header->value);
            *has_version = *has_version || version.size;
            continue;
        }
        if (is_named(header->name, HEADER_RUN) || is_named(header->name, HEADER_SEQUENCE) ||
            dead_letter_is_reason(header->name))
            continue;
        *has_version = *has_version || is_named(header->name, HEADER_VERSION);
        replay->headers[replay->view.header_count++] = *header;
    }
    return version;
}

void dead_letter_replay_make(const struct message_view *dead_letter,
                             const struct dead_letter_again *again,
                             struct dead_letter_replay *replay)
{
    bool has_version;
    struct buf *text = &replay->text;
    replay->view = *dead_letter;
    replay->view.header_count = 0;
    replay->headers = mem_zeroed(dead_letter->header_count + ADDED, sizeof *replay->headers);
    replay->view.headers = replay->headers;
    struct bytes version = keep_headers(replay, dead_letter, &has_version);
    size_t room = version.size + again->run.size + again->first_id.size + 128;
    buf_init(text, room);
    mem_sure(buf_extend(text, room)); /* now it stays where it is */
    buf_reset(text);
    size_t at = text->size;
    if (!has_version && again->has_version)
        buf_append_format(text, "%" PRId64, again->version);
    else
        buf_append_bytes(text, version.size ? version : BYTES_LITERAL("-"));
    buf_append_char(text, ' ');
    buf_append_bytes(text, again->run);
    buf_append_format(text, " %" PRId64, again->sequence);
    add(replay, HEADER_PACKED, since(text, at));
    at = text->size;
    buf_append_bytes(text, again->first_id);
    add(replay, DEAD_LETTER_REPLAYED_FROM, since(text, at));
    at = text->size;
    buf_append_format(text, "%" PRId64, again->attempts);
    add(replay, DEAD_LETTER_ATTEMPTS, since(text, at));
    if (again->tenant.size)
        add(replay, HEADER_TENANT, again->tenant);
    if (again->entity.size)
        add(replay, HEADER_ENTITY, again->entity);
    if (again->key.size)
        replay->view.key = again->key;
}

void dead_letter_replay_free(struct dead_letter_replay *replay)
{
    free(replay->headers);
    replay->headers = NULL;
    buf_free(&replay->text);
}
