#ifndef DROVER_IO_PG_TENANTS_H
#define DROVER_IO_PG_TENANTS_H

/*
 * Which mappings' tables take rows of several tenants in one statement: those that the workers'
 * policy guards alone, as `drover schema apply` makes it now. One that an earlier Drover made, and
 * has not been applied since, gets a statement a tenant; so does one with policies or triggers of
 * its owner's, or a default or check, that may ask for app.current_tenant_key. A statement that a
 * policy refuses is tried again tenant by tenant; a trigger that asks in silence and was made while
 * a worker runs finds no tenant until the answer is old.
 */

#include <libpq-fe.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/io/mappings.h"

struct pg_connection;
struct pg_tenants;

struct pg_tenants *pg_tenants_new(const struct mapping_set *mappings);
void pg_tenants_free(struct pg_tenants *tenants);
/* An answer counts so long: one question more in hundreds of batches. */
#define PG_TENANTS_KNOWN_MS 5000
/* Whether they were asked lately; forget: ask again with the next batch. */
bool pg_tenants_is_known(const struct pg_tenants *tenants);
void pg_tenants_forget(struct pg_tenants *tenants);
/* Queues the question; one result. */
void pg_tenants_queue_ask(struct pg_tenants *tenants, struct pg_connection *connection);
void pg_tenants_take_answer(struct pg_tenants *tenants, const PGresult *result);
bool pg_tenants_has(const struct pg_tenants *tenants, const struct mapping *mapping);

#endif
