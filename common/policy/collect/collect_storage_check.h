#ifndef DROVER_POLICY_COLLECT_STORAGE_CHECK_H
#define DROVER_POLICY_COLLECT_STORAGE_CHECK_H

/*
 * Is a text that arrives in pieces one whole JSON value, and of which kind? The grammar of RFC
 * 8259, byte by byte, without keeping any of it: a value of 60 MiB is judged in 200 bytes. What the
 * grammar allows and a record may not have (lone surrogates, U+0000, too many digits, members
 * twice) is not looked at: json_parse judges each record later.
 *
 * And how often was it encoded? JSON inside a JSON string counts as what the inner text is when
 * that is an array or an object, up to STORAGE_LEVELS_MOST strings around it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"

#define STORAGE_CHECK_DEPTH 1024 /* deeper than any record may be: json.h, JSON_DEPTH_MOST */
#define STORAGE_LEVELS_MOST 2    /* with the storage's own string three: fault row L01 */

enum storage_form {
    STORAGE_BROKEN, /* no JSON, cut, or more than one value */
    STORAGE_ARRAY,
    STORAGE_OBJECT,
    STORAGE_SCALAR,
};

struct storage_check {
    uint8_t state;
    char kind;    /* first byte of the value; 0: none yet */
    char quote;   /* after the string: 'k' a name, 'v' a value */
    uint8_t left; /* hex digits of an escape, bytes of a literal */
    const char *literal;
    uint32_t depth;
    uint64_t at; /* bytes taken; where it broke */
    uint8_t object[STORAGE_CHECK_DEPTH / 8];
};

void storage_check_init(struct storage_check *check);
void storage_check_feed(struct storage_check *check, struct bytes text);
enum storage_form storage_check_finish(struct storage_check *check);

struct storage_judge;

struct storage_verdict {
    enum storage_form form;
    unsigned levels;    /* strings around it */
    uint64_t broken_at; /* of the outermost text, when broken */
};

struct storage_judge *storage_judge_new(void);
void storage_judge_free(struct storage_judge *judge);
void storage_judge_reset(struct storage_judge *judge);
void storage_judge_feed(struct storage_judge *judge, struct bytes text, bool last);
/* After the last piece. */
struct storage_verdict storage_judge_finish(struct storage_judge *judge);

#endif
