#ifndef DROVER_POLICY_SECRET_TEXT_H
#define DROVER_POLICY_SECRET_TEXT_H

/*
 * How a reference to a secret is written inside a text, so that the text stays a text:
 *
 *   use sk-proj-… for it     use ${sealed:sec_…} for it     ${withheld:token} where nothing is kept
 *
 * A text may hold these letters of its own. So each run of '$' before "{sealed:" or "{withheld:",
 * and each before a reference, is written twice as long. Read: of a run of n, n / 2 are the text's
 * own, and an odd one begins a reference. So every text has one spelling and every spelling one
 * text, whatever stands in it:
 *
 *   text ${sealed:x}         $${sealed:x}
 *   text $SECRET             $$${sealed:sec_…}
 *
 * The field of a part's box is the pointer to the text, "~#" and the part's number from 1:
 * /content~#2 (no JSON pointer has a '~' that 0 or 1 does not follow).
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

/* Bytes of "${sealed:sec_…}", the longer of the two. */
#define SECRET_TEXT_MARK_SIZE 46

enum secret_text_kind { SECRET_TEXT_SEALED, SECRET_TEXT_WITHHELD };

struct secret_text_mark {
    size_t start, size; /* of "${…}" in the text */
    enum secret_text_kind kind;
    struct bytes reference; /* SECRET_TEXT_SEALED: "sec_…" */
};

/* The next reference from *at on; *at is behind it. False when there is none. */
bool secret_text_next(struct bytes text, size_t *at, struct secret_text_mark *mark);
/* The text is one reference and nothing else. */
bool secret_text_is_mark(struct bytes text, struct secret_text_mark *mark);

/* The source's own text, spelled; `before_mark`: a reference follows at once. */
void secret_text_append_spelled(struct buf *out, struct bytes own, bool before_mark);
/* The inverse, of what stands between two references. */
void secret_text_append_own(struct buf *out, struct bytes spelled, bool before_mark);
void secret_text_append_sealed(struct buf *out, const char *reference);
void secret_text_append_withheld(struct buf *out);

/* Whether the text has to be spelled otherwise, having no reference yet. */
bool secret_text_needs_spelling(struct bytes own);
/* Whether a string of this JSON text may have to be: it also looks at how JSON may escape these
 * letters, at any depth of JSON in strings. Never false wrongly. One pass over '$' and '\'. */
bool secret_text_may_need_spelling(struct bytes json);

#endif
