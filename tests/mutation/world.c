#include "tests/mutation/world.h"

#include <stdlib.h>
#include <string.h>

#include "common/policy/apply/batch.h"
#include "common/port/sink_memory.h"

enum { IDENTITIES = 6, VERSIONS_MAX = 4 };

#define ARENA_MAX ((size_t)64 << 20)

static const char *const TENANTS[] = {"acme", "t%3A1", "o:s:p:h:e", "12"};

void world_init(struct world *world)
{
    memset(world, 0, sizeof *world);
    buf_init(&world->yaml, 1 << 16);
    arena_init(&world->arena, ARENA_MAX);
    mapping_work_init(&world->work);
    memset(world->ring.identity, 7, sizeof world->ring.identity); /* the same texts in each run */
    memset(&world->ring.keys[0], 9, sizeof world->ring.keys[0]);
    world->ring.count = 1;
    secret_guard_init(&world->guard, &world->ring, false);
}

void world_free(struct world *world)
{
    mapping_free(world->mapping);
    buf_free(&world->yaml);
    arena_free(&world->arena);
    mapping_work_free(&world->work);
    secret_guard_free(&world->guard);
}

/* ---- the producer's part: producer/record.c ----------------------------------------------- */

static struct bytes keep(struct world *world, struct bytes text)
{
    return text.size ? arena_copy(&world->arena, text) : text;
}

static bool add_message(struct world *world, const struct record *record)
{
    struct buf text;
    if (world->message_count == CHECKER_MESSAGES)
        return false;
    struct envelope *message = &world->messages[world->message_count];
    buf_init(&text, 1 << 20);
    bool ok = envelope_encode(record, &text, message, NULL) == OUT_OK;
    message->key = keep(world, message->key);
    message->value = keep(world, message->value);
    for (size_t i = 0; ok && i < message->header_count; i++)
        message->headers[i].value = keep(world, message->headers[i].value);
    buf_free(&text);
    world->message_count += ok;
    return ok;
}

/* Who a record is, but for its payload. */
static void make_identity(uint64_t identity, struct bytes tenant, struct arena *arena,
                          struct record *record)
{
    struct random random = {identity ^ 0xA5A5A5A5u};
    struct buf key;
    static const char *const USERS[] = {"", "u1", "\xc3\xbc:/"};
    static const char *const ORIGINS[] = {"", "https://a.example", "http://localhost:3000"};
    *record = (struct record){.entity = BYTES_LITERAL("thing"), .tenant = tenant, .sequence = -1};
    buf_init(&key, 1024);
    buf_append_format(&key, "item_%u", random_below(&random, 5));
    record->source_key =
        random_below(&random, 5) ? arena_copy(arena, buf_view(&key)) : (struct bytes){0};
    buf_free(&key);
    record->index = random_below(&random, 4) ? (int64_t)random_below(&random, 9) : -1;
    record->user = bytes_text(USERS[random_below(&random, 3)]);
    record->localstorage_origin = bytes_text(ORIGINS[random_below(&random, 3)]);
}

/* One record as the producer sends it; false when it is rejected there. */
static bool produce(struct world *world, uint64_t identity, unsigned rev, bool deleted)
{
    struct buf payload, tenant, id;
    struct guarded guarded;
    struct record record;
    bool has_version = false, ok = false;
    int64_t version = 0;
    buf_init(&payload, 1 << 20);
    buf_init(&tenant, 1024);
    buf_init(&id, 4096);
    const char *fixed = TENANTS[identity % 3];
    make_identity(identity, bytes_text(fixed), &world->arena, &record);
    generate_payload(&world->random, world->mapping, identity, rev, &payload);
    if (world->strips) {
        struct bytes whole = keep(world, buf_view(&payload));
        buf_reset(&payload);
        generate_stripped(world->mapping, true, whole, &payload);
        if (!payload.size)
            buf_append_bytes(&payload, whole);
    }
    record.payload = keep(world, buf_view(&payload));
    if (mapping_identify(world->mapping, &record, &world->work,
                         world->mapping->tenant_pointer ? &tenant : NULL, &id, &version,
                         &has_version, NULL) != OUT_OK)
        goto done;
    if (tenant.size)
        record.tenant = keep(world, buf_view(&tenant));
    record.id = keep(world, buf_view(&id));
    record.version = has_version ? version : (int64_t)rev;
    record.has_version = true;
    if (deleted) {
        record.operation = OP_DELETE;
        record.version = rev;
        if (world->mapping->version_source == VERSION_TIMESTAMP)
            record.version = 1704067200000000 + (int64_t)rev * 1000000;
        record.payload = (struct bytes){0};
    } else if (secret_guard_concerns(&world->guard, world->mapping, record.payload)) {
        if (secret_guard_apply(&world->guard, world->mapping, &record, &guarded, NULL) != OUT_OK)
            goto done;
        record.payload = keep(world, guarded.payload);
        record.sealed = keep(world, guarded.sealed);
    }
    ok = add_message(world, &record);
done:
    world->refused += !ok;
    buf_free(&payload);
    buf_free(&tenant);
    buf_free(&id);
    return ok;
}

/* ---- the worker's part: worker/intake.c --------------------------------------------------- */

static bool make_row(struct world *world, size_t at, struct arena *arena, struct row *row)
{
    struct record record = {0};
    return envelope_decode(&world->messages[at], &record, NULL) == OUT_OK &&
           mapping_forward(world->mapping, &record, &world->work, arena, row, NULL) == OUT_OK &&
           secret_sealed_check(record.sealed, world->mapping, row, NULL) == OUT_OK;
}

static void keep_row(struct world *world, const struct row *row, bool deleted, bool soft)
{
    struct table_row *kept = &world->rows[world->row_count];
    size_t count = world->mapping->column_count;
    *kept = (struct table_row){.tenant = keep(world, row->tenant),
                               .cells = arena_array(&world->arena, count, sizeof *kept->cells),
                               .version = row->version,
                               .digest = row->digest,
                               .deleted = deleted};
    for (size_t i = 0; i < count; i++) {
        kept->cells[i] = row->cells[i];
        if (row->cells[i].size > 0)
            kept->cells[i].data =
                keep(world, bytes_of(row->cells[i].data, (size_t)row->cells[i].size)).data;
    }
    world->soft[world->row_count++] = soft;
}

/* ---- the memory store */

static void on_rejected(void *owner, struct batch *batch)
{
    sink_commit(*(struct sink **)owner, batch);
}

static void on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    (void)owner;
    (void)batch;
    (void)err;
    if (outcome != OUT_OK)
        abort();
}

static void on_nothing(void *owner)
{
    (void)owner;
}

static void on_state(void *owner, const struct error *err)
{
    (void)owner;
    (void)err;
}

static void read_back(struct world *world, struct memory_store *store)
{
    struct stored_record stored;
    struct store_reader *reader = memory_store_reader_open(store);
    while (reader->ops->next(reader, &stored, NULL) == OUT_OK || stored.mapping) {
        if (!stored.mapping)
            break;
        struct row row = {.tenant = stored.tenant,
                          .cells = (struct cell *)stored.cells,
                          .version = stored.version,
                          .digest = stored.digest};
        keep_row(world, &row, stored.deleted, false);
    }
    reader->ops->close(reader);
}

static void write_batches(struct world *world, struct sink *sink, int64_t epoch, int64_t start)
{
    struct batch *batch = batch_new(CHECKER_MESSAGES, ARENA_MAX);
    struct error err;
    for (size_t at = 0; at < world->message_count;) {
        size_t end = at + 1 + random_below(&world->random, 8);
        for (; at < world->message_count && at < end; at++) {
            struct batch_item *item = batch_add(batch, (int64_t)at);
            item->mapping = world->mapping;
            if (make_row(world, at, &batch->arena, &item->row))
                continue;
            error_set(&err, OUT_REJECT, ERR_VALUE_TYPE, "refused");
            batch_reject(batch, item, &err);
        }
        batch->fence = (struct batch_fence){
            .group = "g", .topic = "t", .epoch = epoch, .start = start, .end = (int64_t)at};
        start = (int64_t)at;
        batch_close(batch);
        sink_submit(sink, batch);
        while (memory_sink_turn(sink))
            ;
        batch_reset(batch);
    }
    batch_free(batch);
}

static void run_store(struct world *world)
{
    static const struct sink_events EVENTS = {on_rejected, on_done, on_nothing, on_state, NULL};
    struct sink *sink = NULL;
    int64_t start;
    struct memory_store *store = memory_store_new(MEMORY_KEEPS_ROWS, ARENA_MAX);
    sink = memory_sink_new(store, 1, NULL, &EVENTS, &sink);
    int64_t epoch = memory_store_claim(store, 0, &start);
    write_batches(world, sink, epoch, start);
    read_back(world, store);
    sink_close(sink, on_nothing);
    while (memory_sink_turn(sink))
        ;
    memory_store_free(store);
}

/* ---- a table with soft deletes: the memory store knows none. One row after the other, by the rule
 * of docs/mappings.md: a delete leaves the row with its column set and no digest. */

static void run_soft(struct world *world, struct checker *checker)
{
    struct diff_key keys[CHECKER_ROWS];
    const struct mapping *mapping = world->mapping;
    for (size_t i = 0; i < world->message_count; i++) {
        struct row row;
        struct diff_key key;
        bool exact;
        if (!make_row(world, i, &world->arena, &row))
            continue;
        keep_row(world, &row, row.deleted, false); /* at the end, to be moved or dropped */
        struct table_row made = world->rows[--world->row_count];
        if (!checker_key(checker, &made, &key))
            abort();
        size_t at = 0;
        while (at < world->row_count && !diff_key_equal(&keys[at], &key))
            at++;
        if (at < world->row_count && made.version <= world->rows[at].version)
            continue;
        bool exists = at < world->row_count && !world->rows[at].deleted;
        if (row.deleted && exists) {
            made.cells = world->rows[at].cells;
            made.deleted = false;
            if (value_encode(&mapping->columns[mapping->soft_column].type, mapping->soft_value,
                             &world->arena, &made.cells[mapping->soft_column], &exact,
                             NULL) != OUT_OK)
                abort();
        }
        world->rows[at] = made;
        world->soft[at] = row.deleted && exists;
        keys[at] = key;
        world->row_count += at == world->row_count;
    }
}

/* ---- all of it --------------------------------------------------------------------------- */

static void send_all(struct world *world, uint64_t seed)
{
    unsigned rev = 10;
    for (unsigned n = 4 + random_below(&world->random, 12); n > 0; n--) {
        uint64_t identity = seed * 16 + random_below(&world->random, IDENTITIES);
        bool deleted = random_below(&world->random, 6) == 0;
        if (random_below(&world->random, 5) == 0 && rev > 12)
            produce(world, identity, rev - 10 + 1000 * n, deleted); /* far ahead: later ones lose */
        else
            produce(world, identity, ++rev, deleted);
        if (random_below(&world->random, 8) == 0 && world->message_count &&
            world->message_count < CHECKER_MESSAGES) {
            world->messages[world->message_count] =
                world->messages[random_below(&world->random, (unsigned)world->message_count)];
            world->message_count++;
        }
    }
}

bool world_make(struct world *world, uint64_t seed)
{
    mapping_free(world->mapping);
    world->mapping = NULL;
    world->random = (struct random){seed};
    world->strips = seed % 4 == 1;
    world->message_count = world->row_count = world->refused = 0;
    buf_reset(&world->yaml);
    arena_reset(&world->arena);
    generate_mapping(&world->random, &world->yaml);
    if (mapping_parse("generated.yaml", buf_view(&world->yaml), &world->mapping, NULL) != OUT_OK)
        return false;
    world->guard.detect = random_below(&world->random, 4) == 0;
    send_all(world, seed);
    if (world->mapping->on_delete == DELETE_SOFT) {
        struct checker *checker = checker_new();
        checker_begin(checker, world->mapping);
        run_soft(world, checker);
        checker_free(checker);
    } else {
        run_store(world);
    }
    return true;
}
