/*
 * Both libraries bound their memory: gzip's window is 32 KiB, zstd's is capped here. A bomb cannot
 * fill memory in a stream, but the topic: so what grows a hundredfold is refused (fault row S17).
 */
#include "common/io/source/inflater.h"

#include <stdint.h>
#include <stdlib.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "common/base/mem.h"

#define RATIO_MAX 100              /* fault row S17 */
#define RATIO_FROM (64u << 20)     /* small files of one repeated line are honest */
#define ZSTD_WINDOW_LOG_MAX 25     /* 32 MiB; zstd -19 needs 8 MiB, only --long and --ultra more */
#define GZIP_WINDOW_BITS (15 + 16) /* zlib's way to ask for the gzip format */

struct inflater {
    enum inflater_kind kind;
    z_stream gzip;
    ZSTD_DStream *zstd;
    bool inside;  /* a member or frame is begun and not ended */
    bool trailer; /* gzip: behind a member, only zeros follow */
    uint64_t taken;
    uint64_t made;
};

enum inflater_kind inflater_detect(struct bytes start)
{
    if (start.size >= 2 && memcmp(start.data, "\x1F\x8B", 2) == 0)
        return INFLATER_GZIP;
    if (start.size >= 4 && memcmp(start.data, "\x28\xB5\x2F\xFD", 4) == 0)
        return INFLATER_ZSTD;
    return INFLATER_NONE;
}

struct inflater *inflater_new(enum inflater_kind kind)
{
    struct inflater *inflater = mem_new(sizeof(*inflater));
    inflater->kind = kind;
    inflater->inside = true;
    if (kind == INFLATER_GZIP && inflateInit2(&inflater->gzip, GZIP_WINDOW_BITS) != Z_OK)
        abort();
    if (kind == INFLATER_ZSTD) {
        inflater->zstd = ZSTD_createDStream();
        if (!inflater->zstd)
            abort();
        ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    }
    return inflater;
}

void inflater_free(struct inflater *inflater)
{
    if (!inflater)
        return;
    if (inflater->kind == INFLATER_GZIP)
        inflateEnd(&inflater->gzip);
    ZSTD_freeDStream(inflater->zstd);
    free(inflater);
}

static enum outcome damaged(struct error *err, const char *what, const char *cause)
{
    error_set(err, OUT_REJECT, ERR_SOURCE_COMPRESSION, "the compressed source %s", what);
    if (cause)
        error_cause(err, "%s", cause);
    return OUT_REJECT;
}

static void advance(struct bytes *input, size_t size)
{
    input->data += size;
    input->size -= size;
}

/* Between members: another one, padding with zeros (tapes, block devices), or garbage. */
static enum outcome next_member(struct inflater *inflater, struct bytes *input, struct error *err)
{
    while (input->size && *input->data == 0) {
        inflater->trailer = true;
        advance(input, 1);
    }
    if (!input->size)
        return OUT_OK;
    if (inflater->trailer || (unsigned char)*input->data != 0x1F)
        return damaged(err, "has bytes behind its end", NULL);
    if (inflateReset(&inflater->gzip) != Z_OK)
        abort();
    inflater->inside = true;
    return OUT_OK;
}

static enum outcome step_gzip(struct inflater *inflater, struct bytes *input, char *out,
                              size_t room, size_t *made, struct error *err)
{
    if (!inflater->inside && next_member(inflater, input, err) != OUT_OK)
        return OUT_REJECT;
    if (!inflater->inside)
        return OUT_OK;
    z_stream *gzip = &inflater->gzip;
    gzip->next_in = (Bytef *)(uintptr_t)input->data;
    gzip->avail_in = (uInt)input->size;
    gzip->next_out = (Bytef *)out;
    gzip->avail_out = (uInt)room;
    int code = inflate(gzip, Z_NO_FLUSH);
    advance(input, input->size - gzip->avail_in);
    *made = room - gzip->avail_out;
    if (code == Z_STREAM_END)
        inflater->inside = false;
    else if (code != Z_OK && code != Z_BUF_ERROR)
        return damaged(err, "is damaged", gzip->msg);
    return OUT_OK;
}

static enum outcome step_zstd(struct inflater *inflater, struct bytes *input, char *out,
                              size_t room, size_t *made, struct error *err)
{
    ZSTD_inBuffer in = {input->data, input->size, 0};
    ZSTD_outBuffer to = {out, room, 0};
    if (input->size == 0 && !inflater->inside)
        return OUT_OK;
    size_t code = ZSTD_decompressStream(inflater->zstd, &to, &in);
    advance(input, in.pos);
    *made = to.pos;
    if (ZSTD_isError(code)) {
        damaged(err, "is damaged", ZSTD_getErrorName(code));
        if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
            error_hint(err, "zstd -dc --long=31 FILE | drover produce … -");
        return OUT_REJECT;
    }
    inflater->inside = code != 0;
    return OUT_OK;
}

static enum outcome check_growth(const struct inflater *inflater, struct error *err)
{
    if (inflater->made <= RATIO_FROM || inflater->made / RATIO_MAX <= inflater->taken)
        return OUT_OK;
    damaged(err, "grows more than a hundredfold", NULL);
    error_hint(err, "if it is honest, decompress it first and pipe it: … | drover produce … -");
    return OUT_REJECT;
}

enum outcome inflater_step(struct inflater *inflater, struct bytes *input, bool last, char *out,
                           size_t room, size_t *made, struct error *err)
{
    size_t before = input->size;
    *made = 0;
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && *made == 0 && (input->size || last)) {
        size_t left = input->size;
        if (inflater->kind == INFLATER_GZIP)
            outcome = step_gzip(inflater, input, out, room, made, err);
        else
            outcome = step_zstd(inflater, input, out, room, made, err);
        if (input->size == left)
            break;
    }
    inflater->taken += before - input->size;
    inflater->made += *made;
    if (outcome == OUT_OK)
        outcome = check_growth(inflater, err);
    if (outcome == OUT_OK && last && *made == 0 && inflater->inside)
        outcome = damaged(err, "ends too early", NULL);
    return outcome;
}
