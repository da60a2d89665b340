/*
 * The file store beyond the sink contract: the files it leaves, what a stranger's file or a link in
 * their place does, a full disk, and a writer that is killed again and again.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "common/io/clock.h"
#include "common/io/filestore/file_checkpoint_editor.h"
#include "common/io/filestore/file_store.h"
#include "common/io/files.h"
#include "common/model/json/json.h"
#include "common/policy/secrets/secret_box.h"
#include "common/port/checkpoint_editor.h"
#include "tests/support/suite.h"

#define ARRAY                                                                                      \
    "entity: thing\ntable: thing\nkey: [name]\nrest: extra\ncolumns:\n"                            \
    "  - { name: name, from: /name, type: text }\n"                                                \
    "  - { name: size, from: /size, type: int8 }\n"
#define KEYED                                                                                      \
    "entity: note\ntable: note\nkey: [name]\nrest: extra\non_delete: hard\ncolumns:\n"             \
    "  - { name: name, from: $key, type: text }\n"                                                 \
    "  - { name: body, from: /body, type: text }\n"
#define SOFT                                                                                       \
    "entity: plan\ntable: plan\nkey: [name]\nrest: extra\n"                                        \
    "on_delete: { column: status, value: deleted }\ncolumns:\n"                                    \
    "  - { name: name, from: /name, type: text }\n"                                                \
    "  - { name: status, from: /status, type: text }\n"

/* ---- harness ----------------------------------------------------------------------------- */

static struct {
    char dir[64];
    struct settings settings;
    struct mapping *mappings[3];
    struct mapping_set set;
    struct mapping_work work;
    uv_loop_t loop;
    struct file_store *store;
    struct sink *sink;
    struct checkpoint *checkpoint;
    bool done, claimed, sink_closed, checkpoint_closed;
    enum outcome outcome;
    struct error err, state;
    int64_t epoch, next;
} H;

static void on_rejected(void *owner, struct batch *batch)
{
    (void)owner;
    sink_commit(H.sink, batch);
}

static void on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    (void)owner;
    (void)batch;
    H.done = true;
    H.outcome = outcome;
    if (err)
        H.err = *err;
}

static void on_ready(void *owner)
{
    (void)owner;
}

static void on_state(void *owner, const struct error *err)
{
    (void)owner;
    H.state = err ? *err : (struct error){0};
}

static void on_sink_closed(void *owner)
{
    (void)owner;
    H.sink_closed = true;
}

static void on_checked(void *owner)
{
    (void)owner;
}

static void on_claimed(void *owner, int32_t partition, const struct checkpoint_row *row)
{
    (void)owner;
    (void)partition;
    H.claimed = true;
    H.epoch = row->epoch;
    H.next = row->next_offset;
}

static void on_released(void *owner, int32_t partition)
{
    (void)owner;
    (void)partition;
}

static void on_seen(void *owner, int32_t partition, const struct checkpoint_seen *seen)
{
    (void)owner;
    (void)partition;
    (void)seen;
}

static void on_error(void *owner, const struct error *err)
{
    (void)owner;
    H.err = *err;
}

static void on_checkpoint_closed(void *owner)
{
    (void)owner;
    H.checkpoint_closed = true;
}

static void turn_until(const bool *come)
{
    while (!*come)
        uv_run(&H.loop, UV_RUN_ONCE);
}

static void open_sink(void)
{
    static const struct sink_events EVENTS = {on_rejected, on_done, on_ready, on_state};
    H.sink = file_sink_new(&H.loop, H.store, &EVENTS, NULL);
}

static void close_sink(void)
{
    H.sink_closed = false;
    sink_close(H.sink, on_sink_closed);
    turn_until(&H.sink_closed);
}

static void open_store(void)
{
    static const struct checkpoint_events EVENTS = {on_checked, on_claimed, on_released, on_error,
                                                    on_seen};
    static const struct checkpoint_config CONFIG = {"g", "t", "me", 1};
    struct error err;
    uv_loop_init(&H.loop);
    ck_assert_msg(file_store_open(&H.settings, &H.set, &H.store, &err) == OUT_OK, "%s: %s (%s)",
                  err.text, err.cause, err.where);
    H.claimed = H.checkpoint_closed = false;
    H.checkpoint = file_checkpoint_new(&H.loop, H.store, &CONFIG, &EVENTS, NULL);
    checkpoint_claim(H.checkpoint, 0);
    turn_until(&H.claimed);
    open_sink();
}

static void close_store(void)
{
    close_sink();
    checkpoint_close(H.checkpoint, on_checkpoint_closed);
    turn_until(&H.checkpoint_closed);
    file_store_close(H.store);
    ck_assert_int_eq(uv_loop_close(&H.loop), 0);
}

static void setup(void)
{
    static const char *const TEXTS[] = {KEYED, SOFT, ARRAY}; /* sorted by entity */
    struct error err;
    memset(&H, 0, sizeof H);
    snprintf(H.dir, sizeof H.dir, "/tmp/drover_files_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(H.dir));
    H.settings.store_dir = H.dir;
    for (int i = 0; i < 3; i++)
        ck_assert_msg(mapping_parse("m.yaml", bytes_text(TEXTS[i]), &H.mappings[i], &err) == OUT_OK,
                      "%s (%s)", err.text, err.where);
    H.set = (struct mapping_set){H.mappings, 3};
    mapping_work_init(&H.work);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", H.dir);
    ck_assert_int_eq(system(command), 0);
    mapping_work_free(&H.work);
    for (int i = 0; i < 3; i++)
        mapping_free(H.mappings[i]);
}

static struct batch *begin(void)
{
    struct batch *batch = batch_new(1000, 16u << 20);
    batch->fence = (struct batch_fence){
        .group = "g", .topic = "t", .epoch = H.epoch, .start = H.next, .end = H.next};
    return batch;
}

/* json NULL: a delete of `key`. */
static struct batch_item *put(struct batch *batch, const char *entity, const char *tenant,
                              const char *key, int64_t version, const char *json)
{
    struct error err;
    struct batch_item *item = batch_add(batch, batch->fence.end++);
    item->mapping = mapping_set_find(&H.set, bytes_text(entity));
    struct record record = {.tenant = arena_copy(&batch->arena, bytes_text(tenant)),
                            .id = bytes_text(key),
                            .version = version,
                            .has_version = true,
                            .operation = json ? OP_UPSERT : OP_DELETE,
                            .source_key = bytes_text(key),
                            .index = -1,
                            .payload = bytes_text(json)};
    ck_assert_msg(
        mapping_forward(item->mapping, &record, &H.work, &batch->arena, &item->row, &err) == OUT_OK,
        "%s", err.text);
    return item;
}

static enum outcome submit(struct batch *batch)
{
    H.done = false;
    sink_submit(H.sink, batch);
    turn_until(&H.done);
    if (H.outcome == OUT_OK)
        H.next = batch->fence.end;
    return H.outcome;
}

static void write_out(struct batch *batch)
{
    batch_close(batch);
    ck_assert_msg(submit(batch) == OUT_OK, "%s: %s", H.err.text, H.err.cause);
    batch_free(batch);
}

static void path_of(const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", H.dir, name);
}

/* "" when it is not there. */
static const char *content_of(const char *name)
{
    static struct buf content;
    char path[256];
    struct error err;
    path_of(name, path);
    buf_free(&content);
    if (!files_exist(path))
        return "";
    ck_assert_int_eq(files_read(path, 16u << 20, &content, &err), OUT_OK);
    return buf_text(&content);
}

/* ---- files ------------------------------------------------------------------------------- */

START_TEST(files_have_the_layout_that_sources_have)
{
    char path[256];
    struct stat status;
    open_store();
    struct batch *batch = begin();
    put(batch, "thing", "acme", "b", 1, "{\"size\":2,\"name\":\"b\",\"more\":[1.50]}");
    put(batch, "thing", "acme", "a", 1, "{\"name\":\"a\",\"size\":9007199254740993}");
    put(batch, "thing", "borealis", "a", 1, "{\"name\":\"a\"}");
    put(batch, "note", "acme", "x \"y\"", 1, "{\"body\":\"hello\"}");
    write_out(batch);
    close_store();
    ck_assert_str_eq(content_of("acme/thing.json"),
                     "[\n{\"name\":\"a\",\"size\":9007199254740993},\n"
                     "{\"more\":[1.5],\"name\":\"b\",\"size\":2}\n]\n");
    ck_assert_str_eq(content_of("borealis/thing.json"), "[\n{\"name\":\"a\"}\n]\n");
    ck_assert_str_eq(content_of("acme/note.json"), "{\n\"x \\\"y\\\"\":{\"body\":\"hello\"}\n}\n");
    path_of("acme/thing.json", path);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    path_of("acme", path);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0700);
}
END_TEST

START_TEST(deletes_leave_what_the_mapping_says)
{
    open_store();
    struct batch *batch = begin();
    put(batch, "thing", "acme", "a", 1, "{\"name\":\"a\"}");
    put(batch, "plan", "acme", "p", 1, "{\"name\":\"p\",\"status\":\"active\",\"n\":1}");
    write_out(batch);
    batch = begin();
    put(batch, "thing", "acme", "a", 2, NULL);
    put(batch, "plan", "acme", "p", 2, NULL);
    put(batch, "plan", "acme", "never", 2, NULL);
    write_out(batch);
    batch = begin();
    put(batch, "thing", "acme", "a", 1, "{\"name\":\"a\"}"); /* late: the tombstone wins */
    batch_close(batch);
    ck_assert_int_eq(submit(batch), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_SUPERSEDED);
    batch_free(batch);
    close_store();
    ck_assert_str_eq(content_of("acme/thing.json"), "[]\n");
    ck_assert_str_eq(content_of("acme/plan.json"),
                     "[\n{\"n\":1,\"name\":\"p\",\"status\":\"deleted\"}\n]\n");
}
END_TEST

START_TEST(what_is_stored_is_read_back)
{
    struct error err;
    struct stored_record stored;
    struct store_reader *reader;
    int64_t next;
    int records = 0, deleted = 0;
    open_store();
    struct batch *batch = begin();
    struct batch_item *item = put(batch, "thing", "acme", "a", 7, "{\"name\":\"a\",\"z\":null}");
    struct digest digest = item->row.digest;
    put(batch, "thing", "acme", "gone", 3, NULL);
    write_out(batch);
    ck_assert_int_eq(
        file_store_reader_open(&H.settings, &H.set, FILE_STORE_READER_FILES, &reader, &err),
        OUT_OK);
    ck_assert_int_eq(reader->ops->checkpoint(reader, "g", "t", 0, &next, &err), OUT_OK);
    ck_assert_int_eq(next, 2);
    ck_assert_int_eq(reader->ops->checkpoint(reader, "g", "t", 5, &next, &err), OUT_OK);
    ck_assert_int_eq(next, -1);
    while (reader->ops->next(reader, &stored, &err) == OUT_OK && stored.mapping) {
        records++;
        deleted += stored.deleted;
        if (stored.deleted)
            continue;
        ck_assert(bytes_equal(stored.json, BYTES_LITERAL("{\"name\":\"a\",\"z\":null}")));
        ck_assert(digest_equal(&stored.digest, &digest));
        ck_assert_int_eq(stored.version, 7);
    }
    ck_assert_int_eq(records, 2);
    ck_assert_int_eq(deleted, 1);
    reader->ops->close(reader);
    close_store();
}
END_TEST

/* The header as the producer's guard makes it: one box. */
static void append_sealed(struct buf *header, char reference[SECRET_REFERENCE_SIZE + 1])
{
    struct secret_ring ring;
    struct buf box;
    const struct secret_place place = {BYTES_LITERAL("acme"), BYTES_LITERAL("thing"),
                                       BYTES_LITERAL("a"), BYTES_LITERAL("/k")};
    secret_ring_generate(&ring);
    buf_init(&box, 4096);
    secret_box_seal(&ring, &place, BYTES_LITERAL("secret"), reference, &box);
    const unsigned char sizes[] = {2, 0, 0, 0, (unsigned char)box.size, 0, 0, 0};
    buf_append(header, sizes, 4);
    buf_append_text(header, "/k");
    buf_append(header, reference, SECRET_REFERENCE_SIZE);
    buf_append(header, sizes + 4, 4);
    buf_append_bytes(header, buf_view(&box));
    buf_free(&box);
    secret_ring_wipe(&ring);
}

START_TEST(sealed_boxes_are_kept)
{
    char command[256], answer[256] = "", wanted[256], reference[SECRET_REFERENCE_SIZE + 1];
    struct buf header;
    buf_init(&header, 4096);
    append_sealed(&header, reference);
    open_store();
    for (int i = 1; i <= 2; i++) { /* the same box twice is one */
        struct batch *batch = begin();
        put(batch, "thing", "acme", "a", i, "{\"name\":\"a\"}")->sealed = buf_view(&header);
        write_out(batch);
    }
    close_store();
    snprintf(command, sizeof command,
             "sqlite3 '%s/.drover/state.db' 'SELECT tenant, entity, id, field, reference, "
             "count(*) FROM box'",
             H.dir);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(fgets(answer, sizeof answer, pipe));
    pclose(pipe);
    snprintf(wanted, sizeof wanted, "acme|thing|a|/k|%s|1\n", reference);
    ck_assert_str_eq(answer, wanted);
    buf_free(&header);
}
END_TEST

/* ---- strangers --------------------------------------------------------------------------- */

START_TEST(one_process_at_a_time)
{
    struct error err;
    struct file_store *second;
    open_store();
    ck_assert_int_eq(file_store_open(&H.settings, &H.set, &second, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_STORE_LOCKED);
    ck_assert_ptr_null(second);
    close_store();
}
END_TEST

/* Each process says by its exit code how often it was refused. */
static int read_again_and_again(const struct settings *settings, int fd, bool edits)
{
    static const struct mapping_set NONE;
    int refused = 0;
    char byte;
    struct error err;
    while (read(fd, &byte, 1) < 0) {
        struct store_reader *reader = NULL;
        struct checkpoint_editor *editor = NULL;
        enum outcome outcome =
            edits
                ? file_checkpoint_editor_open(settings, 1000, &editor, &err)
                : file_store_reader_open(settings, &NONE, FILE_STORE_READER_RECORDS, &reader, &err);
        if (outcome == OUT_OK && edits)
            checkpoint_editor_close(editor);
        else if (outcome == OUT_OK)
            reader->ops->close(reader);
        else if (!strstr(err.text, "there is no file store") && refused++ == 0)
            fprintf(stderr, "%s: %s (%s)\n", edits ? "editor" : "reader", err.text, err.cause);
    }
    return refused > 100 ? 100 : refused;
}

/* `status` and the view of `run` look in at any moment, also while the store is made. */
START_TEST(who_looks_in_holds_up_nobody)
{
    enum { LOOKING = 3, OPENINGS = 8 };
    int gate[2];
    pid_t children[LOOKING];
    ck_assert_int_eq(pipe2(gate, O_NONBLOCK), 0);
    for (int i = 0; i < LOOKING; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            close(gate[1]);
            _exit(read_again_and_again(&H.settings, gate[0], i == 0));
        }
    }
    for (int i = 0; i < OPENINGS; i++) {
        open_store();
        close_store();
    }
    close(gate[1]);
    for (int i = 0; i < LOOKING; i++) {
        int status;
        waitpid(children[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
    close(gate[0]);
}
END_TEST

static const struct {
    const char *tenant, *folder;
} FOLDERS[] = {
    {"acme", "acme"}, {"a%2Fb", "a%2Fb"},      {"o:s:p:c:e", "o:s:p:c:e"},
    {"..", "=.."},    {".drover", "=.drover"}, {".", "=."},
};

START_TEST(no_tenant_leaves_the_folder)
{
    char name[256];
    open_store();
    struct batch *batch = begin();
    put(batch, "thing", FOLDERS[_i].tenant, "a", 1, "{\"name\":\"a\"}");
    write_out(batch);
    close_store();
    snprintf(name, sizeof name, "%s/thing.json", FOLDERS[_i].folder);
    ck_assert_msg(content_of(name)[0] == '[', "%s", FOLDERS[_i].tenant);
}
END_TEST

/* A file or a link that is not the store's is left as it is, and said. */
static void expect_refusal(enum error_code code)
{
    struct error err;
    enum outcome outcome;
    open_store();
    struct batch *batch = begin();
    put(batch, "thing", "acme", "a", 1, "{\"name\":\"a\"}");
    put(batch, "thing", "borealis", "a", 1, "{\"name\":\"a\"}");
    write_out(batch);
    while ((outcome = sink_settle(H.sink, &err)) == OUT_RETRY)
        uv_run(&H.loop, UV_RUN_ONCE);
    close_store();
    ck_assert_int_eq(outcome, OUT_REJECT);
    ck_assert_int_eq(err.code, code);
    ck_assert_ptr_nonnull(strstr(err.where, "acme/thing.json"));
    ck_assert_str_eq(content_of("borealis/thing.json"), "[\n{\"name\":\"a\"}\n]\n"); /* goes on */
}

START_TEST(a_strangers_file_is_not_replaced)
{
    char path[256];
    path_of("acme", path);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    path_of("acme/thing.json", path);
    FILE *file = fopen(path, "w");
    fputs("mine", file);
    fclose(file);
    expect_refusal(ERR_STORE_EDITED);
    ck_assert_str_eq(content_of("acme/thing.json"), "mine");
}
END_TEST

START_TEST(a_link_is_not_followed)
{
    char path[256], elsewhere[] = "/tmp/drover_elsewhere_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(elsewhere));
    path_of("acme", path);
    ck_assert_int_eq(symlink(elsewhere, path), 0);
    expect_refusal(ERR_STORE_UNWRITTEN);
    ck_assert_int_eq(rmdir(elsewhere), 0); /* still empty */
}
END_TEST

/* ---- faults ------------------------------------------------------------------------------ */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_is_waited_for)
{
    static char json[200000];
    signal(SIGXFSZ, SIG_IGN);
    int size = snprintf(json, sizeof json, "{\"name\":\"a\",\"text\":\"");
    memset(json + size, 'x', sizeof json - (size_t)size - 3);
    memcpy(json + sizeof json - 3, "\"}", 3);
    open_store();
    struct batch *batch = begin();
    put(batch, "thing", "acme", "a", 1, json);
    batch_close(batch);
    limit_files(65536);
    ck_assert_int_eq(submit(batch), OUT_RETRY);
    ck_assert_int_eq(H.err.code, ERR_STORE_FILE);
    ck_assert_int_eq(H.state.outcome, OUT_RETRY);
    limit_files(RLIM_INFINITY);
    batch_retry(batch);
    ck_assert_int_eq(submit(batch), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_APPLIED);
    ck_assert_int_eq(H.state.code, ERR_NONE); /* it is back */
    batch_free(batch);
    close_store();
    ck_assert_uint_eq(strlen(content_of("acme/thing.json")), sizeof json - 1 + 5);
}
END_TEST

enum { KILLS = 15, KEYS = 40 };

/* Batches without end: all keys of two tenants at one version, which is the batch's number. Each
 * that is done is told; the sink is closed after each, so files are written all the time. */
static void write_for_ever(int told)
{
    char key[16], json[64];
    open_store();
    for (;;) {
        int64_t number = H.next / (2 * KEYS) + 1;
        struct batch *batch = begin();
        for (int i = 0; i < 2 * KEYS; i++) {
            snprintf(key, sizeof key, "k%02d", i / 2);
            snprintf(json, sizeof json, "{\"name\":\"%s\",\"size\":%lld}", key, (long long)number);
            put(batch, "thing", i % 2 ? "acme" : "borealis", key, number, json);
        }
        write_out(batch);
        if (write(told, &number, sizeof number) != sizeof number)
            _exit(0);
        close_sink();
        open_sink();
    }
}

/* Whole, and all of one batch; that batch's number, 0 when the file is not there yet. */
static int64_t number_in(const char *name)
{
    struct error err;
    yyjson_doc *doc = NULL;
    const char *text = content_of(name);
    int64_t number = 0, first = 0;
    if (!text[0])
        return 0;
    ck_assert_msg(json_parse(bytes_text(text), JSON_UNICODE_REJECT, NULL, &doc, &err) == OUT_OK,
                  "%s is torn: %s", name, err.text);
    yyjson_val *root = yyjson_doc_get_root(doc);
    ck_assert_uint_eq(yyjson_arr_size(root), KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        yyjson_val *size = yyjson_obj_get(yyjson_arr_get(root, i), "size");
        number = strtoll(yyjson_get_raw(size), NULL, 10);
        first = i ? first : number;
        ck_assert_int_eq(number, first);
    }
    yyjson_doc_free(doc);
    return number;
}

/* Everything of the last batch, and nothing of another. */
static int64_t number_stored(void)
{
    struct error err;
    struct stored_record stored;
    struct store_reader *reader;
    int64_t next, number = 0;
    int count = 0;
    ck_assert_int_eq(
        file_store_reader_open(&H.settings, &H.set, FILE_STORE_READER_FILES, &reader, &err),
        OUT_OK);
    ck_assert_int_eq(reader->ops->checkpoint(reader, "g", "t", 0, &next, &err), OUT_OK);
    while (reader->ops->next(reader, &stored, &err) == OUT_OK && stored.mapping) {
        count++;
        number = stored.version;
        ck_assert_int_eq(stored.version, next / (2 * KEYS));
    }
    ck_assert_int_eq(count, 2 * KEYS);
    reader->ops->close(reader);
    return number;
}

static int64_t run_and_kill(int acknowledged)
{
    int pipes[2];
    int64_t number = 0, last = 0;
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        close(pipes[0]);
        write_for_ever(pipes[1]);
    }
    close(pipes[1]);
    for (int i = 0; i < acknowledged; i++)
        ck_assert_int_eq(read(pipes[0], &last, sizeof last), sizeof last);
    for (volatile int spin = rand() % 2000000; spin > 0; spin--)
        ;
    kill(child, SIGKILL);
    while (read(pipes[0], &number, sizeof number) == sizeof number)
        last = number; /* told before it died */
    close(pipes[0]);
    waitpid(child, NULL, 0);
    return last;
}

START_TEST(a_killed_writer_tears_and_loses_nothing)
{
    srand((unsigned)getpid());
    for (int i = 0; i < KILLS; i++) {
        int64_t told = run_and_kill(1 + rand() % 4);
        int64_t stored = number_stored();
        ck_assert_msg(stored >= told, "%lld were done, %lld are stored", (long long)told,
                      (long long)stored);
        ck_assert_int_le(number_in("acme/thing.json"), stored);
        ck_assert_int_le(number_in("borealis/thing.json"), stored);
    }
    int64_t stored = number_stored();
    open_store(); /* the next start writes what the crash left */
    close_store();
    ck_assert_int_eq(number_in("acme/thing.json"), stored);
    ck_assert_int_eq(number_in("borealis/thing.json"), stored);
}
END_TEST

/* Whose name begins so has no room left. */
static const char *full;

int mkdirat(int folder, const char *name, mode_t mode)
{
    int (*real)(int, const char *, mode_t);
    *(void **)&real = dlsym(RTLD_NEXT, "mkdirat");
    if (!full || strncmp(name, full, strlen(full)) != 0)
        return real(folder, name, mode);
    errno = EDQUOT;
    return -1;
}

/* However many do not fit, the others are written, and what is told is the disk. */
START_TEST(what_does_not_fit_holds_up_nothing)
{
    char path[256], tenant[16];
    path_of("stranger", path);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    path_of("stranger/thing.json", path);
    FILE *file = fopen(path, "w");
    fputs("mine", file);
    fclose(file);
    full = "full";
    open_store();
    struct batch *batch = begin();
    for (int i = 0; i < (_i ? 7 : 1); i++) {
        snprintf(tenant, sizeof tenant, "full%d", i);
        put(batch, "thing", tenant, "a", 1, "{\"name\":\"a\"}");
    }
    put(batch, "thing", "good", "a", 1, "{\"name\":\"a\"}");
    put(batch, "thing", "stranger", "a", 1, "{\"name\":\"a\"}");
    write_out(batch);
    uint64_t begin_ms = clock_monotonic_ms();
    while (!H.state.code ||
           (!content_of("good/thing.json")[0] && clock_monotonic_ms() - begin_ms < 15000))
        uv_run(&H.loop, UV_RUN_ONCE);
    ck_assert_str_eq(content_of("good/thing.json"), "[\n{\"name\":\"a\"}\n]\n");
    ck_assert_int_eq(H.state.code, ERR_STORE_UNWRITTEN);
    full = NULL;
    close_store();
    ck_assert_str_ne(content_of("full0/thing.json"), "");
}
END_TEST

/* ---- the database ------------------------------------------------------------------------ */

static int sql(const char *text)
{
    char path[256];
    sqlite3 *db;
    sqlite3_stmt *statement;
    path_of(".drover/state.db", path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    int number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

START_TEST(a_later_schema_is_left_alone)
{
    struct error err;
    open_store();
    close_store();
    sql("PRAGMA user_version = 4");
    ck_assert_int_eq(file_store_open(&H.settings, &H.set, &H.store, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_STORE_FILE);
    ck_assert_int_eq(sql("PRAGMA user_version"), 4);
}
END_TEST

static void on_rebuilt(void *owner, struct bytes path, enum file_rebuilt how,
                       const struct error *err)
{
    (void)path;
    (void)err;
    *(int *)owner += how == FILE_REBUILT_WRITTEN;
}

START_TEST(a_dry_rebuild_writes_nothing)
{
    int written = 0;
    struct error err;
    char path[256];
    open_store();
    struct batch *batch = begin();
    put(batch, "thing", "acme", "a", 1, "{\"name\":\"a\"}");
    put(batch, "note", "acme", "b", 1, NULL);
    write_out(batch);
    close_store();
    sql("UPDATE record SET written_at = 0");
    path_of("acme/thing.json", path);
    ck_assert_int_eq(unlink(path), 0);
    for (int dry = 1; dry >= 0; dry--) {
        ck_assert_int_eq(
            file_store_rebuild(&H.settings, &H.set, false, dry, on_rebuilt, &written, &err),
            OUT_OK);
        int records = sql("SELECT count(*) FROM record");
        ck_assert_int_eq(records, dry ? 2 : 1);
        ck_assert_int_eq(access(path, F_OK), dry ? -1 : 0);
    }
    ck_assert_int_eq(written, 2);
}
END_TEST

/* ---- the exporter ------------------------------------------------------------------------ */

enum { BATCHES = 30, BATCH_MS = 100, BEHIND_MS = 1000, GRACE_MS = 500 /* of a busy machine */ };

static int64_t size_in(const char *name)
{
    const char *found = strstr(content_of(name), "\"size\":");
    return found ? strtoll(found + strlen("\"size\":"), NULL, 10) : -1;
}

/* Ten batches a second, for three seconds: the file is at most one behind, and is written once a
 * second, not once a batch. */
START_TEST(files_are_a_second_behind_and_no_more)
{
    char json[64], path[256];
    uint64_t done_ms[BATCHES] = {0}, behind_ms = 0;
    struct stat status = {0};
    ino_t inode = 0;
    int written = 0, done = 0, shown = 0; /* batches */
    path_of("acme/thing.json", path);
    open_store();
    uint64_t begin_ms = clock_monotonic_ms();
    while (shown < BATCHES) {
        uint64_t now_ms = clock_monotonic_ms();
        if (done < BATCHES && now_ms - begin_ms >= (uint64_t)done * BATCH_MS) {
            struct batch *batch = begin();
            snprintf(json, sizeof json, "{\"name\":\"a\",\"size\":%d}", done + 1);
            put(batch, "thing", "acme", "a", done + 1, json);
            write_out(batch);
            done_ms[done++] = clock_monotonic_ms();
        }
        uv_run(&H.loop, UV_RUN_NOWAIT);
        if (stat(path, &status) == 0 && status.st_ino != inode) {
            inode = status.st_ino;
            written++;
            shown = (int)size_in("acme/thing.json");
        }
        if (shown < done && now_ms > done_ms[shown] && now_ms - done_ms[shown] > behind_ms)
            behind_ms = now_ms - done_ms[shown];
        usleep(2000);
    }
    close_store();
    ck_assert_uint_le(behind_ms, BEHIND_MS + GRACE_MS);
    ck_assert_int_ge(written, 2);
    ck_assert_int_le(written, BATCHES * BATCH_MS / BEHIND_MS + 2);
}
END_TEST

static Suite *file_store_suite(void)
{
    Suite *suite = suite_create("file_store");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, files_have_the_layout_that_sources_have);
    tcase_add_test(tcase, deletes_leave_what_the_mapping_says);
    tcase_add_test(tcase, what_is_stored_is_read_back);
    tcase_add_test(tcase, sealed_boxes_are_kept);
    tcase_add_test(tcase, one_process_at_a_time);
    tcase_add_loop_test(tcase, who_looks_in_holds_up_nobody, 0, 5);
    tcase_add_loop_test(tcase, no_tenant_leaves_the_folder, 0,
                        (int)(sizeof FOLDERS / sizeof FOLDERS[0]));
    tcase_add_test(tcase, a_strangers_file_is_not_replaced);
    tcase_add_test(tcase, a_link_is_not_followed);
    tcase_add_test(tcase, a_full_disk_is_waited_for);
    tcase_add_test(tcase, a_killed_writer_tears_and_loses_nothing);
    tcase_add_loop_test(tcase, what_does_not_fit_holds_up_nothing, 0, 2);
    tcase_add_test(tcase, a_later_schema_is_left_alone);
    tcase_add_test(tcase, a_dry_rebuild_writes_nothing);
    tcase_add_test(tcase, files_are_a_second_behind_and_no_more);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(file_store_suite)
