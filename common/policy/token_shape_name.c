/*
 * Names. A name is cut into lower-case words ("accessToken", "ACCESS_TOKEN", "accesstoken" are all
 * access + token); its last words say what it is, so "token_count" counts and "max_tokens" limits,
 * while "auth_token" is one.
 */

#include "common/policy/token_shape.h"

#include <ctype.h>
#include <strings.h>

#define WORDS_MOST 8 /* the last ones of a name: those before do not matter */
#define WORD_MOST 31 /* longer words are none of ours */

struct words {
    char list[WORDS_MOST][WORD_MOST + 1];
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
    if (words->count == WORDS_MOST) {
        memmove(words->list[0], words->list[1], sizeof words->list - sizeof words->list[0]);
        words->count--;
    }
    char *word = words->list[words->count++];
    word[0] = '?'; /* too long to be a word: matches nothing */
    word[1] = '\0';
    if (size > WORD_MOST)
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
    char word[WORD_MOST + 1];
    size_t stem;
    memcpy(word, words->list[words->count - 1], sizeof word);
    size_t size = strlen(word);
    bool split = (ends_with(word, size, "token", &stem) && STEM(AUTH_STEMS, word, stem)) ||
                 (ends_with(word, size, "tokens", &stem) && STEM(AUTH_STEMS, word, stem)) ||
                 (ends_with(word, size, "key", &stem) && STEM(KEY_STEMS, word, stem)) ||
                 (ends_with(word, size, "keys", &stem) && STEM(KEY_STEMS, word, stem)) ||
                 (ends_with(word, size, "secret", &stem) && STEM(SECRET_STEMS, word, stem)) ||
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
    static const char *const ENDINGS[] = {"value",   "string", "raw",          "plaintext",
                                          "encoded", "hash",   "confirmation", "confirm",
                                          "header",  "hint",   "repeat"};
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
    if (strcmp(last, "token") == 0)
        return words->count > 1 && is_other_token(before) ? SHAPE_PLAIN : SHAPE_TOKEN;
    if (strcmp(last, "tokens") == 0)
        return IN(OWNERS, before) ? SHAPE_TOKEN : SHAPE_PLAIN;
    if (strcmp(last, "verifier") == 0 && strcmp(before, "code") == 0)
        return SHAPE_TOKEN;
    return IN(ALONE, last) ? SHAPE_TOKEN : SHAPE_PLAIN;
}

static enum shape shape_of_secret(const struct words *words, const char *last, const char *before)
{
    static const char *const ALONE[] = {
        "secret", "secrets",    "password",    "passwords", "passwd",   "passphrase",      "pwd",
        "pass",   "credential", "credentials", "creds",     "mnemonic", "connectionstring"};
    static const char *const CODES[] = {"code", "codes", "phrase", "key"};
    static const char *const SPARE[] = {"recovery", "backup", "seed"};
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
    for (size_t at = 0; at + 3 <= name.size; at++) {
        char here[3] = {(char)(name.data[at] | 0x20), (char)(name.data[at + 1] | 0x20),
                        (char)(name.data[at + 2] | 0x20)};
        for (const char *part = parts; *part; part += 3)
            if (here[0] == part[0] && here[1] == part[1] && here[2] == part[2])
                return true;
    }
    return false;
}

/* Of every word and prefix below; '.' and '-' survive the | 0x20, '_' becomes DEL. */
#define NAME_PARTS                                                                                 \
    "tokkeysecpaspwdcrejwtjwsbeasrfotpmneconverautsidsesa0.firoidmsaadakc-okt"                     \
    "codphr"

enum shape token_shape_of_name(struct bytes name)
{
    static const char *const CONNECTION[] = {"connection", "conn", "connect"};
    struct words words;
    if (!holds_any(name, NAME_PARTS))
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
    static const char *const SECRETS[] = {"key", "private", "webhook", "license", "hmac", "pin"};
    struct words words;
    enum shape shape = SHAPE_PLAIN;
    if (!holds_any(name, "autsessidcoologtickeypriweblichmapin"))
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
