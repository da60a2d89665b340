#!/usr/bin/env python3
"""Mutation test on real servers, storage hybrid: many generated mappings and records, one run that writes them all, then
one edit a mapping in each round: a cell, a row, a value of Drover's own columns, a key, a meta or a ttl in Redis. The
verdict must name exactly what was edited; with nothing edited it must be MATCH.

DROVER_MUTATION_MAPPINGS, DROVER_MUTATION_ROUNDS: how many (200, 20). DROVER_SEED repeats a run.
"""

import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import (BROKERS, NAME, ROOT_URL, SERVER, WORK, Failed, Psql, Redis, drover, main, own_variable, quoted, say,
                 settings, url_of, write)

FULL = own_variable("DROVER_TEST_FULL") == "1"
SEED = int(own_variable("DROVER_SEED", 20261128))
MAPPINGS = int(own_variable("DROVER_MUTATION_MAPPINGS", 200))
ROUNDS = int(own_variable("DROVER_MUTATION_ROUNDS", 100 if FULL else 20))
own_variable("DROVER_CASES")
RANDOM = random.Random(SEED)
TENANTS = ["acme", "globex"]
USERS = {"acme": "u1", "globex": "ü:2"}
ORIGIN = "https://a.example"
ALIEN = "initech"  # a tenant that no source has


def one_in(n):
    return RANDOM.randrange(n) == 0


# ---- values: a type's JSON, a literal, and SQL that makes another value of a stored one ---------------------------------


def text_value():
    return RANDOM.choice(["", "a", "Zz", "none", "ä€", "😀", "\"\\", " ", "null", "gone", "{\"a\":1}", "e\u0301", "1", "%2F:/",
                          "x" * 300])


def json_value(depth=2):
    kind = RANDOM.randrange(7 if depth else 5)
    if kind == 0:
        return None
    if kind == 1:
        return RANDOM.choice([True, False])
    if kind == 2:
        return RANDOM.choice([0, -1, 2 ** 53 + 1, 1.5, 1e300, 10 ** 30])
    if kind in (3, 4):
        return text_value()
    if kind == 5:
        return [json_value(depth - 1) for _ in range(RANDOM.randrange(3))]
    return {RANDOM.choice("uvwx"): json_value(depth - 1) for _ in range(RANDOM.randrange(3))}


def time_value(zone):
    return "20%02d-%02d-%02dT%02d:%02d:%02d.%03dZ" % tuple(RANDOM.randrange(a, b) for a, b in (
        (10, 40), (1, 13), (1, 29), (0, 24), (0, 60), (0, 60), (0, 1000))) if not zone or RANDOM.random() < .8 else \
        "2024-03-01T10:00:%02d.5+02:00" % RANDOM.randrange(60)


SCALARS = {
    # type: (JSON value, default in YAML, another value of a column {c} in SQL, a first value in SQL)
    "text": (text_value, "none", "{c} || 'x'", "'made'"),
    "varchar(400)": (text_value, "'0'", "{c} || 'x'", "'made'"),
    "bool": (lambda: RANDOM.choice([True, False]), "true", "NOT {c}", "true"),
    "int2": (lambda: RANDOM.choice([0, 7, -1, 32767, -32768]), "7", "CASE WHEN {c} > 0 THEN {c} - 1 ELSE {c} + 1 END", "5"),
    "int4": (lambda: RANDOM.choice([0, 7, -1, 2 ** 31 - 1, -2 ** 31]), "7", "CASE WHEN {c} > 0 THEN {c} - 1 ELSE {c} + 1 END", "5"),
    "int8": (lambda: RANDOM.choice([0, 7, 2 ** 53 + 1, 2 ** 63 - 1, -2 ** 63]), "7", "CASE WHEN {c} > 0 THEN {c} - 1 ELSE {c} + 1 END", "5"),
    "float4": (lambda: RANDOM.choice([0.5, -2.25, 0.1, 16777217]), "0.5", "CASE WHEN {c} = 1.5 THEN 2.5 ELSE 1.5 END", "5.5"),
    "float8": (lambda: RANDOM.choice([0.1, 1e300, -1.5e-300, 0.30000000000000004]), "0.5", "CASE WHEN {c} = 1.5 THEN 2.5 ELSE 1.5 END", "5.5"),
    "numeric": (lambda: RANDOM.choice([0, 0.1, 10 ** 20, -7.25]), "1.50", "{c} + 0.000000000000000000001", "5.5"),
    "numeric(12,2)": (lambda: RANDOM.choice([0, 0.1, -7.25, 99999.99]), "1.5", "{c} + 0.01", "5.5"),
    "date": (lambda: "20%02d-02-%02d" % (RANDOM.randrange(99), RANDOM.randrange(1, 29)), "2024-02-29", "{c} + 1", "'2020-01-01'"),
    "timestamp": (lambda: time_value(False), "\"2024-02-29T01:02:03.000Z\"", "{c} + interval '1 microsecond'", "'2020-01-01'"),
    "timestamptz": (lambda: time_value(True), "\"2024-02-29T01:02:03.000Z\"", "{c} + interval '1 microsecond'", "'2020-01-01Z'"),
    "uuid": (lambda: "0000000%d-0000-4000-8000-00000000000a" % RANDOM.randrange(10), "00000000-0000-4000-8000-00000000000a",
             "CASE WHEN {c} = '00000000-0000-4000-8000-0000000000ff' THEN '00000000-0000-4000-8000-0000000000fe'::uuid ELSE '00000000-0000-4000-8000-0000000000ff' END",
             "'00000000-0000-4000-8000-0000000000ff'"),
    "bytea": (lambda: RANDOM.choice(["", "AAE=", "/////w=="]), "\"AAE=\"", "{c} || '\\x00'::bytea", "'\\x41'"),
    "jsonb": (json_value, "plain", "jsonb_build_array({c})", "'5'"),
}
JSONB_NULL = "CASE WHEN {c} = 'null' THEN NULL ELSE 'null'::jsonb END"


class Column:
    def __init__(self, name, source, kind, pointers=(), key=False, **options):
        self.name, self.source, self.kind, self.pointers, self.key, self.options = name, source, kind, list(pointers), key, options
        self.array = kind.endswith("[]")

    def yaml(self):
        source = self.source or ("[%s]" % ", ".join(self.pointers) if len(self.pointers) > 1 else self.pointers[0])
        options = "".join(", %s: %s" % item for item in self.options.items())
        return "  - { name: %s, from: %s, type: \"%s\"%s }\n" % (self.name, source, self.kind, options)

    def value(self):
        if self.options.get("seal") or self.options.get("withhold"):
            return RANDOM.choice(["s3", "other", "x" * 40])
        make = SCALARS[self.kind.replace("[]", "")][0]
        value = [None if one_in(6) else make() for _ in range(RANDOM.randrange(4))] if self.array else make()
        return json.dumps(value) if self.options.get("decode") else value

    def edits(self):
        """(name, SQL of another value or None when the column holds NULL)"""
        first = SCALARS[self.kind.replace("[]", "")]
        if self.array:
            base = self.kind
            yield "array element added", "array_append({c}, NULL)", "'{{}}'::%s" % base
            yield "array lower bound", ("CASE WHEN cardinality({c}) > 0 THEN (format('[5:%s]=', 4 + cardinality({c})) || {c}::text)::" + base +
                                        " ELSE array_append({c}, NULL) END"), "'{{}}'::%s" % base
        else:
            yield "another value", first[2], first[3]
        if self.kind == "jsonb":
            yield "'null' and NULL", JSONB_NULL, "'null'"
        yield "NULL", "NULL", first[3] if not self.array else "'{{}}'::%s" % self.kind


POINTERS = ["/a", "/b", "/c", "/m", "/m/a", "/m/b", "/m/n", "/e", "/e/a"]


def related(a, b):
    return a == b or a.startswith(b + "/") or b.startswith(a + "/")


class Mapping:
    def __init__(self, number):
        self.number, self.entity = number, "m%d" % number
        self.columns, self.kinds = [], {}
        self.rest = "extra" if RANDOM.randrange(6) else None
        overlap = self.rest and one_in(2)
        self.columns.append(Column("k0", None, RANDOM.choice(["text", "int8"]), ["/id"], True))
        for i in range(1, RANDOM.randrange(1, 4)):
            if one_in(2):
                self.columns.append(Column("k%d" % i, RANDOM.choice(["$key", "$key_suffix", "$user", "$origin"]), "text", key=True))
            else:
                self.columns.append(Column("k%d" % i, None, RANDOM.choice(["text", "int8", "bool", "uuid"]), ["/id%d" % i], True))
        for i in range(RANDOM.randrange(2, 9)):
            self.columns.append(self.random_column(i, overlap))
        self.whole = one_in(10)
        if self.whole:
            self.columns.append(Column("whole", "$value", "jsonb"))
        self.soft = self.rest and one_in(5)
        if self.soft:
            self.columns.append(Column("state", None, "text", ["/state"], default="open"))
        self.hard = not self.soft and one_in(4)
        self.version = RANDOM.choice([None, None, "number"]) if self.rest else None
        self.form = RANDOM.choice(["json", "json", "hash", None])
        self.ttl = RANDOM.choice([None, "24h"]) if self.form else None

    def random_column(self, i, overlap):
        name = "c%d" % i
        if one_in(4):
            source, kind = RANDOM.choice([("$key", "text"), ("$key_suffix", "text"), ("$index", "int4"), ("$index1", "int8"),
                                          ("$user", "text"), ("$origin", "text"), ("$isolation_key", "text"),
                                          ("$tenant_context", "jsonb")])
            return Column(name, source, kind)
        kind, options = RANDOM.choice(list(SCALARS)), {}
        if not self.rest:  # such a mapping takes only what each cell gives back as it was
            return Column(name, None, RANDOM.choice(["text", "bool", "int4", "uuid"]), ["/p%d" % i])
        if overlap and one_in(2):
            # columns of one member, or one inside the other: what the inner one takes must fit both
            pointer = RANDOM.choice(POINTERS)
            if pointer in self.kinds:
                kind, options = ("jsonb", {}) if one_in(2) else self.kinds[pointer]
            elif any(other.startswith(pointer + "/") for other in POINTERS):
                kind = "jsonb"
            self.kinds.setdefault(pointer, (kind, options))
            return Column(name, None, kind, [pointer], **options)
        pointers = ["/p%d" % i] + (["/q%d" % i] if one_in(5) else [])
        if one_in(9):
            return Column(name, None, "text", pointers[:1], **{RANDOM.choice(["seal", "withhold"]): "true"})
        if one_in(4) and kind not in ("timestamp", "bytea"):
            kind += "[]"
        elif one_in(3):
            options["default"] = SCALARS[kind][1]
        if one_in(7):
            options["decode"] = "json"
        elif one_in(6) and kind in ("int4", "int8", "float8", "numeric"):
            options["tolerance"] = RANDOM.choice(["0.001", "10"])
        return Column(name, None, kind, pointers, **options)

    def yaml(self):
        text = "entity: %s\ntable: %s\ncollect: { local_storage: [\"%s_*\"] }\n" % (self.entity, self.entity, self.entity)
        text += "key: [%s]\n" % ", ".join(c.name for c in self.columns if c.key)
        if self.version:
            text += "version: { from: /rev, as: number }\n"
        if self.rest:
            text += "rest: %s\n" % self.rest
        if self.soft:
            text += "on_delete: { column: state, value: gone }\n"
        elif self.hard:
            text += "on_delete: hard\n"
        if self.form:
            text += "redis: { key: \"%s:{isolation_key}:{id}\", value: %s%s }\n" % (
                self.entity, self.form, ", ttl: %s" % self.ttl if self.ttl else "")
        return text + "columns:\n" + "".join(c.yaml() for c in self.columns)

    def record(self, number, rev):
        record = {}
        columns = [c for c in self.columns if c.pointers and not c.key]
        RANDOM.shuffle(columns)
        for column in columns:
            if one_in(6):
                continue
            pointer = RANDOM.choice(column.pointers)
            if pointer in self.kinds:  # of several columns the strictest says what fits
                kind, options = self.kinds[pointer]
                column = Column(column.name, None, kind, [pointer], **options)
            place(record, pointer, None if one_in(10) and self.rest else column.value())
        if self.rest or self.whole:
            for _ in range(RANDOM.randrange(3)):
                record[RANDOM.choice(["zoo", "other", "x y"])] = json_value()
        ids = random.Random(SEED * 1000 + self.number * 100 + number)
        for column in (c for c in self.columns if c.key and c.pointers):
            pointer = column.pointers[0][1:]
            record[pointer] = {"text": "r%d/%s" % (number, ids.choice("aä:")), "int8": number * 10 ** 15 + ids.randrange(9),
                               "bool": ids.choice([True, False]),
                               "uuid": "0000000%d-0000-4000-8000-00000000000a" % ids.randrange(10)}[column.kind]
        if self.rest:
            record["rev"] = rev
        return record


def place(record, pointer, value):
    parts = pointer[1:].split("/")
    for part in parts[:-1]:
        record = record.setdefault(part, {})
        if not isinstance(record, dict):
            return
    record.setdefault(parts[-1], value)


# ---- one run that writes everything ----------------------------------------------------------------------------------------


class World:
    def __init__(self, storage="hybrid", **others):
        self.storage, self.migration = storage, NAME
        if storage == "hybrid":
            subprocess.run(["psql", SERVER, "-qXc", "CREATE DATABASE " + NAME], check=True)
        self.redis = Redis()
        os.environ.update(DATABASE_URL=url_of(SERVER), REDIS_URL=self.redis.url, DROVER_MIGRATION=NAME, NO_COLOR="1",
                          DROVER_ADMIN_DATABASE_URL="")
        self.make_mappings(others)

    def make_mappings(self, others):
        settings(mappings="[%s/mappings]" % WORK, storage=self.storage, secrets="{ detect: off, key_file: %s/key }" % WORK,
                 verify="{ report: %s/report }" % WORK, **others)
        self.mappings = [Mapping(number) for number in range(MAPPINGS)]
        for mapping in self.mappings:
            write("mappings/%s.yaml" % mapping.entity, mapping.yaml())
        drover("config", "check")
        if not os.path.exists(os.path.join(WORK, "key")):
            drover("secret", "keygen", os.path.join(WORK, "key"))

    def write_sources(self):
        for tenant in TENANTS:
            for turn, users in ((1, 4), (2, 2)):
                items = []
                for mapping in self.mappings:
                    records = [mapping.record(n, turn) for n in range(users)]
                    items.append({"name": "%s_all" % mapping.entity, "value": json.dumps(records, ensure_ascii=False)})
                path = write("%s.%d.json" % (tenant, turn), json.dumps(
                    {"cookies": [], "origins": [{"origin": ORIGIN, "localStorage": items}]}, ensure_ascii=False))
                os.utime(path, (1700000000 + turn, 1700000000 + turn))
                code, _ = drover("produce", path, "--tenant", tenant, "--user", USERS[tenant], "--format", "local_storage",
                                 codes=(0, 5))

    def delete_some(self):
        """As another producer: a null value with the row's own id."""
        there = self.rows()
        for tenant in TENANTS:
            for mapping in RANDOM.sample(self.mappings, max(1, len(self.mappings) // 8)):
                rows = [r["id"] for r in there.get(mapping.entity, []) if r["tenant"] == tenant]
                if not rows:
                    continue
                subprocess.run(["kcat", "-P", "-b", BROKERS, "-t", "drover.%s.source" % self.migration, "-K", "\t", "-Z",
                                "-X", "partitioner=murmur2", "-H", "drover-tenant=" + tenant, "-H",
                                "drover-entity=" + mapping.entity, "-H", "drover-version=%d" % (2 ** 62)],
                               input=("%s/%s/%s\t\n" % (tenant, mapping.entity, min(rows))).encode(), check=True)

    @staticmethod
    def id_sql(mapping):
        """The key's texts as JSON; see percent()."""
        return "to_jsonb(array_to_string(ARRAY[%s], ':'))" % ", ".join(
            "public.percent(%s::text)" % c.name for c in mapping.columns if c.key)

    def prepare(self):
        drover("schema", "apply")
        drover("topics", "apply")
        self.sql = Psql(url_of(ROOT_URL))
        self.sql.run("SET TIME ZONE 'UTC'; SET client_encoding = 'UTF8'")
        self.sql.run(r"""CREATE FUNCTION public.percent(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
            SELECT coalesce(string_agg(CASE WHEN c ~ '^[A-Za-z0-9._~-]$' THEN c ELSE
                (SELECT string_agg('%' || upper(lpad(to_hex(get_byte(convert_to(c, 'UTF8'), i)), 2, '0')), '' ORDER BY i)
                   FROM generate_series(0, length(convert_to(c, 'UTF8')) - 1) AS i) END, '' ORDER BY n), '')
              FROM regexp_split_to_table(t, '') WITH ORDINALITY AS s (c, n) WHERE t <> '' $$""")
        self.write_sources()
        drover("work", "--until-end")
        self.delete_some()
        drover("work", "--until-end")
        self.sql.run("CREATE SCHEMA saved")
        for mapping in self.mappings:
            self.sql.run("CREATE TABLE saved.%s AS TABLE public.%s" % (mapping.entity, mapping.entity))
        self.saved = self.redis.save()

    # ---- what is there

    def rows(self):
        """{entity: [row]}: tenant, id, how to find it, deleted, softly, and which columns are NULL."""
        found = {}
        parts = []
        for m in self.mappings:
            nulls = ", ".join("'%s', %s IS NULL" % (c.name, c.name) for c in m.columns if not c.key)
            parts.append("SELECT json_build_object('entity', '%s', 'tenant', isolation_key, 'id', %s, 'where', %s, 'dead', "
                         "drover_deleted, 'soft', %s, 'nulls', json_build_object(%s), 'rest', %s) FROM public.%s" % (
                             m.entity, self.id_sql(m), "format('isolation_key = %%L%s', isolation_key, %s)" % (
                                 "".join(" AND %s = %%%%L" % c.name for c in m.columns if c.key).replace("%%", "%"),
                                 ", ".join(c.name for c in m.columns if c.key)),
                             "NOT drover_deleted AND drover_digest = decode(repeat('00', 16), 'hex')" if m.soft else "false",
                             nulls, m.rest or "NULL::jsonb", m.entity))
        for part in parts:
            for line in self.sql.run(part):
                row = json.loads(line)
                found.setdefault(row["entity"], []).append(row)
        return found

    def verify(self, codes=(0, 5)):
        code, text = drover("verify", "--json", "--show-values", "--samples", "100000", codes=codes)
        return code, json.loads(text)

    def undo(self, entities, keys):
        self.sql.run("BEGIN; %s COMMIT" % "".join(
            "DELETE FROM public.%s; INSERT INTO public.%s SELECT * FROM saved.%s;" % (entity, entity, entity)
            for entity in entities))
        self.redis.restore(self.saved, keys)


# ---- edits -----------------------------------------------------------------------------------------------------------------


class Edit:
    """What was done, and what must be found of it: rows {(entity, tenant, id): verdicts}, redis the same."""

    def __init__(self, mapping, text):
        self.mapping, self.text = mapping, text
        self.rows, self.redis = {}, {}
        self.paths = None    # pointers or columns of which one is to be named, and no other; None: none need be
        self.any_path = False  # the whole record was changed: any may be named, but one must
        self.keys = set()    # of Redis, to be restored
        self.followers = set()  # rows of which Redis may differ as well, since its value is made from the row

    def allows(self, path):
        name = path[7:] if path.startswith("column ") else path
        return self.any_path or any(name == p or (p.startswith("/") and related(path, p)) for p in self.paths)


DIFFERENT = {"different"}


def row_key(row, **others):
    return (row["entity"], others.get("tenant", row["tenant"]), others.get("id", row["id"]))


def redis_key(mapping, row, tenant=None):
    return ("%s:%s:%s" % (mapping.entity, tenant or row["tenant"], row["id"])).encode()


def edit_cell(world, mapping, rows):
    row = RANDOM.choice(rows)
    column = RANDOM.choice([c for c in mapping.columns if not c.key])
    if row["dead"]:
        return None
    name, change, first = RANDOM.choice(list(column.edits()))
    sql = first if row["nulls"][column.name] else change
    if row["nulls"][column.name] and name == "NULL":
        return None
    sql = sql.replace("{{", "{").replace("}}", "}").replace("{c}", column.name)
    edit = Edit(mapping, "%s in %s (%s%s)" % (name, column.name, column.source or "pointer", "".join(
        ", " + o for o in column.options)))
    if not update(world, mapping, row, "%s = %s" % (column.name, sql)):
        return None
    edit.rows[row_key(row)] = DIFFERENT | ({"within_tolerance"} if "tolerance" in column.options else set())
    edit.paths = column.pointers + [column.name]
    edit.any_path = column.source == "$value"
    if row["soft"] and column.name != "state":
        edit.paths = None  # which column it is nobody knows: the delete does not say what they were
    edit.followers = {row_key(row)}
    return edit


def update(world, mapping, row, assignment):
    """Sets and says whether the row is another one now. What a constraint refuses is no edit."""
    lines = world.sql.run(
        "WITH old AS (SELECT to_jsonb(t) AS v FROM public.%s t WHERE %s), "
        "new AS (UPDATE public.%s t SET %s WHERE %s RETURNING to_jsonb(t) AS v) "
        "SELECT old.v = new.v FROM old, new" % (mapping.entity, row["where"], mapping.entity, assignment, row["where"]),
        may_fail=True)
    return lines in (["t"], ["f"])


def edit_rest(world, mapping, rows):
    row = RANDOM.choice(rows)
    if not mapping.rest or row["dead"] or row["soft"]:
        return None
    columns = [c for c in mapping.columns if c.pointers and not c.key]
    if not columns:
        return None
    rest, column = row["rest"], RANDOM.choice(columns)
    pointer = column.pointers[0]
    choice = RANDOM.randrange(5)
    edit = Edit(mapping, "")
    if choice == 0:
        edit.text, sql, edit.paths = "a member added to rest", "coalesce({c}, '{{}}') || '{{\"added\": 1}}'", ["/added"]
    elif choice == 1 and rest:
        name = RANDOM.choice(sorted(rest))
        edit.text, sql, edit.paths = "a member taken out of rest", "{c} - %s" % quoted(name), ["/" + name.replace("~", "~0").replace("/", "~1")]
    elif choice == 2 and rest:
        name = RANDOM.choice(sorted(rest))
        edit.text, edit.paths = "a member of rest changed", ["/" + name.replace("~", "~0").replace("/", "~1")]
        sql = "jsonb_set({c}, ARRAY[%s], jsonb_build_array({c} -> %s))" % (quoted(name), quoted(name))
    elif choice == 3 and pointer.count("/") == 1 and pointer[1:] not in (rest or {}):
        edit.text = "a member of rest contradicts a column"
        edit.paths = list(column.pointers)
        sql = "coalesce({c}, '{{}}') || jsonb_build_object(%s, 'contradiction'::text)" % quoted(pointer[1:])
    elif choice == 4:
        edit.text, sql, edit.paths = "rest is no object", "'null'::jsonb", []
    else:
        return None
    if edit.paths is not None:
        for c in mapping.columns:
            if any(related(p, q) for p in c.pointers for q in edit.paths):
                edit.paths = edit.paths + c.pointers + [c.name]
        edit.paths.append(mapping.rest)
    sql = sql.replace("{{", "{").replace("}}", "}").replace("{c}", mapping.rest)
    if not update(world, mapping, row, "%s = %s" % (mapping.rest, sql)):
        return None
    edit.rows[row_key(row)] = DIFFERENT
    edit.followers = {row_key(row)}
    return edit


def edit_own(world, mapping, rows):
    row = RANDOM.choice(rows)
    state = " of a tombstone" if row["dead"] else " of a softly deleted row" if row["soft"] else ""
    text, sql, verdicts, paths = RANDOM.choice([
        ("drover_version greater", "drover_version = drover_version + 1", {"target_newer"}, None),
        ("drover_version lower", "drover_version = drover_version - 1", {"stale"}, None),
        ("drover_digest", "drover_digest = set_byte(drover_digest, 3, 255 - get_byte(drover_digest, 3))", DIFFERENT,
         None if state else ["drover_digest"]),
        ("drover_deleted", "drover_deleted = NOT drover_deleted", DIFFERENT, None)])
    edit = Edit(mapping, text + state)
    if not update(world, mapping, row, sql):
        return None
    edit.rows[row_key(row)], edit.paths = verdicts, paths
    edit.followers = {row_key(row)}
    return edit


def edit_row(world, mapping, rows):
    row = RANDOM.choice(rows)
    choice = RANDOM.randrange(4)
    edit = Edit(mapping, "")
    edit.followers = {row_key(row)}
    where = "public.%s WHERE %s" % (mapping.entity, row["where"])
    if choice == 0:
        if row["dead"] and mapping.hard:
            return None
        edit.text = "tombstone removed" if row["dead"] else "row removed"
        world.sql.run("DELETE FROM " + where)
        edit.rows[row_key(row)] = {"missing"}
    elif choice in (1, 2):
        tenant = ALIEN if one_in(2) else [t for t in TENANTS if t != row["tenant"]][0]
        if any(r["tenant"] == tenant and r["id"] == row["id"] for r in rows):
            return None
        if choice == 1:
            edit.text = "row copied to another tenant"
            world.sql.run("CREATE TEMP TABLE c AS SELECT * FROM %s; UPDATE c SET isolation_key = '%s'; "
                          "INSERT INTO public.%s SELECT * FROM c; DROP TABLE c" % (where, tenant, mapping.entity))
        else:
            edit.text = "row moved to another tenant"
            if not update(world, mapping, row, "isolation_key = '%s'" % tenant):
                return None
            edit.rows[row_key(row)] = {"missing"}
        edit.rows[row_key(row, tenant=tenant)] = {"unexpected_tenant"} if tenant == ALIEN else {"extra"}
        edit.followers.add(row_key(row, tenant=tenant))
    else:
        column = mapping.columns[0]
        if row["dead"]:
            return None
        edit.text = "key changed"
        if not update(world, mapping, row, "k0 = " + ("'neu'" if column.kind == "text" else "77")):
            return None
        new = "neu" if column.kind == "text" else "77"
        moved = ":".join([new] + row["id"].split(":")[1:])
        edit.rows[row_key(row)] = {"missing"}
        edit.rows[row_key(row, id=moved)] = {"extra"}
        edit.followers.add(row_key(row, id=moved))
    return edit


FIXABLE = (0, 1, 6, 7, 8)  # of edit_redis's: what a rebuild may write over; the others make the key a stranger's


def edit_redis(world, mapping, rows, choices=range(12)):
    redis = world.redis
    live = [r for r in rows if not r["dead"] and redis.do("EXISTS", redis_key(mapping, r))]
    if not mapping.form or len(live) < 2:
        return None
    row, other = RANDOM.sample(live, 2)
    key, hash_form = redis_key(mapping, row), mapping.form == "hash"
    beside = redis_key(mapping, other)
    edit = Edit(mapping, "")
    wrong = {"different", "missing", "stale", "target_newer", "extra", "unreadable", "misplaced", "expired", "broken"}
    edit.redis[row_key(row)] = wrong
    edit.keys = {key, key + b":v", beside, beside + b":v"}
    choice = RANDOM.choice(list(choices))
    if choice == 0:
        edit.text = "Redis: value changed"
        if hash_form:
            field = RANDOM.choice([f for f in redis.do("HKEYS", key) if f != b"_v"])
            redis.do("HSET", key, field, b'{"edited":1}')
            edit.text += " (field)"
        else:
            redis.do("SET", key, '{"edited":1}', "KEEPTTL")
    elif choice == 1:
        edit.text = "Redis: value emptied"
        if hash_form:
            redis.do("HSET", key, "_j", "")
        else:
            redis.do("SET", key, "", "KEEPTTL")
    elif choice == 2:
        edit.text = "Redis: value of another type"
        redis.do("DEL", key)
        redis.do("LPUSH", key, "theirs")
    elif choice == 3:
        edit.text = "Redis: meta garbage"
        redis.do("HSET", key, "_v", "garbage") if hash_form else redis.do("SET", key + b":v", "garbage", "KEEPTTL")
    elif choice == 4:
        edit.text = "Redis: meta gone"
        redis.do("HDEL", key, "_v") if hash_form else redis.do("DEL", key + b":v")
    elif choice == 5:
        edit.text = "Redis: value and meta of two keys swapped"
        names = [key, beside] if hash_form else [key, beside, key + b":v", beside + b":v"]
        for a, b in zip(names[::2], names[1::2]):
            redis.do("RENAME", a, "swap")
            redis.do("RENAME", b, a)
            redis.do("RENAME", "swap", b)
        edit.redis[row_key(other)] = wrong
    elif choice == 6:
        edit.text = "Redis: ttl taken away" if mapping.ttl else "Redis: ttl given"
        for name in [key] if hash_form else [key, key + b":v"]:
            redis.do("PERSIST", name) if mapping.ttl else redis.do("EXPIRE", name, 100000)
    elif choice == 7:
        edit.text = "Redis: ttl longer than the mapping's"
        if not mapping.ttl:
            return None
        for name in [key] if hash_form else [key, key + b":v"]:
            redis.do("EXPIRE", name, 864000)
    elif choice == 8:
        edit.text = "Redis: key deleted"
        redis.do("DEL", key, key + b":v")
    elif choice == 9:
        edit.text = "Redis: copied to another tenant's key"
        tenant = [t for t in TENANTS if t != row["tenant"]][0]
        target = redis_key(mapping, row, ALIEN)
        redis.do("COPY", key, target)
        if not hash_form:
            redis.do("COPY", key + b":v", target + b":v")
        edit.keys |= {target, target + b":v"}
        edit.redis = {(mapping.entity, ALIEN, row["id"]): wrong}
    elif choice == 10:
        edit.text = "Redis: a key of the pattern that nobody wrote"
        target = ("%s:%s:%s" % (mapping.entity, row["tenant"], "nobody")).encode()
        redis.do("SET", target, "x")
        edit.keys |= {target, target + b":v"}
        edit.redis = {(mapping.entity, row["tenant"], "nobody"): wrong}
    else:
        edit.text = "Redis: key renamed"
        target = redis_key(mapping, row) + b"x"
        redis.do("RENAME", key, target)
        if not hash_form:
            redis.do("RENAME", key + b":v", target + b":v")
        edit.keys |= {target, target + b":v"}
        edit.redis[(mapping.entity, row["tenant"], row["id"] + "x")] = wrong
    return edit


def edit_one(world, mapping, rows):
    makers = [edit_cell] * 5 + [edit_rest] * 2 + [edit_own] * 2 + [edit_row] * 2 + ([edit_redis] * 5 if mapping.form else [])
    for _ in range(20):
        edit = RANDOM.choice(makers)(world, mapping, rows)
        if edit:
            return edit
    return None


# ---- what is found -----------------------------------------------------------------------------------------------------------


TALLY = {}


def complain(edit, kind, text):
    TALLY.setdefault(kind, []).append(text)
    if len(TALLY[kind]) == 1 and len(TALLY) <= 12:
        print("---- FAILED: %s\n     %s\n%s" % (kind, text, edit.mapping.yaml() if edit else ""), flush=True)


def samples_of(report):
    """Tables: {(entity, tenant, id): (verdict, paths, reason)}; Redis: {name of the key without its meta's ":v": …}"""
    tables, redis = {}, {}
    for sample in report["samples"]:
        tables[(sample["entity"], sample["tenant"], sample.get("id"))] = (
            sample["verdict"], [f["path"] if "path" in f else "column " + f["column"] for f in sample.get("fields", [])], sample.get("reason", ""))
    for sample in report.get("redis_samples", []):
        name = sample["name"]
        redis[name[:-2] if name.endswith(":v") else name] = (sample["verdict"], [], sample.get("reason", ""))
    return tables, redis


def check(world, edits, report, code):
    tables, redis = samples_of(report)
    for edit in edits:
        for key, verdicts in edit.rows.items():
            found = tables.pop(key, None)
            if not found or found[0] not in verdicts:
                complain(edit, "%s: %s" % (edit.text.split(" in c")[0], found[0] if found else "MATCH"),
                         "%s of %s: found %s, wanted %s" % (edit.text, key, found, sorted(verdicts)))
            elif edit.paths is not None and (not found[1] or not all(edit.allows(p) for p in found[1])):
                complain(edit, "%s: names %s" % (edit.text, "something else" if found[1] else "nothing"),
                         "%s of %s: found %s, wanted %s" % (edit.text, key, found, edit.paths))
        for (entity, tenant, name), verdicts in edit.redis.items():
            key = "%s:%s:%s" % (entity, tenant, name)
            found = redis.pop(key, None)
            if not found:
                complain(edit, "%s: not named" % edit.text, "%s %s" % (edit.text, key))
        for entity, tenant, name in edit.followers:
            redis.pop("%s:%s:%s" % (entity, tenant, name), None)
    for key, found in tables.items():
        complain(None, "a row that was not edited: %s" % found[0], "%s %s" % (key, found))
    for key, found in redis.items():
        complain(None, "a Redis key that was not edited: %s" % found[0], "%s %s" % (key, found))
    if (code != 5) if edits else (code != 0):
        complain(None, "exit code %d" % code, "with %d edits: %s" % (len(edits), report.get("redis")))


def test():
    print("seed %d, %d mappings, %d rounds" % (SEED, MAPPINGS, ROUNDS), flush=True)
    world = World()
    world.prepare()
    say("everything is written")
    code, report = world.verify()
    counts = {k: v for k, v in {**report["counts"], **report["beside"]}.items() if v}
    say("nothing edited: exit %d, %s, redis %s" % (code, counts, {
        k: v for k, v in (report.get("redis") or {}).items() if v and k != "samples"}))
    bad = samples_of(report)
    if code != 0:
        by_name = {m.entity: m for m in world.mappings}
        for key, found in list(bad[0].items()) + list(bad[1].items()):
            complain(Edit(by_name.get(key[0], world.mappings[0]), ""), "nothing edited: %s" % " ".join(
                [found[0]] + found[2].split()[:1]), "%s %s" % (key, found))
        if not TALLY:
            complain(None, "nothing edited: exit code %d" % code, json.dumps({
                name: part for name, part in report.items() if name not in ("samples", "groups", "partitions")}))
    known = set(bad[0]) | set(bad[1])
    edits_made, rows = 0, world.rows()
    for round_number in range(ROUNDS):
        edits = []
        for mapping in world.mappings:
            mine = [r for r in rows.get(mapping.entity, []) if row_key(r) not in known]
            edit = edit_one(world, mapping, mine) if mine else None
            if edit:
                edits.append(edit)
        code, report = world.verify()
        check(world, edits, drop_known(report, known), code)
        world.undo([e.mapping.entity for e in edits], set().union(*[e.keys for e in edits]) if edits else set())
        edits_made += len(edits)
        if round_number % 5 == 4:
            say("%d rounds, %d edits, %d failures" % (round_number + 1, edits_made, sum(map(len, TALLY.values()))))
    code, report = world.verify()
    check(world, [], drop_known(report, known), code if not known else 0)
    check_rebuilt(world, rows)
    check_emptied(world)
    say("%d mappings, %d edits, %d failures" % (len(world.mappings), edits_made, sum(map(len, TALLY.values()))))
    for kind, texts in sorted(TALLY.items(), key=lambda item: -len(item[1])):
        print("  %5d × %s" % (len(texts), kind))
    return 1 if TALLY else 0


def drop_known(report, known):
    """Records that were wrong before anything was edited have been complained of."""
    report = dict(report)
    report["samples"] = [s for s in report["samples"] if (s["entity"], s["tenant"], s.get("id")) not in known]
    return report


def check_rebuilt(world, rows):
    """What is damaged is written anew, and not called unchanged."""
    edits = [edit_redis(world, m, rows[m.entity], FIXABLE) for m in world.mappings if m.entity in rows]
    edits = [edit for edit in edits if edit]
    code, report = world.verify()
    check(world, edits, report, code)
    _, text = drover("rebuild", "redis", "--json")
    applied = json.loads(text)["applied"]
    if applied != len(edits):
        complain(None, "rebuild: %d written of %d that were damaged" % (applied, len(edits)), text)
    code, report = world.verify()
    check(world, [], report, code)


def check_emptied(world):
    """All keys gone but the sentinel, then the sentinel gone, then Redis emptied: never a match, whatever the mappings' ttl."""
    sentinel = ("drover:sentinel:" + NAME).encode()
    kept = world.redis.do("GET", sentinel)
    world.redis.do("FLUSHDB")
    world.redis.do("SET", sentinel, kept)
    code, report = world.verify()
    if code != 5 or report["redis"]["expired"] or not report["redis"]["missing"]:
        complain(None, "Redis: every key deleted: exit %d" % code, str(report.get("redis")))
    drover("rebuild", "redis")
    code, report = world.verify()
    check(world, [], report, code)
    world.redis.do("DEL", sentinel)
    code, report = world.verify()
    if code != 5:
        complain(None, "Redis: sentinel deleted: exit %d" % code, str(report.get("redis")))
    world.redis.do("FLUSHDB")
    code, report = world.verify()
    if code != 5:
        complain(None, "Redis: FLUSHDB: exit %d" % code, str(report.get("redis")))


if __name__ == "__main__":
    main(test)
