#!/usr/bin/env python3
"""corrupt.py PLANTED [--each N] [--seed N]: damages rows and Redis keys behind Drover's back, as an administrator could.

Each kind of damage is done to N records of their own; a list says what was done to which record, where, and by which
verdicts it must be called. Beside what it damages nothing is touched."""
import argparse
import json
import os
import random
import subprocess
import sys

from world import psql

GHOST = "moved-from-"  # another for each, as their ids may be the same


def redis(*words):
    return subprocess.run(["redis-cli", "-u", os.environ["REDIS_URL"], *words], check=True, capture_output=True,
                          text=True).stdout.rstrip("\n")


def update(table, tenant, key, change):
    changed = psql(f"UPDATE {table} SET {change} WHERE isolation_key = '{tenant}' AND id = '{key}' RETURNING '1'::json")
    assert len(changed) == 1, (table, tenant, key, change)


def delete(table, tenant, key):
    assert len(psql(f"DELETE FROM {table} WHERE isolation_key = '{tenant}' AND id = '{key}' RETURNING '1'::json")) == 1


def add(table, tenant, key):
    """A copy of a row under an id that no source ever had."""
    psql(f"CREATE TEMP TABLE one AS SELECT * FROM {table} WHERE isolation_key = '{tenant}' AND id = '{key}';"
         f" UPDATE one SET id = 'ghost-{key}'; INSERT INTO {table} SELECT * FROM one")


def spoil_meta(tenant, key):
    """The version in the meta beside a value: one more."""
    name = f"app:project:{tenant}:{key}:v"
    meta = redis("GET", name)
    redis("SET", name, f"{int(meta[:16], 16) + 1:016x}{meta[16:]}")


def spoil_value(tenant, key):
    name = f"app:project:{tenant}:{key}"
    redis("SET", name, redis("GET", name).replace('"title":"', '"title":"not '))


def add_key(tenant, key):
    """Value and meta of a record that there is not, as if Drover had written them."""
    redis("SET", f"app:project:{tenant}:ghost-{key}", redis("GET", f"app:project:{tenant}:{key}"))
    redis("SET", f"app:project:{tenant}:ghost-{key}:v", redis("GET", f"app:project:{tenant}:{key}:v").replace(f"/{key}", f"/ghost-{key}"))


DIGEST = "drover_digest = set_byte(drover_digest, 3, get_byte(drover_digest, 3) # 255)"
# kind: entity, the rows it is done to, what is done, where it is found, the verdicts that are right, the id it is found by
KINDS = {
    "row cell changed": ("chat", "live", lambda t, k: update("app_chat", t, k, "tokens = coalesce(tokens, 0) + 1"), "table", "different"),
    "rest column edited": ("user", "live", lambda t, k: update(
        "app_user", t, k, "extra = coalesce(extra, '{}') || '{\"settings\": {\"columns\": 99}}'"), "table", "different"),
    "row deleted": ("chat", "live", lambda t, k: delete("app_chat", t, k), "table", "missing"),
    "row added": ("chat", "live", lambda t, k: add("app_chat", t, k), "table", "extra"),
    "version lowered": ("chat", "live", lambda t, k: update("app_chat", t, k, "drover_version = drover_version - 1"), "table", "stale"),
    "version raised": ("chat", "live", lambda t, k: update(
        "app_chat", t, k, "drover_version = drover_version + 60000000"), "table", "target_newer"),
    "digest changed": ("chat", "live", lambda t, k: update("app_chat", t, k, DIGEST), "table", "different"),
    "tenant changed": ("chat", "live", lambda t, k: update("app_chat", t, k, f"isolation_key = '{GHOST}{t}'"), "table", "missing"),
    "deleted mark set": ("chat", "live", lambda t, k: update("app_chat", t, k, "drover_deleted = true"), "table", "different missing"),
    "deleted mark removed": ("user", "gone", lambda t, k: update(
        "app_user", t, k, "drover_deleted = false, name = 'back again'"), "table", "different extra"),
    "deleted status reset": ("project", "gone", lambda t, k: update("app_project", t, k, "status = 'open'"), "table", "different extra"),
    "Redis value changed": ("project", "live", spoil_value, "redis", "different"),
    "Redis field changed": ("user", "live", lambda t, k: redis("HSET", f"app:user:{t}:{k}", "plan", "none"), "redis", "different"),
    "Redis key deleted": ("project", "live", lambda t, k: redis("DEL", f"app:project:{t}:{k}"), "redis", "missing different"),
    "Redis meta changed": ("project", "live", spoil_meta, "redis", "target_newer"),
    "Redis key added": ("project", "live", add_key, "redis", "extra"),
}
ROWS = {
    "live": "NOT drover_deleted",
    "gone": "drover_deleted",
}


def victims(rng, entity, state, count, taken):
    where = ROWS[state]
    if entity == "project":
        where = "status = 'deleted'" if state == "gone" else "NOT drover_deleted AND status <> 'deleted'"
    rows = psql(f"SELECT json_build_array(isolation_key, id) FROM app_{entity} WHERE {where} ORDER BY isolation_key, id")
    rng.shuffle(rows)
    free = [row for row in rows if (entity, *row) not in taken and not row[0].startswith(GHOST)][:count]
    assert len(free) == count, f"{len(free)} {state} {entity} rows to damage, {count} are needed"
    return free


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("planted")
    arguments.add_argument("--each", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    rng, taken, planted = random.Random(given.seed), set(), []
    for kind, (entity, state, damage, where, verdicts) in KINDS.items():
        for tenant, key in victims(rng, entity, state, given.each, taken):
            named = f"ghost-{key}" if kind.endswith("added") else key
            taken |= {(entity, tenant, key), (entity, tenant, named)}
            damage(tenant, key)
            planted.append({"kind": kind, "entity": entity, "tenant": tenant, "id": named, "where": where, "verdicts": verdicts.split()})
    with open(given.planted, "w", encoding="utf-8") as out:
        for line in planted:
            out.write(json.dumps(line) + "\n")
    print(f"{len(planted)} records damaged in {len(KINDS)} ways")


if __name__ == "__main__":
    sys.exit(main())
