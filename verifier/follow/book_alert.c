/* Alerts that were told. One is known again by its condition and whom it tells. */
#include "common/io/alert/alerts.h"
#include "verifier/follow/book_internal.h"

/* Of a webhook its host alone. */
static void append_name(const struct alert *alert, struct buf *name)
{
    buf_reset(name);
    buf_append_format(name, "%s\n", alert->when);
    alert_append_target(alert, NULL, name);
}

static enum outcome write_alerts(struct book *book, const struct alerts *alerts, struct buf *name,
                                 struct error *err)
{
    enum outcome outcome = sqlite_run(&book->db, "DELETE FROM alert", NO_VALUES, err);
    for (size_t i = 0; i < alerts_count(alerts) && outcome == OUT_OK; i++) {
        int64_t since_ms = alerts_since_ms(alerts, i);
        if (since_ms < 0)
            continue;
        append_name(alerts_get(alerts, i), name);
        outcome = sqlite_run(&book->db, "INSERT OR REPLACE INTO alert VALUES (?1, ?2)",
                             VALUES(TEXT(buf_view(name)), NUMBER(since_ms)), err);
    }
    return outcome;
}

enum outcome book_keep_alerts(struct book *book, const struct alerts *alerts, struct error *err)
{
    struct buf name;
    buf_init(&name, ALERT_MESSAGE_MAX);
    enum outcome outcome = book_begin(book, err);
    if (outcome == OUT_OK)
        outcome = book_finish(book, write_alerts(book, alerts, &name, err), err);
    buf_free(&name);
    return outcome;
}

enum outcome book_resume_alerts(struct book *book, struct alerts *alerts, struct error *err)
{
    struct buf name;
    enum outcome outcome = OUT_OK;
    buf_init(&name, ALERT_MESSAGE_MAX);
    for (size_t i = 0; i < alerts_count(alerts) && outcome == OUT_OK; i++) {
        int64_t since_ms;
        append_name(alerts_get(alerts, i), &name);
        outcome = sqlite_number(&book->db, "SELECT since FROM alert WHERE name = ?1",
                                VALUES(TEXT(buf_view(&name))), -1, &since_ms, err);
        if (outcome == OUT_OK && since_ms >= 0)
            alerts_resume(alerts, i, since_ms);
    }
    buf_free(&name);
    return outcome;
}
