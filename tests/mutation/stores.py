#!/usr/bin/env python3
"""Mutation test of the stores that keep records alone, Redis and files: the mappings and records of servers.py, one edit of
what is kept of a record at a time, and the verdict must name exactly that record.

DROVER_MUTATION_MAPPINGS, DROVER_MUTATION_ROUNDS: how many (60, 5). DROVER_SEED repeats a run.
"""

import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib
import servers
from lib import NAME, WORK, Psql, ROOT_URL, drover, main, own_variable, say, url_of
from servers import ALIEN, RANDOM, TALLY, TENANTS, Edit, World, check, complain, edit_redis, row_key

servers.MAPPINGS = int(lib.OWN["DROVER_MUTATION_MAPPINGS"] or 60)
ROUNDS = int(lib.OWN["DROVER_MUTATION_ROUNDS"] or (60 if servers.FULL else 5))
STORE = os.path.join(WORK, "store")
RIGHT = {"different", "missing", "stale", "target_newer", "extra", "unexpected_tenant", "unreadable", "misplaced", "expired", "broken"}


class RecordWorld(World):
    """One storage, one migration of its own; the same sources."""

    def __init__(self, storage):
        os.environ["DATABASE_URL"] = url_of(ROOT_URL)
        super().__init__(storage, store="{ dir: %s }" % STORE) if storage == "file" else super().__init__(storage)
        os.environ["DROVER_MIGRATION"] = self.migration = "%s_%s" % (NAME, storage)

    def prepare(self):
        drover("topics", "apply")
        self.write_sources()
        drover("work", "--until-end")
        self.delete_some()
        drover("work", "--until-end")


class RedisWorld(RecordWorld):
    def __init__(self):
        super().__init__("redis")

    def prepare(self):
        super().prepare()
        self.saved = self.redis.save()

    def rows(self):
        found = {}
        for key in self.redis.do("KEYS", "*"):
            if key.startswith(b"drover:"):
                continue
            hash_form = self.redis.do("TYPE", key) == b"hash"
            if not hash_form and not key.endswith(b":v"):
                continue
            meta = self.redis.do("HGET", key, "_v") if hash_form else self.redis.do("GET", key)
            tenant, entity, name = meta[49:].decode().split("/")
            found.setdefault(entity, []).append({"entity": entity, "tenant": tenant, "id": name,
                                                 "dead": meta[48:49] == b"d", "soft": False})
        return found

    def edit(self, mapping, rows):
        edit = edit_redis(self, mapping, rows) if mapping.form else None
        if not edit:
            return None
        if "nobody" in edit.text or "ttl" in edit.text:  # a stranger's key, and what only hybrid looks at
            self.redis.restore(self.saved, edit.keys)
            return None
        there = {row_key(row) for row in rows}
        edit.rows = {key: RIGHT for key in edit.redis if key in there}
        edit.redis = {key: RIGHT for key in edit.redis if key not in there}
        edit.followers = set(edit.rows)
        return edit

    def undo(self, edits):
        self.redis.restore(self.saved, set().union(*[e.keys for e in edits]))


class FileWorld(RecordWorld):
    def __init__(self):
        super().__init__("file")
        self.db = None
        self.files = {}  # path -> what was in it

    def prepare(self):
        super().prepare()
        self.db.execute("CREATE TEMP TABLE saved AS SELECT * FROM record")

    def rows(self):
        found = {}
        self.db = self.db or sqlite3.connect(os.path.join(STORE, ".drover", "state.db"), isolation_level=None)
        for entity, tenant, name, dead in self.db.execute("SELECT entity, tenant, id, deleted FROM record"):
            found.setdefault(entity, []).append({"entity": entity, "tenant": tenant, "id": name, "dead": bool(dead),
                                                 "soft": False})
        return found

    def edit(self, mapping, rows):
        row = RANDOM.choice(rows)
        at = (row["entity"], row["tenant"], row["id"])
        where = " WHERE entity = ? AND tenant = ? AND id = ?"
        other = RANDOM.choice([t for t in TENANTS + [ALIEN] if t != row["tenant"]])
        there = any(r["tenant"] == other and r["id"] == row["id"] for r in rows)
        what = RANDOM.choice(["json", "member", "garbage", "version +", "version -", "digest", "deleted", "gone", "moved"])
        edit = Edit(mapping, "file: %s%s" % (what, " of a tombstone" if row["dead"] else ""))
        verdicts = {"different"}
        if what in ("json", "member", "garbage"):
            if row["dead"]:
                return None
            self.edit_file(at, what)
            verdicts = {"different", "missing"}
        elif what.startswith("version"):
            self.db.execute("UPDATE record SET version = version %s 1%s" % (what[-1], where), at)
            verdicts = {"target_newer" if what[-1] == "+" else "stale"}
        elif what == "digest":
            digest = self.db.execute("SELECT digest FROM record" + where, at).fetchone()[0]
            self.db.execute("UPDATE record SET digest = ?" + where, (bytes([digest[0] ^ 1]) + digest[1:],) + at)
        elif what == "deleted":
            self.db.execute("UPDATE record SET deleted = 1 - deleted" + where, at)
        elif what == "gone":
            if row["dead"] and mapping.hard:
                return None
            self.db.execute("DELETE FROM record" + where, at)
            verdicts = {"missing"}
        elif there:
            return None
        else:  # where it is now no file shows it
            self.db.execute("UPDATE record SET tenant = ?" + where, (other,) + at)
            verdicts = {"missing"}
        edit.rows[row_key(row)] = verdicts
        return edit

    def edit_file(self, at, what):
        """The record's line in its tenant's file: records are read where they lie."""
        entity, tenant, name = at
        path = os.path.join(STORE, ("=" if tenant.startswith(".") else "") + tenant, entity + ".json")
        shown = [i for i, in self.db.execute("SELECT id FROM record WHERE entity = ? AND tenant = ? AND json IS NOT NULL ORDER BY id",
                                             (entity, tenant))]
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        self.files.setdefault(path, "\n".join(lines))
        line = lines[1 + shown.index(name)]
        text = self.db.execute("SELECT json FROM record WHERE entity = ? AND tenant = ? AND id = ?", at).fetchone()[0]
        assert line.rstrip(",").endswith(text), (line, text)
        edited = {"json": "{\"edited\":1}", "member": text[:1] + "\"added by hand\":1," + text[1:] if text[0] == "{" else
                  "[%s]" % text, "garbage": text[:-1]}[what].replace(",}", "}")
        begin = len(line.rstrip(",")) - len(text)
        lines[1 + shown.index(name)] = line[:begin] + edited + line[begin + len(text):]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))

    def undo(self, edits):
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM record")
        self.db.execute("INSERT INTO record SELECT * FROM saved")
        self.db.execute("COMMIT")
        for path, text in self.files.items():
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        self.files = {}


def run(world):
    world.prepare()
    code, report = world.verify()
    say("storage %s: nothing edited: exit %d, %s" % (world.storage, code, {k: v for k, v in {**report["counts"], **report["beside"]}.items() if v}))
    if code:
        complain(None, "storage %s, nothing edited: exit code %d" % (world.storage, code), json.dumps(report["samples"])[:1500])
        return 0
    rows, count = world.rows(), 0
    for _ in range(ROUNDS):
        edits = []
        for mapping in world.mappings:
            mine = rows.get(mapping.entity)
            for _ in range(10 if mine else 0):
                edit = world.edit(mapping, mine)
                if edit:
                    edits.append(edit)
                    break
        code, report = world.verify()
        check(world, edits, report, code)
        world.undo(edits)
        count += len(edits)
    code, report = world.verify()
    check(world, [], report, code)
    say("storage %s: %d edits, %d failures" % (world.storage, count, sum(map(len, TALLY.values()))))
    return count


def test():
    print("seed %d, %d mappings, %d rounds" % (servers.SEED, servers.MAPPINGS, ROUNDS), flush=True)
    for make in (FileWorld, RedisWorld):
        run(make())
    for kind, texts in sorted(TALLY.items(), key=lambda item: -len(item[1])):
        print("  %5d × %s" % (len(texts), kind))
    return 1 if TALLY else 0


if __name__ == "__main__":
    main(test)
