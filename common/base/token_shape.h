#ifndef DROVER_BASE_TOKEN_SHAPE_H
#define DROVER_BASE_TOKEN_SHAPE_H

/*
 * What looks like a token (withheld: it proves who somebody is and dies soon) or like a secret
 * (sealed: the application needs it again). By name and by value; fault rows L07, L08, X09.
 *
 * Where in a text its secrets and tokens stand: the parts that must go, and nothing around them.
 *
 *   use sk-proj-… for it              sk-proj-…
 *   Authorization: Bearer X           X
 *   https://user:pass@host/           pass              https://TOKEN@host/   TOKEN
 *   https://host/?api_key=X&page=2    X                 DB_PASSWORD=X         X
 *   -----BEGIN … PRIVATE KEY----- … -----END … PRIVATE KEY-----     all of it
 *
 * Spans come in order and do not overlap; of two that begin at one place, the longer. One pass,
 * time linear in the text. What is written percent-encoded (a link in a link's parameter) is found
 * too; its span is of the encoded bytes.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/token_kinds.h"
#include "common/base/token_shape_name.h"

/* Of a string value, decoded. Also values that hold one: URLs with ?api_key=…, "Bearer …". Does not
 * look into JSON inside strings: the guard does. */
enum shape token_shape_of_value(struct bytes value);
/* Of a string under a name: what its value says, else its name, else a random-looking value under a
 * name that makes one suspicious ("session", "key"). Placeholders ("", "***", "none") are plain. */
enum shape token_shape_of_member(struct bytes name, struct bytes value);
/* The same when token_shape_of_value(value) is known: it is the part that takes time. */
enum shape token_shape_of_member_known(struct bytes name, struct bytes value, enum shape by_value);

struct token_span {
    size_t start, size;            /* bytes of the text */
    enum shape shape;              /* SHAPE_TOKEN or SHAPE_SECRET */
    const struct token_kind *kind; /* what issuer's; NULL: found by a name or a form, not a kind */
};

struct token_scan {
    struct bytes text; /* borrowed */
    size_t at;         /* read so far */
    bool any;          /* any value under a name counts */
    bool slash_joins;  /* '/' is a letter: of base64 */
    bool has_percent;
    unsigned levels; /* of percent-encoding and base64 around the text */
    struct token_runs runs;
    size_t resume;           /* where to go on behind a match; 0: behind its span */
    size_t authority;        /* behind the last "://"; 0: none */
    size_t base64_until;     /* looked into up to here */
    size_t encoded_at;       /* percent-encoded words were looked into up to here */
    struct token_span ahead; /* found in the plain text, not told yet; size 0: none */
};

void token_scan_init(struct token_scan *scan, struct bytes text);
/* For text that should be JSON but cannot be read as such (cut, nested too deep). */
void token_scan_init_broken(struct token_scan *scan, struct bytes text);
/* False at the text's end. */
bool token_scan_next(struct token_scan *scan, struct token_span *span);

#endif
