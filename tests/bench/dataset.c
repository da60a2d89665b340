/*
 * The benchmarks' data: the same name, number of records and seed give the same bytes on every
 * machine. A record's content follows from its key and revision alone, so a set can be written in
 * any order, and an update of it is the same keys with another revision.
 *
 *   dataset NAME RECORDS [--form ndjson|array|flat] [--rev N] [--tenants N] [--seed N]
 *
 *   chat      ~250 bytes, 50 tenants, random keys           many     a tenant for every 10 records
 *   wide      ~1.5 KB, nested, 25 columns and a rest         hot      10 % of the keys get 90 %
 *   bad       chat with a NUL in one text of 20,000          twice    each key twice, one after the
 *   versions  30 versions of each key, rising                         other
 *   shuffled  30 versions of each key, in no order
 *
 * The flat form is for tools that take a record's members as columns as they are: a line is the
 * key, a tab and a flat object, whose nested values are JSON in a string. Not for wide.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum form { FORM_NDJSON, FORM_ARRAY, FORM_FLAT };

struct options {
    enum form form;
    uint64_t records, tenants, seed, rev;
};

/* Which record comes at a place: its key's number and its revision. */
struct place {
    uint64_t key, rev;
};

#define VERSIONS 30
#define BAD_EVERY 20000

static void die(const char *what)
{
    fprintf(stderr, "dataset: %s\n", what);
    exit(2);
}

/* ---- random numbers: splitmix64, begun anew for each record ------------------------------ */

struct random {
    uint64_t state;
};

static uint64_t next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static struct random random_of(uint64_t seed, uint64_t a, uint64_t b)
{
    struct random random = {seed * 0x9e3779b97f4a7c15u ^ a * 0xd1342543de82ef95u ^
                            b * 0x2545f4914f6cdd1du};
    next(&random);
    return random;
}

static uint64_t below(struct random *random, uint64_t limit)
{
    return next(random) % limit;
}

/* ---- templates: what a record looks like, one choice after the other ----------------------- */

static const char *const WORDS[] = {"the",
                                    "a",
                                    "of",
                                    "and",
                                    "to",
                                    "is",
                                    "was",
                                    "migration",
                                    "tenant",
                                    "row",
                                    "index",
                                    "checkpoint",
                                    "please",
                                    "compare",
                                    "why",
                                    "does",
                                    "this",
                                    "query",
                                    "take",
                                    "longer",
                                    "than",
                                    "it",
                                    "did",
                                    "before",
                                    "we",
                                    "moved",
                                    "storage",
                                    "into",
                                    "tables",
                                    "caf\u00e9",
                                    "na\u00efve",
                                    "\u6f22\u5b57",
                                    "\U0001F680",
                                    "error:",
                                    "\\\"quoted\\\"",
                                    "tab\\there",
                                    "value",
                                    "42",
                                    "3.1415",
                                    "answer",
                                    "model",
                                    "http://example.org/a?b=c",
                                    "token",
                                    "session",
                                    "retry",
                                    "after",
                                    "seconds",
                                    "because",
                                    "broker",
                                    "closed",
                                    "connection",
                                    "without",
                                    "reason",
                                    "line\\nbreak",
                                    "again",
                                    "tomorrow"};
#define WORD_COUNT (sizeof WORDS / sizeof *WORDS)

/* `size` bytes or a few more, in whole words. */
static void put_text(struct random *random, size_t size)
{
    for (size_t used = 0; used < size;) {
        const char *word = WORDS[below(random, WORD_COUNT)];
        if (used > 0)
            putchar_unlocked(' ');
        fputs_unlocked(word, stdout);
        used += strlen(word) + 1;
    }
}

/* 2024, to the millisecond, as toISOString writes it. */
static void put_time(struct random *random)
{
    unsigned long month = 1 + below(random, 12), day = 1 + below(random, 28);
    unsigned long ms = below(random, 86400000);
    printf("2024-%02lu-%02luT%02lu:%02lu:%02lu.%03luZ", month, day, ms / 3600000, ms / 60000 % 60,
           ms / 1000 % 60, ms % 1000);
}

/* Digits as many as `limit` less one has. */
static void put_padded(struct random *random, uint64_t limit)
{
    char digits[24];
    int width = snprintf(digits, sizeof digits, "%" PRIu64, limit - 1);
    printf("%0*" PRIu64, width, below(random, limit));
}

static void put_choice(struct random *random, const char *at, const char *end)
{
    uint64_t count = 1;
    for (const char *p = at; p < end; p++)
        count += *p == '|';
    for (uint64_t skip = below(random, count); skip > 0; at++)
        skip -= *at == '|';
    while (at < end && *at != '|')
        putchar_unlocked(*at++);
}

/*
 * Writes a template; what is in < > is chosen: <500> a number below 500, <#500> the same with
 * leading zeros, <~50> a text of fifty bytes or a few more, <@> a time, <a|b|c> one of them.
 * A ' is written as `quote`.
 */
static void fill(struct random *random, const char *quote, const char *template)
{
    for (const char *at = template; *at; at++) {
        if (*at == '\'') {
            fputs_unlocked(quote, stdout);
        } else if (*at != '<') {
            putchar_unlocked(*at);
        } else {
            const char *end = strchr(at, '>');
            char kind = at[1];
            if (kind == '@')
                put_time(random);
            else if (kind == '#')
                put_padded(random, strtoull(at + 2, NULL, 10));
            else if (kind == '~')
                put_text(random, strtoull(at + 2, NULL, 10));
            else if (kind >= '0' && kind <= '9')
                printf("%" PRIu64, below(random, strtoull(at + 1, NULL, 10)));
            else
                put_choice(random, at + 1, end);
            at = end;
        }
    }
}

static void put_tenant(const struct options *options, uint64_t key)
{
    printf("t%06" PRIu64, key % options->tenants);
}

/* Keys have no order: neighbours in the file are far from each other in an index. */
static void put_id(const struct options *options, uint64_t key)
{
    struct random random = random_of(options->seed, key, 0x1d);
    printf("%016" PRIx64, next(&random));
}

static void put_begin(const struct options *options, struct place place)
{
    fputs("{\"tenant\":\"", stdout);
    put_tenant(options, place.key);
    fputs("\",\"id\":\"", stdout);
    put_id(options, place.key);
    printf("\",\"rev\":%" PRIu64 ",", place.rev);
}

static void put_chat(const struct options *options, struct place place, bool bad)
{
    struct random random = random_of(options->seed, place.key, place.rev);
    bool flat = options->form == FORM_FLAT;
    put_begin(options, place);
    printf("\"session\":\"s%06" PRIu64 "\",", below(&random, 1 + options->records / 20));
    fill(&random, "\"", "'role':'<user|assistant|system|tool>','content':'");
    put_text(&random, 16 + below(&random, 52));
    fputs(bad ? " \\u0000" : "", stdout);
    fill(&random, "\"", "','at':'<@>','tokens':<4096>,'model':'<small-2|large-1|large-1-long>',");
    fputs(flat ? "\"flags\":\"" : "\"flags\":", stdout);
    fill(&random, flat ? "\\\"" : "\"", "{'pinned':<true|false>,'score':0.<#100>5}");
    fputs(flat ? "\"}" : "}", stdout);
}

static void put_wide(const struct options *options, struct place place)
{
    static const char *const ADDRESS =
        "{'street':'<~12> <300>','zip':'<#100000>','city':'<Lisboa|K\u00f6ln|\u014csaka|Accra>',"
        "'country':'<PT|DE|JP|GH>','geo':{'lat':<90>.<#100000>,'lon':-<180>.<#100000>}}";
    struct random random = random_of(options->seed, place.key, place.rev);
    put_begin(options, place);
    fill(
        &random, "\"",
        "'name':'<~24>','email':'user<1000000>@example.org','status':'<active|invited|suspended>',"
        "'plan':'<free|team|enterprise>','seats':<500>,'balance':<100000>.<#100>,"
        "'score':0.<#1000000>,'active':<true|false>,'tags':['<beta|eu|vip>','<import|trial>',null],"
        "'createdAt':'<@>','updatedAt':'<@>','visits':<100000>,'lastIp':'10.<256>.<256>.<256>',"
        "'billing':");
    fill(&random, "\"", ADDRESS);
    fputs(",\"shipping\":", stdout);
    fill(&random, "\"", ADDRESS);
    fill(
        &random, "\"",
        ",'settings':{'theme':'<dark|light>','language':'<en|de|ja>','mail':{'digest':<true|false>,"
        "'hour':<24>},'limits':[<1000>,<100000>]},'invoices':[");
    for (uint64_t i = 0, count = 2 + below(&random, 3); i < count; i++) {
        fputs(i ? "," : "", stdout);
        fill(&random, "\"",
             "{'name':'<setup|renewal|refund|credit>','amount':<10000>.<#100>,'note':'<~18>'}");
    }
    fputs("],\"description\":\"", stdout);
    put_text(&random, 260 + below(&random, 400));
    fill(&random, "\"",
         "','source':{'kind':'<csv|api|form>','batch':<10000>,'trace':'<#1000000000>'}}");
}

/* ---- sets -------------------------------------------------------------------------------- */

static struct place place_once(const struct options *options, uint64_t i)
{
    /* each key once; another revision comes in another order */
    uint64_t step = 1000003;
    while (options->records % step == 0)
        step += 2;
    return (struct place){(i * step + options->rev * 7919) % options->records, options->rev};
}

static struct place place_hot(const struct options *options, uint64_t i)
{
    struct random random = random_of(options->seed, i, 0x407);
    uint64_t keys = options->records / 5 > 10 ? options->records / 5 : 10, hot = keys / 10;
    bool is_hot = below(&random, 10) != 0;
    return (struct place){is_hot ? below(&random, hot) : hot + below(&random, keys - hot), i + 1};
}

static struct place place_twice(const struct options *options, uint64_t i)
{
    (void)options;
    return (struct place){i / 2, 1 + i % 2};
}

static struct place place_versions(const struct options *options, uint64_t i)
{
    (void)options;
    return (struct place){i / VERSIONS, 1 + i % VERSIONS};
}

static struct place place_shuffled(const struct options *options, uint64_t i)
{
    (void)options;
    return (struct place){i / VERSIONS, 1 + (i % VERSIONS * 7 + i / VERSIONS) % VERSIONS};
}

static const struct set {
    const char *name;
    struct place (*place)(const struct options *options, uint64_t i);
    bool wide, bad;
} SETS[] = {
    {"chat", place_once, false, false},         {"many", place_once, false, false},
    {"wide", place_once, true, false},          {"hot", place_hot, false, false},
    {"bad", place_once, false, true},           {"twice", place_twice, false, false},
    {"versions", place_versions, false, false}, {"shuffled", place_shuffled, false, false},
};

static void put_record(const struct set *set, const struct options *options, uint64_t i)
{
    struct place place = set->place(options, i);
    uint64_t every = options->records < BAD_EVERY ? options->records : BAD_EVERY;
    if (options->form == FORM_ARRAY)
        fputs(i == 0 ? "[" : ",\n", stdout);
    if (options->form == FORM_FLAT) {
        put_tenant(options, place.key);
        putchar_unlocked('/');
        put_id(options, place.key);
        putchar_unlocked('\t');
    }
    if (set->wide)
        put_wide(options, place);
    else
        put_chat(options, place, set->bad && i % every == every / 2);
    if (options->form != FORM_ARRAY)
        putchar_unlocked('\n');
}

static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number == 0)
        die("a number from 1 is expected");
    return number;
}

static enum form form_of(const char *name)
{
    static const char *const NAMES[] = {"ndjson", "array", "flat"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, NAMES[i]) == 0)
            return (enum form)i;
    die("the form is ndjson, array or flat");
    return FORM_NDJSON;
}

int main(int argc, char **argv)
{
    const struct set *set = NULL;
    if (argc < 3 || argc % 2 == 0)
        die("usage: dataset NAME RECORDS [--form F] [--rev N] [--tenants N] [--seed N]");
    for (size_t i = 0; i < sizeof SETS / sizeof *SETS; i++)
        if (strcmp(argv[1], SETS[i].name) == 0)
            set = &SETS[i];
    if (!set)
        die("no such set");
    struct options options = {.records = number_of(argv[2]), .tenants = 50, .seed = 7, .rev = 1};
    if (strcmp(set->name, "many") == 0)
        options.tenants = options.records < 10 ? 1 : options.records / 10;
    for (int i = 3; i < argc; i += 2) {
        if (strcmp(argv[i], "--form") == 0)
            options.form = form_of(argv[i + 1]);
        else if (strcmp(argv[i], "--rev") == 0)
            options.rev = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--tenants") == 0)
            options.tenants = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            options.seed = number_of(argv[i + 1]);
        else
            die("no such option");
    }
    if (set->wide && options.form == FORM_FLAT)
        die("wide has no flat form");
    for (uint64_t i = 0; i < options.records; i++)
        put_record(set, &options, i);
    if (options.form == FORM_ARRAY)
        fputs("]\n", stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
