/* The old store behind an application's HTTP: GET of a URL made of a template. 2xx is found, 404
 * and 410 are not; every other status is counted apart. */
#include "verifier/reads/reader.h"

#include <stdlib.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/io/http_get.h"
#include "verifier/reads/reads_template.h"

#define URL_MAX (16u << 10)

struct read_http {
    struct reader reader;
    const char *template;
    struct http_get *get;
    struct buf url;
};

static enum outcome prepare(struct reader *reader, const struct reads_key *key, struct error *err)
{
    struct read_http *read = (struct read_http *)reader;
    const struct reads_place place = {
        .tenant = key->tenant, .entity = bytes_text(key->mapping->entity), .id = key->id};
    buf_reset(&read->url);
    reads_template_append(&read->url, read->template, READS_TEMPLATE_URL, &place);
    return read->url.failed
               ? error_set(err, OUT_REJECT, ERR_READ_OLD, "the URL of a record is too long")
               : OUT_OK;
}

static enum outcome read_it(struct reader *reader, enum read_answer *answer, struct error *err)
{
    struct read_http *read = (struct read_http *)reader;
    long status;
    enum outcome outcome = http_get_run(read->get, buf_text(&read->url), &status, err);
    bool found = status >= 200 && status < 300;
    bool gone = status == 404 || status == 410;
    *answer = found ? READ_FOUND : gone ? READ_NOT_FOUND : READ_REFUSED;
    if (outcome == OUT_OK && *answer == READ_REFUSED)
        error_set(err, OUT_OK, ERR_READ_OLD, "HTTP status %ld", status);
    return outcome;
}

static void close_it(struct reader *reader)
{
    struct read_http *read = (struct read_http *)reader;
    http_get_close(read->get);
    if (read->url.data)
        explicit_bzero(read->url.data, read->url.capacity); /* it may hold a password */
    buf_free(&read->url);
    free(read);
}

struct reader *read_http_new(const struct settings *settings)
{
    static const struct reader_ops OPS = {NULL, prepare, read_it, close_it};
    struct read_http *read = mem_new(sizeof *read);
    read->reader.ops = &OPS;
    read->template = settings->compare_url;
    read->get = http_get_new(settings->compare_timeout_ms, settings->compare_header);
    buf_init(&read->url, URL_MAX);
    return &read->reader;
}
