"""The steps of a run, from a seed alone: what happens when it is run has no influence on them."""
import copy
import random

from world import BROKEN, ROOT, World, is_whole

FOLDERS = [ROOT, ROOT, ROOT + "/s1", ROOT + "/s2", ROOT + "/s1/deep", ROOT + "/s3"]
FORMS = {"things": ("thing", "array", ".json"), "things-l": ("thing", "ndjson", ".ndjson"), "own": ("own", "array", ".json"),
         "own-l": ("own", "ndjson", ".ndjson"), "state": ("pref", "storage", ".json"), "dump": ("thing", "dump", ".json")}
MTIMES = [None] * 12 + ["old", "kept", "kept", "future"]


class Generator:
    def __init__(self, seed, sizes):
        """sizes: `small`, most records of a file made by hand, and `big`, records of a file whose sending takes a while."""
        self.rng = random.Random("edits %d" % seed)
        self.world = World()
        self.small, self.big = sizes
        self.out = []
        self.past = {}   # path -> contents it had
        self.revs = {}   # own key -> greatest version
        self.outside = 0

    def steps(self, count):
        """Ends with a quiet point. One more or less than `count` does not matter."""
        episodes = [self.calm] * 5 + [self.burst] * 5 + [self.undo] * 9 + [self.frozen_broker] * 2 + [self.folders] * 3 + \
                   [self.frozen_follower] + [self.rotation] * 3 + [self.in_flight] * 2 + [self.state_fault] * 2 + [self.root_away]
        deck = []
        self.do("follower", "start")
        while len(self.out) < count:
            if not deck:
                deck = self.rng.sample(episodes, len(episodes))
            deck.pop()()
            self.fix()
            self.do("quiet")
        return self.out

    # ---- steps

    def do(self, *step):
        step = list(step)
        if not self.world.may(step):
            return False
        if step[0] == "put":
            self.past.setdefault(step[1], []).append(step[2])
            del self.past[step[1]][:-6]
        self.world.follow(step)
        self.out.append(step)
        return True

    def chance(self, share):
        return self.rng.random() < share

    def when(self):
        rng = self.rng
        if self.chance(0.35):
            return ["ms", rng.choice((0, 5, 20, 60, 150, 250))]
        return ["messages", rng.choice((1, 1, 1, 2, 5, 40)), rng.choice((0, 0, 1, 2, 4, 8, 15, 30))]

    def some_file(self, whole=False):
        paths = [p for p in self.world.followed() if not whole or self.world.files[p] is not BROKEN]
        return self.rng.choice(paths) if paths else None

    def some_name(self, kind):
        return "%s/%s%d%s" % (self.rng.choice(FOLDERS), kind.split("-")[0], self.rng.randrange(4), FORMS[kind][2])

    # ---- content

    def record(self, entity, ident):
        rng = self.rng
        tenant = "t%d" % (sum(map(ord, ident)) % 3)
        key = "%s/%s/%s" % (tenant, entity, ident)
        highest = self.revs.get(key, 0)
        rev = highest + 1 if self.chance(0.8) or highest < 2 else rng.choice((highest, highest - 1, highest + 7))
        self.revs[key] = max(highest, rev) if entity == "own" else 0
        return [entity, tenant, ident, rng.randrange(1000), rev]

    def new_content(self, path, kind):
        entity, form, _ = FORMS[kind]
        base = path.rsplit("/", 1)[1].split(".")[0] + form[0]
        idents = ["%s-%d" % (base, i) for i in range(self.small)] + ["both-%d" % i for i in range(4)]
        chosen = self.rng.sample(idents, self.rng.randint(1, min(self.small, len(idents))))
        return {"form": form, "layout": self.rng.randrange(3), "records": [self.record(entity, i) for i in chosen]}

    def changed(self, content):
        rng = self.rng
        content = copy.deepcopy(content)
        records = content["records"]
        if any(r[0] == "range" for r in records):
            span = next(r for r in records if r[0] == "range")
            span[4] += rng.choice((1, 5000))
            if self.chance(0.3):
                span[3] = max(1, int(span[3] * rng.uniform(0.3, 1.5)))
                span[3] = min(span[3], self.big)
            return content
        entity = records[0][0] if records else {"storage": "pref", "dump": "thing"}.get(content["form"], "thing")
        for _ in range(rng.randint(1, 3)):
            what = rng.random()
            if what < 0.5 and records:
                at = rng.randrange(len(records))
                records[at] = self.record(entity, records[at][2])
            elif what < 0.75 and len(records) > 1:
                records.pop(rng.randrange(len(records)))
            elif records:
                ident = records[rng.randrange(len(records))][2].rsplit("-", 1)[0] + "-%d" % rng.randrange(self.small)
                ident = "both-%d" % rng.randrange(4) if self.chance(0.15) else ident
                again = [i for i, r in enumerate(records) if r[2] == ident]
                if again and content["form"] in ("dump", "storage"):
                    continue
                records.insert(rng.randint(0, len(records)), self.record(entity, ident))
        if self.chance(0.1):
            content["layout"] = (content["layout"] + 1) % 3
        return content

    # ---- edits

    def how(self):
        return self.rng.choice(("replace", "replace", "replace", "in_place", "in_place", "append"))

    def put(self, path, content):
        self.do("put", path, content, self.how(), self.rng.choice(MTIMES))

    def make(self):
        kind = self.rng.choice(list(FORMS))
        path = self.some_name(kind)
        self.put(path, self.new_content(path, kind))

    def change(self):
        path = self.some_file()
        if not path:
            return self.make()
        content = self.world.files[path]
        content = content if content is not BROKEN else self.world.whole.get(path)
        if content is None:
            return self.make()
        return self.put(path, self.changed(content))

    def go_back(self, path=None):
        """An earlier content of a file, be it there or not: undo, or another version of it checked out."""
        path = path or self.rng.choice(list(self.past) or [None])
        if path and path.startswith(ROOT + "/"):
            self.put(path, self.rng.choice(self.past[path]))

    def append(self):
        path = self.some_file(whole=True)
        content = path and self.world.files[path]
        if not path or content["form"] != "ndjson" or any(r[0] == "range" for r in content["records"]):
            return self.change()
        more = copy.deepcopy(content)
        entity = more["records"][0][0]
        ident = more["records"][0][2].rsplit("-", 1)[0] + "-%d" % self.rng.randrange(self.small)
        more["records"].append(self.record(entity, ident))
        return self.do("put", path, more, "append", None)

    def less(self):
        """All records but some gone; `[]` is content."""
        path = self.some_file(whole=True)
        if not path:
            return
        content = copy.deepcopy(self.world.files[path])
        if content["form"] == "array" and self.chance(0.5):
            content["records"] = []
        else:
            content["records"] = content["records"][:max(1, len(content["records"]) // 2)]
        self.put(path, content)

    def edit(self):
        rng, path = self.rng, self.some_file()
        what = rng.random()
        if path is None or what < 0.12 or len(self.world.followed()) < 3:
            return self.make()
        if what < 0.42:
            return self.change()
        if what < 0.52:
            return self.go_back()
        if what < 0.58:
            return self.append()
        if what < 0.63:
            return self.less()
        if what < 0.71:
            return self.do("remove", path)
        if what < 0.80:
            return self.rename(path)
        if what < 0.84:
            return self.do("copy", path, self.like(path))
        if what < 0.88:
            self.outside += 1
            return self.do("rename", path, "out/%d-%s" % (self.outside, path.rsplit("/", 1)[1]))
        if what < 0.92:
            return self.come_in()
        if what < 0.95:
            return self.do("touch", path, rng.choice((None, "old", "future")))
        if what < 0.99:
            return self.do(*rng.choice((("cut", path, round(rng.random(), 3)), ("empty", path), ("garbage", path))))
        return self.folder()

    def like(self, path):
        """Another path whose file is of the same mapping and form."""
        name = path.rsplit("/", 1)[1].split("-", 1)[-1] if path.startswith("out/") else path.rsplit("/", 1)[1]
        stem, ending = name.split(".")
        return "%s/%s%d.%s" % (self.rng.choice(FOLDERS), stem.rstrip("0123456789"), self.rng.randrange(6), ending)

    @staticmethod
    def kind(path):
        stem, ending = path.rsplit("/", 1)[1].split(".")
        return stem.rstrip("0123456789"), ending

    def rename(self, path):
        return self.do("rename", path, self.like(path))

    def come_in(self):
        outside = [p for p in self.world.files if p.startswith("out/")]
        if outside:
            path = self.rng.choice(outside)
            self.do("rename", path, self.like(path))

    def folder(self):
        folders = sorted({p.rsplit("/", 1)[0] for p in self.world.followed()} - {ROOT})
        if not folders:
            return
        folder = self.rng.choice(folders)
        what = self.rng.random()
        if what < 0.6:
            self.do("rename", folder, "%s/s%d" % (self.rng.choice((ROOT, ROOT, ROOT + "/s2")), self.rng.randrange(8)))
        elif what < 0.8:
            self.do("remove", folder)
        else:
            self.outside += 1
            self.do("rename", folder, "out/folder%d" % self.outside)
            if self.chance(0.5):
                self.do("wait", self.when())
                self.do("rename", "out/folder%d" % self.outside, folder)

    def fix(self):
        """What is broken becomes whole before most quiet points."""
        self.do("root", "back")
        for name in ("broker", "follower"):
            self.do(name, "thaw")
        self.do("state", "free")
        for path in self.world.followed():
            if self.world.files[path] is not BROKEN or self.chance(0.1):
                continue
            whole = self.world.whole.get(path)
            if whole is None or not is_whole(whole) or self.chance(0.2):
                self.do("remove", path)
            else:
                self.put(path, whole if self.chance(0.5) else self.changed(whole))

    # ---- episodes

    def calm(self):
        for _ in range(self.rng.randint(1, 25)):
            self.edit()
            if self.chance(0.2):
                self.do("wait", self.when())
            if self.chance(0.04):
                self.kill()

    def burst(self):
        for _ in range(self.rng.randint(100, 700)):
            self.edit()
            if self.chance(0.003):
                self.kill()

    def kill(self):
        """Dead for some edits, or started at once."""
        self.do("kill", self.rng.choice(("KILL", "KILL", "KILL", "TERM")), self.when())
        if self.chance(0.5):
            for _ in range(self.rng.randint(1, 4)):
                self.edit()
        self.do("follower", "start")

    def undo(self):
        """Something changes, is seen or not, and is as it was; the follower ends somewhere in between."""
        rng = self.rng
        paths = [p for p in (self.some_file(whole=True) for _ in range(rng.randint(1, 3))) if p]
        before = {p: self.world.files[p] for p in paths}
        for path in before:
            what = rng.random()
            if what < 0.6:
                self.put(path, self.changed(before[path]))
            elif what < 0.7 and before[path]["form"] == "array":
                self.do("put", path, dict(before[path], records=[]), self.how(), None)
            elif what < 0.85:
                self.do("remove", path)
            else:
                self.rename(path)
        end = rng.choice(("KILL", "KILL", "KILL", "TERM", "none"))
        if end != "none":
            self.do("kill", end, self.when())
            if self.chance(0.2):
                self.do("follower", "start")
        else:
            self.do("wait", self.when())
        for path in before:
            if self.chance(0.85):
                self.do("put", path, before[path], self.how(), rng.choice((None, None, "old", "kept")))
        self.do("follower", "start")

    def frozen_broker(self):
        """Killed while Kafka stands: what is in the socket is taken later."""
        rng = self.rng
        path = self.some_file(whole=True)
        before = path and self.world.files[path]
        self.do("broker", "freeze")
        if path:
            self.put(path, self.changed(before))
        for _ in range(rng.randint(0, 6)):
            self.edit()
        self.do("wait", ["ms", rng.choice((50, 300, 600))])
        self.do("kill", rng.choice(("KILL", "TERM")), ["ms", 0])
        self.do("broker", "thaw")
        if path:
            self.do("wait", ["ms", rng.choice((0, 200))])
            self.do("put", path, before, self.how(), None)
        self.do("follower", "start")

    def frozen_follower(self):
        self.do("follower", "freeze")
        for _ in range(self.rng.randint(1, 300)):
            self.edit()
        self.do("follower", "thaw")

    def folders(self):
        for _ in range(self.rng.randint(1, 4)):
            self.folder()
            if self.chance(0.6):
                self.do("wait", self.when())
            if self.chance(0.3):
                self.kill()
            self.edit()

    def rotation(self):
        """Files change names among each other: the old one steps aside for a new one, or two are exchanged; the moved one may be
        half written before anybody read it."""
        rng = self.rng
        for _ in range(rng.randint(1, 4)):
            path = self.some_file(whole=True)
            if not path:
                return
            old, aside = self.world.files[path], self.like(path)
            if aside == path:
                continue
            self.do("rename", path, aside)
            if self.chance(0.4):
                self.do(*rng.choice((("cut", aside, round(rng.random(), 3)), ("garbage", aside), ("empty", aside))))
            if self.chance(0.5):
                self.do("wait", self.when())
            others = [p for p in self.world.followed() if self.kind(p) == self.kind(path)]
            if others and self.chance(0.2):
                self.do("rename", rng.choice(others), path)
            elif self.chance(0.8):
                self.put(path, self.changed(old) if self.chance(0.7) else dict(old, records=old["records"][:1]))
            if self.chance(0.2):
                self.kill()
            if self.chance(0.3):
                self.do("rename", path, self.like(path))

    def state_fault(self):
        """The state cannot be written for a while: the follower ends, and is started again."""
        path = self.some_file(whole=True)
        before = path and self.world.files[path]
        self.do("state", self.rng.choice(("lock", "full")))
        if path:
            self.put(path, self.changed(before))
        self.do("wait", self.when())
        self.edit()
        self.do("state", "free")
        if path:
            self.do("put", path, before, self.how(), None)
        self.do("follower", "start")

    def in_flight(self):
        """A file whose sending takes a while is edited, put back or killed in the middle of it."""
        rng = self.rng
        name = "%s/big%d" % (ROOT, rng.randrange(2))
        path = name.replace("big", "things8") + (".json" if self.chance(0.5) else ".ndjson")
        form = "array" if path.endswith(".json") else "ndjson"
        old = self.world.files.get(path)
        if old is None or old is BROKEN or not old["records"] or old["records"][0][0] != "range":
            old = {"form": form, "layout": 0, "records": [["range", "thing", "big" + path[-8], self.big, 0]]}
            self.do("put", path, old, "replace", None)
            if self.chance(0.7):
                self.do("wait", ["messages", self.big, 100])
        new = copy.deepcopy(old)
        new["records"][0][4] += 100000 + rng.randrange(1000)
        if self.chance(0.3):
            new["records"][0][3] = rng.randint(1, self.big)
        self.do("put", path, new, self.how(), None)
        when = ["messages", rng.choice((1, 10, self.big // 2, self.big - 1, self.big)), rng.choice((0, 0, 5, 30))]
        if self.chance(0.5):
            self.do("kill", rng.choice(("KILL", "KILL", "TERM")), when)
        else:
            self.do("wait", when)
        if self.chance(0.8):
            self.do("put", path, old, rng.choice(("in_place", "in_place", "replace")), rng.choice((None, "kept")))
        else:
            self.do("remove", path)
        self.do("follower", "start")

    def root_away(self):
        self.do("root", "away")
        self.do("wait", ["ms", self.rng.choice((50, 400))])
        if self.chance(0.3):
            self.do("kill", "KILL", ["ms", 0])
            self.do("follower", "start")
            self.do("wait", ["ms", 300])
        self.do("root", "back")
