"""The records of a chaos run, and the rules by which the checker judges them.

Nothing of Drover is used: the mappings below are given to it, and the rules are written down here a second
time, in the checker's own words.
"""
import json
import os
import random
from decimal import Decimal
from urllib.parse import quote

MAPPINGS = {
    "event": """entity: event
collect: { files: ["event-*.ndjson"] }
table: event
key: [id]
tenant: { from: /tenant }
version: { from: /rev, as: number }
columns:
  - { name: id,     from: /id, type: text }
  - { name: tenant, from: /tenant, type: text, required: true }
  - { name: rev,    from: /rev, type: int8, required: true }
  - { name: kind,   from: /kind, type: varchar(12), required: true }
  - { name: amount, from: /amount, type: "numeric(12,2)" }
  - { name: topic,  from: /topic, type: int4 }
rest: extra
redis: { key: "event:{isolation_key}:{id}" }
""",
    "customer": """entity: customer
collect: { files: ["customer-*.ndjson"] }
table: customer
key: [id]
tenant: { from: /tenant }
version: { from: /rev, as: number }
columns:
  - { name: id,     from: /id, type: int8 }
  - { name: tenant, from: /tenant, type: text, required: true }
  - { name: rev,    from: /rev, type: int8, required: true }
  - { name: kind,   from: /kind, type: varchar(12), required: true }
  - { name: amount, from: /amount, type: "numeric(12,2)" }
rest: extra
redis: { key: "customer:{isolation_key}:{id}", value: hash }
""",
    "purchase": """entity: purchase
collect: { files: ["purchase-*.ndjson"] }
table: purchase
key: [id]
tenant: { from: /tenant }
version: { from: /rev, as: number }
columns:
  - { name: id,       from: /id, type: text }
  - { name: tenant,   from: /tenant, type: text, required: true }
  - { name: rev,      from: /rev, type: int8, required: true }
  - { name: kind,     from: /kind, type: varchar(12), required: true }
  - { name: amount,   from: /amount, type: "numeric(12,2)" }
  - { name: customer, from: /customer, type: int8 }
rest: extra
references:
  - { columns: [customer], entity: customer }
redis: { key: "purchase:{isolation_key}:{id}" }
""",
    # no version of its own: the producer stamps the file's time
    "memo": """entity: memo
collect: { files: ["memo-*.ndjson"] }
table: memo
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id,     from: /id, type: text }
  - { name: tenant, from: /tenant, type: text, required: true }
  - { name: kind,   from: /kind, type: varchar(12), required: true }
  - { name: amount, from: /amount, type: "numeric(12,2)" }
rest: extra
redis: { key: "memo:{isolation_key}:{id}", value: hash }
""",
}
ENTITIES = tuple(MAPPINGS)
LOADED = ("event", "customer", "memo")  # in bulk: nothing that refers to others, or is referred to
STAMPED = ("memo",)
HASHES = ("customer", "memo")
COLUMNS = {
    "event": ("id", "tenant", "rev", "kind", "amount", "topic"),
    "customer": ("id", "tenant", "rev", "kind", "amount"),
    "purchase": ("id", "tenant", "rev", "kind", "amount", "customer"),
    "memo": ("id", "tenant", "kind", "amount"),
}
TOPICS = 20  # rows of the table that events refer to by a constraint checked at COMMIT
TOO_MUCH = Decimal(900000)  # the CHECK of each table

# Writes down every step of every partition with its transaction.
STEPS = """
CREATE TABLE public.chaos_step (xid bigint, partition integer, first bigint, next bigint);
CREATE FUNCTION public.chaos_note_step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF NEW.next_offset <> OLD.next_offset THEN
    INSERT INTO public.chaos_step VALUES
      (pg_current_xact_id()::text::bigint, NEW.partition, OLD.next_offset, NEW.next_offset);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER chaos_step AFTER UPDATE ON drover.partition_progress
  FOR EACH ROW EXECUTE FUNCTION public.chaos_note_step();
"""

# What an administrator of the application adds to the tables: constraints that only PostgreSQL knows, and
# a trigger that writes down every write of every row with its transaction. In bulk a table may have checks only.
CONSTRAINTS = STEPS + """
CREATE TABLE public.allowed_topic (topic integer PRIMARY KEY);
INSERT INTO public.allowed_topic SELECT generate_series(1, %d);
ALTER TABLE public.allowed_topic OWNER TO drover;
ALTER TABLE public.event ADD CONSTRAINT known_topic FOREIGN KEY (topic)
  REFERENCES public.allowed_topic DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE public.chaos_write (seq bigserial, xid bigint, entity text, tenant text, id text,
  old_version bigint, new_version bigint, deleted boolean, digest text, gone boolean);
CREATE FUNCTION public.chaos_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO public.chaos_write (xid, entity, tenant, id, old_version, new_version, deleted, digest, gone)
  VALUES (pg_current_xact_id()::text::bigint, TG_TABLE_NAME,
    CASE WHEN TG_OP = 'DELETE' THEN OLD.isolation_key ELSE NEW.isolation_key END,
    CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END,
    CASE WHEN TG_OP <> 'INSERT' THEN OLD.drover_version END,
    CASE WHEN TG_OP <> 'DELETE' THEN NEW.drover_version END,
    CASE WHEN TG_OP <> 'DELETE' THEN NEW.drover_deleted END,
    CASE WHEN TG_OP <> 'DELETE' THEN encode(NEW.drover_digest, 'hex') END,
    TG_OP = 'DELETE');
  RETURN NULL;
END $$;
CREATE FUNCTION public.chaos_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.kind = 'boom' THEN RAISE EXCEPTION 'no booms here' USING ERRCODE = '45000'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER chaos_refuse BEFORE INSERT OR UPDATE ON public.event
  FOR EACH ROW EXECUTE FUNCTION public.chaos_refuse();
""" % TOPICS + "".join("""
ALTER TABLE public.%s ADD CONSTRAINT not_too_much CHECK (amount < %s);
CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE OR DELETE ON public.%s
  FOR EACH ROW EXECUTE FUNCTION public.chaos_note();
""" % (entity, TOO_MUCH, entity) for entity in ENTITIES)
BULK_CONSTRAINTS = STEPS + "".join("""
ALTER TABLE public.%s ADD CONSTRAINT not_too_much CHECK (amount < %s);
""" % (entity, TOO_MUCH) for entity in LOADED)


def key_part(value):
    """A key column's text as it stands in names of keys."""
    return quote(str(value), safe="._~-")


# ---- the checker's rules

def why_refused(entity, record):
    """Why a record can never be in its table, or None; a parent that is missing is asked elsewhere."""
    if not isinstance(record.get("kind"), str):
        return "mapping"
    if len(record["kind"]) > 12:
        return "mapping"
    amount = record.get("amount")
    if amount is not None and not isinstance(amount, (int, Decimal)):
        return "mapping"
    if amount is not None and amount >= TOO_MUCH:
        return "check"
    if entity == "event" and record["kind"] == "boom":
        return "raised"
    if entity == "event" and not 1 <= record.get("topic", 1) <= TOPICS:
        return "deferred"
    return None


# ---- the generator

class Load:
    """Writes the sources, in chunks that are produced one after another."""

    def __init__(self, folder, seed, records, tenants, chunks, without, entities=ENTITIES):
        self.folder, self.chunks, self.without, self.entities = folder, chunks, without, entities
        self.random = random.Random("load %d" % seed)
        self.tenants = ["t%02d" % i for i in range(tenants)]
        self.lines = [{entity: [] for entity in ENTITIES} for _ in range(chunks)]
        self.deletes = [[] for _ in range(chunks)]  # (entity, tenant, id, version)
        self.planted = {}
        self.count = 0
        self.records = records

    def generate(self):
        self.parents = {tenant: [] for tenant in self.tenants}  # (chunk, id) of each customer
        have = 0
        for entity, share in (("customer", 0.10), ("purchase", 0.35), ("memo", 0.45), ("event", 1.0)):
            if entity not in self.entities:
                continue
            number = 0
            while have < self.records * share:
                have += self.add_key(entity, number)
                number += 1
        self.write()

    def add_key(self, entity, number):
        rng = self.random
        tenant = rng.choice(self.tenants)
        if entity == "customer":
            # in every tenant the same small numbers, so that children find parents of their own tenant only
            tenant, ident = self.tenants[number % len(self.tenants)], number // len(self.tenants)
        elif rng.random() < 0.02:
            ident = "ä %d/%%x:" % number
        else:
            ident = "%s%d" % (entity[0], number)
        home = rng.randrange(self.chunks)
        if entity == "customer":
            self.parents[tenant].append((home, ident))
        if entity in STAMPED:
            versions = list(range(1, 1 + rng.choice((1, 1, 2))))
        else:
            versions = rng.sample(range(1, 9), rng.choice((1, 1, 2, 2, 3, 4)))
        added = 0
        for version in versions:
            chunk = min(self.chunks - 1, home + rng.choice((0, 0, 0, 0, 1, 1, 2)))
            record = self.make(entity, tenant, ident, version, chunk)
            self.put(chunk, entity, record)
            added += 1
            if entity not in STAMPED and rng.random() < 0.02:
                self.put(min(self.chunks - 1, chunk + rng.choice((0, 1))), entity, record)  # the same again
                added += 1
            elif entity == "event" and rng.random() < 0.004:
                self.note_plant("conflict")
                self.put(chunk, entity, self.make(entity, tenant, ident, version, chunk))  # the same version, other content
                added += 1
        if entity not in STAMPED and rng.random() < 0.024:
            self.note_plant("delete")
            # of a child and its delete with one version, which waited says which is first: no such pair
            free = [v for v in range(1, 10) if entity != "purchase" or v not in versions]
            self.deletes[home].append((entity, tenant, ident, rng.choice((max(versions) + 1, rng.choice(free)))))
            added += 1
        return added

    def make(self, entity, tenant, ident, version, chunk):
        rng = self.random
        record = {"id": ident, "tenant": tenant, "rev": version, "kind": "k%d" % rng.randrange(100),
                  "amount": Decimal(rng.randrange(0, 5000000)) / 100}
        if entity in STAMPED:
            del record["rev"]
        if entity == "event":
            record["topic"] = rng.randint(1, TOPICS)
        if entity == "purchase" and rng.random() < 0.9:
            # a parent that is there long ago, in the same chunk (before or behind) or in the next one
            near = [i for home, i in self.parents[tenant] if home <= chunk + 1]
            if near:
                record["customer"] = rng.choice(near)
            if rng.random() < 0.004:
                record["customer"] = 10000000 + rng.randrange(1000)  # never comes
                self.note_plant("orphan")
        self.plant(entity, record)
        record["note"] = "n\u00e4me %d " % rng.randrange(1 << 30) + "x" * rng.choice((0, 30, 200, 900, 1500))
        record["deep"] = {"x": [rng.randrange(10), None, {"y": "z"}]}
        return record

    def plant(self, entity, record):
        rng = self.random
        chance = rng.random()
        if chance < 0.010 and "mapping" not in self.without:
            which = rng.randrange(3)
            if which == 0:
                record["kind"] = "much too long a kind"
            elif which == 1:
                record["amount"] = "no number"
            else:
                del record["kind"]
            self.note_plant("mapping")
        elif 0.010 <= chance < 0.020 and "check" not in self.without:
            record["amount"] = TOO_MUCH + rng.randrange(1000)
            self.note_plant("check")
        elif 0.020 <= chance < 0.0245 and entity == "event" and "deferred" not in self.without:
            record["topic"] = TOPICS + 1 + rng.randrange(5)
            self.note_plant("deferred")
        elif 0.0245 <= chance < 0.029 and entity == "event" and "raised" not in self.without:
            record["kind"] = "boom"
            self.note_plant("raised")

    def note_plant(self, what):
        self.planted[what] = self.planted.get(what, 0) + 1

    def put(self, chunk, entity, record):
        self.lines[chunk][entity].append(record)
        self.count += 1

    def path(self, chunk, entity):
        return os.path.join(self.folder, "%s-%03d.ndjson" % (entity, chunk))

    def write(self):
        os.makedirs(self.folder, exist_ok=True)
        for chunk, entities in enumerate(self.lines):
            for entity, records in entities.items():
                self.random.shuffle(records)
                with open(self.path(chunk, entity), "w", encoding="utf-8") as out:
                    for record in records:
                        out.write(dump(record) + "\n")
                # stamped versions are the file's time: later chunks are newer
                moment = 1700000000 + chunk * 100
                os.utime(self.path(chunk, entity), (moment, moment))
            self.random.shuffle(self.deletes[chunk])

    def files(self, chunk, entities):
        return [self.path(chunk, e) for e in entities if self.lines[chunk][e]]


def dump(record):
    """JSON; the decimals have two digits at most, which a float prints as they are."""
    return json.dumps(record, ensure_ascii=False, default=float)


def version_of(headers):
    """The version that a producer gave a message."""
    return int(headers["drover"].split(" ")[0] if "drover" in headers else headers["drover-version"])


def load_json(text):
    return json.loads(text, parse_float=Decimal)
