/*
 * The book of a following verifier against a model that keeps everything: counts, positions,
 * suspects and samples come at random, the clock goes on, stands and is set back, the book is
 * closed and opened anew. Then killed between any two statements, and out of room.
 */
#include "verifier/follow/book.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/alert/alerts.h"
#include "common/policy/rate/rate_bound.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum {
    TENANTS = 9, /* three more than are named */
    TENANTS_NAMED = 6,
    ENTITIES = 3,
    GROUPS = (TENANTS_NAMED + 1) * ENTITIES * 2,
    EVENTS_MAX = 20000,
    SUSPECTS_MAX = 20,
    SAMPLES_MAX = 5,
};

static char folder[64];
static struct book *book;
static struct error err;
static struct arena arena;

#define OK(call)                                                                                   \
    ck_assert_msg((call) == OUT_OK, "seed %lu: %s: %s %s", (unsigned long)random_seed, err.text,   \
                  err.where, err.cause)
#define SAME(a, b)                                                                                 \
    ck_assert_msg((a) == (b), "seed %lu: %s is %lld, not %lld", (unsigned long)random_seed, #a,    \
                  (long long)(a), (long long)(b))

static struct book_conf conf = {.migration = "m",
                                .id = "here/1",
                                .tenants_max = TENANTS_NAMED,
                                .cells_max = 100000,
                                .samples_max = SAMPLES_MAX,
                                .suspects_max = SUSPECTS_MAX};

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    snprintf(folder, sizeof(folder), "/tmp/drover_book_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    conf.folder = folder;
    arena_init(&arena, 64 << 20);
}

static void tear_down(void)
{
    char command[128];
    book_close(book);
    book = NULL;
    arena_free(&arena);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- the model ---- */

struct event {
    int64_t minute;
    int tenant, entity; /* tenant TENANTS: all others */
    enum operation operation;
    unsigned class;
    uint64_t count;
};

static struct event events[EVENTS_MAX];
static size_t event_count;
static int64_t clock_ms, model_ms;
static int named[TENANTS], named_count; /* by the order in which they came */
static int64_t positions[4];
static struct book_suspect suspects[SUSPECTS_MAX];
static size_t suspect_count;

static int tenant_of(int tenant)
{
    for (int i = 0; i < named_count; i++)
        if (named[i] == tenant)
            return tenant;
    if (named_count == TENANTS_NAMED)
        return TENANTS;
    named[named_count++] = tenant;
    return tenant;
}

static void begin(uint64_t seed)
{
    random_begin(seed);
    event_count = suspect_count = 0;
    named_count = 0;
    memset(positions, 0xff, sizeof(positions));
    clock_ms = 1800000000000 + (int64_t)random_below(86400000);
    model_ms = clock_ms;
    OK(book_open(&conf, clock_ms, &book, &err));
}

static void move_clock(void)
{
    int64_t by_ms = (int64_t)random_below(90000);
    if (random_below(15) == 0)
        by_ms = -(int64_t)random_below(7200000);
    else if (random_below(10) == 0)
        by_ms = (int64_t)random_below(random_below(2) ? 7200000 : 3 * 86400000);
    clock_ms += by_ms;
    model_ms += by_ms > 0 ? by_ms : 0;
}

static const char *const NAMES[TENANTS] = {"a", "b", "c", "d", "e", "f", "g", "h", "\xc3\xa9"};
static const char *const ENTITY_NAMES[ENTITIES] = {"user", "chat", "project"};

static void some_counts(struct book_count *counts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int tenant = (int)random_below(TENANTS), entity = (int)random_below(ENTITIES);
        counts[i] =
            (struct book_count){bytes_text(NAMES[tenant]), bytes_text(ENTITY_NAMES[entity]),
                                random_below(4) ? OP_UPSERT : OP_DELETE,
                                (unsigned)random_below(ROLLING_CLASSES), 1 + random_below(1000)};
        ck_assert_uint_lt(event_count, EVENTS_MAX);
        events[event_count++] =
            (struct event){model_ms / 60000,    tenant_of(tenant), entity,
                           counts[i].operation, counts[i].class,   counts[i].count};
    }
}

static size_t some_positions(struct book_position *list)
{
    size_t count = 0;
    for (int32_t i = 0; i < 4; i++) {
        if (random_below(3))
            continue;
        positions[i] += 1 + (int64_t)random_below(100);
        list[count++] = (struct book_position){i, positions[i], positions[i] * 10};
    }
    return count;
}

static size_t settle_some(struct book_suspect *settled)
{
    size_t count = 0;
    for (size_t i = 0; i < suspect_count;) {
        if (random_below(3)) {
            i++;
            continue;
        }
        settled[count++] = suspects[i];
        suspects[i] = suspects[--suspect_count];
    }
    return count;
}

/* Some known ones looked at again, some new ones. */
static size_t suspect_some(struct book_suspect *list)
{
    static int64_t offset;
    size_t count = 0;
    for (size_t i = 0; i < suspect_count; i++)
        if (random_below(2)) {
            suspects[i].looks++;
            list[count++] = suspects[i];
        }
    for (uint64_t i = random_below(4); i > 0 && suspect_count < SUSPECTS_MAX; i--) {
        suspects[suspect_count] =
            (struct book_suspect){(int32_t)random_below(4), ++offset, clock_ms, 1};
        list[count++] = suspects[suspect_count++];
    }
    return count;
}

static void step(void)
{
    struct book_count counts[5];
    struct book_position places[4];
    struct book_suspect looked[SUSPECTS_MAX + 4], settled[SUSPECTS_MAX];
    struct book_page page = {
        .counts = counts, .positions = places, .suspects = looked, .settled = settled};
    move_clock();
    page.count_count = random_below(6);
    some_counts(counts, page.count_count);
    page.position_count = some_positions(places);
    page.settled_count = settle_some(settled);
    page.suspect_count = suspect_some(looked);
    OK(book_add(book, &page, clock_ms, &err));
}

static void compare_window(enum follow_window_kind kind)
{
    static const int64_t SPANS[] = {1, 5, 60, 1440};
    static uint64_t want[TENANTS + 1][ENTITIES][2][ROLLING_CLASSES];
    uint64_t sum[ROLLING_CLASSES] = {0}, counts[ROLLING_CLASSES];
    memset(want, 0, sizeof(want));
    for (size_t i = 0; i < event_count; i++) {
        const struct event *event = &events[i];
        if (kind != FOLLOW_TOTAL && event->minute < model_ms / 60000 - SPANS[kind])
            continue;
        want[event->tenant][event->entity][event->operation][event->class] += event->count;
        sum[event->class] += event->count;
    }
    rolling_counts(book_rolling(book), kind, counts);
    for (unsigned class = 0; class < ROLLING_CLASSES; class ++)
        SAME(counts[class], sum[class]);
    struct follow_group *groups;
    size_t count;
    uint64_t wrong_before = UINT64_MAX;
    arena_reset(&arena);
    OK(book_groups(book, kind, GROUPS, &arena, &groups, &count, &err));
    for (size_t i = 0; i < count; i++) {
        int tenant = 0, entity = 0;
        while (tenant < TENANTS && !bytes_equal(groups[i].tenant, bytes_text(NAMES[tenant])))
            tenant++;
        while (!bytes_equal(groups[i].entity, bytes_text(ENTITY_NAMES[entity])))
            entity++;
        ck_assert(tenant < TENANTS || bytes_equal(groups[i].tenant, BYTES_LITERAL(BOOK_OTHERS)));
        uint64_t *group = want[tenant][entity][strcmp(groups[i].operation, "delete") == 0];
        for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
            SAME(groups[i].counts[verdict], group[verdict]);
        memset(group, 0, VERDICT_COUNT * sizeof(*group));
        uint64_t wrong = follow_report_wrong(groups[i].counts);
        ck_assert(wrong <= wrong_before);
        wrong_before = wrong;
    }
    for (size_t i = 0; i < sizeof(want) / sizeof(uint64_t); i++)
        ck_assert(((uint64_t *)want)[i] == 0 || i % ROLLING_CLASSES >= VERDICT_COUNT);
}

static void compare_places(void)
{
    struct book_position *list, one;
    struct book_suspect *looked;
    size_t count, total = 0;
    arena_reset(&arena);
    OK(book_positions(book, &arena, &list, &count, &err));
    for (int32_t i = 0; i < 4; i++) {
        OK(book_position(book, i, &one, &err));
        SAME(one.results_next, positions[i]);
        SAME(one.verified, positions[i] < 0 ? -1 : positions[i] * 10);
        total += positions[i] >= 0;
    }
    SAME(count, total);
    total = 0;
    for (int32_t i = 0; i < 4; i++) {
        OK(book_suspects(book, i, &arena, &looked, &count, &err));
        total += count;
        for (size_t at = 0; at < count; at++) {
            size_t known = 0;
            while (known < suspect_count && suspects[known].offset != looked[at].offset)
                known++;
            ck_assert(known < suspect_count);
            SAME(looked[at].partition, suspects[known].partition);
            SAME(looked[at].since_ms, suspects[known].since_ms);
            SAME(looked[at].looks, suspects[known].looks);
        }
    }
    SAME(total, suspect_count);
    SAME(book_suspect_count(book), suspect_count);
}

START_TEST(is_what_a_model_keeps)
{
    begin((uint64_t)_i + 1);
    int64_t since_ms = clock_ms;
    uint32_t starts = 1;
    for (int i = 0; i < 400; i++) {
        step();
        if (random_below(20) == 0) {
            book_close(book);
            move_clock();
            OK(book_open(&conf, clock_ms, &book, &err));
            starts++;
        }
        if (i % 20 == 0)
            for (int kind = 0; kind < FOLLOW_WINDOWS; kind++)
                compare_window((enum follow_window_kind)kind);
        if (i % 20 == 0)
            compare_places();
    }
    SAME(book_since_ms(book), since_ms);
    SAME(book_starts(book), starts);
}
END_TEST

/* ---- killed ---- */

static int events_left; /* of SQLite's statements, until the process ends */

static int on_statement(unsigned what, void *owner, void *statement, void *more)
{
    (void)what, (void)owner, (void)statement, (void)more;
    if (--events_left == 0)
        raise(SIGKILL);
    return 0;
}

static int on_open(sqlite3 *connection, const char **message, const void *api)
{
    (void)message, (void)api;
    return sqlite3_trace_v2(connection, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE, on_statement,
                            NULL);
}

/* Page number n counts n matches and one missing, and has one suspect, which page n + 1 settles. */
static void add_page(int64_t n)
{
    const struct book_count counts[] = {
        {BYTES_LITERAL("a"), BYTES_LITERAL("user"), OP_UPSERT, VERDICT_MATCH, (uint64_t)n},
        {BYTES_LITERAL("b"), BYTES_LITERAL("chat"), OP_DELETE, VERDICT_MISSING, 1}};
    const struct book_position position = {3, n, n};
    const struct book_suspect suspect = {3, n, n, 1}, before = {3, n - 1, n - 1, 1};
    const struct follow_sample sample = {
        .verdict = VERDICT_MISSING, .partition = 3, .offset = n, .last_ms = n};
    const struct book_page page = {counts,  2, &position, 1, &suspect, 1,
                                   &before, 1, &sample,   1, NULL};
    OK(book_add(book, &page, 1800000000000, &err));
}

enum { PAGES = 3 };

/* Goes on where the book is. */
static void add_pages(int kill_at)
{
    struct book_position position;
    events_left = kill_at;
    sqlite3_auto_extension((void (*)(void))on_open);
    OK(book_open(&conf, 1800000000000, &book, &err));
    OK(book_position(book, 3, &position, &err));
    int64_t from = position.results_next < 0 ? 0 : position.results_next;
    for (int64_t n = from + 1; n <= from + PAGES; n++)
        add_page(n);
    book_close(book);
}

/* Everything that page `n`, and those before it, added; nothing else. */
static void check_pages(void)
{
    struct book_position position;
    struct book_suspect *list;
    struct follow_sample *samples;
    size_t count;
    uint64_t counts[ROLLING_CLASSES];
    OK(book_open(&conf, 1800000000000, &book, &err));
    OK(book_position(book, 3, &position, &err));
    int64_t n = position.results_next < 0 ? 0 : position.results_next;
    rolling_counts(book_rolling(book), FOLLOW_TOTAL, counts);
    SAME(counts[VERDICT_MATCH], (uint64_t)(n * (n + 1) / 2));
    SAME(counts[VERDICT_MISSING], (uint64_t)n);
    rolling_counts(book_rolling(book), FOLLOW_MINUTE, counts);
    SAME(counts[VERDICT_MATCH], (uint64_t)(n * (n + 1) / 2)); /* the clock stands */
    arena_reset(&arena);
    OK(book_suspects(book, 3, &arena, &list, &count, &err));
    SAME(count, (size_t)(n > 0));
    ck_assert(n == 0 || list[0].offset == n);
    OK(book_samples(book, false, &arena, &samples, &count, &err));
    SAME(count, (size_t)(n < SAMPLES_MAX ? n : SAMPLES_MAX));
    ck_assert(n == 0 || samples[0].offset == n);
    book_close(book);
    book = NULL;
}

START_TEST(killed_between_any_two_statements)
{
    bool was_killed = true;
    int kills = 0;
    for (int at = 1; was_killed; at++) {
        int status;
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            add_pages(at);
            _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        ck_assert(was_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
        kills += was_killed;
        check_pages();
    }
    ck_assert_int_gt(kills, PAGES * 20);
}
END_TEST

/* ---- bounds ---- */

static sqlite3 *connection; /* the book's */

static int note_connection(sqlite3 *opened, const char **message, const void *api)
{
    (void)message, (void)api;
    connection = opened;
    return SQLITE_OK;
}

static void exec(const char *sql)
{
    ck_assert_int_eq(sqlite3_exec(connection, sql, NULL, NULL, NULL), SQLITE_OK);
}

START_TEST(out_of_room_is_as_it_was_before)
{
    sqlite3_auto_extension((void (*)(void))note_connection);
    begin(1);
    step();
    exec("PRAGMA max_page_count = 1"); /* no more than there are */
    struct book_sizes_seen {
        uint64_t total;
    } before = {book_rolling(book)->total[VERDICT_MATCH]};
    int failures = 0;
    char id[32];
    for (int i = 0; i < 2000 && failures == 0; i++) {
        snprintf(id, sizeof(id), "tenant %d", i);
        const struct book_count count = {bytes_text("a"), bytes_text(id), OP_UPSERT, VERDICT_MATCH,
                                         1};
        const struct book_position position = {0, i, i};
        const struct book_page page = {
            .counts = &count, .count_count = 1, .positions = &position, .position_count = 1};
        if (book_add(book, &page, clock_ms, &err) == OUT_OK) {
            before.total++;
            positions[0] = i;
        } else {
            failures++;
        }
    }
    ck_assert_int_eq(failures, 1);
    ck_assert_int_eq(err.code, ERR_STATE_FILE);
    ck_assert_ptr_nonnull(strstr(err.hint, "room"));
    exec("PRAGMA max_page_count = 1000000");
    struct book_position position;
    SAME(book_rolling(book)->total[VERDICT_MATCH], before.total);
    for (int i = 0; i < 2; i++) { /* in memory, and what a restart reads */
        OK(book_position(book, 0, &position, &err));
        SAME(position.results_next, positions[0]);
        SAME(book_rolling(book)->total[VERDICT_MATCH], before.total);
        book_close(book);
        OK(book_open(&conf, clock_ms, &book, &err));
    }
    sqlite3_reset_auto_extension();
}
END_TEST

static int64_t count_rows(const char *sql)
{
    sqlite3_stmt *row;
    ck_assert_int_eq(sqlite3_prepare_v2(connection, sql, -1, &row, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return count;
}

/* Three days of many groups: the sums are right, the rows are bounded. */
START_TEST(rows_of_counts_are_bounded)
{
    sqlite3_auto_extension((void (*)(void))note_connection);
    struct book_conf small = conf;
    small.cells_max = 200;
    small.tenants_max = 1000;
    random_begin(1);
    OK(book_open(&small, 1800000000000, &book, &err));
    uint64_t added = 0, last_hour = 0;
    int64_t cells_max = 200 + (ROLLING_MINUTES * 2 * ROLLING_CLASSES);
    for (int64_t i = 0; i < 3 * 96; i++) {
        struct book_count counts[30];
        char names[30][16];
        for (int at = 0; at < 30; at++) {
            snprintf(names[at], sizeof(names[at]), "t%d", (int)random_below(500));
            counts[at] = (struct book_count){bytes_text(names[at]), BYTES_LITERAL("user"),
                                             OP_UPSERT, VERDICT_MATCH, 1};
        }
        const struct book_page page = {.counts = counts, .count_count = 30};
        OK(book_add(book, &page, 1800000000000 + i * 900000, &err));
        added += 30;
        last_hour += i >= 3 * 96 - 5 ? 30 : 0;
        ck_assert_int_le(count_rows("SELECT count(*) FROM cell WHERE minute >= 0"), cells_max);
        ck_assert_int_le(count_rows("SELECT count(*) FROM cell WHERE minute < 0"), 201);
        ck_assert_int_le(count_rows("SELECT count(DISTINCT minute) FROM cell"),
                         ROLLING_MINUTES + 1);
    }
    ck_assert_int_le(count_rows("SELECT count(*) FROM cell WHERE minute >= 0"), 200 + 97);
    for (int i = 0; i < 2; i++) {
        uint64_t counts[ROLLING_CLASSES];
        rolling_counts(book_rolling(book), FOLLOW_TOTAL, counts);
        SAME(counts[VERDICT_MATCH], added);
        rolling_counts(book_rolling(book), FOLLOW_HOUR, counts);
        SAME(counts[VERDICT_MATCH], last_hour);
        book_close(book);
        OK(book_open(&small, 1800000000000 + (3 * 96 - 1) * 900000, &book, &err));
    }
    sqlite3_reset_auto_extension();
}
END_TEST

START_TEST(more_suspects_than_allowed_are_a_bug_of_the_caller)
{
    struct book_suspect many[SUSPECTS_MAX + 1];
    begin(1);
    for (int i = 0; i <= SUSPECTS_MAX; i++)
        many[i] = (struct book_suspect){0, i, 1, 1};
    struct book_page page = {.suspects = many, .suspect_count = SUSPECTS_MAX + 1};
    ck_assert_int_eq(book_add(book, &page, clock_ms, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_INTERNAL);
    SAME(book_suspect_count(book), 0);
    page.suspect_count = SUSPECTS_MAX;
    OK(book_add(book, &page, clock_ms, &err));
    page.settled = many;
    page.settled_count = 1;
    page.suspects = &many[SUSPECTS_MAX];
    page.suspect_count = 1;
    OK(book_add(book, &page, clock_ms, &err)); /* room was made in the same step */
    SAME(book_suspect_count(book), SUSPECTS_MAX);
}
END_TEST

/* ---- samples and the full pass ---- */

START_TEST(samples_come_back_as_they_were)
{
    char long_text[BOOK_SAMPLE_TEXT_MAX + 3];
    memset(long_text, 'x', sizeof(long_text));
    memcpy(long_text + BOOK_SAMPLE_TEXT_MAX - 1, "\xc3\xa9", 2);
    const struct follow_sample_field fields[] = {
        {BYTES_LITERAL("/total"), BYTES_LITERAL("number h:1"), BYTES_LITERAL("number h:2")},
        {BYTES_LITERAL("/note"), {0}, bytes_of(long_text, sizeof(long_text))}};
    struct follow_sample sample = {.verdict = VERDICT_DIFFERENT,
                                   .code = ERR_STORE_EDITED,
                                   .tenant = BYTES_LITERAL("a"),
                                   .entity = BYTES_LITERAL("user"),
                                   .key_hash = UINT64_MAX - 5,
                                   .partition = 7,
                                   .offset = 42,
                                   .origin = BYTES_LITERAL("a.json:1:1"),
                                   .has_versions = true,
                                   .source_version = INT64_MAX,
                                   .stored_version = -3,
                                   .first_ms = 1000,
                                   .last_ms = 2000,
                                   .seen = 3,
                                   .fields = fields,
                                   .field_count = 2,
                                   .field_total = 9};
    struct book_page page = {.samples = &sample, .sample_count = 1};
    struct follow_sample *list;
    size_t count;
    begin(1);
    OK(book_add(book, &page, clock_ms, &err));
    sample.first_ms = sample.last_ms = 3000;
    sample.seen = 4;
    sample.is_over = true;
    OK(book_add(book, &page, clock_ms, &err));
    book_close(book);
    OK(book_open(&conf, clock_ms, &book, &err));
    OK(book_samples(book, false, &arena, &list, &count, &err));
    SAME(count, 1);
    ck_assert(list->verdict == VERDICT_DIFFERENT && list->code == ERR_STORE_EDITED);
    ck_assert(list->key_hash == UINT64_MAX - 5 && list->partition == 7 && list->offset == 42);
    ck_assert(list->has_versions && list->source_version == INT64_MAX &&
              list->stored_version == -3);
    ck_assert(list->first_ms == 1000 && list->last_ms == 3000 && list->seen == 4 && list->is_over);
    ck_assert(bytes_equal(list->tenant, sample.tenant) && bytes_equal(list->entity, sample.entity));
    ck_assert(bytes_equal(list->origin, sample.origin) && list->reason.size == 0);
    ck_assert(list->field_count == 2 && list->field_total == 9);
    ck_assert(bytes_equal(list->fields[0].path, fields[0].path));
    ck_assert(bytes_equal(list->fields[0].stored, fields[0].stored));
    ck_assert(list->fields[1].source.size == 0);
    SAME(list->fields[1].stored.size, BOOK_SAMPLE_TEXT_MAX - 1); /* not within the letter */
}
END_TEST

/* Of each verdict those that were seen last. */
START_TEST(samples_are_bounded_by_verdict)
{
    struct follow_sample samples[60];
    struct follow_sample *list;
    size_t count;
    begin(1);
    for (int i = 0; i < 60; i++)
        samples[i] = (struct follow_sample){.verdict = i % 2 ? VERDICT_MISSING : VERDICT_STALE,
                                            .offset = i,
                                            .last_ms = i < 40 ? 100 - i : i};
    const struct book_page page = {.samples = samples, .sample_count = 60};
    OK(book_add(book, &page, clock_ms, &err));
    OK(book_samples(book, false, &arena, &list, &count, &err));
    SAME(count, 2 * SAMPLES_MAX);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_lt(list[i].offset, 2 * SAMPLES_MAX);
}
END_TEST

START_TEST(the_last_full_pass_is_kept_with_its_samples)
{
    struct follow_full_pass pass = {.began_ms = 5,
                                    .duration_ms = 70,
                                    .problems = 3,
                                    .failure = BYTES_LITERAL("why"),
                                    .not_whole = BYTES_LITERAL("a source"),
                                    .report = BYTES_LITERAL("there/report.html")};
    struct follow_full_pass known;
    struct follow_sample samples[2] = {{.verdict = VERDICT_EXTRA, .partition = -1, .key_hash = 1},
                                       {.verdict = VERDICT_EXTRA, .partition = -1, .key_hash = 2}};
    struct follow_sample *list;
    size_t count;
    begin(1);
    OK(book_full_pass(book, &arena, &known, &err));
    SAME(known.began_ms, -1);
    pass.counts[VERDICT_MATCH] = 10;
    pass.counts[VERDICT_LAGGING] = 4;
    OK(book_add_full_pass(book, &pass, samples, 2, &err));
    pass.began_ms = 6;
    pass.counts[VERDICT_LAGGING] = 0;
    pass.counts[VERDICT_EXTRA] = UINT32_MAX;
    OK(book_add_full_pass(book, &pass, samples, 1, &err));
    book_close(book);
    OK(book_open(&conf, clock_ms, &book, &err));
    OK(book_full_pass(book, &arena, &known, &err));
    ck_assert(known.began_ms == 6 && known.duration_ms == 70 && known.problems == 3);
    ck_assert(bytes_equal(known.failure, pass.failure) && bytes_equal(known.report, pass.report));
    ck_assert(bytes_equal(known.not_whole, pass.not_whole));
    ck_assert(memcmp(known.counts, pass.counts, sizeof(pass.counts)) == 0);
    OK(book_samples(book, true, &arena, &list, &count, &err));
    SAME(count, 1);
    OK(book_samples(book, false, &arena, &list, &count, &err));
    SAME(count, 0);
    pass.not_whole = (struct bytes){0}; /* the next one was */
    OK(book_add_full_pass(book, &pass, NULL, 0, &err));
    OK(book_full_pass(book, &arena, &known, &err));
    SAME(known.not_whole.size, 0);
}
END_TEST

START_TEST(gauges_survive_a_restart)
{
    struct rolling_gauges gauges = {10, 5, 6, 0.25, NAN, 1.5, 1000.0625};
    struct book_page page = {.gauges = &gauges};
    struct follow_minute shown;
    begin(1);
    OK(book_add(book, &page, clock_ms, &err));
    gauges = (struct rolling_gauges){1, 7, 2, NAN, NAN, 0.5, NAN};
    OK(book_add(book, &page, clock_ms, &err));
    for (int i = 0; i < 2; i++) {
        SAME(rolling_series(book_rolling(book), 1, &shown), 1);
        ck_assert(shown.committed == 11 && shown.lag == 7 && shown.behind == 6);
        ck_assert(shown.old_p50_ms == 0.25 && isnan(shown.old_p99_ms) && shown.new_p50_ms == 0.5);
        ck_assert(fabs(shown.new_p99_ms - 1000.0625) < 1e-6);
        book_close(book);
        OK(book_open(&conf, clock_ms, &book, &err));
    }
}
END_TEST

/* ---- alerts ---- */

static void on_closed(void *owner)
{
    *(bool *)owner = true;
}

START_TEST(alerts_that_were_told_are_known_after_a_restart)
{
    const char *keys[] = {"when", "exec"}, *program[] = {"true"};
    const char *when[] = {"lag_seconds > 10", "lag_records > 10"};
    const struct conf_list values[2][2] = {{{&when[0], 1}, {program, 1}},
                                           {{&when[1], 1}, {program, 1}}};
    struct conf_row rows[] = {{"d.yaml:1", keys, (struct conf_list *)values[0], 2},
                              {"d.yaml:2", keys, (struct conf_list *)values[1], 2}};
    const struct settings settings = {
        .migration = "m", .alerts = {rows, 2}, .alerts_timeout_ms = 60000, .alerts_attempts = 1};
    static struct alert_values now;
    struct alerts *alerts;
    uv_loop_t loop;
    int64_t since_ms = -1;
    begin(1);
    alert_values_init(&now, book_rolling(book));
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    const struct alerts_conf alerts_conf = {.loop = &loop, .settings = &settings, .verifier = "v"};
    for (int i = 0; i < 3; i++) { /* begins, goes on, is over */
        bool is_closed = false;
        now.lag_seconds = i < 2 ? 20 : 1;
        OK(alerts_open(&alerts_conf, &alerts, &err));
        OK(book_resume_alerts(book, alerts, &err));
        ck_assert(alerts_judge(alerts, &now) == (i != 1));
        ck_assert(i != 1 || alerts_since_ms(alerts, 0) == since_ms);
        since_ms = alerts_since_ms(alerts, 0);
        ck_assert((since_ms >= 0) == (i < 2) && alerts_since_ms(alerts, 1) < 0);
        OK(book_keep_alerts(book, alerts, &err));
        alerts_close(alerts, 60000, on_closed, &is_closed);
        while (!is_closed)
            uv_run(&loop, UV_RUN_ONCE);
        book_close(book);
        OK(book_open(&conf, clock_ms, &book, &err));
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

/* ---- opening ---- */

START_TEST(one_process_at_a_time)
{
    begin(1);
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct book *other;
        enum outcome outcome = book_open(&conf, clock_ms, &other, &err);
        bool is_said = outcome == OUT_RETRY && err.code == ERR_STATE_FILE &&
                       strstr(err.text, "another verifier") && strstr(err.where, "here%2F1");
        _exit(is_said ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    step();
    struct stat file;
    char path[128];
    snprintf(path, sizeof(path), "%s/m.verify.here%%2F1.db", folder);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777, 0600);
}
END_TEST

START_TEST(what_is_damaged_or_of_another_format_is_refused)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/m.verify.here%%2F1.db", folder);
    begin(1);
    book_close(book);
    ck_assert_int_eq(sqlite3_open(path, &connection), SQLITE_OK);
    exec(_i ? "UPDATE state SET format = 2" : "UPDATE state SET now = -1");
    sqlite3_close(connection);
    ck_assert_int_eq(book_open(&conf, clock_ms, &book, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_STATE_FILE);
    ck_assert_ptr_nonnull(strstr(err.text, _i ? "another format" : "damaged"));
    ck_assert_ptr_null(book);
    FILE *file = fopen(path, "w");
    fputs("this is no database, and is longer than a header of one would be: a hundred bytes are "
          "what SQLite reads first of a file.\n",
          file);
    fclose(file);
    ck_assert_int_eq(book_open(&conf, clock_ms, &book, &err), OUT_FATAL);
    ck_assert_ptr_nonnull(strstr(err.hint, "remove it"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("book");
    TCase *tests = tcase_create("book");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 280);
    tcase_add_loop_test(tests, is_what_a_model_keeps, 0, 3);
    tcase_add_test(tests, killed_between_any_two_statements);
    tcase_add_test(tests, out_of_room_is_as_it_was_before);
    tcase_add_test(tests, rows_of_counts_are_bounded);
    tcase_add_test(tests, more_suspects_than_allowed_are_a_bug_of_the_caller);
    tcase_add_test(tests, samples_come_back_as_they_were);
    tcase_add_test(tests, samples_are_bounded_by_verdict);
    tcase_add_test(tests, the_last_full_pass_is_kept_with_its_samples);
    tcase_add_test(tests, gauges_survive_a_restart);
    tcase_add_test(tests, alerts_that_were_told_are_known_after_a_restart);
    tcase_add_test(tests, one_process_at_a_time);
    tcase_add_loop_test(tests, what_is_damaged_or_of_another_format_is_refused, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
