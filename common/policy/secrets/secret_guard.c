#include "common/policy/secrets/secret_guard.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/policy/secrets/secret_guard_take.h"
#include "common/policy/secrets/secret_text.h"

#define PAYLOAD_MOST (256u << 20)
#define PATH_MOST (1u << 20)

void secret_guard_init(struct secret_guard *guard, const struct secret_ring *ring, bool detect)
{
    *guard = (struct secret_guard){.ring = ring, .detect = detect};
    buf_init(&guard->payload, PAYLOAD_MOST);
    buf_init(&guard->sealed, SECRET_SEALED_MOST);
    buf_init(&guard->scratch, PAYLOAD_MOST);
}

void secret_guard_free(struct secret_guard *guard)
{
    guard_wipe(&guard->payload, SIZE_MAX);
    guard_wipe(&guard->scratch, SIZE_MAX);
    buf_free(&guard->payload);
    buf_free(&guard->sealed);
    buf_free(&guard->scratch);
}

bool secret_guard_concerns(const struct secret_guard *guard, const struct mapping *mapping,
                           struct bytes payload)
{
    return guard->detect || mapping->seal_count || mapping->withhold_count ||
           secret_text_may_need_spelling(payload);
}

/* ---- memory of documents: wiped when freed --------------------------------------------------- */

struct block {
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

static void *wiping_malloc(void *owner, size_t size)
{
    struct block *block = malloc(sizeof *block + size);
    (void)owner;
    if (!block)
        return NULL;
    block->size = size;
    return block->bytes;
}

static void wiping_free(void *owner, void *bytes)
{
    (void)owner;
    if (!bytes)
        return;
    struct block *block = (struct block *)((char *)bytes - offsetof(struct block, bytes));
    sodium_memzero(block->bytes, block->size);
    free(block);
}

static void *wiping_realloc(void *owner, void *bytes, size_t old_size, size_t size)
{
    void *moved = wiping_malloc(owner, size);
    if (moved && bytes)
        memcpy(moved, bytes, old_size < size ? old_size : size);
    if (moved)
        wiping_free(owner, bytes);
    return moved;
}

static const yyjson_alc WIPING = {wiping_malloc, wiping_realloc, wiping_free, NULL};

/* ---- taking ---------------------------------------------------------------------------------- */

/* ---- writing --------------------------------------------------------------------------------- */

/* ---- a record -------------------------------------------------------------------------------- */

static enum outcome finish(struct guard_job *job, struct guarded *out, struct error *err)
{
    struct secret_guard *guard = job->guard;
    if (job->count == 0)
        return OUT_OK;
    guard_write(job, job->root, 0, &guard->payload);
    if (guard->payload.failed || job->texts.failed || job->path.failed)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to be sealed");
    out->changed = true;
    out->payload = buf_view(&guard->payload);
    out->sealed = buf_view(&guard->sealed);
    out->sealed_count = job->sealed_count;
    out->withheld_count = job->withheld_count;
    return OUT_OK;
}

static enum outcome guard_document(struct secret_guard *guard, const struct mapping *mapping,
                                   const struct record *record, yyjson_doc *doc,
                                   struct guarded *out, struct error *err)
{
    struct guard_job job = {.guard = guard,
                            .mapping = mapping,
                            .record = record,
                            .root = yyjson_doc_get_root(doc),
                            .spells = secret_text_may_need_spelling(record->payload),
                            .alc = &WIPING};
    buf_init(&job.texts, PAYLOAD_MOST);
    buf_init(&job.path, PATH_MOST);
    enum outcome outcome = guard_find(&job, job.root, 0, err);
    if (outcome == OUT_OK)
        outcome = finish(&job, out, err);
    free(job.takes);
    buf_free(&job.texts);
    buf_free(&job.path);
    return outcome;
}

enum outcome secret_guard_apply(struct secret_guard *guard, const struct mapping *mapping,
                                const struct record *record, struct guarded *out, struct error *err)
{
    yyjson_doc *doc = NULL;
    guard_wipe(&guard->payload, guard->payload.size);
    buf_reset(&guard->sealed);
    *out = (struct guarded){.payload = record->payload};
    if (mapping->seal_count && !guard->ring)
        return error_set(err, OUT_FATAL, ERR_SECRET_KEY,
                         "the mapping of %s seals members, and there is no key", mapping->entity);
    if (record->operation == OP_DELETE || !secret_guard_concerns(guard, mapping, record->payload))
        return OUT_OK;
    enum outcome outcome = json_parse(record->payload, mapping->unicode, &WIPING, &doc, err);
    if (outcome == OUT_OK)
        outcome = guard_document(guard, mapping, record, doc, out, err);
    yyjson_doc_free(doc);
    return outcome;
}

/* ---- the header ------------------------------------------------------------------------------ */

static bool take_size(struct bytes sealed, size_t *at, size_t most, size_t *size)
{
    if (sealed.size - *at < 4)
        return false;
    const unsigned char *bytes = (const unsigned char *)sealed.data + *at;
    *size =
        (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
    *at += 4;
    return *size <= most && *size <= sealed.size - *at;
}

static bool take_box(struct bytes sealed, size_t *at, struct sealed_box *box)
{
    size_t size;
    if (!take_size(sealed, at, PATH_MOST, &size))
        return false;
    box->field = bytes_of(sealed.data + *at, size);
    *at += size;
    if (sealed.size - *at < SECRET_REFERENCE_SIZE)
        return false;
    box->reference = bytes_of(sealed.data + *at, SECRET_REFERENCE_SIZE);
    *at += SECRET_REFERENCE_SIZE;
    if (!take_size(sealed, at, SECRET_SEALED_MOST, &size))
        return false;
    box->box = bytes_of(sealed.data + *at, size);
    *at += size;
    return secret_box_key_id(box->box) && memcmp(box->reference.data, "sec_", 4) == 0;
}

bool secret_sealed_next(struct bytes sealed, size_t *at, struct sealed_box *box, bool *bad)
{
    *bad = false;
    if (*at >= sealed.size)
        return false;
    *bad = !take_box(sealed, at, box);
    return !*bad;
}
