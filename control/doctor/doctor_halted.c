#include "control/doctor/doctor_halted.h"

#include <inttypes.h>

#include "control/status/status_screen.h"

enum { TEXT_LIMIT = 4096 };

void doctor_say_halted(struct findings *findings, struct status *status)
{
    struct error ignored;
    struct buf fix;
    if (status_read_receipts(status, &ignored) != OUT_OK)
        return; /* another store than the receipts': status says so */
    buf_init(&fix, TEXT_LIMIT);
    for (int32_t i = 0; i < status->partition_count; i++) {
        const struct halted *halted = status_halted(status, i);
        if (!halted)
            continue;
        buf_reset(&fix);
        status_screen_append_command(&fix, status, halted);
        findings->say(findings, FINDING_WARNING, "kafka", buf_text(&fix),
                      "partition %d is halted at offset %" PRId64 ": %s %s (drover explain %s)", i,
                      halted->offset, halted->code, halted->text, halted->code);
    }
    buf_free(&fix);
}
