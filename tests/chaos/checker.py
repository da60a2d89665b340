"""What must be in the stores at the end, from the source topic alone, and what is there instead.

The topic is what the producers really wrote, duplicates of killed ones included. Of each key the greatest version
that is not refused must be stored, of equal ones the first; a record is refused by the rules of load.why_refused,
or as an orphan, when no parent of it was ever accepted.
"""
from collections import Counter, defaultdict

import load

MASK = (1 << 128) - 1
CLASSES = ("applied", "superseded", "unchanged", "conflict", "dead_lettered", "waiting", "recovered")


def by_entity(groups):
    """((tenant, entity), (count, sum)) of many tenants, summed."""
    sums = {}
    for (_, entity), (count, digest) in groups:
        before = sums.get(entity, (0, 0))
        sums[entity] = before[0] + count, (before[1] + digest) & MASK
    return sums


class Message:
    __slots__ = ("entity", "tenant", "id", "version", "partition", "offset", "time", "record", "text", "refused")

    def key(self):
        return self.entity, self.tenant, self.id

    def place(self):
        return self.partition, self.offset

    def __repr__(self):
        return "%s-%s/%s v%s at %d:%d" % (self.entity, self.tenant, self.id, self.version, self.partition, self.offset)


def message_of(raw):
    message = Message()
    message.tenant, message.entity, message.id = raw["key"].split("/", 2)
    message.partition, message.offset, message.time = raw["partition"], raw["offset"], raw["ts"]
    message.text = raw["payload"]
    message.record = load.load_json(raw["payload"]) if raw["payload"] is not None else None
    headers = dict(zip(raw["headers"][::2], raw["headers"][1::2]))
    stated = load.version_of(headers)
    message.version = stated
    if message.record is not None and message.entity not in load.STAMPED:
        message.version = message.record["rev"]
        if stated != message.version:
            raise ValueError("%r: the producer says version %d" % (message, stated))
    message.refused = None
    return message


class Checker:
    def __init__(self, work, messages, parent_wait, noted=True):
        self.work, self.messages, self.parent_wait = work, messages, parent_wait
        self.noted = noted  # triggers wrote down what was written
        self.findings = {}
        self.notes = Counter()
        self.by_place = {m.place(): m for m in messages}
        self.ends = defaultdict(int)
        for m in messages:
            self.ends[m.partition] = max(self.ends[m.partition], m.offset + 1)

    def find(self, what, text):
        self.findings.setdefault(what, []).append(text)

    # ---- the model

    def read_letters(self, letters):
        self.letters, self.rejected = {}, set()
        for raw in letters:
            headers = dict(zip(raw["headers"][::2], raw["headers"][1::2]))
            topic, partition, offset = headers["drover-dlq-id"].rsplit("-", 2)
            place = int(partition), int(offset)
            code = headers["drover-error-code"]
            message = self.by_place.get(place)
            if message is None or topic != self.work["source"]:
                self.find("letter of no record", "%s %s" % (headers["drover-dlq-id"], code))
                continue
            if raw["payload"] != message.text or raw["key"] != "/".join((message.tenant, message.entity, message.id)):
                self.find("letter with another record's text", "%r %s" % (message, code))
            if headers.get("drover-tenant", message.tenant) != message.tenant or \
                    headers.get("drover-entity", message.entity) != message.entity:
                self.find("letter with another record's headers", "%r %s" % (message, code))
            if place in self.letters:
                self.notes["letters sent twice"] += 1
            self.letters.setdefault(place, code)

    def model(self):
        """Needs the letters: whether an orphan's wait was over when its parent came is not in the topic alone."""
        for m in self.messages:
            m.refused = load.why_refused(m.entity, m.record) if m.record is not None else None
        parents = defaultdict(lambda: None)
        for m in self.messages:
            if m.entity == "customer" and not m.refused:
                known = parents[m.tenant, m.id]
                parents[m.tenant, m.id] = m.time if known is None else min(known, m.time)
        slack = min(self.parent_wait / 2, 60)
        for m in self.messages:
            if m.entity != "purchase" or m.refused or m.record is None or m.record.get("customer") is None:
                continue
            came = parents[m.tenant, str(m.record["customer"])]
            if came is None:
                m.refused = "orphan"
            elif self.letters.get(m.place()) == "DRV-P111" and came > m.time + (self.parent_wait - slack) * 1000:
                m.refused = "orphan"
                self.notes["orphans whose parent came after the wait"] += 1
        self.winner = {}
        for m in sorted(self.messages, key=lambda m: (m.version, -m.offset)):
            if not m.refused:
                self.winner[m.key()] = m
        self.refused = Counter(m.refused for m in self.messages if m.refused)

    # ---- sources against the topic

    def check_sources(self, sources, deletes):
        have = Counter((m.entity, m.tenant, m.id, m.text) for m in self.messages)
        want = Counter()
        for entity, record in sources:
            want[entity, record["tenant"], load.key_part(record["id"]), load.dump(record)] += 1
        for entity, tenant, ident, version in deletes:
            want[entity, tenant, load.key_part(ident), None] += 1
        for what, count in want.items():
            if have[what] < count:
                self.find("lost before the topic", "%s-%s/%s" % what[:3])
        for what in have:
            if what not in want:
                self.find("in the topic, in no source", "%s-%s/%s" % what[:3])
        self.notes["records sent twice by killed producers"] = sum(have.values()) - sum(want.values())

    # ---- PostgreSQL

    def check_rows(self, rows):
        """rows: entity -> dicts as row_to_json gives them."""
        self.rows = {}
        for entity, list_of in rows.items():
            for row in list_of:
                key = entity, row["isolation_key"], load.key_part(row["id"])
                self.rows[key] = row
                if key not in self.winner:
                    self.find("extra", "%s-%s/%s v%s" % (*key, row["drover_version"]))
        self.wrong_rows = set()
        for key, m in self.winner.items():
            row = self.rows.get(key)
            problem = None
            if row is None:
                problem = "lost"
            elif row["drover_version"] < m.version:
                problem = "stale"
            elif row["drover_version"] > m.version:
                problem = "newer than any good record"
            elif row["drover_deleted"] != (m.record is None):
                problem = "deleted or not"
            elif m.record is not None and not self.row_is(row, m):
                problem = "different content"
            if problem:
                self.wrong_rows.add(key)
                self.find(problem, "%r, the row has %s" % (m, row and row["drover_version"]))

    @staticmethod
    def row_is(row, m):
        columns = load.COLUMNS[m.entity]
        rest = {name: value for name, value in m.record.items() if name not in columns}
        return (row["extra"] or {}) == rest and all(row[name] == m.record.get(name) for name in columns) \
            and row["isolation_key"] == m.tenant

    def check_writes(self, writes, steps):
        """What the triggers wrote down: every write of every row, every step of every partition."""
        seen = Counter()
        by_transaction = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for w in writes:
            key = w["entity"], w["tenant"], w["id"]
            if w["gone"]:
                self.find("deleted for good", "%s-%s/%s" % key)
                continue
            seen[key, w["new_version"]] += 1
            if w["old_version"] is not None and w["new_version"] <= w["old_version"]:
                self.find("regressed", "%s-%s/%s from v%s to v%s" % (*key, w["old_version"], w["new_version"]))
            group = by_transaction[w["xid"]][w["tenant"], w["entity"]]
            group[0] += 1
            group[1] = (group[1] + int(w["digest"], 16)) & MASK if not w["deleted"] else group[1]
        for (key, version), count in seen.items():
            if count > 1:
                self.find("applied twice", "%s-%s/%s v%s: %d times" % (*key, version, count))
        self.groups, self.steps = by_transaction, {}
        at = defaultdict(int)
        for s in sorted(steps, key=lambda s: (s["partition"], s["first"])):
            if s["first"] != at[s["partition"]] or s["next"] <= s["first"]:
                self.find("steps of a partition do not follow", "%(partition)s: %(first)s to %(next)s" % s)
            at[s["partition"]] = s["next"]
            self.steps[s["partition"], s["first"], s["next"]] = s["xid"]

    def check_offsets(self, progress, names=("next_offset", "redis_next", "results_next")):
        for p in progress:
            end = self.ends.get(p["partition"], 0)
            for name in names:
                if p[name] != end:
                    self.find("not at the end", "partition %s: %s is %s of %s" % (p["partition"], name, p[name], end))
        missing = set(self.ends) - {p["partition"] for p in progress}
        for partition in missing:
            self.find("not at the end", "partition %s: never begun" % partition)

    # ---- dead letters

    def check_letters(self):
        for place, code in self.letters.items():
            m = self.by_place[place]
            if not m.refused:
                self.find("dead letter that was not planted", "%r %s" % (m, code))
            elif (m.refused == "orphan") != (code == "DRV-P111"):
                self.find("dead letter with the wrong code", "%r (%s) %s" % (m, m.refused, code))
        for m in self.messages:
            if not m.refused or m.place() in self.letters:
                continue
            winner = self.winner.get(m.key())
            if m.refused != "mapping" and winner and winner.version >= m.version:
                self.notes["planted, superseded by a good record"] += 1
            else:
                self.find("dead letter missing", "%r (%s)" % (m, m.refused))
        self.notes["dead letters"] = len(self.letters)

    # ---- bulk loads

    def check_loads(self, loads, results, tables):
        """Each is done and told; what the receipts moved out of `applied` is what the finish left out."""
        told = {}
        for receipt in results:
            if receipt.get("kind") == "loaded":
                told[receipt["number"]] = receipt["left_out"]
        for l in loads:
            if l["state"] != "done" or not l["told"]:
                self.find("a load is not done", "%(table_name)s: %(state)s, told %(told)s" % l)
            elif sorted(told.get(l["number"], ())) != sorted(l["left_out"]):
                self.find("a load's receipt is not what was left out", "%(table_name)s" % l)
            self.notes["rows loaded in bulk"] += l["rows"] or 0
            self.notes["left out by the finish"] += sum(count for _, _, count in l["left_out"])
        for t in tables:
            if not (t["relrowsecurity"] and t["relforcerowsecurity"] and t["policies"]):
                self.find("a table without its policies", t["relname"])

    # ---- Redis

    def check_redis(self, found):
        expected = set()
        for key, m in self.winner.items():
            entity, tenant, ident = key
            name = "%s:%s:%s" % key
            expected.update((name, name + ":v"))
            row = self.rows.get(key)
            if row is None:
                continue
            value = found.get(name)
            meta = value.get("_v") if isinstance(value, dict) else found.get(name + ":v")
            if row["drover_deleted"]:
                if name in found:
                    self.find("Redis: deleted, but there", name)
                if meta is not None and meta != self.meta(row, key):
                    self.find("Redis: another tombstone", name)
                continue
            if name not in found:
                self.find("Redis: missing", name)
            elif not isinstance(meta, str):
                self.find("Redis: no version", name)
            elif meta != self.meta(row, key):
                has = int(meta[:16], 16) - (1 << 63)
                what = "stale" if has < row["drover_version"] else "newer" if has > row["drover_version"] else "other meta"
                self.find("Redis: " + what, "%s v%s, the row has v%s" % (name, has, row["drover_version"]))
            elif key not in self.wrong_rows and not self.value_is(value, m):
                self.find("Redis: different content", name)
        for name in found:
            if name not in expected and not name.startswith("drover:"):
                self.find("Redis: extra", name)

    @staticmethod
    def meta(row, key):
        entity, tenant, ident = key
        digest = "0" * 32 if row["drover_deleted"] else row["digest"]
        return "%016x%s%s%s/%s/%s" % (row["drover_version"] + (1 << 63), digest, "d" if row["drover_deleted"] else "u",
                                      tenant, entity, ident)

    @staticmethod
    def value_is(value, m):
        if m.entity not in load.HASHES:
            return isinstance(value, str) and load.load_json(value) == m.record
        if not isinstance(value, dict) or load.load_json(value.get("_j", "null")) != m.record:
            return False
        return value.get("kind") == m.record["kind"] and value.get("id") == str(m.record["id"])

    # ---- receipts

    def check_receipts(self, results):
        covered = defaultdict(list)
        whole = set()
        self.rejected = set()  # places that a committed batch says got into no row
        for receipt in results:
            if receipt.get("kind") != "batch":
                continue
            span = receipt["partition"], receipt["first"], receipt["next"]
            counts = receipt["counts"]
            covered[span[0]].append(span[1:])
            total = sum(counts.get(name, 0) for name in CLASSES)
            if total != span[2] - span[1] or set(counts) - set(CLASSES):
                self.find("receipt does not add up", "%s-%s..%s: %s" % (*span, counts))
            self.rejected.update((span[0], r["offset"]) for r in receipt["rejected"])
            dead = [r for r in receipt["rejected"] if r["class"] == "dead_lettered"]
            if len(dead) != counts["dead_lettered"]:
                self.find("receipt does not name its dead", "%s-%s..%s" % span)
            for r in dead:
                m = self.by_place.get((span[0], r["offset"]))
                if (span[0], r["offset"]) not in self.letters:
                    self.find("receipt names a letter that is not there", "%r %s (%s), stored %r, in %s-%s..%s%s" % (
                        m, r["code"], m and m.refused, m and self.winner.get(m.key()), *span,
                        " recovered" if receipt["recovered"] else ""))
            if receipt["recovered"]:
                self.notes["receipts of a redelivery"] += 1
                continue
            if span in whole:
                self.notes["receipts sent twice"] += 1
                continue
            whole.add(span)
            self.check_groups(span, receipt)
        for partition, end in self.ends.items():
            at = 0
            for first, after in sorted(covered[partition]):
                if first > at:
                    break
                at = max(at, after)
            if at != end:
                self.find("receipts have a hole", "partition %s: from %s on, of %s" % (partition, at, end))
        self.notes["receipts"] = len(whole)

    def check_groups(self, span, receipt):
        xid = self.steps.get(span)
        if xid is None:
            self.find("receipt of no transaction", "%s-%s..%s" % span)
            return
        if not self.noted:
            return
        wrote = {key: tuple(value) for key, value in self.groups.get(xid, {}).items()}
        told = [g for g in receipt["groups"] if g["applied"]]
        says = {(g.get("tenant"), g["entity"]): (g["applied"], int(g["sum"], 16)) for g in told if "share" not in g}
        if any("share" in g for g in told):
            # A batch of many tenants sums shares of them: they are compared entity by entity.
            wrote, says = by_entity(wrote.items()), by_entity(
                ((None, g["entity"]), (g["applied"], int(g["sum"], 16))) for g in told)
        if wrote != says or receipt["counts"]["applied"] != sum(n for n, _ in wrote.values()):
            self.find("receipt differs from what was written", "%s-%s..%s (says %d, wrote %d)" % (
                *span, receipt["counts"]["applied"], sum(n for n, _ in wrote.values())))

    # ---- the verifier's word

    def is_ambiguous(self):
        """Two records of one key in one file, without a version of their own."""
        seen = {}
        for m in self.messages:
            if m.entity in load.STAMPED and not m.refused:
                if seen.setdefault((m.key(), m.version >> 16), m.text) != m.text:
                    return True
        return False

    def letters_by_key(self):
        """Keys with a dead letter that nothing made good, and those of which all were: by a record that was taken, of a greater
        version, or of the same one and behind it (a key has one partition). A letter that was sent when its worker was killed before
        the batch was committed is none when the batch of the next one took the record: it was superseded within that, say."""
        letters = {place for place, code in self.letters.items() if place in self.rejected or code == "DRV-P111"}
        taken = defaultdict(list)
        for m in self.messages:
            if m.place() not in letters:
                taken[m.key()].append((m.version, m.offset))
        opened, keys = set(), set()
        for place in letters:
            m = self.by_place[place]
            keys.add(m.key())
            if not any(version > m.version or (version == m.version and offset > m.offset)
                       for version, offset in taken[m.key()]):
                opened.add(m.key())
        return opened, keys - opened

    def check_verdict(self, report):
        counts = {**report["counts"], **report["beside"]}
        bad_rows = sum(len(self.findings.get(w, ())) for w in (
            "lost", "stale", "extra", "different content", "deleted or not", "newer than any good record"))
        said = sum(counts[n] for n in ("different", "stale", "target_newer", "missing", "unusable", "extra", "unexpected_tenant"))
        if (bad_rows > 0) != (said > 0):
            self.find("the verifier disagrees", "rows: it finds %d wrong, there are %d" % (said, bad_rows))
        for name in ("lagging", "pending", "not_produced"):
            if counts[name]:
                self.find("the verifier disagrees", "%s: %d" % (name, counts[name]))
        if (counts.get("ambiguous", 0) > 0) != self.is_ambiguous():
            self.find("the verifier disagrees", "ambiguous: %d" % counts.get("ambiguous", 0))
        for name, keys in zip(("dead_lettered", "resolved"), self.letters_by_key()):
            if counts[name] != len(keys):
                self.find("the verifier disagrees", "%s: it counts %d, there are %d" % (name, counts[name], len(keys)))
        if not report["reconciled"]:
            self.find("the verifier disagrees", "its classes do not add up")
        bad_redis = sum(len(v) for k, v in self.findings.items() if k.startswith("Redis: "))
        redis = report.get("redis") or {}
        said = sum(v for k, v in redis.items() if isinstance(v, int) and not isinstance(v, bool)
                   and k in ("different", "stale", "target_newer", "missing", "extra", "unexpected_tenant", "unusable"))
        if (bad_redis > 0) != (said > 0):
            self.find("the verifier disagrees", "Redis: it finds %d wrong, there are %d" % (said, bad_redis))
