/*
 * Mutation test in memory: a mapping and records are generated and run through what the product
 * runs them through; the rows must match. Then one thing is edited, and the verdict must name
 * exactly that. DROVER_CASES says how many edits, DROVER_SEED where to begin: a case that fails
 * prints the seed that repeats it alone.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "tests/mutation/edit.h"

enum { EDITS_OF_ONE = 20, SHOWN_MAX = 12, KINDS_MAX = 200 };

#define CASES 20000u
#define CASES_FULL 1000000u

/* Edits of these kinds are made in every run of the usual size: a generator that no longer makes
 * one must not pass for a verdict that is right. */
static const char *const NEEDED[] = {
    "another value (pointer)",
    "another value (pointer, alternatives)",
    "another value (pointer, default)",
    "another value (pointer, decode)",
    "another value (pointer, array)",
    "another value (pointer, seal)",
    "a value in the place of NULL (pointer, withhold)",
    "another value ($key)",
    "another value ($key_suffix)",
    "another value ($index)",
    "another value ($index1)",
    "another value ($user)",
    "another value ($origin)",
    "another value ($value)",
    "another value ($tenant_context)",
    "another value ($isolation_key)",
    "NULL in the place (pointer)",
    "a value in the place of NULL (pointer)",
    "another value (pointer) in the key",
    "another value ($key) in the key",
    "another value ($user) in the key",
    "a member added to rest",
    "a member taken out of rest",
    "a member changed in rest",
    "a column's member again in rest (pointer)",
    "a member in rest that contradicts (pointer)",
    "{} in the place of no rest",
    "rest that is no object",
    "drover_version greater",
    "drover_version lower",
    "drover_digest",
    "drover_digest of a tombstone",
    "drover_deleted",
    "drover_deleted of a tombstone",
    "drover_deleted of a softly deleted row",
    "the soft column of a softly deleted row (pointer, default)",
    "another column of a softly deleted row (pointer)",
    "row removed",
    "tombstone removed",
    "row copied to another tenant",
    "row moved to another tenant",
    "two rows swapped",
};

/* Edits or failures of one kind. */
struct tally {
    char kind[160];
    uint64_t count;
};

struct test {
    struct world world;
    struct checker *checker;
    struct edit edit;
    uint64_t seed;
    uint64_t mappings, refused_mappings, cases, failures, messages, refused;
    struct tally failed[KINDS_MAX], made[KINDS_MAX];
    size_t shown;
};

/* Counts one more; true for the first of its kind. */
static bool count_kind(struct tally *tallies, const char *kind)
{
    size_t i = 0;
    while (i < KINDS_MAX && tallies[i].count && strcmp(tallies[i].kind, kind) != 0)
        i++;
    if (i == KINDS_MAX)
        return false;
    snprintf(tallies[i].kind, sizeof tallies[i].kind, "%s", kind);
    return ++tallies[i].count == 1;
}

static bool count_failure(struct test *test, const char *kind)
{
    test->failures++;
    return count_kind(test->failed, kind);
}

/* ---- what is printed --------------------------------------------------------------------- */

static void print_cell(const struct column *column, struct cell cell)
{
    struct buf text;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *val = cell.size < 0 ? NULL : value_decode(&column->type, cell, doc);
    yyjson_doc *frozen = val ? yyjson_mut_val_imut_copy(val, NULL) : NULL;
    buf_init(&text, 1 << 20);
    if (frozen)
        canonical_append(&text, yyjson_doc_get_root(frozen));
    printf(" %s=%s", column->name, cell.size < 0 ? "NULL" : frozen ? buf_text(&text) : "?");
    buf_free(&text);
    yyjson_doc_free(frozen);
    yyjson_mut_doc_free(doc);
}

static void print_row(const struct test *test, const struct table_row *row)
{
    printf("  row [%.*s] v%" PRId64 "%s", BYTES_ARGS(row->tenant), row->version,
           row->deleted ? " deleted" : "");
    for (size_t i = 0; i < test->world.mapping->column_count; i++)
        print_cell(&test->world.mapping->columns[i], row->cells[i]);
    printf("\n");
}

static void print_findings(const struct finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("  found: %016" PRIx64 " %s", findings[i].key.high,
               verdict_name(findings[i].verdict));
        for (size_t f = 0; f < findings[i].fields.count; f++)
            printf(" [%.*s]", BYTES_ARGS(findings[i].fields.items[f].path));
        printf("\n");
    }
    if (count == 0)
        printf("  found: nothing, MATCH\n");
}

static bool is_changed(const struct test *test, const struct table_row *row)
{
    for (size_t i = 0; i < test->world.row_count; i++)
        if (memcmp(row, &test->world.rows[i], sizeof *row) == 0)
            return false;
    return true;
}

static void show(struct test *test, const char *what, const struct finding *findings, size_t count)
{
    const struct world *world = &test->world;
    if (++test->shown > SHOWN_MAX)
        return;
    printf("---- FAILED: %s; DROVER_SEED=%" PRIu64 " DROVER_CASES=1 repeats it\n%s", what,
           test->seed, buf_text((struct buf *)&world->yaml));
    for (size_t i = 0; i < world->message_count; i++)
        printf("  message %.*s = %.*s\n", BYTES_ARGS(world->messages[i].key),
               BYTES_ARGS(world->messages[i].value));
    for (size_t i = 0; i < world->row_count; i++)
        print_row(test, &world->rows[i]);
    for (size_t i = 0; findings && i < test->edit.row_count; i++)
        if (is_changed(test, &test->edit.rows[i])) {
            printf("  after the edit:");
            print_row(test, &test->edit.rows[i]);
        }
    for (size_t i = 0; findings && i < test->edit.wanted_count; i++)
        printf("  wanted: %016" PRIx64 " one of verdicts %x%s\n", test->edit.wanted[i].key.high,
               test->edit.wanted[i].verdicts, test->edit.wanted[i].named ? ", named" : "");
    print_findings(findings, count);
    fflush(stdout);
}

/* ---- the export, without the product's own idea of what it must give -------------------- */

static bool declares_changes(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].fill || mapping->columns[i].decode_json)
            return true;
    return mapping->unicode == JSON_UNICODE_REPLACE;
}

static bool is_payload(const struct world *world, const struct table_row *row, yyjson_val *given)
{
    for (size_t i = 0; i < world->message_count; i++) {
        yyjson_doc *doc = NULL;
        if (json_parse(world->messages[i].value, JSON_UNICODE_REJECT, NULL, &doc, NULL) != OUT_OK)
            continue;
        struct digest digest;
        struct buf text;
        buf_init(&text, 1 << 20);
        bool same = canonical_digest(yyjson_doc_get_root(doc), &text, &digest) &&
                    digest_equal(&digest, &row->digest) &&
                    canonical_equal(yyjson_doc_get_root(doc), given);
        buf_free(&text);
        yyjson_doc_free(doc);
        if (same)
            return true;
    }
    return false;
}

/* Each row gives back a payload that was sent, member by member. */
static bool check_given_back(struct test *test)
{
    struct world *world = &test->world;
    for (size_t i = 0; i < world->row_count && !declares_changes(world->mapping); i++) {
        const struct table_row *table = &world->rows[i];
        struct row row = {.cells = table->cells, .tenant = table->tenant};
        yyjson_doc *doc = NULL;
        if (table->deleted || world->soft[i])
            continue;
        bool same = mapping_inverse(world->mapping, &row, &world->work, &doc, NULL) == OUT_OK &&
                    is_payload(world, table, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        if (same)
            continue;
        if (count_failure(test, "a row does not give back what was sent"))
            show(test, "a row does not give back what was sent", NULL, 0);
        return false;
    }
    return true;
}

/* ---- the test ---------------------------------------------------------------------------- */

/* Everything the source says is in the store as it was said; unedited is MATCH. */
static bool check_unedited(struct test *test)
{
    struct world *world = &test->world;
    const struct finding *findings;
    size_t matches, keys;
    checker_begin(test->checker, world->mapping);
    for (size_t i = 0; i < world->message_count; i++) {
        if (checker_expect(test->checker, &world->messages[i], (int64_t)i))
            continue;
        test->refused++;
    }
    test->messages += world->message_count;
    test->refused += world->refused;
    for (size_t i = 0; i < world->message_count; i++) {
        if (checker_is_told(test->checker, &world->messages[i]))
            continue;
        if (count_failure(test, "a message is told otherwise than its row"))
            show(test, "a message is told otherwise than its row", NULL, 0);
        return false;
    }
    keys = checker_keys(test->checker);
    size_t count = checker_rows(test->checker, world->rows, world->row_count, &findings, &matches);
    if (count == 0 && matches == keys && keys == world->row_count)
        return true;
    char kind[160];
    snprintf(kind, sizeof kind, "nothing edited: %s",
             count ? verdict_name(findings[0].verdict) : "not every key has a row");
    test->edit.row_count = 0;
    test->edit.wanted_count = 0;
    if (count_failure(test, kind))
        show(test, kind, findings, count);
    return false;
}

static void check_edit(struct test *test)
{
    const struct finding *findings;
    size_t matches;
    bool made = false;
    for (int i = 0; i < 10 && !made; i++)
        made = edit_make(&test->world, test->checker, &test->edit);
    if (!made)
        return;
    test->cases++;
    count_kind(test->made, test->edit.kind);
    size_t count =
        checker_rows(test->checker, test->edit.rows, test->edit.row_count, &findings, &matches);
    if (edit_check(&test->world, &test->edit, findings, count))
        return;
    char kind[160];
    snprintf(kind, sizeof kind, "%s: %s%s", test->edit.kind,
             count == 0 ? "MATCH" : verdict_name(findings[0].verdict),
             count > test->edit.wanted_count ? " and more" : "");
    if (count_failure(test, kind))
        show(test, test->edit.text, findings, count);
}

static size_t count_unreached(const struct test *test)
{
    size_t unreached = 0;
    for (size_t n = 0; n < sizeof NEEDED / sizeof *NEEDED; n++) {
        size_t i = 0;
        while (i < KINDS_MAX && strcmp(test->made[i].kind, NEEDED[n]) != 0)
            i++;
        if (i < KINDS_MAX)
            continue;
        printf("  never made: %s\n", NEEDED[n]);
        unreached++;
    }
    return unreached;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && text[0] ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
    const char *full = getenv("DROVER_TEST_FULL");
    uint64_t wanted = number_of("DROVER_CASES", full && full[0] == '1' ? CASES_FULL : CASES);
    uint64_t seed = number_of("DROVER_SEED", 20261128);
    struct test *test = calloc(1, sizeof *test);
    if (!test)
        return EXIT_FAILURE;
    world_init(&test->world);
    test->checker = checker_new();
    printf("seed %" PRIu64 ", %" PRIu64 " cases\n", seed, wanted);
    for (test->seed = seed; test->cases < wanted && test->mappings < wanted + 1000; test->seed++) {
        if (!world_make(&test->world, test->seed)) {
            test->refused_mappings++;
            if (test->refused_mappings > wanted + 1000)
                break;
            continue;
        }
        test->mappings++;
        if (check_unedited(test) && check_given_back(test) && test->world.row_count)
            for (int i = 0; i < EDITS_OF_ONE && test->cases < wanted; i++)
                check_edit(test);
        if (wanted <= EDITS_OF_ONE)
            break;
    }
    printf("%" PRIu64 " mappings (%" PRIu64 " more were refused), %" PRIu64 " messages, %" PRIu64
           " records refused, %" PRIu64 " edits, %" PRIu64 " failures\n",
           test->mappings, test->refused_mappings, test->messages, test->refused, test->cases,
           test->failures);
    for (size_t i = 0; i < KINDS_MAX && test->failed[i].count; i++)
        printf("  %6" PRIu64 " × %s\n", test->failed[i].count, test->failed[i].kind);
    uint64_t texts, documents, told;
    checker_count(test->checker, &texts, &documents, &told);
    printf("%" PRIu64 " rows judged by text, %" PRIu64 " by document; %" PRIu64
           " messages told without cells\n",
           texts, documents, told);
    size_t unreached = wanted >= CASES ? count_unreached(test) : 0;
    /* The text is the usual way, and takes what it can: fewer rows are left to documents. */
    unreached += wanted >= CASES && (texts < CASES || documents < CASES / 2 || told == 0);
    bool pass = test->failures == 0 && test->cases == wanted && unreached == 0;
    checker_free(test->checker);
    world_free(&test->world);
    free(test);
    return pass ? EXIT_SUCCESS : EXIT_FAILURE;
}
