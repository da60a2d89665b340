/* COPY's binary stream, whole and in pieces of every size. */

#include "common/policy/verify/verify_copy.h"

#include "tests/support/suite.h"

static const char HEADER[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";

static struct buf stream;

static void append_row(const char *text, int32_t size)
{
    buf_append_be16(&stream, 2);
    buf_append_be32(&stream, (uint32_t)size);
    if (size > 0)
        buf_append(&stream, text, (size_t)size);
    buf_append_be32(&stream, 8);
    buf_append_be64(&stream, 0x0102030405060708u);
}

static void setup(void)
{
    buf_init(&stream, 1u << 20);
    buf_append(&stream, HEADER, sizeof HEADER - 1);
    append_row("first", 5);
    append_row("", 0);
    append_row(NULL, -1);
    append_row("a longer one, with a \0 in it", 28);
    buf_append_be16(&stream, 0xFFFF);
}

static void teardown(void)
{
    buf_free(&stream);
}

static void check_row(int row, const struct cell *cells)
{
    static const int32_t SIZES[] = {5, 0, -1, 28};
    int64_t number;
    ck_assert_int_lt(row, 4);
    ck_assert_int_eq(cells[0].size, SIZES[row]);
    if (row == 0)
        ck_assert_mem_eq(cells[0].data, "first", 5);
    if (row == 3)
        ck_assert_mem_eq(cells[0].data, "a longer one, with a \0 in it", 28);
    ck_assert(verify_copy_int64(cells[1], &number));
    ck_assert_int_eq(number, 0x0102030405060708);
    ck_assert(!verify_copy_int64(cells[0], &number));
}

START_TEST(reads_any_pieces)
{
    for (size_t piece = 1; piece <= stream.size; piece++) {
        struct verify_copy copy;
        struct cell cells[2];
        int rows = 0;
        bool ended = false;
        verify_copy_init(&copy, 1u << 20);
        for (size_t at = 0; at < stream.size; at += piece) {
            size_t size = stream.size - at < piece ? stream.size - at : piece;
            enum verify_copy_result result;
            verify_copy_feed(&copy, bytes_of(stream.data + at, size));
            while ((result = verify_copy_next(&copy, cells, 2)) == VERIFY_COPY_ROW)
                check_row(rows++, cells);
            ck_assert_msg(result != VERIFY_COPY_BROKEN, "pieces of %zu", piece);
            ended = result == VERIFY_COPY_END;
        }
        ck_assert_msg(rows == 4 && ended, "pieces of %zu: %d rows", piece, rows);
        verify_copy_free(&copy);
    }
}
END_TEST

static enum verify_copy_result read_all(size_t columns)
{
    struct verify_copy copy;
    struct cell cells[4];
    enum verify_copy_result result;
    verify_copy_init(&copy, 1u << 20);
    verify_copy_feed(&copy, buf_view(&stream));
    do
        result = verify_copy_next(&copy, cells, columns);
    while (result == VERIFY_COPY_ROW);
    verify_copy_free(&copy);
    return result;
}

START_TEST(a_cut_stream_never_ends)
{
    stream.size -= 2;
    ck_assert_int_eq(read_all(2), VERIFY_COPY_MORE);
}
END_TEST

START_TEST(refuses_what_it_does_not_know)
{
    ck_assert_int_eq(read_all(2), VERIFY_COPY_END);
    ck_assert_int_eq(read_all(3), VERIFY_COPY_BROKEN);
    stream.data[14] = 1; /* a flag */
    ck_assert_int_eq(read_all(2), VERIFY_COPY_BROKEN);
    stream.data[14] = 0;
    stream.data[0] = 'X';
    ck_assert_int_eq(read_all(2), VERIFY_COPY_BROKEN);
}
END_TEST

START_TEST(skips_an_extension_of_the_header)
{
    struct buf longer;
    buf_init(&longer, 1u << 20);
    buf_append(&longer, stream.data, 15);
    buf_append_be32(&longer, 3);
    buf_append(&longer, "ext", 3);
    buf_append(&longer, stream.data + 19, stream.size - 19);
    buf_reset(&stream);
    buf_append_bytes(&stream, buf_view(&longer));
    buf_free(&longer);
    ck_assert_int_eq(read_all(2), VERIFY_COPY_END);
}
END_TEST

static Suite *verify_copy_suite(void)
{
    Suite *suite = suite_create("verify_copy");
    TCase *tcase = tcase_create("stream");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, reads_any_pieces);
    tcase_add_test(tcase, a_cut_stream_never_ends);
    tcase_add_test(tcase, refuses_what_it_does_not_know);
    tcase_add_test(tcase, skips_an_extension_of_the_header);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(verify_copy_suite)
