"""Writes the files of a file store again and again, stopped at chosen points of a writing, over batches and
edits by hand drawn at random, and compares with a model after each step:

  - what Drover wrote is never taken for somebody's, wherever it was stopped;
  - what somebody edited, put there or made of it stays byte for byte, and is named;
  - every other file is what its rows give, once a writing was not stopped.

  file_stops.py DROVER CONFIG STORE ENTITY SEED STEPS
"""

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys

DROVER, CONFIG, STORE, ENTITY = sys.argv[1:5]
SEED, STEPS = int(sys.argv[5]), int(sys.argv[6])
chance = random.Random(SEED)
db = sqlite3.connect(os.path.join(STORE, ".drover", "state.db"), isolation_level=None)
db.execute("PRAGMA busy_timeout = 5000")
tenants = sorted(row[0] for row in db.execute("SELECT tenant FROM file WHERE entity = ?", (ENTITY,)))
theirs = {}  # tenant: what somebody made of its file; None: a folder
history = []

# Where a writing is stopped, as SQLite sees it: RAISE(FAIL) keeps what was noted and ends the process.
STOPS = {
    "noted": "AFTER UPDATE OF next_digest ON file WHEN NEW.next_digest IS NOT NULL",
    "renamed": "BEFORE UPDATE OF dirty ON file WHEN OLD.dirty = 1 AND NEW.dirty = 0",
}


def fail(text):
    sys.exit("seed %d, step %d: %s\n  %s" % (SEED, len(history), text, "\n  ".join(history[-12:])))


def place(tenant):
    return os.path.join(STORE, tenant, ENTITY + ".json")


def lies(tenant):
    path = place(tenant)
    if os.path.isdir(path):
        return None
    return open(path).read() if os.path.exists(path) else ""


def rows_text(tenant):
    rows = db.execute(
        "SELECT json FROM record WHERE entity = ? AND tenant = ? AND json IS NOT NULL ORDER BY id", (ENTITY, tenant)
    )
    return "[\n" + ",\n".join(bytes(r[0]).decode() if isinstance(r[0], bytes) else r[0] for r in rows) + "\n]\n"


def batch():
    """A batch of a worker, as far as files are concerned: rows change, and their files are dirty."""
    for tenant in chance.sample(tenants, chance.randint(1, 3)):
        rows = db.execute("SELECT id, json FROM record WHERE entity = ? AND tenant = ?", (ENTITY, tenant)).fetchall()
        key, text = chance.choice(rows)
        text = text.decode() if isinstance(text, bytes) else text
        text = re.sub(r'"kind":"[^"]*"', '"kind":"k%d"' % chance.randrange(10**6), text)
        db.execute("UPDATE record SET json = ? WHERE entity = ? AND tenant = ? AND id = ?", (text, ENTITY, tenant, key))
        db.execute("UPDATE file SET dirty = 1 WHERE entity = ? AND tenant = ?", (ENTITY, tenant))
        history.append("batch %s" % tenant)


def by_hand():
    tenant = chance.choice(tenants)
    path, content = place(tenant), lies(tenant)
    if tenant in theirs or not content:
        return
    how = chance.choice(["edit", "cut", "folder", "delete", "left beside"])
    history.append("%s %s" % (how, tenant))
    if how == "edit":
        theirs[tenant] = content.replace('"kind":"', '"kind":"my ', 1)
    elif how == "cut":
        theirs[tenant] = content[: chance.randrange(len(content) - 1)]
    elif how == "folder":
        theirs[tenant] = None
        os.unlink(path)
        os.mkdir(path)
    elif how == "delete":  # written again: nothing is lost by that
        os.unlink(path)
        return
    else:  # what a killed writing leaves, and what would stop one for ever
        if os.path.lexists(path + ".new"):
            os.unlink(path + ".new")
        os.mkfifo(path + ".new") if chance.random() < 0.5 else open(path + ".new", "w").write("half a")
        return
    if theirs[tenant] is not None:
        open(path, "w").write(theirs[tenant])


def run(*options):
    done = subprocess.run(
        [DROVER, "rebuild", "files", "--config", CONFIG, *options], capture_output=True, text=True, timeout=60
    )
    left = set(re.findall(r"^left +([^/]+)/", done.stdout, re.M))
    return done.returncode, left, done.stdout + done.stderr


def write():
    stop = chance.choice(["noted", "renamed", "renamed", None])
    dirty = [row[0] for row in db.execute("SELECT tenant FROM file WHERE dirty = 1 ORDER BY tenant")]
    at = chance.choice(dirty or tenants)
    if stop:
        db.execute("CREATE TRIGGER stop %s AND NEW.tenant = '%s' BEGIN SELECT RAISE(FAIL, 'stop'); END" % (STOPS[stop], at))
    code, left, said = run()
    if stop:
        db.execute("DROP TRIGGER stop")
    history.append("write, stopped: %s at %s, exit %d" % (stop, at, code))
    if left - set(theirs):
        fail("what Drover wrote is taken for somebody's: %s\n%s" % (left - set(theirs), said))
    if code not in (0, 5):
        return stop  # it was reached
    if left != set(theirs):
        fail("left %s, edited were %s" % (sorted(left), sorted(theirs)))
    for tenant in tenants:
        if tenant not in theirs and lies(tenant) != rows_text(tenant):
            fail("%s is not what its rows give" % tenant)
    return None


def check_theirs():
    for tenant, content in theirs.items():
        if lies(tenant) != content:
            fail("what somebody made of %s was overwritten" % tenant)


def replace():
    history.append("replace what was edited")
    count = len(theirs)
    code, left, said = run("--replace-edited")
    if code != 0 or left or len(re.findall("^kept +[^0-9 ]", said, re.M)) != count:
        fail("exit %d, kept should be %d\n%s" % (code, count, said))
    theirs.clear()
    for tenant in tenants:
        if lies(tenant) != rows_text(tenant):
            fail("%s is not what its rows give" % tenant)
        for name in os.listdir(os.path.dirname(place(tenant))):
            if ".kept-" in name:
                kept = os.path.join(os.path.dirname(place(tenant)), name)
                shutil.rmtree(kept) if os.path.isdir(kept) else os.unlink(kept)
            elif name.endswith(".new"):
                os.unlink(os.path.join(os.path.dirname(place(tenant)), name))


stopped = {"noted": 0, "renamed": 0, None: 0}
for step in range(STEPS):
    chance.choices([batch, by_hand], [4, 1])[0]()
    stopped[write()] += 1
    check_theirs()
    if len(theirs) == len(tenants) - 2 or step == STEPS - 1:
        replace()
if STEPS >= 40 and not all(stopped.values()):
    fail("a stop was never reached: %s" % stopped)
print("steps %d, stopped %s" % (STEPS, stopped))
