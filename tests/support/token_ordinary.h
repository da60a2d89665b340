#ifndef DROVER_TESTS_TOKEN_ORDINARY_H
#define DROVER_TESTS_TOKEN_ORDINARY_H

/*
 * Ordinary members that look a little like secrets: what people keep in localStorage and exports.
 * Each row is made many times; in its value
 *
 *   ~w a word   ~W a Word   ~s a sentence   ~n a number   ~2 two digits
 *   ~x{n} hex   ~a{n} letters and digits   ~u{n} capitals and digits   ~l{n} small ones   ~b{n}
 * base64
 */

#include <stdio.h>

#include "tests/support/token_values.h"

struct ordinary {
    const char *kind, *name, *value;
};

static const struct ordinary ORDINARY[] = {
    {"UUIDs", "id", "~x{8}-~x{4}-4~x{3}-a~x{3}-~x{12}"},
    {"UUIDs", "sessionId", "~x{8}-~x{4}-7~x{3}-b~x{3}-~x{12}"},
    {"UUIDs", "api_key_id", "~x{8}-~x{4}-4~x{3}-9~x{3}-~x{12}"},
    {"hashes", "commit", "~x{40}"},
    {"hashes", "md5", "~x{32}"},
    {"hashes", "note", "sha256:~x{64}"},
    {"hashes", "integrity", "sha512-~b{86}=="},
    {"hashes", "etag", "W/\"~x{16}-~n\""},
    {"hashes", "note", "~x{64}"},
    {"ids", "id", "~a{21}"},
    {"ids", "userId", "user_~a{27}"},
    {"ids", "id", "01H~u{23}"},
    {"ids", "objectId", "~x{24}"},
    {"ids", "id", "cl~l{23}"},
    {"ids", "orderNumber", "ORD-~n-~u{6}"},
    {"ids", "traceparent", "00-~x{32}-~x{16}-01"},
    {"ids", "cacheKey", "v3:projects:list:~n:~x{32}"},
    {"ids", "sort_key", "created_at#~n"},
    {"ids", "customer", "cus_~a{14}"},
    {"ids", "price", "price_1~a{23}"},
    {"ids", "stripe", "pk_test_~a{24}"},
    {"ids", "tracking", "1Z~u{16}"},
    {"ids", "iban", "DE~2~n~n~n~n~n"},
    {"links", "url", "https://example.com/~w/~w/~n?page=~n&sort=~w"},
    {"links", "url", "https://example.com/~w?page_token=~a{12}&limit=20"},
    {"links", "image", "https://cdn.example.com/~x{2}/~x{32}/~w-~n.webp"},
    {"links", "url", "https://~w@example.com:8443/~w?q=~n"},
    {"links", "repo", "git@github.com:~w/~w-~n.git"},
    {"links", "video", "https://www.youtube.com/watch?v=~a{11}"},
    {"links", "url", "http://localhost:3~2~2/api/~w?user=~w@example.com"},
    {"links", "document", "https://docs.google.com/document/d/1~a{43}/edit"},
    {"links", "redirect", "https://example.com/cb?next=https%3A%2F%2Fexample.org%2F~w%3Fid%3D~n"},
    {"links", "avatar", "https://avatars.githubusercontent.com/u/~n~n?v=4"},
    {"links", "link", "mailto:~w.~w@example.com?subject=~w%20~w"},
    {"images", "avatar", "data:image/png;base64,iVBORw0KGgo~b{400}"},
    {"images", "photo", "/9j/4AAQSkZJRg~b{1200}"},
    {"images", "icon",
     "data:image/svg+xml;utf8,<svg viewBox=\"0 0 ~2 ~2\"><path d=\"M~n ~nL~n ~nz\"/></svg>"},
    {"prose", "content", "~s"},
    {"prose", "content", "The bearer of the ~w asked for a token of ~w: ~s"},
    {"prose", "content", "password: please choose one with ~n characters"},
    {"prose", "content", "How many tokens does ~w use? About ~n, I think. Basic ~w for beginners."},
    {"prose", "content", "Der Schlüssel ist: ~w. Das Passwort kennt niemand, ~s"},
    {"prose", "content", "La clé: ~w ~n; le mot de passe n'est pas ici."},
    {"prose", "content", "秘密の ~w は ~n 番です。パスワード: なし"},
    {"prose", "content", "Пароль не нужен, ~w ~n. Токен: ~w"},
    {"prose", "content", "Authorization: required for ~w and ~w; secret santa: ~W"},
    {"prose", "content", "🎉🚀 ~s ✨ key=~w 😀"},
    {"prose", "notes", "Ask the secretary about the passport; see room ~n. Cookies: yes, ~w ones."},
    {"code", "content", "const token = get~W(~n); // ~w"},
    {"code", "content", "if (a == b) { key = ~w[~n]; } else { secret = null; }"},
    {"code", "content",
     "function ~w~W(e,t){return e.~w?t[~n]:(0,n.jsx)(\"div\",{className:\"~w-~n\"})}"},
    {"code", "content", "SELECT ~w, count(*) FROM ~w WHERE token_id = ~n GROUP BY 1 -- ~w"},
    {"code", "content", "password = os.environ[\"~W_PASSWORD\"]  # line ~n"},
    {"code", "content", "export API_KEY=${~W_KEY}\nexport DB_PASSWORD=<your-password-~n>"},
    {"code", "content", "import { useToken } from '@~w/~w-tokens'; const t = useToken('~w.~n');"},
    {"code", "content", "curl https://api.example.com/v~n/~w -H 'Accept: application/json' -u ~w"},
    {"code", "content",
     "a:hover{color:#~x{6};margin:0 auto;width:~npx}.btn-~w--primary{padding:~2px}"},
    {"code", "content", "#!/bin/sh\nset -eu\nfor f in ~w-*.json; do echo \"$f: ~n\"; done"},
    {"slugs and names", "slug", "~w-~w-~w-~n"},
    {"slugs and names", "package", "sk-learn-0.~n-release-notes-part-~2"},
    {"slugs and names", "font", "sk-modernist-~w-~w-bold-italic"},
    {"slugs and names", "model", "claude-3-5-~w-2024~2~2"},
    {"slugs and names", "model", "gpt-4o-mini-2024-~2-~2"},
    {"slugs and names", "model", "meta-llama/Llama-3.~2-~nB-Instruct-~w"},
    {"slugs and names", "class", "~w__~w--~w sm:grid-cols-~n md:px-~2 hover:bg-~w-500"},
    {"slugs and names", "translationKey", "settings.~w.~w.title_~n"},
    {"slugs and names", "file", "glsa-~w-~w-~w-~w-~n.pdf"},
    {"slugs and names", "host", "db-~n.~w.internal.example.com"},
    {"slugs and names", "branch", "feature/~W-~n-~w-~w-token-refresh"},
    {"slugs and names", "title", "pat: ~w and ~w, a story in ~n parts"},
    {"slugs and names", "id", "dp.pt.~w.~w"},
    {"slugs and names", "name", "hf_~w_~w_~w_dataset_v~n"},
    {"slugs and names", "name", "npm_~w_~w_config_registry"},
    {"slugs and names", "author", "~W ~W"},
    {"paths", "path", "/srv/~w/~w/akia-~n/src/main.ts"},
    {"paths", "path", "C:\\Users\\~W\\Documents\\~w\\tokens-~n.txt"},
    {"paths", "module", "../../node_modules/.pnpm/~w@~n.~2.~2/node_modules/~w/dist/~w.~x{8}.js"},
    {"paths", "pointer", "/~w/~n/~w~1~w/password"},
    {"times and versions", "createdAt", "20~2-0~n-1~nT12:34:56.~n+02:00"},
    {"times and versions", "date", "Wed, ~2 Oct 20~2 07:28:00 GMT"},
    {"times and versions", "version", "1.~2.~n-beta.4+build.~n"},
    {"times and versions", "userAgent",
     "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/~n.36 Chrome/1~2.0.~n.~2"},
    {"times and versions", "cron", "*/~2 0-~2 * * 1-5"},
    {"numbers and phones", "phone", "+49 30 ~n~n"},
    {"numbers and phones", "phone", "(0~2) ~n-~n"},
    {"numbers and phones", "position", "52.~n~n, 13.~n~n"},
    {"numbers and phones", "amount", "EUR ~n.~2"},
    {"numbers and phones", "isbn", "978-3-~n-~n-~2"},
    {"numbers and phones", "mac", "0~n:~x{2}:~x{2}:~x{2}:~x{2}"},
    {"numbers and phones", "address", "2001:db8:~x{4}:~x{4}::~x{4}"},
    {"games and notations", "moves", "1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 ~n. O-O Qh~n+ ~w"},
    {"games and notations", "position",
     "r1bqkbnr/pppp1ppp/2n5/4p3/~nP3/5N2/PPPP1PPP/RNBQKB1R w KQkq - 2 ~n"},
    {"games and notations", "formula", "C~nH~2N~2O~2, pH ~n.~2; E=mc^~n"},
    {"games and notations", "sequence", "ATGGCCTTAGCAATCGATTACG~nGATTACAGGCATGCCTAAATTT"},
    {"games and notations", "regex", "^[A-Za-z0-9_-]{~2,~n}\\\\.(~w|~w)$"},
    {"names that mislead", "max_tokens", "~n"},
    {"names that mislead", "nextPageToken", "CAUQAA~n"},
    {"names that mislead", "tokenizer", "cl100k_base_~w"},
    {"names that mislead", "secretary", "~W ~W"},
    {"names that mislead", "password_updated_at", "2024-01-~2T00:00:00Z"},
    {"names that mislead", "pinned", "~n"},
    {"names that mislead", "pin", "map-pin-~w"},
    {"names that mislead", "cookies_accepted", "2024-01-~2"},
    {"names that mislead", "cookie", "banner-~w"},
    {"names that mislead", "authorization", "granted by ~w"},
    {"names that mislead", "keyboard", "qwerty-~n"},
    {"names that mislead", "key", "theme_~n"},
    {"names that mislead", "public_key_id", "~n"},
    {"names that mislead", "design_token", "color.brand.~n"},
    {"names that mislead", "passport", "X~n"},
    {"names that mislead", "session", "planning with ~w and ~w"},
    {"names that mislead", "codebaseHash", "~x{40}"},
    {"names that mislead", "license", "MIT, see LICENSE-~n"},
    {"names that mislead", "token", "none"},
    {"names that mislead", "apiKey", "${~W_API_KEY}"},
    {"minified and encoded", "content",
     "eyJ2ZXJzaW9uIjozLCJmaWxlIjoib3V0Lm1hcCIsInNvdXJjZXMiOltdfQ~w"},
    {"minified and encoded", "content",
     "!function(e){var t={};function n(r){if(t[r])return t[r].~w;var o=t[r]={i:~n,l:!1}}}([]);"},
    {"minified and encoded", "sourceMap", "AAAA,SAAS,CAAC,GAAG,IAAI,CAAC,~u{4},CAAC,~u{6},GAAG"},
    {"minified and encoded", "content", "~b{760}"},
    {"minified and encoded", "content",
     "{\\\"type\\\":\\\"doc\\\",\\\"content\\\":[{\\\"text\\\":\\\"~w ~w\\\"}],\\\"n\\\":~n}"},
};

#define ORDINARY_COUNT (sizeof ORDINARY / sizeof ORDINARY[0])

static inline const char *ordinary_word(uint64_t *state)
{
    static const char *const WORDS[] = {
        "house",   "river",    "garden",  "window",   "secret",   "planning", "summer",  "account",
        "token",   "color",    "number",  "language", "music",    "bridge",   "market",  "letter",
        "key",     "password", "session", "paper",    "mountain", "design",   "author",  "doctor",
        "winter",  "cookie",   "project", "network",  "engine",   "picture",  "history", "silver",
        "teacher", "building", "command", "question", "science",  "village",  "coffee",  "machine",
        "live",    "test",     "prod",    "access",   "private",  "public",   "agent",   "basic",
        "bearer",  "client",   "refresh", "webhook",  "kitchen",  "holiday",  "balance", "forest"};
    return WORDS[tv_below(state, sizeof WORDS / sizeof WORDS[0])];
}

struct ordinary_text {
    char text[4096];
    size_t size;
};

static inline void ordinary_put(struct ordinary_text *out, const char *text)
{
    size_t size = strlen(text);
    if (out->size + size >= sizeof out->text)
        abort();
    memcpy(out->text + out->size, text, size + 1);
    out->size += size;
}

static inline void ordinary_run(struct ordinary_text *out, uint64_t *state, const char *alphabet,
                                size_t count)
{
    for (size_t size = strlen(alphabet); count > 0; count--)
        ordinary_put(out, (char[]){alphabet[tv_below(state, size)], '\0'});
}

static inline void ordinary_make(const struct ordinary *row, uint64_t *state,
                                 struct ordinary_text *out)
{
    char number[32];
    out->size = 0;
    out->text[0] = '\0';
    for (const char *at = row->value; *at; at++) {
        if (*at != '~' || !strchr("wWsn2xaulb", at[1]) || !at[1]) {
            ordinary_put(out, (char[]){*at, '\0'});
            continue;
        }
        char letter = *++at;
        size_t count = 1;
        if (at[1] == '{') {
            char *end;
            count = strtoul(at + 2, &end, 10);
            at = end;
        }
        size_t start = out->size;
        switch (letter) {
        case 'w':
        case 'W':
            ordinary_put(out, ordinary_word(state));
            if (letter == 'W')
                out->text[start] = (char)(out->text[start] - 'a' + 'A');
            break;
        case 's':
            for (size_t words = 5 + tv_below(state, 12); words > 0; words--) {
                ordinary_put(out, ordinary_word(state));
                ordinary_put(out, words > 1 ? " " : ".");
            }
            break;
        case 'n':
            snprintf(number, sizeof number, "%zu", tv_below(state, 10000));
            ordinary_put(out, number);
            break;
        case '2':
            ordinary_run(out, state, TV_DIGITS, 2);
            break;
        case 'x':
            ordinary_run(out, state, TV_DIGITS "abcdef", count);
            break;
        case 'b':
            ordinary_run(out, state, TV_DIGITS TV_SMALL TV_CAPITALS "+/", count);
            break;
        default:
            ordinary_run(out, state, tv_alphabet(letter), count);
        }
    }
}

#endif
