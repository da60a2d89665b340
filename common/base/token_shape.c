/*
 * One pass: where a word begins, is it of a known kind (token_match.c) or a form (JWT, "Bearer …",
 * a PEM block); at '=' ':' '>', is the name before it a secret's; at '@', was there a password.
 * Long base64 (images) must stay plain, hence what counts as a word's beginning.
 *
 * Every look forward or back is bounded, or skips what it read: the pass is linear. A bound is for
 * judging: what was judged a secret is taken to its end, however long.
 *
 * What a value is comes from where its secrets stand and what its name says. A text that holds a
 * token among other words is a secret, not a token: sealing keeps the words.
 */
#include "common/base/token_shape.h"

#include <stdlib.h>
#include <strings.h>

#include <sodium.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/token_chars.h"

#define BLOB_MIN 512       /* text without a URL that is longer may be base64, where '/' joins */
#define NAME_MAX_SIZE 64   /* of a name before '=' or ':' */
#define PREFIX_MAX 48      /* of what stands before a key in its word: "cache_ghp_…" */
#define JWT_HEAD_MAX 16384 /* bytes of a JWT's first part: it may hold a chain of certificates */
#define VALUE_MAX 1024     /* of a value while it is judged; then its run is taken whole */
#define DECODE_MAX 65536   /* percent-encoded words and base64 up to this size are looked into */
#define AUTHORITY_MAX 8192 /* of user:password@host */
#define NETRC_MAX 512      /* of a netrc entry */
#define DECODE_LEVELS                                                                              \
    3 /* a link in a link in a link; base64 counts too: what is looked into doubles with each */

/* ---- runs ------------------------------------------------------------------------------------ */

static size_t run_of(struct bytes text, size_t at, unsigned flags, size_t max)
{
    size_t end = at;
    while (end < text.size && end - at < max && token_char_is(text.data[end], flags))
        end++;
    return end - at;
}

static size_t run_until(struct bytes text, size_t at, unsigned flags, size_t max)
{
    size_t end = at;
    while (end < text.size && end - at < max && !token_char_is(text.data[end], flags))
        end++;
    return end - at;
}

static bool starts(struct bytes text, size_t at, const char *with)
{
    size_t size = strlen(with);
    return text.size - at >= size && memcmp(text.data + at, with, size) == 0;
}

static bool starts_nocase(struct bytes text, size_t at, const char *with)
{
    size_t size = strlen(with);
    return text.size - at >= size && strncasecmp(text.data + at, with, size) == 0;
}

static bool found(struct token_span *span, size_t start, size_t size, enum shape shape)
{
    *span = (struct token_span){start, size, shape, NULL};
    return true;
}

static void init(struct token_scan *scan, struct bytes text, bool any)
{
    *scan = (struct token_scan){.text = text, .any = any};
    scan->slash_joins = text.size >= BLOB_MIN && !memmem(text.data, text.size, "://", 3);
    scan->has_percent = text.size && memchr(text.data, '%', text.size);
}

/* For what was decoded from a part of `outer`'s text. */
static void init_inner(struct token_scan *inner, struct bytes text, bool any,
                       const struct token_scan *outer)
{
    init(inner, text, any);
    inner->levels = outer->levels + 1;
    inner->has_percent = inner->has_percent && inner->levels < DECODE_LEVELS;
}

/* ---- forms that begin a word ----------------------------------------------------------------- */

/* By its first: 3 (signed), 5 (encrypted), 0: it is none. */
static size_t jwt_parts(struct bytes head)
{
    unsigned char plain[JWT_HEAD_MAX];
    size_t size = 0;
    if (sodium_base642bin(plain, sizeof plain, head.data, head.size, NULL, &size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        size <= 2 || plain[0] != '{' || plain[size - 1] != '}' ||
        !memmem(plain, size, "\"alg\"", 5))
        return 0;
    return memmem(plain, size, "\"enc\"", 5) ? 5 : 3;
}

/* The last part may be empty: unsigned. What is behind the last dot of six or more is something
 * else. */
static bool jwt_at(struct bytes text, size_t at, struct token_span *span)
{
    size_t head = run_of(text, at, CHAR_WORD, JWT_HEAD_MAX), dots = 0, end = at;
    size_t ends[6] = {0}; /* of its parts */
    if (head < 10 || at + head >= text.size || text.data[at + head] != '.')
        return false;
    for (; end < text.size && dots < 6 && token_char_is(text.data[end], CHAR_WORD | CHAR_DOT);
         end++) {
        if (text.data[end] == '.')
            ends[dots++] = end;
    }
    while (dots > 2 && text.data[end - 1] == '.') { /* a sentence's */
        end--;
        dots--;
    }
    size_t parts = end - at > 20 && dots >= 2 ? jwt_parts(bytes_of(text.data + at, head)) : 0;
    if (parts == 0)
        return false;
    if (dots > 4)
        end = ends[parts - 1];
    return found(span, at, end - at, SHAPE_TOKEN);
}

/* Base64 of JSON that holds a secret. */
static bool base64_json_at(struct token_scan *scan, size_t at, struct token_span *span)
{
    struct bytes text = scan->text;
    if (at < scan->base64_until || scan->levels == DECODE_LEVELS)
        return false;
    size_t size = run_of(text, at, CHAR_WORD | CHAR_BASE64, DECODE_MAX), plain_size = 0;
    scan->base64_until = at + size;
    if (size < 24 || size == DECODE_MAX)
        return false;
    unsigned char *plain = mem_alloc(size);
    bool url = memchr(text.data + at, '-', size) || memchr(text.data + at, '_', size);
    size_t digits = size;
    while (digits && text.data[at + digits - 1] == '=')
        digits--;
    bool secret = false;
    if (sodium_base642bin(plain, size, text.data + at, digits, NULL, &plain_size, NULL,
                          url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING
                              : sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
        plain_size > 8 && !memmem(plain, plain_size, "eyJ", 3)) {
        struct token_scan inner;
        struct token_span ignored;
        init_inner(&inner, bytes_of(plain, plain_size), true, scan);
        secret = token_scan_next(&inner, &ignored);
    }
    sodium_memzero(plain, size);
    free(plain);
    return secret && found(span, at, size, SHAPE_SECRET);
}

/* "sk-" is short: what follows must have a long part without '-' or be random, so that
 * "sk-learn-0.24-release-notes" is none. */
static bool sk_at(struct bytes text, size_t at, struct token_span *span)
{
    size_t size = run_of(text, at + 3, CHAR_WORD, VALUE_MAX), part = 0;
    struct bytes key = bytes_of(text.data + at + 3, size);
    bool is_key = size > 16 && token_shape_is_random(key);
    for (size_t i = 0; size > 16 && !is_key && i <= key.size; i++) {
        if (i < key.size && token_char_is(key.data[i], CHAR_ALNUM)) {
            part++;
            continue;
        }
        is_key = part >= 16 && token_chars_are_mixed(bytes_of(key.data + i - part, part));
        part = 0;
    }
    return is_key && found(span, at, run_of(text, at, CHAR_WORD, SIZE_MAX), SHAPE_SECRET);
}

/* What a name or "Bearer" stands before: what it is itself, when that is known. */
static bool named(struct bytes text, size_t start, size_t size, enum shape shape,
                  struct token_span *span)
{
    struct bytes value = bytes_of(text.data + start, size);
    struct token_match match;
    struct token_runs runs = {0};
    found(span, start, size, shape);
    if (jwt_at(value, 0, span))
        span->shape = SHAPE_TOKEN;
    else if (token_kind_at(value, 0, false, &runs, &match) && match.start == 0) {
        span->shape = match.kind->shape;
        span->kind = match.kind;
    }
    span->start = start;
    span->size = size;
    return true;
}

/* Base64 of user:password, by its beginning. */
static bool is_pair(struct bytes text, size_t from)
{
    unsigned char plain[VALUE_MAX];
    size_t size = 0, taken = run_of(text, from, CHAR_ALNUM | CHAR_BASE64, sizeof plain);
    bool pair = taken > 6 && sodium_base642bin(plain, sizeof plain, text.data + from, taken, NULL,
                                               &size, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
    if (taken == sizeof plain) /* a character may be cut */
        for (int i = 0; i < 3 && size > 3 && !text_is_utf8(bytes_of(plain, size), NULL); i++)
            size--;
    pair = pair && memchr(plain, ':', size) && text_is_utf8(bytes_of(plain, size), NULL);
    sodium_memzero(plain, sizeof plain);
    return pair;
}

static bool scheme_at(struct bytes text, size_t at, struct token_span *span)
{
    if (starts_nocase(text, at, "bearer ")) {
        size_t from = at + 7 + run_of(text, at + 7, CHAR_BLANK, 8);
        size_t size = run_of(text, from, CHAR_WORD | CHAR_DOT | CHAR_TILDE | CHAR_BASE64, SIZE_MAX);
        return size >= 16 && token_chars_hold(bytes_of(text.data + from, size), CHAR_DIGIT) &&
               named(text, from, size, SHAPE_TOKEN, span);
    }
    return starts_nocase(text, at, "basic ") && is_pair(text, at + 6) &&
           found(span, at + 6, run_of(text, at + 6, CHAR_ALNUM | CHAR_BASE64, SIZE_MAX),
                 SHAPE_SECRET);
}

/* machine HOST login USER password SECRET */
static bool netrc_at(struct bytes text, size_t at, struct token_span *span)
{
    size_t left = text.size - at < NETRC_MAX ? text.size - at : NETRC_MAX;
    const char *login = memmem(text.data + at, left, " login ", 7);
    const char *word = memmem(text.data + at, left, " password ", 10);
    if (!login || !word || word < login)
        return false;
    size_t from = (size_t)(word - text.data) + 10;
    size_t size = run_until(text, from, CHAR_BLANK, SIZE_MAX);
    return size > 0 && found(span, from, size, SHAPE_SECRET);
}

/* The whole of a private key's file. */
static bool key_file_at(struct bytes text, size_t at, struct token_span *span)
{
    size_t left = text.size - at, size = left;
    const char *from = text.data + at;
    if (starts(text, at, "PuTTY-User-Key-File-")) {
        const char *mac = memmem(from, left, "Private-MAC:", 12);
        if (mac) {
            size_t value = (size_t)(mac - text.data) + 12;
            value += run_of(text, value, CHAR_BLANK, 8);
            size = value + run_of(text, value, CHAR_HEX_ANY, 128) - at;
        }
        return found(span, at, size, SHAPE_SECRET);
    }
    if (!starts(text, at, "-----BEGIN ") || !memmem(from, left < 80 ? left : 80, "PRIVATE KEY", 11))
        return false;
    const char *end = memmem(from, left, "-----END ", 9);
    if (end) {
        size_t name = (size_t)(end - from) + 9;
        const char *close = memmem(from + name, left - name < 80 ? left - name : 80, "-----", 5);
        size = close ? (size_t)(close - from) + 5 : left;
    }
    return found(span, at, size, SHAPE_SECRET);
}

/* curl -u user:password */
static bool user_flag_at(struct bytes text, size_t at, struct token_span *span)
{
    size_t from = starts(text, at, "-u ") ? at + 3 : starts(text, at, "--user ") ? at + 7 : 0;
    if (!from)
        return false;
    from += run_of(text, from, CHAR_QUOTE, 2);
    size_t size = run_until(text, from, CHAR_BLANK | CHAR_QUOTE | CHAR_CLOSE, VALUE_MAX);
    const char *colon = size ? memchr(text.data + from, ':', size) : NULL;
    size_t secret = colon ? (size_t)(colon - text.data) + 1 : 0;
    return colon && from + size - secret >= 4 && text.data[secret] != '/' &&
           found(span, secret,
                 run_until(text, secret, CHAR_BLANK | CHAR_QUOTE | CHAR_CLOSE, SIZE_MAX),
                 SHAPE_SECRET);
}

/* ---- name=value, name: value, <name>value< --------------------------------------------------- */

static bool is_placeholder_start(char c)
{
    return c != '\0' && strchr("$<{*[%", c) != NULL;
}

static enum shape shape_before(struct bytes text, size_t at, size_t *start, struct bytes *name)
{
    size_t end = at;
    while (end > 0 && at - end < 4 && token_char_is(text.data[end - 1], CHAR_QUOTE))
        end--;
    *start = end;
    while (*start > 0 && end - *start < NAME_MAX_SIZE &&
           token_char_is(text.data[*start - 1], CHAR_WORD | CHAR_DOT))
        --*start;
    *name = bytes_of(text.data + *start, end - *start);
    if (name->size < 3)
        return token_shape_of_name(*name);
    if (bytes_equal(*name, BYTES_LITERAL("sig")) ||
        bytes_equal(*name, BYTES_LITERAL("X-Amz-Signature")))
        return SHAPE_SECRET; /* signed links of object stores */
    return token_shape_of_name(*name);
}

struct assigned {
    size_t from, size;
    bool quoted; /* ends with the quote it began with */
};

static struct assigned value_at(struct bytes text, size_t from)
{
    struct assigned value = {from, 0, false};
    size_t end;
    while (value.from < text.size && text.data[value.from] == ' ')
        value.from++;
    while (value.from < text.size && text.data[value.from] == '\\')
        value.from++;
    char quote = value.from < text.size ? text.data[value.from] : '\0';
    if (quote == '"' || quote == '\'') {
        value.from++;
        for (end = value.from; end < text.size; end++) { /* the next one begins with a quote */
            if (text.data[end] == '\n' || text.data[end] == quote)
                break;
            if (text.data[end] == '\\' && end + 1 < text.size && text.data[end + 1] != quote)
                end++;
        }
        value.quoted = end < text.size && text.data[end] == quote;
        if (end > text.size)
            end = text.size;
        while (end > value.from && text.data[end - 1] == '\\')
            end--;
        value.size = end - value.from;
        if (value.quoted)
            return value;
    }
    value.size = run_until(text, value.from, CHAR_BLANK | CHAR_QUOTE | CHAR_CLOSE, VALUE_MAX);
    return value;
}

static bool is_scheme(struct bytes word)
{
    static const char *const SCHEMES[] = {"token", "bearer", "basic", "apikey", "key", "digest"};
    for (size_t i = 0; i < sizeof SCHEMES / sizeof SCHEMES[0]; i++)
        if (word.size == strlen(SCHEMES[i]) && strncasecmp(word.data, SCHEMES[i], word.size) == 0)
            return true;
    return false;
}

/* "Authorization: Token X" */
static bool authorization_at(struct bytes text, size_t at, struct token_span *span)
{
    struct assigned value = value_at(text, at + 1);
    struct bytes word =
        bytes_of(text.data + value.from, run_of(text, value.from, CHAR_ALNUM, VALUE_MAX));
    size_t from = value.from;
    if (is_scheme(word))
        from += word.size + run_of(text, from + word.size, CHAR_BLANK, 4);
    size_t size = run_until(text, from, CHAR_BLANK | CHAR_QUOTE | CHAR_CLOSE, VALUE_MAX);
    struct bytes key = bytes_of(text.data + from, size);
    if (size < 8 || !token_chars_are_mixed(key) || is_placeholder_start(key.data[0]))
        return false;
    size = run_until(text, from, CHAR_BLANK | CHAR_QUOTE | CHAR_CLOSE, SIZE_MAX);
    return named(text, from, size, SHAPE_TOKEN, span);
}

/* In a URL's query, in "a=b;c=d", in JSON and where JSON was expected any value counts; in prose
 * only one that is no word. */
static bool is_sure(const struct token_scan *scan, size_t at, size_t start,
                    const struct assigned *value)
{
    struct bytes text = scan->text, secret = bytes_of(text.data + value->from, value->size);
    char before = start ? text.data[start - 1] : '\0';
    bool equals = text.data[at] == '=';
    bool query = equals && (before == '?' || before == '&' || before == ';' || before == '#');
    /* "--password=…", "DB_PASSWORD=…": the text is nothing else */
    bool alone = start == 0 && equals && value->from + value->size == text.size;
    bool member = value->quoted && text.data[at] == ':' && at > 0 && text.data[at - 1] == '"';
    if (scan->any)
        return true;
    return ((alone || query || member) && value->size >= 4) ||
           (value->size >= 8 && token_chars_are_mixed(secret) &&
            !memchr(secret.data, ' ', secret.size < 4 * NAME_MAX_SIZE ? secret.size : 256));
}

static bool assignment_at(const struct token_scan *scan, size_t at, struct token_span *span)
{
    struct bytes text = scan->text, name;
    size_t start;
    if (at == 0)
        return false;
    enum shape shape = shape_before(text, at, &start, &name);
    bool suspect =
        shape == SHAPE_PLAIN && text.data[at] == '=' && token_shape_of_suspect(name) != SHAPE_PLAIN;
    if (shape == SHAPE_PLAIN && !suspect)
        return name.size == 13 && strncasecmp(name.data, "authorization", 13) == 0 &&
               authorization_at(text, at, span);
    struct assigned value = value_at(text, at + 1);
    struct bytes secret = bytes_of(text.data + value.from, value.size);
    if (secret.size == 0 || is_placeholder_start(secret.data[0]) ||
        token_shape_is_placeholder(secret))
        return false;
    if (suspect ? !token_shape_is_random(secret) : !is_sure(scan, at, start, &value))
        return false;
    if (!value.quoted && value.size == VALUE_MAX)
        value.size = run_until(text, value.from, CHAR_BLANK | CHAR_QUOTE | CHAR_CLOSE, SIZE_MAX);
    return named(text, value.from, value.size, SHAPE_SECRET, span);
}

/* <password>X</password> */
static bool element_at(struct bytes text, size_t at, struct token_span *span)
{
    size_t start;
    struct bytes name;
    enum shape shape = shape_before(text, at, &start, &name);
    if (shape == SHAPE_PLAIN || start == 0 || text.data[start - 1] != '<')
        return false;
    size_t from = at + 1, size = run_until(text, from, CHAR_BLANK | CHAR_CLOSE, SIZE_MAX);
    struct bytes secret = bytes_of(text.data + from, size);
    return size >= 4 && starts(text, from + size, "</") && !token_shape_is_placeholder(secret) &&
           !is_placeholder_start(secret.data[0]) && found(span, from, size, SHAPE_SECRET);
}

/* ---- user:password@host ---------------------------------------------------------------------- */

static bool ends_authority(char c)
{
    return c == '/' || c == '?' || c == '#' || c == '"' || c == '\'' || c == '<' ||
           token_char_is(c, CHAR_BLANK);
}

/* `at` is at the '@'; scan->authority is behind "://". A password may have an '@' of its own: the
 * last one counts. */
static bool userinfo_at(struct token_scan *scan, size_t at, size_t after, struct token_span *span)
{
    struct bytes text = scan->text;
    size_t from = scan->authority, end = at;
    scan->authority = 0;
    if (at - from > AUTHORITY_MAX)
        return false;
    for (size_t i = from; i < at; i++)
        if (ends_authority(text.data[i]))
            return false;
    for (size_t i = at; i < text.size && i - at < AUTHORITY_MAX && !ends_authority(text.data[i]);
         i++)
        if (text.data[i] == '@')
            end = i;
    const char *colon = end > from ? memchr(text.data + from, ':', end - from) : NULL;
    size_t secret = colon ? (size_t)(colon - text.data) + 1 : from;
    if (colon && end > secret && secret >= after && !is_placeholder_start(text.data[secret]))
        return found(span, secret, end - secret, SHAPE_SECRET);
    size_t user_end = colon ? secret - 1 : end;
    return from >= after && token_shape_is_random(bytes_of(text.data + from, user_end - from)) &&
           found(span, from, user_end - from, SHAPE_SECRET);
}

/* ---- the pass -------------------------------------------------------------------------------- */

void token_scan_init(struct token_scan *scan, struct bytes text)
{
    init(scan, text, false);
}

void token_scan_init_broken(struct token_scan *scan, struct bytes text)
{
    init(scan, text, true);
}

/* Bytes of what is written "\n" or "\u000a": a word may begin behind it; 0: none ends here. `at` is
 * behind the backslash. */
static size_t escape_at(struct bytes text, size_t at)
{
    char c = text.data[at];
    if (at == 0 || text.data[at - 1] != '\\')
        return 0;
    if (c == 'u' && run_of(text, at + 1, CHAR_HEX_ANY, 4) == 4)
        return 5;
    return c != '\0' && strchr("nrtbfv", c) ? 1 : 0;
}

static bool word_at(struct token_scan *scan, size_t at, bool inside, struct token_span *span)
{
    struct bytes text = scan->text;
    struct token_match match;
    char here = text.data[at];
    if (text.size - at < 12)
        return false;
    if (token_kind_at(text, at, inside, &scan->runs, &match)) {
        *span = (struct token_span){match.start, match.size, match.kind->shape, match.kind};
        scan->resume = match.end;
        return true;
    }
    if (inside)
        return false;
    switch (here) {
    case 'e':
        if (text.data[at + 1] != 'y' && text.data[at + 1] != 'w')
            return false;
        return jwt_at(text, at, span) ||
               (text.data[at + 1] == 'y' && base64_json_at(scan, at, span));
    case 's':
        return starts(text, at, "sk-") && sk_at(text, at, span);
    case 'b':
    case 'B':
        return scheme_at(text, at, span);
    case 'm':
        return starts(text, at, "machine ") && netrc_at(text, at, span);
    case 'P':
        return key_file_at(text, at, span);
    default:
        return false;
    }
}

static bool sign_at(struct token_scan *scan, size_t at, size_t after, struct token_span *span)
{
    switch (scan->text.data[at]) {
    case ':':
        if (starts(scan->text, at, "://")) {
            scan->authority = at + 3;
            return false;
        }
        return assignment_at(scan, at, span);
    case '=':
        return assignment_at(scan, at, span);
    case '>':
        return element_at(scan->text, at, span);
    default: /* '@' */
        return scan->authority && userinfo_at(scan, at, after, span);
    }
}

/* What the byte before `at` is to a word that may begin there. */
static unsigned joins(const struct token_scan *scan, size_t at)
{
    char c = scan->text.data[at];
    unsigned flags = TOKEN_CHARS[(unsigned char)c];
    if (!(flags & CHAR_BASE64))
        return flags;
    return c == '+' || (c == '/' && scan->slash_joins) ? CHAR_DIGIT : CHAR_BLANK;
}

/* A private key begins with letters that other secrets may have: the value of a name that ends at
 * its first blank, a key that it follows without a gap. It goes whole all the same. */
static void take_key_file(struct bytes text, struct token_span *span)
{
    struct token_span key;
    size_t end = span->start + span->size;
    for (size_t at = span->start; at < end; at++) {
        char c = text.data[at];
        if ((c != '-' && c != 'P') || !key_file_at(text, at, &key))
            continue;
        if (key.start + key.size > end)
            *span = (struct token_span){span->start, key.start + key.size - span->start,
                                        SHAPE_SECRET, NULL};
        return;
    }
}

/* Of the text as it stands, from scan->at on. */
static bool scan_plain(struct token_scan *scan, struct token_span *span)
{
    struct bytes text = scan->text;
    size_t after = scan->at, word = scan->at;
    unsigned before = after ? joins(scan, after - 1) : CHAR_BLANK;
    for (size_t at = scan->at; at < text.size; at++) {
        unsigned here = TOKEN_CHARS[(unsigned char)text.data[at]];
        bool hit = false;
        if (here & CHAR_ALNUM) {
            size_t escape = escape_at(text, at);
            bool begins = !(before & CHAR_WORD);
            if (begins)
                word = at;
            if (begins || ((before & CHAR_JOIN) && at - word <= PREFIX_MAX))
                hit = word_at(scan, at, !begins, span);
            if (!hit && escape) {
                at += escape - 1;
                before = CHAR_BLANK;
                continue;
            }
            while (!hit && at + 1 < text.size && token_char_is(text.data[at + 1], CHAR_ALNUM))
                at++; /* nothing begins there */
        } else if (here & CHAR_SIGN) {
            hit = sign_at(scan, at, after, span);
        } else if (text.data[at] == '-') {
            bool begins = !(before & CHAR_WORD);
            word = begins ? at : word;
            hit = key_file_at(text, at, span) || (begins && user_flag_at(text, at, span));
        }
        if (hit) {
            take_key_file(text, span);
            scan->at = span->start + span->size;
            if (scan->at < scan->resume)
                scan->at = scan->resume;
            scan->resume = 0;
            return true;
        }
        before = here & CHAR_BASE64 ? joins(scan, at) : here & CHAR_ALNUM ? CHAR_ALNUM : here;
    }
    scan->at = text.size;
    return false;
}

/* ---- percent-encoded words ------------------------------------------------------------------- */

/* A byte of an encoded word takes one or three; a '%' that is no code stands for itself. */
static size_t encoded_size(struct bytes word, size_t at)
{
    return word.data[at] == '%' && run_of(word, at + 1, CHAR_HEX_ANY, 2) == 2 ? 3 : 1;
}

static void decode(struct buf *plain, struct bytes word)
{
    for (size_t at = 0, size; at < word.size; at += size) {
        char code[3] = {0};
        size = encoded_size(word, at);
        if (size == 3)
            memcpy(code, word.data + at + 1, 2);
        buf_append_char(plain, size == 3 ? (char)strtoul(code, NULL, 16) : word.data[at]);
    }
}

/* A place in a word and in what it decodes to, which only moves on. */
struct place {
    size_t plain, encoded;
};

static size_t move_to(struct place *place, struct bytes word, size_t plain)
{
    for (; place->plain < plain; place->plain++)
        place->encoded += encoded_size(word, place->encoded);
    return place->encoded;
}

/* From the first secret in an encoded word to the end of its last. */
static bool in_encoded(const struct token_scan *scan, struct bytes word, struct token_span *span)
{
    struct buf plain;
    struct token_scan inner;
    struct token_span here;
    struct place place = {0, 0};
    bool any = false;
    buf_init(&plain, DECODE_MAX);
    decode(&plain, word);
    init_inner(&inner, buf_view(&plain), scan->any, scan);
    for (; token_scan_next(&inner, &here); any = true) {
        size_t start = move_to(&place, word, here.start);
        size_t end = move_to(&place, word, here.start + here.size);
        bool same = !any || span->shape == here.shape;
        start = any ? span->start : start;
        *span = (struct token_span){start, end - start, same ? here.shape : SHAPE_SECRET,
                                    any ? NULL : here.kind};
    }
    if (plain.data)
        sodium_memzero(plain.data, plain.capacity);
    buf_free(&plain);
    return any;
}

/* The next encoded word with a secret before `limit`. */
static bool encoded_before(struct token_scan *scan, size_t limit, struct token_span *span)
{
    while (scan->encoded_at < limit) {
        size_t start = scan->encoded_at;
        struct bytes before = bytes_of(scan->text.data, limit);
        size_t size = run_until(before, start, CHAR_BLANK | CHAR_QUOTE, DECODE_MAX);
        scan->encoded_at = start + size + 1;
        if (size == 0 || !memchr(scan->text.data + start, '%', size))
            continue;
        if (in_encoded(scan, bytes_of(scan->text.data + start, size), span)) {
            span->start += start;
            return true;
        }
    }
    return false;
}

bool token_scan_next(struct token_scan *scan, struct token_span *span)
{
    if (!scan->has_percent)
        return scan_plain(scan, span);
    if (scan->ahead.size == 0 && !scan_plain(scan, &scan->ahead))
        scan->ahead = (struct token_span){scan->text.size, 0, SHAPE_PLAIN, NULL};
    if (encoded_before(scan, scan->ahead.start, span))
        return true;
    *span = scan->ahead;
    scan->ahead.size = 0;
    if (scan->encoded_at < span->start + span->size)
        scan->encoded_at = span->start + span->size;
    return span->size > 0;
}

/* ---- what a value is ---- */

static enum shape judge(struct token_scan *scan)
{
    enum shape shape = SHAPE_PLAIN;
    for (struct token_span span; shape != SHAPE_TOKEN && token_scan_next(scan, &span);)
        shape = span.shape;
    return shape == SHAPE_TOKEN && token_shape_has_words(scan->text) ? SHAPE_SECRET : shape;
}

enum shape token_shape_of_value(struct bytes value)
{
    struct token_scan here;
    if (value.size < 8)
        return SHAPE_PLAIN;
    token_scan_init(&here, value);
    return judge(&here);
}

enum shape token_shape_of_member(struct bytes name, struct bytes value)
{
    return token_shape_of_member_known(name, value, token_shape_of_value(value));
}

enum shape token_shape_of_member_known(struct bytes name, struct bytes value, enum shape by_value)
{
    enum shape by_name = token_shape_of_name(name);
    if (by_value == SHAPE_TOKEN || (by_name != SHAPE_PLAIN && token_shape_is_placeholder(value)))
        return by_value;
    if (by_name == SHAPE_PLAIN && by_value == SHAPE_PLAIN)
        by_name = token_shape_of_name_with(name, value);
    if (by_name != SHAPE_PLAIN || by_value != SHAPE_PLAIN)
        return by_name != SHAPE_PLAIN ? by_name : by_value;
    enum shape suspect = token_shape_of_suspect(name);
    return suspect != SHAPE_PLAIN && token_shape_is_random(value) ? suspect : SHAPE_PLAIN;
}
