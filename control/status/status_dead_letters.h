#ifndef DROVER_CONTROL_STATUS_DEAD_LETTERS_H
#define DROVER_CONTROL_STATUS_DEAD_LETTERS_H

/*
 * Dead letters as `status` knows them, from the dead letter topic, the control topic and the
 * readings: each once, those that are open by code, with an example of each. The source topic is
 * not read, so one that was made good is only known as such when its source was read again since,
 * or when it was sent again and refused again; `drover dlq list` and `verify` look.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/model/message/dead_letter.h"
#include "common/model/message/decision.h"
#include "common/policy/verify/readings.h"

#define STATUS_CODES_MAX 64     /* the last place is for all codes that have none */
#define STATUS_DEAD_MAX 1000000 /* kept one by one, 56 bytes each; more are a number */

struct status_dead_letter {
    uint64_t id;         /* hash64 of its drover-dlq-id; 0: free */
    uint64_t last;       /* of a first attempt: the last one's id */
    struct diff_key uri; /* of its source; both 0: it names none */
    uint64_t run;        /* hash64 */
    uint16_t code;       /* enum error_code */
    bool discarded;
    bool again; /* it was sent again, and refused again: that one counts */
};

/* An open one, as an example of its code. Texts are cut. */
struct status_example {
    char tenant[132], entity[132], place[544];
    uint64_t id;
};

struct status_code {
    char code[16]; /* "DRV-V001", "other" */
    uint64_t count;
    struct status_example example;
    bool has_example;
};

struct status_dead_letters {
    struct status_dead_letter *items; /* open addressing by id */
    size_t capacity, count;
    uint64_t beyond;                                      /* that are not kept */
    struct status_example examples[4 * STATUS_CODES_MAX]; /* candidates */
    uint16_t example_codes[4 * STATUS_CODES_MAX];
    size_t example_count;

    /* of the last count */
    struct status_code codes[STATUS_CODES_MAX]; /* open ones, in the order of the codes */
    size_t code_count;
    uint64_t open, resolved, discarded;
};

/* A message of the dead letter topic; one that came before changes nothing. */
void status_dead_letters_add(struct status_dead_letters *dead, const struct envelope *message);
/* A decision, in their order. */
void status_dead_letters_decide(struct status_dead_letters *dead, const struct decision *decision);
void status_dead_letters_count(struct status_dead_letters *dead, const struct readings *readings);
void status_dead_letters_free(struct status_dead_letters *dead);

#endif
