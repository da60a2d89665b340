/* A finished piece, handed out. */
#include "common/policy/export/export_record_text.h"

enum outcome export_give(struct export_maker *maker, const struct export_record_text *record_text,
                         struct error *err)
{
    if (maker->text.failed || maker->key.failed || maker->file.failed || maker->part.failed)
        return error_set(err, OUT_REJECT, ERR_EXPORT, "the record is too large to be exported");
    maker->take(maker->owner, record_text);
    return OUT_OK;
}
