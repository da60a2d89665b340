"""The followed files: what can be done to them, what they hold, and what the store must hold then.

Nothing of Drover is used. A step is a JSON list, so that a run can be written down, read and given again:

    ["put", path, content, how, mtime]   how: replace, in_place, append; mtime: null, old, kept, future
    ["cut", path, share]  ["empty", path]  ["garbage", path]  ["touch", path, mtime]
    ["rename", from, to]  ["copy", from, to]  ["remove", path]      of files and of folders
    ["root", "away" | "back"]                                       the whole followed folder
    ["kill", "KILL" | "TERM", when]  ["follower", "freeze" | "thaw" | "start"]  ["wait", when]
    ["broker", "freeze" | "thaw"]  ["state", "lock" | "full" | "free"]
    ["quiet"]                                                       wait until the store is right

content: {"form": array | ndjson | storage | dump, "layout": 0-2, "records": […]}; a record is [entity, tenant, id, n, rev],
or ["range", entity, prefix, count, n] for `count` of them. when: ["ms", x], or ["messages", k, x]: k more of them, then x ms.
"""
import json
import os
import shutil
import time

ROOT = "in"
BROKEN = None  # the content of a file that is cut, empty or garbage
DAY = 86400

MAPPINGS = {
    "thing": """entity: thing
collect: { files: ["things*.json", "things*.ndjson"], map_dump: things_in_memory }
table: thing
key: [id]
tenant: { from: /tenant }
columns:
  - { name: id, from: /id, type: text }
  - { name: n,  from: /n, type: int8 }
rest: extra
""",
    "own": """entity: own
collect: { files: ["own*.json", "own*.ndjson"] }
table: own
key: [id]
tenant: { from: /tenant }
version: { from: /rev, as: number }
columns:
  - { name: id,  from: /id, type: text }
  - { name: n,   from: /n, type: int8 }
  - { name: rev, from: /rev, type: int8 }
rest: extra
""",
    "pref": """entity: pref
collect: { local_storage: "pref_*", expand: value }
table: pref
key: [name]
tenant: { from: /tenant }
columns:
  - { name: name, from: $key_suffix, type: text }
  - { name: n,    from: /n, type: int8 }
rest: extra
""",
}


# ---- content

def expand(content):
    """The records of a content, as a list of [entity, tenant, id, n, rev]."""
    out = []
    for record in content["records"]:
        if record[0] == "range":
            _, entity, prefix, count, n = record
            out += [[entity, "t%d" % (i % 3), "%s%d" % (prefix, i), n + i, n + 1] for i in range(count)]
        else:
            out.append(record)
    return out


def key_of(record):
    return "%s/%s/%s" % (record[1], record[0], record[2])


def payload_of(record):
    entity, tenant, ident, n, rev = record
    if entity == "pref":
        return {"tenant": tenant, "n": n}
    if entity == "own":
        return {"tenant": tenant, "id": ident, "rev": rev, "n": n}
    return {"tenant": tenant, "id": ident, "n": n}


WINNERS = {}  # id of a content, which is never changed -> (the content, its winners): they are asked for again and again


def winners(content):
    """key -> record: of several with one key the last, of those with versions of their own the greatest. Not to be changed."""
    known = WINNERS.get(id(content))
    if known is None:
        if len(WINNERS) > 500:
            WINNERS.clear()
        known = WINNERS[id(content)] = (content, find_winners(content))
    return known[1]


def find_winners(content):
    out = {}
    for record in expand(content):
        known = out.get(key_of(record))
        if known is None or record[0] != "own" or record[4] >= known[4]:
            out[key_of(record)] = record
    return out


def text_of(content):
    records, layout = expand(content), content["layout"]
    form = content["form"]
    style = ({"separators": (",", ":")}, {}, {"indent": 2})[layout if form != "ndjson" else layout % 2]
    if form == "ndjson":
        return "".join(json.dumps(payload_of(r), **style) + "\n" for r in records)
    if form == "array":
        return json.dumps([payload_of(r) for r in records], **style) + "\n"
    if form == "dump":
        return json.dumps({"things_in_memory": {r[2]: payload_of(r) for r in records}}, **style) + "\n"
    entries = [{"name": "pref_" + r[2], "value": json.dumps(payload_of(r))} for r in records]
    return json.dumps({"cookies": [], "origins": [{"origin": "https://app", "localStorage": entries}]}, **style) + "\n"


def is_whole(content):
    """An NDJSON file without a line is an empty file, which is taken for one that is just being written."""
    return content["form"] != "ndjson" or bool(content["records"])


# ---- the files

class World:
    """Which files there are and what is in them. `follow` a step to keep up; the disk is another class's."""

    def __init__(self):
        self.files = {}  # path -> content, BROKEN
        self.whole = {}  # path of a broken file -> its last whole content
        self.away = False

    def below(self, folder):
        return [path for path in self.files if path.startswith(folder + "/")]

    def is_folder(self, path):
        return path not in self.files and bool(self.below(path))

    def may(self, step):
        """A step without its files does nothing: steps can be left out of a run to make it smaller."""
        name = step[0]
        if name in ("cut", "empty", "garbage", "touch"):
            return step[1] in self.files
        if name == "copy":
            return step[1] in self.files and not self.is_folder(step[2])
        if name == "rename":
            if step[1] in self.files:
                return not self.is_folder(step[2]) and step[1] != step[2]
            inside = (step[2] + "/").startswith(step[1] + "/")
            return self.is_folder(step[1]) and not inside and not self.is_folder(step[2]) and step[2] not in self.files
        if name == "remove":
            return step[1] in self.files or self.is_folder(step[1])
        if name == "put":
            return not self.is_folder(step[1])
        return True

    def follow(self, step):
        """The paths that this changed."""
        name = step[0]
        if name == "put":
            self.set(step[1], step[2] if is_whole(step[2]) else BROKEN)
            return [step[1]]
        if name in ("cut", "empty", "garbage"):
            self.set(step[1], BROKEN)
            return [step[1]]
        if name == "remove":
            paths = [step[1]] if step[1] in self.files else self.below(step[1])
            for path in paths:
                self.drop(path)
            return paths
        if name in ("rename", "copy"):
            moves = {step[1]: step[2]} if step[1] in self.files else \
                {path: step[2] + path[len(step[1]):] for path in self.below(step[1])}
            for path, to in moves.items():
                content, whole = self.files[path], self.whole.get(path)
                if name == "rename":
                    self.drop(path)
                self.drop(to)
                self.files[to] = content
                if content is BROKEN:
                    self.whole[to] = whole
            return list(moves) + list(moves.values())
        if name == "root":
            self.away = step[1] == "away"
        return []

    def set(self, path, content):
        if content is BROKEN:
            self.whole[path] = self.whole.get(path) if self.files.get(path) is BROKEN else self.files.get(path)
        else:
            self.whole.pop(path, None)
        self.files[path] = content

    def drop(self, path):
        self.files.pop(path, None)
        self.whole.pop(path, None)

    def followed(self):
        return [path for path in self.files if path.startswith(ROOT + "/")]

    def holders(self):
        """key -> the records that whole files give for it."""
        out = {}
        for path in self.followed():
            content = self.files[path]
            for key, record in (winners(content) if content is not BROKEN else {}).items():
                out.setdefault(key, []).append(record)
        return out


class Disk:
    """The same files in a folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(self.place(ROOT))
        os.makedirs(self.place("out"))

    def place(self, path):
        return os.path.join(self.folder, path)

    def do(self, step):
        getattr(self, step[0])(*step[1:])

    def put(self, path, content, how, mtime):
        place, text = self.place(path), text_of(content).encode("utf-8")
        os.makedirs(os.path.dirname(place), exist_ok=True)
        before = os.stat(place).st_mtime_ns if os.path.exists(place) else None
        if how == "replace" or before is None:
            new = os.path.join(self.folder, "new")
            with open(new, "wb") as out:
                out.write(text)
            self.date(new, mtime, before)
            os.replace(new, place)
            return
        if how == "append":
            with open(place, "rb") as old:
                same = text.startswith(old.read())
            with open(place, "ab" if same else "wb") as out:
                out.write(text[os.path.getsize(place):] if same else text)
        else:
            with open(place, "wb") as out:
                out.write(text)
        self.date(place, mtime, before)

    @staticmethod
    def date(place, mtime, before):
        now = time.time_ns()
        when = {"old": now - 3 * 365 * DAY * 10**9, "future": now + 2 * 365 * DAY * 10**9, "kept": before}.get(mtime)
        if when is not None:
            os.utime(place, ns=(when, when))

    def touch(self, path, mtime):
        os.utime(self.place(path))
        self.date(self.place(path), mtime, None)

    def cut(self, path, share):
        """Never where a line or the whole ends: what is left of the last record is no JSON."""
        place = self.place(path)
        with open(place, "rb") as old:
            text = old.read()
        size = min(len(text), max(1, int(len(text) * share)))
        while size > 1 and (text[size - 1:size] in b"}\n]" or text[size:size + 1] == b"\n"):
            size -= 1
        os.truncate(place, size)

    def empty(self, path):
        os.truncate(self.place(path), 0)

    def garbage(self, path):
        with open(self.place(path), "w", encoding="utf-8") as out:
            out.write("no JSON, nothing that could be taken for a list\n")

    def rename(self, path, to):
        os.makedirs(os.path.dirname(self.place(to)), exist_ok=True)
        if os.path.isdir(self.place(to)):
            shutil.rmtree(self.place(to))  # without files: the model knows none in it
        os.rename(self.place(path), self.place(to))

    def copy(self, path, to):
        os.makedirs(os.path.dirname(self.place(to)), exist_ok=True)
        if self.place(path) != self.place(to):
            shutil.copyfile(self.place(path), self.place(to))

    def remove(self, path):
        if os.path.isdir(self.place(path)):
            shutil.rmtree(self.place(path))
        else:
            os.remove(self.place(path))

    def root(self, where):
        away, here = self.place("away"), self.place(ROOT)
        if where == "away" and os.path.isdir(here):
            os.rename(here, away)
        elif where == "back" and os.path.isdir(away):
            os.rename(away, here)


# ---- what must be stored

class Expected:
    """What a store may hold. Of stamped records: what one of the files that hold it says. Of those with versions of their own:
    the greatest; one that came later with a lower version is behind, and what was seen before it may stay."""

    def __init__(self, world):
        self.world = world
        self.before = {}    # the store when it was last right: key -> (version, payload or None)
        self.seen = {}      # own keys since then: key -> set of (version, payload as text)
        self.earlier = {}   # the same of the time before: what a frozen broker was sent then may come after such a point
        self.vanished = set()  # keys that no whole file held at some moment since then
        self.held = {}         # path -> keys of all that it held since it was last whole at such a point
        self.deletions = {}    # own keys: key -> the highest version of a deletion at such a point
        self.fresh = set()     # paths of other files (by inode) than were whole under any name at such a point

    def follow(self, step):
        """To be called instead of world.follow."""
        self.keep_fresh(step)
        self.keep_held(step)
        before, all_lost = {path: self.keys_of(path) for path in self.paths_of(step)}, set()
        for path in self.world.follow(step):
            if path.startswith(ROOT + "/"):
                self.note(path)
            all_lost |= before.get(path, set()) - self.keys_of(path)
        if all_lost:
            holders = self.world.holders()
            self.vanished |= {key for key in all_lost if not self.is_held(key, holders.get(key, []))}

    def keep_fresh(self, step):
        """A file that is another one may be broken before anybody read it; a renamed one is known by its inode."""
        name = step[0]
        if name == "put" and (step[1] not in self.world.files or step[3] == "replace") or name == "copy":
            self.fresh.add(step[1] if name == "put" else step[2])
        for path, to in self.moves_of(step):
            self.fresh.discard(to)
            if path in self.fresh:
                self.fresh.remove(path)
                self.fresh.add(to)

    def keep_held(self, step):
        """What a file may have been seen with last goes with it: should it be broken under its new name, nobody can tell what
        became of what it held under the old one."""
        for path, to in self.moves_of(step):
            self.held.setdefault(to, set()).update(self.held.get(path, ()))

    def moves_of(self, step):
        """(old path, new path) of each file that a rename moves."""
        if step[0] != "rename" or not self.world.may(step):
            return []
        return [(path, step[2] + path[len(step[1]):]) for path in
                ([step[1]] if step[1] in self.world.files else self.world.below(step[1]))]

    def is_held(self, key, holders):
        """Whether a record may hold the key: one that is not above a deletion stays deleted."""
        return any(r[0] != "own" or r[4] > self.deletions.get(key, -1) for r in holders)

    def paths_of(self, step):
        world, name = self.world, step[0]
        paths = [p for p in step[1:3] if isinstance(p, str)] if name != "put" else [step[1]]
        return [q for p in paths for q in ([p] if p in world.files else world.below(p))]

    def keys_of(self, path):
        content = self.world.files.get(path)
        if content is BROKEN:
            content = self.world.whole.get(path)
        return set(winners(content)) if content and path.startswith(ROOT + "/") else set()

    def note(self, path):
        content = self.world.files.get(path, BROKEN)
        if content is BROKEN:
            return
        self.held.setdefault(path, set()).update(winners(content))
        for record in expand(content):
            if record[0] == "own":
                self.seen.setdefault(key_of(record), set()).add((record[4], json.dumps(payload_of(record))))

    def problem(self, key, holders, stored):
        """Why what is stored of the key is wrong, or None. stored: (version, payload or None), or None."""
        live = stored is not None and stored[1] is not None
        if not holders:
            return "is stored, and no file holds it" if live else None
        if holders[0][0] != "own":
            if not live:
                return "is in a file, and not stored"
            return None if stored[1] in [payload_of(r) for r in holders] else "has another content than any file"
        return self.own_problem(key, holders, stored, live)

    def own_problem(self, key, holders, stored, live):
        top = max(record[4] for record in holders)
        if stored is None:
            return "is in a file, and was never stored"
        version, payload = stored
        if not live:
            if version < top:
                return "is deleted below the version of its record"
            gone = key in self.vanished or self.before.get(key, (0, 0))[1] is None
            return None if gone else "is deleted, and never left its files"
        if version == top and payload in [payload_of(r) for r in holders if r[4] == top]:
            return None
        seen = self.seen.get(key, set()) | self.earlier.get(key, set()) | {(v, json.dumps(p)) for v, p in [self.before.get(key, (None, None))] if p}
        if version >= top and (version, json.dumps(payload)) in seen:
            return None
        return "is older than its record" if version < top else "has a content that no file had"

    def problems(self, store):
        """(key, why) of all that is wrong. `store`: key -> (version, payload or None)."""
        holders, out = self.world.holders(), []
        # what was produced of a broken file stays as it is: any content of it may have been seen last
        broken = [p for p in self.world.followed() if self.world.files[p] is BROKEN]
        unsure = {key for path in broken for key in self.held.get(path, ())}
        known = {key for path in broken if path not in self.fresh for key in self.held.get(path, ())}
        for key in holders.keys() | store.keys():
            why = None if key in unsure else self.problem(key, holders.get(key, []), store.get(key))
            if key in known and key in self.before and self.before[key][1] is not None and key not in self.vanished \
                    and store[key][1] is None:
                why = "is deleted, and its file is only broken"
            if why:
                out.append((key, why))
        return sorted(out)

    def settle(self, store):
        """The store is right: from here on."""
        self.before, self.seen, self.earlier, self.vanished = dict(store), {}, self.seen, set()
        for key, (version, payload) in store.items():
            if payload is None:
                self.deletions[key] = max(version, self.deletions.get(key, -1))
        self.held = {p: self.held.get(p, set()) for p in self.world.followed() if self.world.files[p] is BROKEN}
        for path in self.world.followed():
            self.note(path)
            if self.world.files[path] is not BROKEN:
                self.fresh.discard(path)
