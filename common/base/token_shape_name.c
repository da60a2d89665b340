/*
 * Names. A name is cut into lower-case words ("accessToken", "ACCESS_TOKEN", "accesstoken" are all
 * access + token); its last words say what it is, so "token_count" counts and "max_tokens" limits,
 * while "auth_token" is one.
 */
#include "common/base/token_shape_name.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/base/token_chars.h"

/* ---- what a text looks like, whatever its name is ---- */

#define RANDOM_MIN 20
#define RANDOM_MAX 1024
#define HEADER_BLANKS 2 /* "Authorization: Bearer eyJ…" */

static bool is_uuid(struct bytes text)
{
    if (text.size != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.data[i] != '-' : !isxdigit((unsigned char)text.data[i]))
            return false;
    }
    return true;
}

static int class_of(char c)
{
    unsigned char byte = (unsigned char)c;
    return isdigit(byte) ? 1 : isupper(byte) ? 2 : islower(byte) ? 3 : 0;
}

/* Words change between digits, capitals and small letters rarely; random hex does so every second
 * character, random base32 every third. */
bool token_shape_is_random(struct bytes text)
{
    unsigned counts[256] = {0};
    size_t changes = 0;
    if (text.size < RANDOM_MIN || text.size > RANDOM_MAX || is_uuid(text) ||
        !token_chars_are_mixed(text))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!token_char_is(text.data[i], CHAR_WORD | CHAR_DOT | CHAR_TILDE | CHAR_BASE64) &&
            text.data[i] != '%' && text.data[i] != ':')
            return false;
        counts[(unsigned char)text.data[i]]++;
        if (i && class_of(text.data[i]) && class_of(text.data[i - 1]))
            changes += class_of(text.data[i]) != class_of(text.data[i - 1]);
    }
    if (changes * 5 < text.size)
        return false;
    double bits = 0;
    for (int c = 0; c < 256; c++)
        if (counts[c])
            bits -= counts[c] * log2((double)counts[c] / (double)text.size);
    return bits / (double)text.size >= 3.2;
}

bool token_shape_has_words(struct bytes text)
{
    size_t blanks = 0;
    for (size_t i = 0; i < text.size && blanks <= HEADER_BLANKS; i++)
        blanks += text.data[i] == ' ';
    return blanks > HEADER_BLANKS;
}

bool token_shape_is_placeholder(struct bytes value)
{
    static const char *const WORDS[] = {
        "none",   "null",        "undefined", "true",     "false",    "yes",
        "no",     "include",     "omit",      "required", "optional", "enabled",
        "n/a",    "same-origin", "hidden",    "disabled", "redacted", "string",
        "bearer", "ok",          "fail",      "changeme"};
    if (value.size == 0)
        return true;
    bool masked = true; /* "***", "<your key>", "${TOKEN}" */
    for (size_t i = 0; i < value.size && masked; i++)
        masked = value.data[i] == '*' || value.data[i] == ' ' || value.data[i] == '.';
    if (masked)
        return true;
    char last = value.data[value.size - 1];
    if ((value.data[0] == '<' && last == '>') || (value.data[0] == '$' && last == '}'))
        return true;
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (value.size == strlen(WORDS[i]) && strncasecmp(value.data, WORDS[i], value.size) == 0)
            return true;
    return false;
}

/* ---- what its name says ---- */

#define WORDS_MAX 8   /* the last ones of a name: those before do not matter */
#define WORD_MAX 31   /* longer words are none of ours */
#define NESTED_MAX 96 /* of a name and the one around it */

struct words {
    char list[WORDS_MAX][WORD_MAX + 1];
    size_t count;
};

#define IN(list, word) is_in(list, sizeof(list) / sizeof((list)[0]), word)

static bool is_in(const char *const *list, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return true;
    return false;
}

static void push(struct words *words, const char *text, size_t size)
{
    if (size == 0)
        return;
    if (words->count == WORDS_MAX) {
        memmove(words->list[0], words->list[1], sizeof words->list - sizeof words->list[0]);
        words->count--;
    }
    char *word = words->list[words->count++];
    word[0] = '?'; /* too long to be a word: matches nothing */
    word[1] = '\0';
    if (size > WORD_MAX)
        return;
    for (size_t i = 0; i < size; i++)
        word[i] = (char)tolower((unsigned char)text[i]);
    word[size] = '\0';
}

/* What may stand before "token", "key", "secret" in names written without any boundary. */
static const char *const AUTH_STEMS[] = {
    "auth",  "access",   "refresh", "id",     "session",      "csrf",   "xsrf",  "bearer",
    "api",   "download", "user",    "device", "push",         "reset",  "login", "invite",
    "oauth", "jwt",      "app",     "client", "verification", "secure", "kc",    "my"};
static const char *const KEY_STEMS[] = {
    "api",     "secret",  "private", "access", "signing", "encryption",   "master",
    "ssh",     "shared",  "deploy",  "hmac",   "account", "subscription", "decryption",
    "service", "webhook", "auth",    "crypto", "cipher",  "aes",          "rsa",
    "pgp",     "gpg",     "openai",  "stripe", "gemini",  "azure",        "anthropic"};
static const char *const SECRET_STEMS[] = {"client", "app",   "api",     "webhook",  "jwt",
                                           "shared", "token", "signing", "totp",     "my",
                                           "user",   "auth",  "oauth",   "consumer", "session"};
static const char *const PASS_STEMS[] = {"db",   "user", "smtp", "ftp",   "admin", "root", "mysql",
                                         "pg",   "mail", "ssh",  "redis", "email", "my",   "login",
                                         "wifi", "api",  "auth", "ldap",  "mongo", "imap", "proxy"};

static bool ends_with(const char *word, size_t size, const char *ending, size_t *stem)
{
    size_t length = strlen(ending);
    if (size <= length || memcmp(word + size - length, ending, length) != 0)
        return false;
    *stem = size - length;
    return true;
}

static bool is_stem(const char *const *list, size_t count, const char *word, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == size && memcmp(list[i], word, size) == 0)
            return true;
    return false;
}

#define STEM(list, word, size) is_stem(list, sizeof(list) / sizeof((list)[0]), word, size)

/* "accesstoken" -> access, token. */
static void split_flat(struct words *words)
{
    char word[WORD_MAX + 1];
    size_t stem;
    memcpy(word, words->list[words->count - 1], sizeof word);
    size_t size = strlen(word);
    bool split = (ends_with(word, size, "token", &stem) && STEM(AUTH_STEMS, word, stem)) ||
                 (ends_with(word, size, "tokens", &stem) && STEM(AUTH_STEMS, word, stem)) ||
                 (ends_with(word, size, "key", &stem) && STEM(KEY_STEMS, word, stem)) ||
                 (ends_with(word, size, "keys", &stem) && STEM(KEY_STEMS, word, stem)) ||
                 (ends_with(word, size, "secret", &stem) && STEM(SECRET_STEMS, word, stem)) ||
                 (ends_with(word, size, "pass", &stem) && STEM(PASS_STEMS, word, stem)) ||
                 ends_with(word, size, "password", &stem) || ends_with(word, size, "passwd", &stem);
    if (!split)
        return;
    words->count--;
    push(words, word, stem);
    push(words, word + stem, size - stem);
}

static bool starts_word(const char *text, size_t at, size_t size)
{
    unsigned char before = (unsigned char)text[at - 1], here = (unsigned char)text[at];
    if (!isupper(here))
        return false;
    return !isupper(before) || (at + 1 < size && islower((unsigned char)text[at + 1]));
}

static void split(struct words *words, struct bytes name)
{
    size_t start = 0;
    words->count = 0;
    for (size_t at = 0; at <= name.size; at++) {
        unsigned char here = at < name.size ? (unsigned char)name.data[at] : '_';
        bool inside = isalnum(here) || here >= 0x80;
        if (inside && (at == start || !starts_word(name.data, at, name.size)))
            continue;
        push(words, name.data + start, at - start);
        start = inside ? at : at + 1;
    }
}

/* Words that say how a token is written, not what else it is. */
static void strip_endings(struct words *words)
{
    static const char *const ENDINGS[] = {
        "value",   "string", "raw",   "plaintext", "encoded", "hash",   "confirmation",
        "confirm", "header", "hint",  "repeat",    "pem",     "base64", "b64",
        "hex",     "base",   "bytes", "jwk",       "pkcs8",   "der",    "material"};
    while (words->count > 1) {
        const char *last = words->list[words->count - 1];
        if (!IN(ENDINGS, last) && strspn(last, "0123456789") != strlen(last))
            break;
        words->count--;
    }
    char *last = words->list[words->count - 1]; /* "password2" */
    for (size_t size = strlen(last); size > 1 && isdigit((unsigned char)last[size - 1]); size--)
        last[size - 1] = '\0';
}

/* "next_page_token" continues a list, "eos_token" ends a sentence, "design_token" is a colour. */
static bool is_other_token(const char *before)
{
    static const char *const OTHER[] = {
        "page",    "next",       "prev",       "previous",   "continuation", "sync",
        "cursor",  "start",      "end",        "stop",       "eos",          "bos",
        "unk",     "pad",        "cls",        "sep",        "mask",         "special",
        "first",   "last",       "per",        "max",        "min",          "design",
        "color",   "colour",     "theme",      "style",      "css",          "input",
        "output",  "prompt",     "completion", "total",      "reward",       "nft",
        "native",  "governance", "erc20",      "lp",         "word",         "subword",
        "keyword", "parser",     "lexer",      "syntax",     "query",        "language",
        "is",      "has",        "requires",   "pagination", "num",          "n",
        "base",    "quote"};
    return IN(OTHER, before);
}

static enum shape shape_of_token(const struct words *words, const char *last, const char *before)
{
    static const char *const ALONE[] = {"jwt", "jws", "bearer", "csrf", "xsrf", "otp"};
    static const char *const OWNERS[] = {"auth", "access", "refresh", "oauth", "bearer",
                                         "jwt",  "api",    "csrf",    "login"};
    static const char *const KEPT[] = {"access", "refresh", "bearer", "csrf", "session", "auth"};
    static const char *const FACTORS[] = {"mfa", "otp", "totp", "2fa", "tfa", "login", "auth"};
    if (strcmp(last, "token") == 0)
        return words->count > 1 && is_other_token(before) ? SHAPE_PLAIN : SHAPE_TOKEN;
    if (strcmp(last, "tokens") == 0)
        return IN(OWNERS, before) ? SHAPE_TOKEN : SHAPE_PLAIN;
    if (strcmp(last, "verifier") == 0 && strcmp(before, "code") == 0)
        return SHAPE_TOKEN;
    if (strcmp(before, "tokens") == 0 && IN(KEPT, last)) /* {"tokens": {"access": …}} */
        return SHAPE_TOKEN;
    if (strcmp(last, "code") == 0 && IN(FACTORS, before))
        return SHAPE_TOKEN;
    return IN(ALONE, last) ? SHAPE_TOKEN : SHAPE_PLAIN;
}

static enum shape shape_of_secret(const struct words *words, const char *last, const char *before)
{
    static const char *const ALONE[] = {"secret",
                                        "secrets",
                                        "password",
                                        "passwords",
                                        "passwd",
                                        "passphrase",
                                        "pwd",
                                        "pass",
                                        "credential",
                                        "credentials",
                                        "creds",
                                        "mnemonic",
                                        "connectionstring",
                                        "pw",
                                        "passcode",
                                        "passwort",
                                        "kennwort",
                                        "senha",
                                        "contrase\xc3\xb1"
                                        "a",
                                        "passcodes",
                                        "contrasena",
                                        "wachtwoord",
                                        "motdepasse"};
    static const char *const CODES[] = {"code", "codes", "phrase", "key"};
    static const char *const SPARE[] = {"recovery", "backup", "seed", "unlock"};
    static const char *const SEEDED[] = {"totp", "otp", "mfa", "wallet", "hd"};
    static const char *const PASSED[] = {"boarding", "season", "test", "second", "by",    "low",
                                         "high",     "all",    "did",  "first",  "render"};
    if (strcmp(last, "pass") == 0 && words->count > 1)
        return IN(PASSED, before) ? SHAPE_PLAIN : SHAPE_SECRET;
    if (IN(ALONE, last))
        return SHAPE_SECRET;
    if ((strcmp(last, "key") == 0 || strcmp(last, "keys") == 0) && IN(KEY_STEMS, before))
        return SHAPE_SECRET;
    bool role = words->count > 2 && strcmp(words->list[words->count - 3], "service") == 0;
    if (strcmp(last, "key") == 0 && strcmp(before, "role") == 0 && role)
        return SHAPE_SECRET;
    if ((strcmp(last, "seed") == 0 && IN(SEEDED, before)) ||
        (strcmp(last, "answer") == 0 && strcmp(before, "security") == 0))
        return SHAPE_SECRET;
    return IN(SPARE, before) && IN(CODES, last) ? SHAPE_SECRET : SHAPE_PLAIN;
}

/* What login libraries keep in localStorage and cookies under names of their own. */
static bool is_library_entry(struct bytes name)
{
    static const char *const PREFIXES[] = {
        "auth0spajs",         "@@auth0", "auth0.", "com.auth0.auth.", "a0.spajs.",
        "firebase:authuser:", "oidc.",   "msal.",  "adal.",           "kc-callback-",
        "okta-token-storage"};
    static const char *const WHOLE[] = {"connect.sid",       "phpsessid",       "jsessionid",
                                        "asp.net_sessionid", "laravel_session", "__session"};
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        size_t size = strlen(PREFIXES[i]);
        if (name.size >= size && strncasecmp(name.data, PREFIXES[i], size) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof WHOLE / sizeof WHOLE[0]; i++)
        if (name.size == strlen(WHOLE[i]) && strncasecmp(name.data, WHOLE[i], name.size) == 0)
            return true;
    return name.size > 3 && strncasecmp(name.data, "sb-", 3) == 0 &&
           memmem(name.data, name.size, "-auth-token", 11); /* Supabase; also "….0", "….1" */
}

/* Most names are none of ours: no part of them begins like a word that matters. `parts` are
 * three letters each. */
static bool holds_any(struct bytes name, const char *parts)
{
    uint32_t firsts = 0; /* of the parts, by their low five bits */
    for (const char *part = parts; *part; part += 3)
        firsts |= 1u << (part[0] & 31);
    for (size_t at = 0; at + 3 <= name.size; at++) {
        if (!(firsts >> (name.data[at] & 31) & 1))
            continue;
        char here[3] = {(char)(name.data[at] | 0x20), (char)(name.data[at + 1] | 0x20),
                        (char)(name.data[at + 2] | 0x20)};
        for (const char *part = parts; *part; part += 3)
            if (here[0] == part[0] && here[1] == part[1] && here[2] == part[2])
                return true;
    }
    return false;
}

/* Of every word and prefix above; '.' and '-' survive the | 0x20, '_' becomes DEL. "pw" is too
 * short to be a part, and looked for by itself. */
#define NAME_PARTS                                                                                 \
    "tokkeysecpaspwdcrejwtjwsbeasrfotpmneconverautsidsesa0.firoidmsaadakc-okt"                     \
    "codphrkensenwacmotsee"

static bool may_matter(struct bytes name)
{
    return holds_any(name, NAME_PARTS) ||
           (name.size >= 2 && (name.data[name.size - 2] | 0x20) == 'p' &&
            (name.data[name.size - 1] | 0x20) == 'w');
}

enum shape token_shape_of_name(struct bytes name)
{
    static const char *const CONNECTION[] = {"connection", "conn", "connect"};
    struct words words;
    if (!may_matter(name))
        return SHAPE_PLAIN;
    if (is_library_entry(name))
        return SHAPE_TOKEN;
    split(&words, name);
    if (words.count == 0)
        return SHAPE_PLAIN;
    if (words.count > 1 && IN(CONNECTION, words.list[words.count - 2]) &&
        strncmp(words.list[words.count - 1], "str", 3) == 0)
        return SHAPE_SECRET;
    strip_endings(&words);
    split_flat(&words);
    const char *last = words.list[words.count - 1];
    const char *before = words.count > 1 ? words.list[words.count - 2] : "";
    enum shape shape = shape_of_token(&words, last, before);
    return shape == SHAPE_PLAIN ? shape_of_secret(&words, last, before) : shape;
}

enum shape token_shape_of_suspect(struct bytes name)
{
    static const char *const OTHER[] = {
        "hash",    "checksum", "digest",      "etag",   "sha",    "sha1",  "sha256",
        "md5",     "id",       "ids",         "uuid",   "public", "image", "icon",
        "cache",   "storage",  "path",        "commit", "sort",   "file",  "partition",
        "foreign", "row",      "idempotency", "s3",     "object", "url",   "primary"};
    static const char *const TOKENS[] = {"auth",   "authorization", "session", "sid",   "sessionid",
                                         "cookie", "cookies",       "login",   "ticket"};
    static const char *const SECRETS[] = {"key",  "private", "webhook", "license",
                                          "hmac", "pin",     "pat"};
    struct words words;
    enum shape shape = SHAPE_PLAIN;
    if (!holds_any(name, "autsessidcoologtickeypriweblichmapinpat"))
        return SHAPE_PLAIN;
    split(&words, name);
    for (size_t i = 0; i < words.count; i++) {
        if (IN(OTHER, words.list[i]))
            return SHAPE_PLAIN;
        if (IN(TOKENS, words.list[i]))
            shape = SHAPE_TOKEN;
        else if (shape == SHAPE_PLAIN && IN(SECRETS, words.list[i]))
            shape = SHAPE_SECRET;
    }
    return shape;
}

/* ---- names that say it only with a value that fits ------------------------------------------- */

static bool is_digits(struct bytes text, size_t min, size_t max)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isdigit((unsigned char)text.data[i]))
            return false;
    return text.size >= min && text.size <= max;
}

/* "Token 9f86d081", or a long text that is no words. */
static bool is_credential(struct bytes value)
{
    const char *blank = value.size ? memchr(value.data, ' ', value.size) : NULL;
    if (!blank)
        return value.size >= 20 && token_chars_hold(value, CHAR_DIGIT);
    struct bytes rest = bytes_of(blank + 1, value.size - (size_t)(blank + 1 - value.data));
    return rest.size >= 8 && token_chars_hold(rest, CHAR_DIGIT) &&
           !memchr(rest.data, ' ', rest.size);
}

/* "sid=8f14e45f; theme=dark" */
static bool is_cookie(struct bytes value)
{
    size_t at = 0;
    while (at < value.size) {
        const char *end = memchr(value.data + at, ';', value.size - at);
        size_t size = end ? (size_t)(end - value.data) - at : value.size - at;
        const char *equals = memchr(value.data + at, '=', size);
        if (equals) {
            struct bytes part = bytes_of(equals + 1, at + size - (size_t)(equals + 1 - value.data));
            if (part.size >= 8 && token_chars_hold(part, CHAR_DIGIT))
                return true;
        }
        at += size + 1;
    }
    return token_shape_is_random(value);
}

enum shape token_shape_of_name_with(struct bytes name, struct bytes value)
{
    static const char *const DIGITS[] = {"pin", "cvv", "cvc"};
    struct words words;
    if (!holds_any(name, "pincvvcvcautcoootpmfa2fa"))
        return SHAPE_PLAIN;
    split(&words, name);
    if (words.count == 0)
        return SHAPE_PLAIN;
    strip_endings(&words);
    const char *last = words.list[words.count - 1];
    if (IN(DIGITS, last))
        return is_digits(value, 3, 12) ? SHAPE_SECRET : SHAPE_PLAIN;
    if (strcmp(last, "authorization") == 0 || strcmp(last, "auth") == 0)
        return is_credential(value) ? SHAPE_TOKEN : SHAPE_PLAIN;
    if (strcmp(last, "cookie") == 0 || strcmp(last, "cookies") == 0)
        return is_cookie(value) ? SHAPE_TOKEN : SHAPE_PLAIN;
    return token_shape_of_name(name) == SHAPE_TOKEN && is_digits(value, 4, 8) ? SHAPE_TOKEN
                                                                              : SHAPE_PLAIN;
}

enum shape token_shape_of_nested(struct bytes parent, struct bytes name, struct bytes value)
{
    char joined[NESTED_MAX];
    if (value.size < 8 || !token_chars_hold(value, CHAR_DIGIT) ||
        parent.size + 1 + name.size > sizeof joined ||
        !holds_any(parent, "tokapisecprisshmfaotpautwal"))
        return SHAPE_PLAIN;
    memcpy(joined, parent.data, parent.size);
    joined[parent.size] = '.';
    memcpy(joined + parent.size + 1, name.data, name.size);
    return token_shape_of_name(bytes_of(joined, parent.size + 1 + name.size));
}
