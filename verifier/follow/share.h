#ifndef DROVER_VERIFIER_FOLLOW_SHARE_H
#define DROVER_VERIFIER_FOLLOW_SHARE_H

/*
 * Which keys are compared when not all can be: a share of them, chosen by the key's hash, so that a
 * chosen key is followed message by message. It is halved while the backlog is above its bound, and
 * doubled again below a quarter of it, one step at a time. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"

#define SHARE_STEPS_MAX 8 /* 1/256 at least */

struct share {
    unsigned steps;
};

/* Before a lookup; true: it is another one now. */
bool share_step(struct share *share, uint64_t backlog, uint64_t backlog_max);
/* 0 to 1. */
double share_of(const struct share *share);
/* Of a message's key, or what stands for it. */
uint64_t share_hash(struct bytes key);
bool share_has(const struct share *share, uint64_t hash);

#endif
