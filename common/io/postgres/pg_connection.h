#ifndef DROVER_IO_PG_CONNECTION_H
#define DROVER_IO_PG_CONNECTION_H

/*
 * One asynchronous PostgreSQL connection on the loop, in pipeline mode. Queries are queued, a sync
 * ends the exchange and sends it in one go; its results come together when the server reached the
 * sync. A connection has one exchange in flight at most. It connects by itself, and again after a
 * loss, with backoff; prepared statements are remembered per connection.
 *
 * All parameters are binary with lengths: libpq's text parameters end at the first NUL.
 */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/bytes.h"
#include "common/base/error.h"

struct pg_connection;

/* One result of an exchange, in the order of its queries. */
struct pg_reply {
    PGresult **results; /* freed by the connection after the callback; NULL entries: never ran */
    int count;
    int failed; /* index of the first failed query, or -1 */
};

struct pg_connection_events {
    /* The connection is usable (again), nothing in flight. */
    void (*on_ready)(void *owner, struct pg_connection *connection);
    /* The exchange ended at its sync. */
    void (*on_reply)(void *owner, struct pg_connection *connection, const struct pg_reply *reply);
    /* The connection is lost or could not be made; an exchange in flight is gone, its outcome
     * unknown. The connection tries again by itself when err's outcome is OUT_RETRY; OUT_FATAL
     * (login refused) ends it. */
    void (*on_lost)(void *owner, struct pg_connection *connection, const struct error *err);
};

struct pg_connection_config {
    const char *url;
    const char *role;
    const char *application;
    uint32_t connect_ms;  /* give up one try after this */
    const char *defaults; /* of the session (pg_params_init), static; NULL: none */
};

/* Starts connecting on the next turn of the loop. Texts of the config are copied. */
struct pg_connection *pg_connection_new(uv_loop_t *loop, const struct pg_connection_config *config,
                                        const struct pg_connection_events *events, void *owner);
/* Closes now, whatever is in flight; on_closed on a later turn. Nothing else is called after. */
void pg_connection_close(struct pg_connection *connection, void (*on_closed)(void *owner));

bool pg_connection_is_ready(
    const struct pg_connection *connection); /* connected, no exchange open or in flight */

/* Parameters of one query at most: columns of a mapping and a few. */
#define PG_CONNECTION_PARAMS_MAX 256

/* A parameter; size -1 is NULL. Bytes are copied into libpq's output at once. */
struct pg_param {
    const char *data;
    int size;
};

/* Queues one query. `name`: prepared on first use of this connection as that statement (a static or
 * long-lived text, unique per sql); NULL: unprepared. `types`: parameter type OIDs or NULL. Results
 * in binary. Does nothing on a connection that is not connected (on_lost follows). */
void pg_connection_query(struct pg_connection *connection, const char *name, const char *sql,
                         const struct pg_param *params, int count);
/* An exchange of its own, outside of pipeline mode, in which COPY is refused: statements separated
 * by semicolons, in which COPY … FROM STDIN takes what `fill` gives for it (`number`: from 0, in
 * their order): all of it, copied before `fill` is called again. Nothing may be queued. on_reply
 * gets a result a statement. */
typedef struct bytes pg_connection_fill(void *owner, int number);
void pg_connection_copy(struct pg_connection *connection, const char *sql,
                        pg_connection_fill *fill);
/* Ends the exchange. */
void pg_connection_sync(struct pg_connection *connection);
/* Drops the connection and makes a new one: for lost prepared statements and a state nobody knows.
 */
void pg_connection_reconnect(struct pg_connection *connection);

#endif
