#include "common/policy/verify/verify_secrets.h"

#include <string.h>

#include "common/model/mapping/secret_mark.h"
#include "common/policy/secrets/secret_box.h"
#include "common/policy/secrets/secret_text.h"

/* At `at` stands `"` behind any number of backslashes: past it, or NULL. */
static const char *past_quote(const char *at, const char *end)
{
    while (at < end && *at == '\\')
        at++;
    return at < end && *at == '"' ? at + 1 : NULL;
}

/* Behind `$sealed`: `":"sec_…`; where the reference begins, or NULL. */
static const char *find_reference(const char *at, const char *end)
{
    at = past_quote(at, end);
    if (!at || at == end || *at != ':')
        return NULL;
    at = past_quote(at + 1, end);
    return at && (size_t)(end - at) >= SECRET_REFERENCE_SIZE && memcmp(at, "sec_", 4) == 0 ? at
                                                                                           : NULL;
}

static void append_marks(struct buf *out, struct bytes canonical)
{
    const char *at = canonical.data, *end = canonical.data + canonical.size;
    while (at < end) {
        const char *mark = memmem(at, (size_t)(end - at), MARK_SEALED, sizeof MARK_SEALED - 1);
        const char *behind = mark ? mark + sizeof MARK_SEALED - 1 : NULL;
        const char *reference = mark ? find_reference(behind, end) : NULL;
        if (!mark) {
            buf_append(out, at, (size_t)(end - at));
            return;
        }
        if (!reference) {
            buf_append(out, at, (size_t)(behind - at));
            at = behind;
            continue;
        }
        buf_append(out, at, (size_t)(mark - at));
        buf_append_text(out, MARK_WITHHELD);
        buf_append(out, behind, (size_t)(reference - behind));
        buf_append_text(out, "token");
        at = reference + SECRET_REFERENCE_SIZE;
    }
}

void verify_secrets_append(struct buf *out, struct bytes canonical)
{
    struct secret_text_mark mark;
    size_t at = 0, read = 0;
    while (secret_text_next(canonical, &at, &mark)) {
        append_marks(out, bytes_of(canonical.data + read, mark.start - read));
        secret_text_append_withheld(out);
        read = mark.start + mark.size;
    }
    append_marks(out, bytes_of(canonical.data + read, canonical.size - read));
}
