#ifndef DROVER_BASE_TOKEN_KINDS_H
#define DROVER_BASE_TOKEN_KINDS_H

/*
 * The kinds of keys and tokens that can be told by how they are written: one row each, with its
 * source above it. A new kind is a new row; the tests make values of it by themselves.
 *
 * A pattern is matched from a word's beginning, greedily and without going back:
 *
 *   ghp_      itself            %a  letters and digits              %w  %a and _ -
 *   {20}      20 times          %u  capitals and digits             %j  %w and .
 *   {20,}     20 or more        %l  small letters and digits        %t  %j and ~ + / =
 *   {20,40}   20 to 40 times    %x  hex digits, small               %b  base64: %a + / =
 *   ( … )     only this part    %h  hex digits, any                 %d  digits
 *             is the secret     [xy] one of these characters
 *
 * A letter, a digit or '_' behind it makes it another word. What stands in place of the classes
 * must look drawn at random (no "your-token-here", no "xxxx").
 */

#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/token_shape_name.h"

struct token_kind {
    const char *name;    /* issuer, and what it is */
    const char *pattern; /* see above */
    enum shape shape;
};

extern const struct token_kind TOKEN_KINDS[];
extern const size_t TOKEN_KIND_COUNT;

/* A match: the bytes [start, start + size) of the text are the secret, `end` is behind the match.
 */
struct token_match {
    size_t start, size, end;
    const struct token_kind *kind;
};

/* Where the runs of each class end that were read last, so that a text in which many words begin in
 * one run is read once. Zeroed; for one text alone. */
#define TOKEN_RUNS 10
struct token_runs {
    struct {
        size_t from, to;
    } of[TOKEN_RUNS];
};

/* The longest match of any row that begins at `at`. `inside`: `at` is not a word's beginning but
 * follows '_', '-' or '.', where only rows with four or more letters of their own count.
 * One look at three bytes settles nearly every word; the others take a bounded time. */
bool token_kind_at(struct bytes text, size_t at, bool inside, struct token_runs *runs,
                   struct token_match *match);

#endif
