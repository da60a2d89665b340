/* Dumps of a program's maps: every form gives the same records, wherever chunks end. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/param.h>

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/policy/collect/collect.h"
#include "tests/support/memory.h"
#include "tests/support/suite.h"

#define RECORD_MAX 256

/* ---- mappings: projects with what the marketplace says of them, users, messages ---- */

static const char *const ID[] = {"/id"};
static const char *const NUMBERS[] = {"/number", "/nr/0"};
static const char *const PROJECTS[] = {"projects"};
static const char *const USERS[] = {"users", "people"};
static const char *const MESSAGES[] = {"chatMessages"};
static struct column project_columns[] = {{.name = "id", .pointers = ID, .pointer_count = 1}};
static struct column user_columns[] = {
    {.name = "tenant", .source = FROM_TENANT_CONTEXT},
    {.name = "number", .pointers = NUMBERS, .pointer_count = 2},
};
static struct column message_columns[] = {{.name = "key", .source = FROM_KEY}};
static size_t first_column[] = {0, 1};
static struct collect_join market = {"marketplaceProjects", "/projectId", "marketplace"};
static struct collect_join profile = {"profiles", "/user/number", "profile"};
static struct collect_join reaction = {"reactions", "/messageKey", "reaction"};

static struct mapping project = {.entity = "project",
                                 .columns = project_columns,
                                 .key = first_column,
                                 .key_count = 1,
                                 .collect_maps = PROJECTS,
                                 .collect_map_count = 1,
                                 .join = &market};
static struct mapping user = {.entity = "user",
                              .columns = user_columns,
                              .key = first_column,
                              .key_count = 2,
                              .collect_maps = USERS,
                              .collect_map_count = 2,
                              .join = &profile};
static struct mapping message = {.entity = "message",
                                 .columns = message_columns,
                                 .key = first_column,
                                 .key_count = 1,
                                 .collect_maps = MESSAGES,
                                 .collect_map_count = 1,
                                 .join = &reaction};
static struct mapping plain = {.entity = "plain", .collect_maps = PROJECTS, .collect_map_count = 1};

static struct mapping *const JOINING[] = {&project, &user, &message};
static struct mapping *const ALONE[] = {&plain};

static struct collect_config config_of(bool joins)
{
    return (struct collect_config){
        .mappings = joins ? JOINING : ALONE,
        .mapping_count = joins ? 3 : 1,
        .record_max = RECORD_MAX,
        .join_max = 1 << 20,
    };
}

/* ---- reading ---- */

struct feed {
    struct bytes text;
    size_t first, others; /* sizes of chunks, 0: the rest */
    size_t at;
    char *chunk;
};

static void give_more(struct collect *collect, struct feed *feed)
{
    free(feed->chunk);
    feed->chunk = NULL;
    if (feed->at == feed->text.size) {
        collect_finish(collect);
        return;
    }
    size_t size = feed->at ? feed->others : feed->first;
    if (size == 0 || size > feed->text.size - feed->at)
        size = feed->text.size - feed->at;
    feed->chunk = malloc(size);
    ck_assert_ptr_nonnull(feed->chunk);
    memcpy(feed->chunk, feed->text.data + feed->at, size);
    collect_feed(collect, bytes_of(feed->chunk, size));
    feed->at += size;
}

static void tell(struct buf *out, const struct source_item *item, const struct error *err,
                 bool places)
{
    if (out->size)
        buf_append_char(out, '\n');
    if (places)
        buf_append_format(out, "%zu:%zu@%zu ", (size_t)item->line, (size_t)item->column,
                          (size_t)item->byte);
    buf_append_bytes(out, item->name);
    if (item->kind == SOURCE_ITEM_REJECTED) {
        buf_append_format(out, " %s", error_code_id(err->code) + 4);
        return;
    }
    ck_assert_int_eq(item->kind, SOURCE_ITEM_RECORD);
    buf_append_format(out, " %s", item->mapping->entity);
    if (item->source_key.size)
        buf_append_format(out, " %.*s", BYTES_ARGS(item->source_key));
    if (item->index >= 0)
        buf_append_format(out, " %d", (int)item->index);
    buf_append_format(out, " %.*s", BYTES_ARGS(item->payload));
}

static void read_once(struct collect *collect, struct bytes text, size_t first, size_t others,
                      struct buf *out, bool places)
{
    struct feed feed = {.text = text, .first = first, .others = others};
    uint64_t ordinal = 0;
    for (;;) {
        struct source_item item;
        struct error err = {0};
        enum collect_result result = collect_next(collect, &item, &err);
        if (result == COLLECT_END)
            break;
        if (result == COLLECT_MORE) {
            give_more(collect, &feed);
            continue;
        }
        ck_assert_ptr_nonnull(out); /* the first reading finds nothing */
        ck_assert_uint_eq(item.ordinal, ordinal++);
        tell(out, &item, &err, places);
    }
    free(feed.chunk);
}

/* What the second reading finds, as text that the caller frees. */
static char *found_in(struct bytes text, bool joins, bool places, size_t first, size_t others)
{
    struct collect_config config = config_of(joins);
    struct collect *collect = collect_maps_new(&config);
    struct buf out;
    buf_init(&out, 1 << 22);
    read_once(collect, text, first, others, NULL, false);
    ck_assert_int_eq(collect_rewind(collect, NULL), OUT_OK);
    read_once(collect, text, first, others, &out, places);
    collect_free(collect);
    char *copy = strdup(buf_text(&out));
    buf_free(&out);
    return copy;
}

/* ---- forms ---- */

#define A "{\"id\":\"a\",\"n\":[1,{\"dataType\":\"Date\",\"value\":2}]}"
#define B "{ \"id\" : \"b\" }"
#define U "{\"number\":7}"
#define KEYED_SAYS "projects/a project a " A "\nprojects/b project b " B "\nusers/7 user 7 " U
#define LISTED_SAYS "projects[0] project 0 " A "\nprojects[1] project 1 " B "\nusers[0] user 0 " U

static const struct {
    const char *name;
    const char *text;
    const char *says;
} FORMS[] = {
    {"objects", "{\"projects\": {\"a\": " A ",\n\"b\":" B "}, \"users\":{\"7\":" U "}}",
     KEYED_SAYS},
    {"lists", "{\"projects\": [" A " , " B "], \"users\":[" U "]}", LISTED_SAYS},
    {"pairs", "{\"projects\": [[\"a\", " A "],\n[ \"b\" ," B " ]], \"users\":[[7," U "]]}",
     KEYED_SAYS},
    {"replacer",
     "{\"projects\": {\"dataType\":\"Map\",\"value\":[[\"a\"," A "],[\"b\"," B "]]},"
     "\"users\":{\"dataType\":\"Map\",\"value\":[[7," U "]]}}",
     KEYED_SAYS},
    {"replacer, a map of maps",
     "{\"dataType\":\"Map\",\"value\":[[\"projects\",{\"dataType\":\"Map\",\"value\":"
     "[[\"a\"," A "],[\"b\"," B "]]}],[\"users\",{\"7\":" U "}]]}",
     KEYED_SAYS},
    {"pairs of pairs", "[[\"projects\",[[\"a\"," A "],[\"b\"," B "]]],[\"users\",[[7," U "]]]]",
     KEYED_SAYS},
    {"typed objects",
     "{\"dataType\":\"Object\",\"value\":{\"projects\":{\"dataType\":\"Object\",\"value\":"
     "{\"a\":" A ",\"b\":" B "}},\"users\":{\"7\":" U "}}}",
     KEYED_SAYS},
    {"sets",
     "{\"projects\":{\"dataType\":\"Set\",\"value\":[" A "," B "]},"
     "\"users\":{\"dataType\":\"Set\",\"value\":[" U "]}}",
     LISTED_SAYS},
    {"lines",
     "{\"entity\":\"projects\",\"key\":\"a\",\"value\":" A "}\n"
     "{\"key\":\"b\",\"entity\":\"projects\",\"value\":" B "}\n"
     "{\"entity\":\"users\",\"key\":7,\"value\":" U "}\n",
     KEYED_SAYS},
    {"lines, by the entities' own names",
     "{\"entity\":\"project\",\"value\":" A "}\n{\"entity\":\"user\",\"value\":" U "}\n",
     "project project " A "\nuser user " U},
    {"lines, flat",
     "{\"id\":\"a\",\"entity\":\"projects\",\"key\":\"x\",\"value\":1}\n{\"entity\":\"user\"}\n",
     "projects project {\"id\":\"a\",\"entity\":\"projects\",\"key\":\"x\",\"value\":1}\n"
     "user user {\"entity\":\"user\"}"},
    {"empty", "{}", ""},
    {"nothing", " \n", ""},
    {"empty collections",
     "{\"projects\":{},\"users\":[],\"people\":{\"dataType\":\"Map\",\"value\":[]}}", ""},
    {"another name, the entity's own name", "{\"people\":[1],\"user\":[2]}",
     "people[0] user 0 1\nuser[0] user 0 2"},
    /* keys */
    {"keys decoded", "{\"projects\":{\"\\u00e9\\n\":1},\"users\":[[\"\\ud83d\\ude00\",2]]}",
     "projects/\xC3\xA9\\x0A project \xC3\xA9\n 1\nusers/\xF0\x9F\x98\x80 user \xF0\x9F\x98\x80 2"},
    {"keys of all kinds", "{\"projects\":[[1.50,1],[true,2],[false,3],[-0,4],[\"\",5]]}",
     "projects/1.50 project 1.50 1\nprojects/true project true 2\nprojects/false project false 3\n"
     "projects/-0 project -0 4\nprojects/ project 5"},
    {"keys that cannot be kept",
     "{\"projects\":[[null,1],[\"\\ud800\",2],[\"\\u0000\",3],[\"k\",4]],"
     "\"users\":{\"\\ud800\":5,\"a\\u0000b\":6}}",
     "projects/ S013\nprojects/\\xED\\xA0\\x80 S013\nprojects/\\x00 S013\nprojects/k project k 4\n"
     "users/\\xED\\xA0\\x80 S013\nusers/a\\x00b S013"},
    {"keys that cannot be kept, lines",
     "{\"entity\":\"projects\",\"key\":null,\"value\":1}\n"
     "{\"entity\":\"projects\",\"key\":{\"dataType\":\"BigInt\",\"value\":\"1\"},\"value\":1}\n"
     "{\"entity\":\"projects\",\"key\":\"\",\"value\":1}\n",
     "projects/ S013\nprojects/ S013\nprojects/ project 1"},
    {"records that are lists", "{\"projects\":[[1,2,3],[\"a\"]],\"users\":[[[],1],[\"a\",1]]}",
     "projects[0] project 0 [1,2,3]\nprojects[1] project 1 [\"a\"]\nusers[0] user 0 [[],1]\n"
     "users[1] user 1 [\"a\",1]"},
    {"no pair among pairs", "{\"projects\":[[\"a\",1],{\"id\":2},[\"b\",3,4],[\"c\",5]]}",
     "projects/a project a 1\nprojects[1] S013\nprojects[2] S013\nprojects/c project c 5"},
    {"ids that look like wrappers", "{\"projects\":{\"dataType\":{\"id\":1},\"value\":{\"id\":2}}}",
     "projects/dataType project dataType {\"id\":1}\nprojects/value project value {\"id\":2}"},
    /* what nothing takes */
    {"unknown collections", "{\"sessions\":{\"a\":1,\"b\":2},\"projects\":[1],\"x\\ny\":[]}",
     "sessions S011\nprojects[0] project 0 1\nx\\x0Ay S011"},
    {"unknown entities, told once",
     "{\"entity\":\"x\",\"value\":1}\n{\"entity\":\"y\",\"value\":1}\n"
     "{\"entity\":\"x\",\"value\":2}\n{\"entity\":\"user\",\"value\":3}\n{\"a\":1}\n",
     "x S011\ny S011\nuser user 3\n S011"},
    {"no collections", "{\"projects\":1,\"users\":\"x\",\"people\":null}",
     "projects J008\nusers J008\npeople J008"},
    {"no dump", "17", " S004"},
    {"pairs that are none", "[1,[\"projects\"],[2,[1]],[\"projects\",[3],4],[\"projects\",[5]]]",
     " S004\n S004\nprojects[0] project 0 3\n S004\nprojects[0] project 0 5"},
    {"wrappers that are none",
     "{\"projects\":{\"dataType\":\"Date\",\"value\":[1]},"
     "\"users\":{\"dataType\":\"Map\",\"entries\":[1]},\"people\":{\"dataType\":\"Map\",\"value\":{"
     "}}}",
     "projects S004\nusers S004\npeople S004"},
    {"a source that is no map", "{\"dataType\":\"Set\",\"value\":[1]}", " S004"},
    /* broken and cut */
    {"broken, what came before stays", "{\"projects\":[1,2}],\"users\":[3]}",
     "projects[0] project 0 1\nprojects[1] project 1 2\n J001"},
    {"cut", "{\"projects\":{\"a\":1,\"b\":{\"id\":", "projects/a project a 1\n J009"},
    {"cut between collections", "{\"projects\":{\"a\":1},", "projects/a project a 1\n J009"},
    {"a broken record is its mapping's", "{\"projects\":[tru,{\"a\":,}]}",
     "projects[0] project 0 tru\nprojects[1] project 1 {\"a\":,}"},
    {"a broken pair", "{\"projects\":[[\"a\",1],[\"b\" 2],[\"c\",3]]}",
     "projects/a project a 1\nprojects[1] J001\nprojects/c project c 3"},
    {"a broken line",
     "{\"entity\":\"user\",\"value\":1}\n{\"entity\":\"user\",\"va\n{\"entity\":\"user\",\"value\":"
     "2}",
     "user user 1\n J009\nuser user 2"},
};

#define FORM_COUNT (sizeof(FORMS) / sizeof(FORMS[0]))

static void check_said(const char *name, const char *text, const char *says, size_t first,
                       size_t others)
{
    char *said = found_in(bytes_text(text), true, false, first, others);
    ck_assert_msg(strcmp(said, says) == 0, "%s (chunks of %zu, then %zu):\n%s\nnot:\n%s", name,
                  first, others, said, says);
    free(said);
}

START_TEST(forms_give_their_records)
{
    check_said(FORMS[_i].name, FORMS[_i].text, FORMS[_i].says, 0, 0);
}
END_TEST

START_TEST(forms_give_the_same_however_cut)
{
    size_t size = strlen(FORMS[_i].text);
    check_said(FORMS[_i].name, FORMS[_i].text, FORMS[_i].says, 1, 1);
    check_said(FORMS[_i].name, FORMS[_i].text, FORMS[_i].says, 7, 7);
    for (size_t first = 1; first < size; first++)
        check_said(FORMS[_i].name, FORMS[_i].text, FORMS[_i].says, first, 0);
}
END_TEST

START_TEST(places_are_those_of_the_source)
{
    static const char TEXT[] = "{\"projects\": [\n  [\"a\",\n   {\"id\":1}], [\"b\", 2]],\n"
                               "\"users\":{\"c\": 3}, \"x\":\n4}";
    static const char LINES[] = "\n {\"entity\":\"user\", \"key\":\"a\", \"value\": 1}\n"
                                "{\"entity\":\"user\",\"id\":1}";
    char *says = found_in(bytes_text(TEXT), true, true, 0, 0);
    ck_assert_str_eq(says,
                     "3:4@26 projects/a project a {\"id\":1}\n3:21@43 projects/b project b 2\n"
                     "4:15@62 users/c user c 3\n5:1@71 x S011");
    free(says);
    says = found_in(bytes_text(LINES), true, true, 5, 5);
    ck_assert_str_eq(says, "2:40@40 user/a user a 1\n"
                           "3:1@43 user user {\"entity\":\"user\",\"id\":1}");
    free(says);
}
END_TEST

/* ---- joins ---- */

#define M1 "{\"id\":\"m1\",\"projectId\":\"a\"}"
#define JOINED_A "projects/a project a {\"id\":\"a\",\"marketplace\":" M1 "}"

static const struct {
    const char *name;
    const char *text;
    const char *says;
} JOINS[] = {
    {"before",
     "{\"marketplaceProjects\":{\"m1\":" M1 "},\"projects\":{\"a\":{\"id\":\"a\"},\"b\":{}}}",
     JOINED_A "\nprojects/b project b {}"},
    {"after", "{\"projects\":{\"a\":{\"id\":\"a\"}},\"marketplaceProjects\":[" M1 "]}", JOINED_A},
    {"lines",
     "{\"entity\":\"projects\",\"key\":\"a\",\"value\":{\"id\":\"a\"}}\n"
     "{\"entity\":\"marketplaceProjects\",\"key\":\"m1\",\"value\":" M1 "}\n",
     JOINED_A},
    {"a record that has nothing else is joined by its column",
     "{\"people\":[{ \"nr\":[5] },{\"number\":6 , \"nr\":[5]}],"
     "\"profiles\":[{\"id\":1,\"user\":{\"number\":5}},{\"id\":2,\"user\":{\"number\":\"6\"}}]}",
     "people[0] user 0 { \"nr\":[5] ,\"profile\":{\"id\":1,\"user\":{\"number\":5}}}\n"
     "people[1] user 1 {\"number\":6 , \"nr\":[5],\"profile\":{\"id\":2,\"user\":{\"number\":"
     "\"6\"}}}"},
    {"by the map's key, into an empty record",
     "{\"chatMessages\":{\"k\":{ },\"l\":{}},\"reactions\":{\"r\":{\"id\":\"r\",\"messageKey\":"
     "\"k\"}}}",
     "chatMessages/k message k { \"reaction\":{\"id\":\"r\",\"messageKey\":\"k\"}}\n"
     "chatMessages/l message l {}"},
    {"none to join to",
     "{\"marketplaceProjects\":{\"m1\":" M1 "},\"projects\":{\"b\":{\"id\":\"b\"}}}",
     "projects/b project b {\"id\":\"b\"}\nmarketplaceProjects/m1 S009"},
    {"two for one",
     "{\"marketplaceProjects\":[" M1 ",{\"id\":\"m2\",\"projectId\":\"a\"}],"
     "\"projects\":{\"a\":{\"id\":\"a\"}}}",
     "marketplaceProjects[1] S009\n" JOINED_A},
    {"names none", "{\"marketplaceProjects\":[{\"id\":1},{\"projectId\":null},{\"projectId\":{}}]}",
     "marketplaceProjects[0] S009\nmarketplaceProjects[1] S009\nmarketplaceProjects[2] S009"},
    {"keyed by something else",
     "{\"marketplaceProjects\":{\"x\":" M1 ",\"y\":{\"projectId\":\"a\"}},"
     "\"projects\":[{\"id\":\"a\"}]}",
     "marketplaceProjects/x S013\nmarketplaceProjects/y S013\nprojects[0] project 0 "
     "{\"id\":\"a\"}"},
    {"broken ones do not harm",
     "{\"marketplaceProjects\":[{\"projectId\":\"a\",\"x\":tru},7],\"projects\":[{\"id\":\"a\"}]}",
     "marketplaceProjects[0] J001\nmarketplaceProjects[1] J008\n"
     "projects[0] project 0 {\"id\":\"a\"}"},
    {"numbers by their text",
     "{\"marketplaceProjects\":[{\"projectId\":1},{\"projectId\":1.0},{\"projectId\":true}],"
     "\"projects\":[{\"id\":\"1\"},{\"id\":1.0},{\"id\":true},{\"id\":[1]},5]}",
     "projects[0] project 0 {\"id\":\"1\",\"marketplace\":{\"projectId\":1}}\n"
     "projects[1] project 1 {\"id\":1.0,\"marketplace\":{\"projectId\":1.0}}\n"
     "projects[2] project 2 {\"id\":true,\"marketplace\":{\"projectId\":true}}\n"
     "projects[3] project 3 {\"id\":[1]}\nprojects[4] project 4 5"},
    {"cut before the end", "{\"marketplaceProjects\":[" M1 "],\"projects\":{\"a\":",
     " J009\nmarketplaceProjects[0] S009"},
};

#define JOIN_COUNT (sizeof(JOINS) / sizeof(JOINS[0]))

START_TEST(records_are_joined)
{
    size_t size = strlen(JOINS[_i].text);
    check_said(JOINS[_i].name, JOINS[_i].text, JOINS[_i].says, 0, 0);
    check_said(JOINS[_i].name, JOINS[_i].text, JOINS[_i].says, 1, 1);
    for (size_t first = 1; first < size; first += 3)
        check_said(JOINS[_i].name, JOINS[_i].text, JOINS[_i].says, first, 0);
}
END_TEST

/* A collection that is joined and has rows of its own: nobody misses it where it fits none. */
START_TEST(joined_records_may_have_rows_too)
{
    static const char *const MARKET[] = {"marketplaceProjects"};
    struct mapping listing = {.entity = "listing", .collect_maps = MARKET, .collect_map_count = 1};
    struct mapping *const both[] = {&project, &listing};
    struct collect_config config = config_of(true);
    config.mappings = both;
    config.mapping_count = 2;
    static const char TEXT[] = "{\"marketplaceProjects\":[" M1 ",{\"projectId\":\"z\"}],"
                               "\"projects\":{\"a\":{\"id\":\"a\"}}}";
    struct collect *collect = collect_maps_new(&config);
    struct buf out;
    buf_init(&out, 1 << 16);
    read_once(collect, bytes_text(TEXT), 0, 0, NULL, false);
    ck_assert_int_eq(collect_rewind(collect, NULL), OUT_OK);
    read_once(collect, bytes_text(TEXT), 0, 0, &out, false);
    ck_assert_str_eq(buf_text(&out), "marketplaceProjects[0] listing 0 " M1 "\n"
                                     "marketplaceProjects[1] listing 1 {\"projectId\":\"z\"}\n"
                                     "projects/a project a {\"id\":\"a\",\"marketplace\":" M1 "}");
    buf_free(&out);
    collect_free(collect);
}
END_TEST

START_TEST(without_a_join_the_first_reading_ends_at_once)
{
    struct collect_config config = config_of(false);
    ck_assert(!collect_wants_first_reading(COLLECT_MAP_DUMP, ALONE, 1));
    ck_assert(collect_wants_first_reading(COLLECT_MAP_DUMP, JOINING, 3));
    struct collect *collect = collect_maps_new(&config);
    struct source_item item;
    struct error err;
    ck_assert_int_eq(collect_next(collect, &item, &err), COLLECT_END);
    ck_assert_int_eq(collect_rewind(collect, &err), OUT_OK);
    struct buf out;
    buf_init(&out, 1 << 16);
    read_once(collect, bytes_text("{\"projects\":[1]}"), 0, 0, &out, false);
    ck_assert_str_eq(buf_text(&out), "projects[0] plain 0 1");
    buf_free(&out);
    collect_free(collect);
}
END_TEST

/* ---- what dump.mjs and a replacer write ---- */

static const char *const SAMPLED[] = {
    "users",
    "projects",
    "mcpServers",
    "chatMessages",
    "marketplacePurchases",
    "marketplaceReviews",
    "marketplaceDownloads",
    "revenueEvents",
};

#define SAMPLED_COUNT (sizeof(SAMPLED) / sizeof(SAMPLED[0]))

static void read_sample(const char *name, struct buf *out)
{
    char path[512];
    const char *root = getenv("DROVER_SOURCE_DIR");
    snprintf(path, sizeof(path), "%s/schemas/samples/maps/%s", root ? root : ".", name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    char part[4096];
    for (size_t size; (size = fread(part, 1, sizeof(part), file)) > 0;)
        buf_append(out, part, size);
    fclose(file);
}

/* The sum of all records' canonical digests, and their counts. */
static struct digest sum_of(const char *name, size_t counts[SAMPLED_COUNT])
{
    struct mapping mappings[SAMPLED_COUNT];
    struct mapping *pointers[SAMPLED_COUNT];
    for (size_t i = 0; i < SAMPLED_COUNT; i++) {
        mappings[i] = (struct mapping){
            .entity = "sampled", .collect_maps = &SAMPLED[i], .collect_map_count = 1};
        pointers[i] = &mappings[i];
    }
    mappings[1].join = &market;
    struct collect_config config = {.mappings = pointers,
                                    .mapping_count = SAMPLED_COUNT,
                                    .record_max = 4096,
                                    .join_max = 65536};
    struct buf text;
    buf_init(&text, 1 << 20);
    read_sample(name, &text);
    ck_assert(collect_maps_detect(buf_view(&text), true, pointers, SAMPLED_COUNT));
    struct collect *collect = collect_maps_new(&config);
    read_once(collect, buf_view(&text), 1000, 1000, NULL, false);
    ck_assert_int_eq(collect_rewind(collect, NULL), OUT_OK);
    struct digest sum = {0};
    struct feed feed = {.text = buf_view(&text), .first = 777, .others = 777};
    for (;;) {
        struct source_item item;
        struct error err;
        enum collect_result result = collect_next(collect, &item, &err);
        if (result == COLLECT_END)
            break;
        if (result == COLLECT_MORE) {
            give_more(collect, &feed);
            continue;
        }
        ck_assert_int_eq(item.kind, SOURCE_ITEM_RECORD);
        counts[item.mapping - mappings]++;
        yyjson_doc *doc;
        ck_assert_int_eq(json_parse(item.payload, JSON_UNICODE_REJECT, NULL, &doc, &err), OUT_OK);
        struct buf form;
        buf_init(&form, 1 << 16);
        canonical_append(&form, yyjson_doc_get_root(doc));
        struct digest one = digest_of(buf_view(&form));
        digest_add(&sum, &one);
        buf_free(&form);
        yyjson_doc_free(doc);
    }
    free(feed.chunk);
    collect_free(collect);
    buf_free(&text);
    return sum;
}

START_TEST(samples_of_node_are_read)
{
    static const size_t COUNTS[] = {12, 30, 4, 40, 15, 12, 8, 15};
    size_t lines[SAMPLED_COUNT] = {0};
    size_t tree[SAMPLED_COUNT] = {0};
    struct digest of_lines = sum_of("maps.ndjson", lines);
    struct digest of_tree = sum_of("maps.json", tree);
    ck_assert_mem_eq(lines, COUNTS, sizeof(COUNTS));
    ck_assert_mem_eq(tree, COUNTS, sizeof(COUNTS));
    ck_assert(digest_equal(&of_lines, &of_tree));
}
END_TEST

/* ---- limits ---- */

static void append_filler(struct buf *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buf_append_char(text, (char)('a' + i % 26));
}

START_TEST(large_records_are_rejected_alone)
{
    static const char *const BEFORE[] = {"{\"projects\":{\"a\":\"", "{\"projects\":[\"",
                                         "{\"projects\":[[\"a\",\"",
                                         "{\"entity\":\"projects\",\"key\":\"a\",\"value\":\""};
    static const char *const AFTER[] = {"\",\"b\":1}}", "\",1]}", "\"],[\"b\",1]]}",
                                        "\"}\n{\"entity\":\"projects\",\"key\":\"b\",\"value\":1}"};
    static const size_t SIZES[] = {RECORD_MAX - 1, 100 * 1024};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 2; j++) {
            struct buf text;
            buf_init(&text, 1 << 20);
            buf_append_text(&text, BEFORE[i]);
            append_filler(&text, SIZES[j]);
            buf_append_text(&text, AFTER[i]);
            char *says = found_in(buf_view(&text), true, false, 1000, 1000);
            ck_assert_msg(strstr(says, " J007\nprojects") != NULL, "%zu %zu: %s", i, j, says);
            ck_assert_ptr_nonnull(strstr(says, " 1"));
            free(says);
            buf_free(&text);
        }
    }
}
END_TEST

START_TEST(large_joined_records_are_rejected_alone)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_text(
        &text, "{\"projects\":[{\"id\":1}],\"marketplaceProjects\":[{\"projectId\":1,\"x\":\"");
    append_filler(&text, RECORD_MAX);
    buf_append_text(&text, "\"}]}");
    char *says = found_in(buf_view(&text), true, false, 0, 0);
    ck_assert_str_eq(says, "projects[0] project 0 {\"id\":1}\nmarketplaceProjects[0] J007");
    free(says);
    buf_free(&text);
}
END_TEST

/* The form may stay open for all of what is looked at for it. */
START_TEST(what_comes_first_may_be_large)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_text(&text, "{\"sessions\":{\"x\":\"");
    append_filler(&text, 200 * 1024);
    buf_append_text(&text, "\"},\"projects\":[1]}");
    for (size_t chunk = 0; chunk <= 5000; chunk += 5000) {
        char *says = found_in(buf_view(&text), true, false, chunk, chunk);
        ck_assert_str_eq(says, "sessions S011\nprojects[0] project 0 1");
        free(says);
    }
    buf_free(&text);
}
END_TEST

/* Within a record they are broken text, and not another encoding. */
START_TEST(zero_bytes_are_broken_records)
{
    static const char TEXT[] = "{\"projects\":[[\0],[\"a\",1]]}";
    char *says = found_in(bytes_of(TEXT, sizeof(TEXT) - 1), true, false, 0, 0);
    ck_assert_ptr_nonnull(strstr(says, "projects[0] project 0 ["));
    free(says);
}
END_TEST

START_TEST(joins_over_the_limit_stop_the_run)
{
    struct collect_config config = config_of(true);
    config.join_max = 64 << 10;
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_text(&text, "{\"marketplaceProjects\":[");
    for (int i = 0; i < 1000; i++)
        buf_append_format(&text, "%s{\"projectId\":%d}", i ? "," : "", i);
    buf_append_text(&text, "]}");
    struct collect *collect = collect_maps_new(&config);
    struct error err;
    read_once(collect, buf_view(&text), 4096, 4096, NULL, false);
    ck_assert_int_eq(collect_rewind(collect, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_SOURCE_JOIN_MEMORY);
    collect_free(collect);
    buf_free(&text);
}
END_TEST

START_TEST(a_joined_record_may_be_too_large)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_text(&text, "{\"projects\":[{\"id\":1,\"x\":\"");
    append_filler(&text, RECORD_MAX / 2);
    buf_append_text(&text, "\"}],\"marketplaceProjects\":[{\"projectId\":1,\"x\":\"");
    append_filler(&text, RECORD_MAX / 2);
    buf_append_text(&text, "\"}]}");
    char *says = found_in(buf_view(&text), true, false, 0, 0);
    ck_assert_str_eq(says, "projects[0] J007");
    free(says);
    buf_free(&text);
}
END_TEST

/* ---- a dump larger than the memory it may take ---- */

/* The next piece of a generated dump of records of about 1 KiB, the first one joined. */
static void generate(struct buf *text, size_t *record, size_t records)
{
    buf_reset(text);
    if (*record == 0)
        buf_append_text(text, "{\"projects\":{\"first\":{\"id\":\"first\"}");
    for (int i = 0; i < 60 && *record < records; i++, ++*record) {
        buf_append_format(text, ",\"p%zu\":{\"id\":\"p%zu\",\"text\":\"", *record, *record);
        append_filler(text, 1000);
        buf_append_text(text, "\"}");
    }
    if (*record == records) {
        buf_append_text(text, "},\"marketplaceProjects\":[{\"projectId\":\"first\"}]}");
        ++*record;
    }
}

static size_t read_generated(struct collect *collect, struct buf *text, size_t records,
                             size_t *max_held)
{
    size_t record = 0;
    size_t count = 0;
    for (;;) {
        struct source_item item;
        struct error err;
        enum collect_result result = collect_next(collect, &item, &err);
        *max_held = MAX(*max_held, memory_held());
        if (result == COLLECT_END)
            return count;
        if (result == COLLECT_ITEM) {
            ck_assert_int_eq(item.kind, SOURCE_ITEM_RECORD);
            count++;
        } else if (record > records) {
            collect_finish(collect);
        } else {
            generate(text, &record, records);
            collect_feed(collect, buf_view(text));
        }
    }
}

/* 10 MiB and more, read twice: it takes what a few records need. */
START_TEST(a_dump_needs_little_memory)
{
    static const size_t RECORDS = 12000;
    struct collect_config config = config_of(true);
    config.record_max = 64 << 10;
    struct buf text;
    buf_init(&text, 1 << 20);
    struct collect *collect = collect_maps_new(&config);
    size_t before = memory_held(), max = before;
    ck_assert_uint_eq(read_generated(collect, &text, RECORDS, &max), 0);
    ck_assert_int_eq(collect_rewind(collect, NULL), OUT_OK);
    ck_assert_uint_eq(read_generated(collect, &text, RECORDS, &max), RECORDS + 1);
    ck_assert_msg(max - before < 4u << 20, "%zu bytes more", max - before);
    collect_free(collect);
    buf_free(&text);
}
END_TEST

/* ---- telling a dump from a file of one entity ---- */

static const struct {
    const char *text;
    bool is;
} DETECTED[] = {
    {"{\"projects\":{", true},
    {" {\"people\" : [", true},
    {"{\"marketplaceProjects\":{\"dataType\":\"Map\"", true},
    {"{\"dataType\":\"Map\",\"value\":[[\"projects\",", true},
    {"{\"entity\":\"projects\",\"key\":1,\"value\":{}}\n", true},
    {"{\"a\":1,\"b\":{},\"entity\":\"user\"}\n", true},
    {"", false},
    {"{}", false},
    {"{\"projects\":1}", false},
    {"{\"projects\"", false},
    {"{\"name\":\"x\",\"projects\":[]}", false},
    {"{\"sessions\":{},\"projects\":[]}", false},
    {"{\"project\":{\"id\":1}}", false},
    {"{\"dataType\":\"Map\",\"value\":[[\"x\",{}]]}", false},
    {"{\"dataType\":\"Set\",\"value\":[[\"projects\",{}]]}", false},
    {"{\"entity\":\"x\",\"value\":1}\n", false},
    {"{\"entity\":1,\"value\":1}\n", false},
    {"[{\"projects\":{}}]", false},
    {"[[\"projects\",{}]]", false},
    {"17", false},
    {"not JSON", false},
};

START_TEST(dumps_are_told_from_files)
{
    const char *text = DETECTED[_i].text;
    bool is = collect_maps_detect(bytes_text(text), false, JOINING, 3);
    ck_assert_msg(is == DETECTED[_i].is, "%s", text);
}
END_TEST

static Suite *collect_maps_suite(void)
{
    Suite *suite = suite_create("collect_maps");
    TCase *forms = tcase_create("forms");
    tcase_add_loop_test(forms, forms_give_their_records, 0, (int)FORM_COUNT);
    tcase_add_loop_test(forms, forms_give_the_same_however_cut, 0, (int)FORM_COUNT);
    tcase_add_test(forms, places_are_those_of_the_source);
    suite_add_tcase(suite, forms);
    TCase *joins = tcase_create("joins");
    tcase_add_loop_test(joins, records_are_joined, 0, (int)JOIN_COUNT);
    tcase_add_test(joins, joined_records_may_have_rows_too);
    tcase_add_test(joins, without_a_join_the_first_reading_ends_at_once);
    suite_add_tcase(suite, joins);
    TCase *samples = tcase_create("samples");
    tcase_add_test(samples, samples_of_node_are_read);
    suite_add_tcase(suite, samples);
    TCase *limits = tcase_create("limits");
    tcase_add_test(limits, large_records_are_rejected_alone);
    tcase_add_test(limits, large_joined_records_are_rejected_alone);
    tcase_add_test(limits, what_comes_first_may_be_large);
    tcase_add_test(limits, zero_bytes_are_broken_records);
    tcase_add_test(limits, joins_over_the_limit_stop_the_run);
    tcase_add_test(limits, a_joined_record_may_be_too_large);
    tcase_add_test(limits, a_dump_needs_little_memory);
    suite_add_tcase(suite, limits);
    TCase *detection = tcase_create("detection");
    tcase_add_loop_test(detection, dumps_are_told_from_files, 0,
                        (int)(sizeof(DETECTED) / sizeof(DETECTED[0])));
    suite_add_tcase(suite, detection);
    return suite;
}

SUITE_MAIN(collect_maps_suite)
