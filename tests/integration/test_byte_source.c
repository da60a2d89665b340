/* Bytes of files and of standard input, compressed or not, whole or damaged; and lists of files. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "common/base/buf.h"
#include "common/io/source/byte_source.h"
#include "common/io/files.h"
#include "common/io/source/source_files.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

static char folder[] = "/tmp/drover_bytes_XXXXXX";
static const char PLAIN[] = "[{\"id\":1},{\"id\":2}]\n";

static void enter_folder(void)
{
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
    char command[80];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *name, const void *content, size_t size)
{
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(content, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static size_t gzip(const void *content, size_t size, char *out, size_t room)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)content;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

/* Reads to the end or to the first failure; all that came is in `out`. */
static enum outcome read_all(const char *path, struct buf *out, struct error *err)
{
    struct byte_source *source = NULL;
    struct bytes chunk;
    enum outcome outcome = byte_source_open(path, &source, err);
    if (outcome != OUT_OK)
        return outcome;
    do {
        outcome = byte_source_next(source, &chunk, err);
        buf_append_bytes(out, chunk);
    } while (outcome == OUT_RETRY || (outcome == OUT_OK && chunk.size));
    byte_source_close(source);
    return outcome;
}

static void assert_reads(const char *path, const char *content, size_t size)
{
    struct buf out;
    struct error err = {0};
    buf_init(&out, 1 << 26);
    ck_assert_msg(read_all(path, &out, &err) == OUT_OK, "%s: %s %s", path, err.text, err.cause);
    ck_assert_uint_eq(out.size, size);
    ck_assert_int_eq(memcmp(out.data, content, size), 0);
    buf_free(&out);
}

static void assert_fails(const char *path, enum error_code code)
{
    struct buf out;
    struct error err = {0};
    buf_init(&out, (size_t)1 << 30);
    ck_assert_msg(read_all(path, &out, &err) == OUT_REJECT, "%s", path);
    ck_assert_msg(err.code == code, "%s: %s", path, error_code_id(err.code));
    buf_free(&out);
}

START_TEST(reads_what_is_there)
{
    size_t size = 3 * BYTE_SOURCE_CHUNK + 17;
    char *large = malloc(size);
    ck_assert_ptr_nonnull(large);
    for (size_t i = 0; i < size; i++)
        large[i] = (char)(i * 31 % 251);
    write_file("large", large, size);
    assert_reads("large", large, size);
    free(large);
    write_file("one", "x", 1);
    assert_reads("one", "x", 1);
    struct buf out;
    struct error err;
    buf_init(&out, 16);
    write_file("empty", "", 0);
    ck_assert_int_eq(read_all("empty", &out, &err), OUT_OK);
    ck_assert_uint_eq(out.size, 0);
    buf_free(&out);
}
END_TEST

START_TEST(inflates_gzip)
{
    char packed[4096];
    size_t size = gzip(PLAIN, sizeof(PLAIN) - 1, packed, sizeof(packed));
    write_file("whole", packed, size);
    assert_reads("whole", PLAIN, sizeof(PLAIN) - 1);
    for (size_t cut = 4; cut < size; cut++) {
        write_file("cut", packed, cut);
        assert_fails("cut", ERR_SOURCE_COMPRESSION);
    }
    size_t first = gzip(PLAIN, 10, packed, sizeof(packed));
    size_t second = gzip(PLAIN + 10, sizeof(PLAIN) - 11, packed + first, sizeof(packed) - first);
    write_file("members", packed, first + second);
    assert_reads("members", PLAIN, sizeof(PLAIN) - 1);
    memset(packed + first + second, 0, 700);
    write_file("padded", packed, first + second + 700);
    assert_reads("padded", PLAIN, sizeof(PLAIN) - 1);
    memcpy(packed + first + second, "garbage", 7);
    write_file("garbage", packed, first + second + 7);
    assert_fails("garbage", ERR_SOURCE_COMPRESSION);
    packed[first / 2] ^= 0x55;
    write_file("damaged", packed, first + second);
    assert_fails("damaged", ERR_SOURCE_COMPRESSION);
}
END_TEST

START_TEST(inflates_zstd)
{
    char packed[4096];
    size_t size = ZSTD_compress(packed, sizeof(packed), PLAIN, sizeof(PLAIN) - 1, 3);
    write_file("whole", packed, size);
    assert_reads("whole", PLAIN, sizeof(PLAIN) - 1);
    write_file("cut", packed, size - 3);
    assert_fails("cut", ERR_SOURCE_COMPRESSION);
    size_t more = ZSTD_compress(packed + size, sizeof(packed) - size, "more", 4, 3);
    write_file("frames", packed, size + more);
    char both[64];
    int length = snprintf(both, sizeof(both), "%smore", PLAIN);
    assert_reads("frames", both, (size_t)length);
}
END_TEST

START_TEST(a_bomb_is_stopped)
{
    size_t size = (size_t)100 << 20;
    char *zeros = calloc(1, size);
    char *packed = malloc(1 << 20);
    ck_assert(zeros && packed);
    write_file("bomb", packed, gzip(zeros, size, packed, 1 << 20));
    assert_fails("bomb", ERR_SOURCE_COMPRESSION);
    free(zeros);
    free(packed);
}
END_TEST

START_TEST(only_files_are_opened)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    assert_fails("fifo", ERR_SOURCE_KIND);
    assert_fails("socket", ERR_SOURCE_KIND);
    assert_fails("/dev/zero", ERR_SOURCE_KIND);
    assert_fails(".", ERR_SOURCE_KIND);
    assert_fails("missing", ERR_SOURCE_OPEN);
    close(listener);
}
END_TEST

enum change { APPEND, REWRITE, TRUNCATE };

static void change_file(enum change change, const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    if (change == APPEND)
        ck_assert_int_eq(pwrite(fd, "x", 1, BYTE_SOURCE_CHUNK * 2), 1);
    if (change == REWRITE)
        ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
    if (change == TRUNCATE)
        ck_assert_int_eq(ftruncate(fd, 0), 0);
    close(fd);
}

/* Fault rows S04, S05. The time of modification is set to the past first: a change within the
 * clock's granularity of the file's making could not be seen. */
START_TEST(a_change_is_noticed)
{
    static char content[BYTE_SOURCE_CHUNK * 2];
    write_file("file", content, sizeof(content));
    struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, "file", past, 0), 0);
    struct byte_source *source;
    struct bytes chunk;
    struct error err;
    ck_assert_int_eq(byte_source_open("file", &source, &err), OUT_OK);
    ck_assert_int_eq(byte_source_next(source, &chunk, &err), OUT_OK);
    change_file((enum change)_i, "file");
    enum outcome outcome;
    do
        outcome = byte_source_next(source, &chunk, &err);
    while (outcome == OUT_OK && chunk.size);
    ck_assert_int_eq(outcome, OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SOURCE_CHANGED);
    byte_source_close(source);
}
END_TEST

enum { LARGE = 3 * BYTE_SOURCE_CHUNK + 1000, REWRITES = 100, CUTS = 50 };

static void make_large(void)
{
    static char content[LARGE];
    memset(content, ' ', sizeof content);
    memcpy(content, PLAIN, sizeof PLAIN - 1);
    write_file("large", content, sizeof content);
}

/* Reads some of it, lets something happen to it, and reads on to its end. */
static enum outcome read_over(size_t at, bool cut)
{
    struct byte_source *source;
    struct bytes chunk;
    struct error err;
    make_large();
    ck_assert_int_eq(byte_source_open("large", &source, &err), OUT_OK);
    enum outcome outcome = OUT_OK;
    for (size_t chunks = random_below(4); chunks && outcome == OUT_OK; chunks--)
        outcome = byte_source_next(source, &chunk, &err);
    ck_assert_int_eq(outcome, OUT_OK);
    int fd = open("large", O_WRONLY);
    ck_assert_int_ge(fd, 0);
    if (cut)
        ck_assert_int_eq(ftruncate(fd, (off_t)at), 0);
    else
        ck_assert_int_eq(pwrite(fd, "\n", 1, (off_t)at), 1);
    close(fd);
    do
        outcome = byte_source_next(source, &chunk, &err);
    while (outcome == OUT_RETRY || (outcome == OUT_OK && chunk.size));
    byte_source_close(source);
    return outcome == OUT_REJECT && err.code == ERR_SOURCE_CHANGED ? OUT_REJECT : OUT_OK;
}

/* S04, S05: at a hundred places and fifty lengths by chance, 0 among them. */
START_TEST(no_change_is_missed)
{
    random_begin((uint64_t)getpid());
    for (int i = 0; i < REWRITES; i++)
        ck_assert_msg(read_over(random_below(LARGE), false) == OUT_REJECT,
                      "seed %llu: rewrite %d is missed", (unsigned long long)random_seed, i);
    for (int i = 0; i < CUTS; i++)
        ck_assert_msg(read_over(i % 2 ? random_below(LARGE) : 0, true) == OUT_REJECT,
                      "seed %llu: cut %d is missed", (unsigned long long)random_seed, i);
}
END_TEST

static bool yes(void *owner)
{
    (void)owner;
    return true;
}

/* What is told of the bytes read so far is what reading so many gives. */
START_TEST(bytes_have_a_digest)
{
    struct byte_source *source;
    struct bytes chunk;
    struct digest so_far, of_prefix;
    struct error err;
    uint64_t read;
    char packed[4096];
    make_large();
    ck_assert_int_eq(byte_source_open("large", &source, &err), OUT_OK);
    do {
        ck_assert_int_eq(byte_source_next(source, &chunk, &err), OUT_OK);
        uint64_t size = byte_source_digest(source, &so_far);
        ck_assert_int_eq(byte_source_digest_of("large", size, yes, NULL, &of_prefix, &read, &err),
                         OUT_OK);
        ck_assert_uint_eq(read, size);
        ck_assert(digest_equal(&so_far, &of_prefix));
    } while (chunk.size);
    ck_assert_uint_eq(read, LARGE);
    ck_assert(byte_source_is_plain(source));
    byte_source_close(source);
    /* of what is compressed, the bytes that are stored */
    size_t size = gzip(PLAIN, sizeof PLAIN - 1, packed, sizeof packed);
    write_file("packed.gz", packed, size);
    ck_assert_int_eq(byte_source_open("packed.gz", &source, &err), OUT_OK);
    do
        ck_assert_int_eq(byte_source_next(source, &chunk, &err), OUT_OK);
    while (chunk.size);
    ck_assert_uint_eq(byte_source_digest(source, &so_far), size);
    of_prefix = digest_of(bytes_of(packed, size));
    ck_assert(digest_equal(&so_far, &of_prefix));
    ck_assert(!byte_source_is_plain(source));
    byte_source_close(source);
    ck_assert_int_eq(
        byte_source_digest_of("packed.gz", UINT64_MAX, yes, NULL, &of_prefix, &read, &err), OUT_OK);
    ck_assert_uint_eq(read, size);
    ck_assert(digest_equal(&so_far, &of_prefix));
}
END_TEST

START_TEST(reads_standard_input)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    struct byte_source *source;
    struct bytes chunk;
    struct error err;
    ck_assert_int_eq(byte_source_open("-", &source, &err), OUT_OK);
    ck_assert(byte_source_is_stream(source));
    ck_assert_int_eq(byte_source_next(source, &chunk, &err), OUT_RETRY); /* nothing came yet */
    ck_assert_int_eq(write(ends[1], "a", 1), 1);
    ck_assert_int_eq(byte_source_next(source, &chunk, &err), OUT_RETRY); /* too little to tell */
    ck_assert_int_eq(write(ends[1], "bcd", 3), 3);
    ck_assert_int_eq(byte_source_next(source, &chunk, &err), OUT_OK);
    ck_assert(bytes_equal(chunk, BYTES_LITERAL("abcd")));
    close(ends[1]);
    ck_assert_int_eq(byte_source_next(source, &chunk, &err), OUT_OK);
    ck_assert_uint_eq(chunk.size, 0);
    byte_source_close(source);
}
END_TEST

/* ---- lists of files ---- */

static void set_time(const char *path, int seconds)
{
    struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void make(const char *path, int seconds)
{
    write_file(path, "{}", 2);
    set_time(path, seconds);
}

static char *listed(const char **arguments, size_t count, struct error *err)
{
    struct source_files files;
    struct conf_list list = {arguments, count};
    if (source_files_collect(&list, NULL, &files, err) != OUT_OK)
        return NULL;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < files.count; i++)
        buf_append_format(&out, "%s%s", i ? " " : "", files.items[i].path);
    source_files_free(&files);
    char *text = strdup(buf_text(&out));
    buf_free(&out);
    return text;
}

START_TEST(files_come_in_order_of_time)
{
    mkdir("d", 0700);
    mkdir("d/sub", 0700);
    make("d/new.json", 300);
    make("d/b.ndjson", 100);
    make("d/a.jsonl.gz", 100);
    make("d/sub/mid.json.zst", 200);
    make("d/.hidden.json", 50);
    make("d/readme.txt", 50);
    make("odd name", 150);
    ck_assert_int_eq(symlink("..", "d/sub/loop"), 0);
    struct error err;
    const char *arguments[] = {"-", "odd name", "d", "d/new.json", "d/n*.json"};
    char *text = listed(arguments, 5, &err);
    ck_assert_str_eq(text, "d/a.jsonl.gz d/b.ndjson odd name d/sub/mid.json.zst d/new.json -");
    free(text);
}
END_TEST

/* However it is named: the shortest name is kept, whatever the order. */
/* S13: whatever order the folder gives them in. */
START_TEST(the_order_of_making_does_not_matter)
{
    enum { MANY = 30, ORDERS = 10 };
    const char *arguments[] = {"d"};
    char *first = NULL;
    random_begin((uint64_t)getpid());
    for (int order = 0; order < ORDERS; order++) {
        int left[MANY];
        struct error err;
        ck_assert_int_eq(system("rm -rf d && mkdir d"), 0);
        for (int i = 0; i < MANY; i++)
            left[i] = i;
        for (int count = MANY; count > 0; count--) {
            char name[32];
            uint64_t at = random_below((uint64_t)count);
            snprintf(name, sizeof name, "d/%d-%x.json", left[at] * 7919 % 100, (unsigned)left[at]);
            make(name, 100 + left[at] % 3);
            left[at] = left[count - 1];
        }
        char *text = listed(arguments, 1, &err);
        if (first)
            ck_assert_str_eq(text, first);
        free(first);
        first = text;
    }
    free(first);
}
END_TEST

START_TEST(a_file_is_one_source)
{
    mkdir("d", 0700);
    mkdir("e", 0700);
    make("d/a.json", 100);
    make("d/b.json", 100);
    ck_assert_int_eq(symlink("a.json", "d/link.json"), 0);
    ck_assert_int_eq(link("d/a.json", "e/hard.json"), 0);
    ck_assert_int_eq(symlink("d", "same"), 0);
    struct error err;
    static const char *const ORDERS[][8] = {
        {"d/a.json", "./d/a.json", "d/../d/a.json", "d", "e/hard.json", "same", "d/link.json", "e"},
        {"e", "d/link.json", "same", "e/hard.json", "d", "d/../d/a.json", "./d/a.json", "d/a.json"},
    };
    for (size_t i = 0; i < 2; i++) {
        const char *arguments[8];
        memcpy(arguments, ORDERS[i], sizeof(arguments));
        char *text = listed(arguments, 8, &err);
        ck_assert_str_eq(text, "d/a.json d/b.json");
        free(text);
    }
}
END_TEST

/* Before 1970 and after 2262, where nanoseconds leave 64 bits. */
START_TEST(times_have_no_end)
{
    static const struct {
        const char *name;
        time_t seconds;
        int64_t ns;
    } ROWS[] = {{"past.json", -5, INT64_C(-5000000000)},
                {"now.json", 1700000000, INT64_C(1700000000000000000)},
                {"far.json", INT64_C(9300000000), INT64_MAX}};
    const char *arguments[3];
    for (size_t i = 0; i < 3; i++) {
        struct timespec times[2] = {{.tv_sec = ROWS[i].seconds}, {.tv_sec = ROWS[i].seconds}};
        write_file(ROWS[i].name, "{}", 2);
        ck_assert_int_eq(utimensat(AT_FDCWD, ROWS[i].name, times, 0), 0);
        arguments[2 - i] = ROWS[i].name;
        ck_assert_int_eq(files_time_ns(&times[0]), ROWS[i].ns);
    }
    ck_assert_int_eq(files_time_ns(&(struct timespec){.tv_sec = INT64_MAX}), INT64_MAX);
    ck_assert_int_eq(files_time_ns(&(struct timespec){.tv_sec = INT64_MIN}), INT64_MIN);
    struct error err;
    struct source_files files;
    struct conf_list list = {arguments, 3};
    ck_assert_int_eq(source_files_collect(&list, NULL, &files, &err), OUT_OK);
    for (size_t i = 0; i < 3; i++) {
        struct byte_source *source;
        ck_assert_str_eq(files.items[i].path, ROWS[i].name);
        ck_assert_int_eq(byte_source_open(files.items[i].path, &source, &err), OUT_OK);
        ck_assert_int_eq(byte_source_modified_ms(source), ROWS[i].ns / 1000000);
        byte_source_close(source);
    }
    source_files_free(&files);
}
END_TEST

/* ---- what holds no JSON ---- */

START_TEST(other_forms_are_named)
{
    static const struct {
        struct bytes start;
        const char *text;
    } ROWS[] = {
        {BYTES_LITERAL("PK\x03\x04\x14\x00"), "the source is a ZIP archive"},
        {BYTES_LITERAL("\xFD\x37zXZ\x00\x00\x04"), "the source is compressed with xz"},
        {BYTES_LITERAL("BZh91AY&SY"), "the source is compressed with bzip2"},
        {BYTES_LITERAL("7z\xBC\xAF\x27\x1C\x00"), "the source is a 7-Zip archive"},
        {BYTES_LITERAL("PAR1\x15\x04"), "the source is a Parquet file"},
        {BYTES_LITERAL("SQLite format 3\x00\x10"), "the source is a SQLite database"},
        {BYTES_LITERAL("%PDF-1.7\n"), "the source is a PDF document"},
    };
    char tar[512] = "a.json";
    char packed[1024];
    struct buf out;
    struct error err;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        write_file("x.json", ROWS[i].start.data, ROWS[i].start.size);
        ck_assert_int_eq(read_all("x.json", &out, &err), OUT_REJECT);
        ck_assert_int_eq(err.code, ERR_SOURCE_FORMAT);
        ck_assert_str_eq(err.text, ROWS[i].text);
        ck_assert(err.hint[0]);
    }
    memcpy(tar + 257, "ustar", 5);
    write_file("x.json", tar, sizeof(tar));
    ck_assert_int_eq(read_all("x.json", &out, &err), OUT_REJECT);
    ck_assert_str_eq(err.text, "the source is a tar archive");
    write_file("x.json.gz", packed, gzip(tar, sizeof(tar), packed, sizeof(packed)));
    ck_assert_int_eq(read_all("x.json.gz", &out, &err), OUT_REJECT);
    ck_assert_str_eq(err.text, "the source is a tar archive");
    write_file("x.json", "SQLite", 6); /* the beginning alone is none */
    ck_assert_int_eq(read_all("x.json", &out, &err), OUT_OK);
    buf_free(&out);
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
    struct error err;
    mkdir("empty", 0700);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    static const struct {
        const char *argument;
        enum error_code code;
    } ROWS[] = {{"missing.json", ERR_SOURCE_OPEN},
                {"*.json", ERR_SOURCE_EMPTY},
                {"empty", ERR_SOURCE_EMPTY},
                {"fifo", ERR_SOURCE_KIND},
                {"a\033c\n.json", ERR_SOURCE_OPEN}};
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const char *argument = ROWS[i].argument;
        ck_assert_ptr_null(listed(&argument, 1, &err));
        ck_assert_msg(err.code == ROWS[i].code, "%s", argument);
        ck_assert(!strpbrk(err.where, "\033\n"));
    }
}
END_TEST

static Suite *byte_source_suite(void)
{
    Suite *suite = suite_create("byte_source");
    TCase *bytes = tcase_create("bytes");
    tcase_add_checked_fixture(bytes, enter_folder, leave_folder);
    tcase_add_test(bytes, reads_what_is_there);
    tcase_add_test(bytes, inflates_gzip);
    tcase_add_test(bytes, inflates_zstd);
    tcase_add_test(bytes, a_bomb_is_stopped);
    tcase_add_test(bytes, only_files_are_opened);
    tcase_add_loop_test(bytes, a_change_is_noticed, APPEND, TRUNCATE + 1);
    tcase_add_test(bytes, no_change_is_missed);
    tcase_add_test(bytes, bytes_have_a_digest);
    tcase_add_test(bytes, reads_standard_input);
    suite_add_tcase(suite, bytes);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, enter_folder, leave_folder);
    tcase_add_test(files, files_come_in_order_of_time);
    tcase_add_test(files, the_order_of_making_does_not_matter);
    tcase_add_test(files, what_is_not_there_is_said);
    tcase_add_test(files, a_file_is_one_source);
    tcase_add_test(files, times_have_no_end);
    tcase_add_test(files, other_forms_are_named);
    suite_add_tcase(suite, files);
    return suite;
}

SUITE_MAIN(byte_source_suite)
