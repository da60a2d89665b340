/* A record as a message and back. */
#include "common/model/message/envelope.h"

#include <string.h>

#include "tests/support/suite.h"

static const struct record WHOLE = {
    .tenant = {"acme%20inc", 10},
    .entity = {"chat_message", 12},
    .id = {"s%3A1:7", 7},
    .version = INT64_MAX,
    .has_version = true,
    .payload = {"{\"a\": 1 }\0x", 11},
    .source_key = {"chat_session_s:1", 16},
    .index = 6,
    .user = {"u-1", 3},
    .localstorage_origin = {"https://app.example", 19},
    .sealed = {"\1\0\0\0x", 5},
    .run = {"20261121T130405-0badcafe", 24},
    .sequence = 0,
    .origin = {.uri = {"in/a b.json", 11}, .line = 3, .column = 7, .byte = 90},
};

static struct bytes value_of(const struct envelope *envelope, const char *name)
{
    for (size_t i = 0; i < envelope->header_count; i++)
        if (bytes_equal(envelope->headers[i].name, bytes_text(name)))
            return envelope->headers[i].value;
    return (struct bytes){0};
}

static void assert_bytes(struct bytes got, const char *wanted)
{
    ck_assert_msg(bytes_equal(got, bytes_text(wanted)), "%.*s instead of %s", BYTES_ARGS(got),
                  wanted);
}

START_TEST(encodes_as_documented)
{
    struct buf text;
    struct envelope envelope;
    struct error err;
    buf_init(&text, 4096);
    ck_assert_int_eq(envelope_encode(&WHOLE, &text, &envelope, &err), OUT_OK);
    assert_bytes(envelope.key, "acme%20inc/chat_message/s%3A1:7");
    ck_assert(bytes_equal(envelope.value, WHOLE.payload));
    ck_assert(!envelope.null_value);
    assert_bytes(value_of(&envelope, "drover"), "9223372036854775807 20261121T130405-0badcafe 0");
    assert_bytes(value_of(&envelope, "drover-origin"), "in/a b.json:3:7@90");
    assert_bytes(value_of(&envelope, "drover-source-key"), "chat_session_s:1");
    assert_bytes(value_of(&envelope, "drover-index"), "6");
    assert_bytes(value_of(&envelope, "drover-user"), "u-1");
    assert_bytes(value_of(&envelope, "drover-storage-origin"), "https://app.example");
    ck_assert(bytes_equal(value_of(&envelope, "drover-sealed"), WHOLE.sealed));
    ck_assert_uint_eq(envelope.header_count, 7);
    buf_free(&text);
}
END_TEST

static void assert_round_trip(const struct record *record)
{
    struct buf text;
    struct envelope envelope;
    struct record back;
    struct error err = {0};
    buf_init(&text, 4096);
    ck_assert_int_eq(envelope_encode(record, &text, &envelope, &err), OUT_OK);
    ck_assert_msg(envelope_decode(&envelope, &back, &err) == OUT_OK, "%s", err.text);
    ck_assert(bytes_equal(back.tenant, record->tenant));
    ck_assert(bytes_equal(back.entity, record->entity));
    ck_assert(bytes_equal(back.id, record->id));
    ck_assert(bytes_equal(back.payload, record->payload));
    ck_assert(bytes_equal(back.source_key, record->source_key));
    ck_assert(bytes_equal(back.user, record->user));
    ck_assert(bytes_equal(back.localstorage_origin, record->localstorage_origin));
    ck_assert(bytes_equal(back.sealed, record->sealed));
    ck_assert(bytes_equal(back.run, record->run));
    ck_assert_int_eq(back.has_version, record->has_version);
    ck_assert_int_eq(back.version, record->version);
    ck_assert_int_eq(back.index, record->index);
    ck_assert_int_eq(back.sequence, record->sequence);
    ck_assert_int_eq(back.operation, record->operation);
    ck_assert_uint_eq(back.origin.line, record->origin.line);
    ck_assert_uint_eq(back.origin.byte, record->origin.byte);
    buf_free(&text);
}

START_TEST(comes_back_as_it_was)
{
    assert_round_trip(&WHOLE);
    struct record record = WHOLE;
    record.version = INT64_MIN;
    record.entity = bytes_text("odd/entity name");
    assert_round_trip(&record);
    record.run = bytes_text(" a run of  words ");
    assert_round_trip(&record);
    record.has_version = false;
    record.version = 0;
    assert_round_trip(&record);
    record.run = (struct bytes){0};
    assert_round_trip(&record);
    record.sequence = -1;
    assert_round_trip(&record);
    struct record bare = {.tenant = BYTES_LITERAL("t"),
                          .entity = BYTES_LITERAL("e"),
                          .id = BYTES_LITERAL("1"),
                          .operation = OP_DELETE,
                          .index = -1,
                          .sequence = -1};
    assert_round_trip(&bare);
}
END_TEST

START_TEST(origins_never_break_a_line)
{
    struct record record = WHOLE;
    record.origin.uri = bytes_text("a\nb\x7F%\xFF\xC3\xA9.json");
    struct buf text;
    struct envelope envelope;
    struct record back;
    buf_init(&text, 4096);
    ck_assert_int_eq(envelope_encode(&record, &text, &envelope, NULL), OUT_OK);
    assert_bytes(value_of(&envelope, HEADER_ORIGIN), "a%0Ab%7F%25%FF\xC3\xA9.json:3:7@90");
    ck_assert_int_eq(envelope_decode(&envelope, &back, NULL), OUT_OK);
    assert_bytes(back.origin.uri, "a%0Ab%7F%25%FF\xC3\xA9.json");
    ck_assert_uint_eq(back.origin.column, 7);
    buf_free(&text);
}
END_TEST

START_TEST(a_key_too_large_is_a_rejection)
{
    struct buf text;
    struct envelope envelope;
    struct error err;
    buf_init(&text, 64);
    ck_assert_int_eq(envelope_encode(&WHOLE, &text, &envelope, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_ENVELOPE);
    buf_free(&text);
}
END_TEST

/* What other producers may send: key, up to three headers, and what comes of it. */
static const struct {
    const char *name;
    const char *key;
    const char *headers[6]; /* name, value, name, value, … */
    const char *tenant;     /* NULL: refused */
    const char *entity;
    const char *id;
    bool null_value;
} OTHERS[] = {
    {"the two headers suffice", NULL, {"drover-tenant", "t", "drover-entity", "e"}, "t", "e", ""},
    {"a key of another form is ignored",
     "user-42",
     {"drover-tenant", "t", "drover-entity", "e"},
     "t",
     "e",
     ""},
    {"the key alone suffices", "t/e/7", {0}, "t", "e", "7"},
    {"id from the key", "t/e/7", {"drover-tenant", "t", "drover-entity", "e"}, "t", "e", "7"},
    {"id header wins over none",
     "k",
     {"drover-tenant", "t", "drover-entity", "e", "drover-id", "9"},
     "t",
     "e",
     "9"},
    {"nothing at all", NULL, {0}, NULL},
    {"no tenant", NULL, {"drover-entity", "e"}, NULL},
    {"no entity", "k", {"drover-tenant", "t"}, NULL},
    {"empty tenant", NULL, {"drover-tenant", "", "drover-entity", "e"}, NULL},
    {"tenant not percent-encoded", NULL, {"drover-tenant", "a b", "drover-entity", "e"}, NULL},
    {"two tenants", NULL, {"drover-tenant", "t", "drover-entity", "e", "drover-tenant", "u"}, NULL},
    {"key of another tenant", "u/e/1", {"drover-tenant", "t", "drover-entity", "e"}, NULL},
    {"key of another entity", "t/f/1", {"drover-tenant", "t", "drover-entity", "e"}, NULL},
    {"version is no number",
     NULL,
     {"drover-tenant", "t", "drover-entity", "e", "drover-version", "1.5"},
     NULL},
    {"version over 64 bits",
     NULL,
     {"drover-tenant", "t", "drover-entity", "e", "drover-version", "9223372036854775808"},
     NULL},
    {"negative sequence",
     NULL,
     {"drover-tenant", "t", "drover-entity", "e", "drover-seq", "-2"},
     NULL},
    {"delete with id", "t/e/7", {0}, "t", "e", "7", true},
    {"delete without id",
     NULL,
     {"drover-tenant", "t", "drover-entity", "e"},
     NULL,
     NULL,
     NULL,
     true},
};

START_TEST(takes_what_others_send)
{
    struct envelope envelope = {.key = bytes_text(OTHERS[_i].key),
                                .value = BYTES_LITERAL("{}"),
                                .null_value = OTHERS[_i].null_value};
    for (size_t i = 0; i < 6 && OTHERS[_i].headers[i]; i += 2)
        envelope.headers[envelope.header_count++] = (struct header){
            bytes_text(OTHERS[_i].headers[i]), bytes_text(OTHERS[_i].headers[i + 1])};
    struct record record;
    struct error err = {0};
    enum outcome outcome = envelope_decode(&envelope, &record, &err);
    if (!OTHERS[_i].tenant) {
        ck_assert_msg(outcome == OUT_REJECT, "%s", OTHERS[_i].name);
        ck_assert_int_eq(err.code, ERR_ENVELOPE);
        return;
    }
    ck_assert_msg(outcome == OUT_OK, "%s: %s", OTHERS[_i].name, err.text);
    assert_bytes(record.tenant, OTHERS[_i].tenant);
    assert_bytes(record.entity, OTHERS[_i].entity);
    assert_bytes(record.id, OTHERS[_i].id);
    ck_assert(!record.has_version);
    ck_assert_int_eq(record.sequence, -1);
    ck_assert_int_eq(record.index, -1);
}
END_TEST

START_TEST(an_odd_origin_is_kept)
{
    struct envelope envelope = {
        .key = BYTES_LITERAL("t/e/7"),
        .headers = {{BYTES_LITERAL("drover-origin"), BYTES_LITERAL("crm:export 12")}},
        .header_count = 1};
    struct record record;
    ck_assert_int_eq(envelope_decode(&envelope, &record, NULL), OUT_OK);
    assert_bytes(record.origin.uri, "crm:export 12");
    ck_assert_uint_eq(record.origin.line, 0);
}
END_TEST

/* Forms of the packed header, beside headers of their own: what comes of them. */
static const struct {
    const char *packed;
    const char *headers[4];
    bool taken;
    bool has_version;
    int64_t version;
    const char *run;
    int64_t sequence; /* of the record */
    int64_t told;     /* by envelope_sequence, whether taken or not */
    const char *told_run;
} PACKED[] = {
    {"12 r 3", {0}, true, true, 12, "r", 3, 3, "r"},
    {"-12 a b 3", {0}, true, true, -12, "a b", 3, 3, "a b"},
    {"-  -", {0}, true, false, 0, "", -1, -1, ""},
    {"- r 0", {0}, true, false, 0, "r", 0, 0, "r"},
    {"12 r -", {0}, true, true, 12, "r", -1, -1, "r"},
    {"12 r 3", {"drover-version", "12", "drover-seq", "3"}, true, true, 12, "r", 3, 3, "r"},
    {"-  -", {"drover-version", "7", "drover-run", "q"}, true, true, 7, "q", -1, -1, "q"},
    {"12 r 3", {"drover-version", "13"}, false, true, 0, "", 0, 3, "r"},
    {"12 r 3", {"drover-run", "q"}, false, true, 0, "", 0, 3, "r"},
    {"12 r 3", {"drover-seq", "4"}, false, true, 0, "", 0, 3, "r"},
    {"12 r", {0}, false, true, 0, "", 0, -1, ""},
    {"", {0}, false, false, 0, "", 0, -1, ""},
    {" r 3", {0}, false, true, 0, "", 0, 3, "r"},
    {"1.5 r 3", {0}, false, true, 0, "", 0, 3, "r"},
    {"12 r x", {0}, false, true, 0, "", 0, -2, "r"},
    {"12 r -2", {0}, false, true, 0, "", 0, -2, "r"},
    {"12 r ", {0}, false, true, 0, "", 0, -1, "r"},
};

START_TEST(takes_the_packed_header)
{
    struct envelope envelope = {
        .key = BYTES_LITERAL("t/e/7"),
        .value = BYTES_LITERAL("{}"),
        .headers = {{BYTES_LITERAL("drover"), bytes_text(PACKED[_i].packed)}},
        .header_count = 1};
    for (size_t i = 0; i < 4 && PACKED[_i].headers[i]; i += 2)
        envelope.headers[envelope.header_count++] = (struct header){
            bytes_text(PACKED[_i].headers[i]), bytes_text(PACKED[_i].headers[i + 1])};
    struct record record;
    struct bytes run;
    struct error err = {0};
    enum outcome outcome = envelope_decode(&envelope, &record, &err);
    ck_assert_int_eq(envelope_sequence(&envelope, &run), PACKED[_i].told);
    assert_bytes(run, PACKED[_i].told_run);
    ck_assert_int_eq(envelope_has_version(&envelope), PACKED[_i].has_version);
    ck_assert_msg((outcome == OUT_OK) == PACKED[_i].taken, "%s", err.text);
    if (outcome != OUT_OK) {
        ck_assert_int_eq(err.code, ERR_ENVELOPE);
        return;
    }
    ck_assert_int_eq(record.has_version, PACKED[_i].has_version);
    ck_assert_int_eq(record.version, PACKED[_i].version);
    assert_bytes(record.run, PACKED[_i].run);
    ck_assert_int_eq(record.sequence, PACKED[_i].sequence);
}
END_TEST

START_TEST(tells_its_own_headers)
{
    ck_assert(envelope_is_ours(bytes_text("drover")));
    ck_assert(envelope_is_ours(bytes_text("drover-sealed")));
    ck_assert(!envelope_is_ours(bytes_text("drovers")));
    ck_assert(!envelope_is_ours(bytes_text("drove")));
    ck_assert(!envelope_is_ours(bytes_text("traceparent")));
}
END_TEST

static Suite *envelope_suite(void)
{
    Suite *suite = suite_create("envelope");
    TCase *ours = tcase_create("ours");
    tcase_add_test(ours, encodes_as_documented);
    tcase_add_test(ours, comes_back_as_it_was);
    tcase_add_test(ours, origins_never_break_a_line);
    tcase_add_test(ours, a_key_too_large_is_a_rejection);
    suite_add_tcase(suite, ours);
    TCase *other = tcase_create("foreign");
    tcase_add_loop_test(other, takes_what_others_send, 0,
                        (int)(sizeof(OTHERS) / sizeof(OTHERS[0])));
    tcase_add_test(other, an_odd_origin_is_kept);
    tcase_add_loop_test(other, takes_the_packed_header, 0, (int)(sizeof PACKED / sizeof PACKED[0]));
    tcase_add_test(other, tells_its_own_headers);
    suite_add_tcase(suite, other);
    return suite;
}

SUITE_MAIN(envelope_suite)
