#!/usr/bin/env python3
"""The follower's proof: random edits of followed files, and the follower killed, stopped and frozen among them.

    tests/follow/run.py --drover build/dev/drover --seed 7

It starts servers of its own. At quiet points it waits until what is in the topic, folded by the version rule (and, with --rows,
what a worker wrote to PostgreSQL), is what the files hold, deletes included. The steps come from the seed alone; where a kill
strikes depends on the machine. A failure prints what happened to the keys that are wrong, and leaves the steps in a file:

    tests/follow/run.py --drover … --replay steps.jsonl            the same steps again
    tests/follow/run.py --drover … --replay steps.jsonl --shrink   fewer and fewer of them, as long as it fails

Exit code: 0 all as it must be, 1 something is wrong, 2 the run itself failed.
"""
import argparse
import collections
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True  # the tree stays as it is
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "chaos")]

from generate import Generator
from servers import Process, Stack, die_with_parent, say
from world import BROKEN, MAPPINGS, ROOT, Disk, Expected, World, winners

SETTINGS = """migration: %(migration)s
mappings: [%(mappings)s]
state_dir: %(folder)s/state
kafka: { partitions: 2, conf: { reconnect.backoff.max.ms: 200 } }
produce: { scan: 100ms, rejects_shown: 3 }
work: { breaker: 0 }
"""
PATIENCE = 15  # nothing comes for so many seconds, and it is still not right
LONGEST = 120
ENDS_S = 15  # the follower's own promise is 12 s
ENDS_ASKED = (None, 0, -signal.SIGKILL, 128 + signal.SIGTERM, -signal.SIGTERM)  # the last before it listens to signals


class Wrong(Exception):
    """The follower failed: (key, why)."""

    def __init__(self, problems):
        super().__init__("%d wrong" % len(problems))
        self.problems = problems


class Topic:
    """All messages of the source topic as they come, folded: of each key the greatest version, of equal ones the first."""

    def __init__(self, brokers, name):
        self.store, self.history = {}, collections.defaultdict(list)
        self.count, self.last = 0, time.monotonic()
        self.news = threading.Condition()
        self.kcat = subprocess.Popen(["kcat", "-C", "-b", brokers, "-t", name, "-o", "beginning", "-q", "-u", "-J"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                     preexec_fn=die_with_parent)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.kcat.stdout:
            raw = json.loads(line)
            headers = dict(zip(raw["headers"][::2], raw["headers"][1::2]))
            version, text = int(headers["drover"].split(" ")[0]), raw["payload"]
            with self.news:
                key = raw["key"]
                self.history[key].append((raw["partition"], raw["offset"], version, text))
                del self.history[key][:-12]
                known = self.store.get(key)
                if known is None or version > known[0]:
                    self.store[key] = (version, json.loads(text) if text is not None else None)
                self.count += 1
                self.last = time.monotonic()
                self.news.notify_all()

    def wait_count(self, count, seconds):
        with self.news:
            self.news.wait_for(lambda: self.count >= count, seconds)

    def wait_pause(self, count, seconds):
        """Until something came after the first `count` and then nothing for a moment: to compare takes as long as many messages."""
        until = time.monotonic() + seconds
        self.wait_count(count + 1, seconds)
        while self.count > count and time.monotonic() < until:
            count = self.count
            self.wait_count(count + 1, 0.03)

    def close(self):
        self.kcat.kill()
        self.kcat.wait()


class Rows:
    """What a worker wrote."""

    def __init__(self, stack, database):
        self.stack, self.database = stack, database

    def read(self):
        out = {}
        for entity, ident, columns in (("thing", "id", "'id', id, 'n', n"), ("own", "id", "'id', id, 'rev', rev, 'n', n"),
                                       ("pref", "name", "'n', n")):
            query = "SELECT isolation_key AS tenant, %s AS id, drover_version AS version, drover_deleted AS deleted, " \
                    "json_build_object('tenant', isolation_key, %s) AS payload FROM %s" % (ident, columns, entity)
            for row in self.stack.rows(query, self.database, json.loads):
                key = "%s/%s/%s" % (row["tenant"], entity, row["id"])
                out[key] = (row["version"], None if row["deleted"] else row["payload"])
        return out


class Follower:
    """The program, its supervisor and its state."""

    def __init__(self, run):
        self.run = run
        words = [run.options.drover, "produce", "--follow", run.disk.place(ROOT), "--config", run.settings,
                 "--log-format", "logfmt"]
        self.process = Process("follow", words, run.env, run.folder)
        self.frozen = False
        self.excused = False  # it may end by itself: while it ran, its state could not be written
        self.lock = None

    def alive(self):
        return self.process.alive()

    def start(self):
        if self.alive():
            return
        self.look()
        self.process.start()
        self.frozen, self.excused = False, self.lock is not None

    def look(self):
        """An end that nobody asked for is a finding; what it says is in the log."""
        status = self.process.status() if self.process.running else 0
        if status in ENDS_ASKED or self.excused and status in (1, 4):
            return
        self.process.running = None
        raise Wrong([("the follower", "ended by itself with %d\n%s" % (status, self.process.tail(20)))])

    def kill(self, name):
        if not self.alive():
            return
        if self.frozen:
            self.thaw()
        self.process.signal(getattr(signal, "SIG" + name))
        try:
            self.process.running.wait(1 if self.run.broker_frozen else ENDS_S)
        except subprocess.TimeoutExpired:
            if not self.run.broker_frozen:
                raise Wrong([("the follower", "does not end within %d s of SIG%s" % (ENDS_S, name))]) from None
            self.process.kill()

    def freeze(self):
        self.process.signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        self.process.signal(signal.SIGCONT)
        self.frozen = False

    def state(self, what):
        if what == "lock" and not self.lock:
            path = self.run.state_path()
            if os.path.exists(path):
                self.lock = sqlite3.connect(path, isolation_level=None, timeout=5)
                self.excused = True
                try:
                    self.lock.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    pass
        elif what == "full" and self.alive():
            self.excused = True
            hard = resource.prlimit(self.process.running.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(self.process.running.pid, resource.RLIMIT_FSIZE, (0, hard))
        elif what == "free":
            if self.lock:
                self.lock.close()
                self.lock = None
            if self.excused and self.alive():  # a process whose disk was full may yet end by it
                hard = resource.prlimit(self.process.running.pid, resource.RLIMIT_FSIZE)[1]
                resource.prlimit(self.process.running.pid, resource.RLIMIT_FSIZE, (hard, hard))


class Run:
    """One list of steps, with a migration and a folder of its own."""

    serial = 0

    def __init__(self, options, stack, rows):
        Run.serial += 1
        self.options, self.stack = options, stack
        self.migration = "follow%d_%d" % (options.seed, Run.serial)
        self.folder = "%s/run%d" % (options.folder, Run.serial)
        os.makedirs(self.folder)
        self.env = dict(stack.env)
        self.env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=1")
        self.mappings()
        self.disk, self.world = Disk(self.folder), World()
        self.expected = Expected(self.world)
        self.broker_frozen = False
        self.rows = None
        if rows:
            stack.sql("CREATE DATABASE %s OWNER drover" % self.migration)
            self.env["DATABASE_URL"] = stack.env["DATABASE_URL"].rsplit("/", 1)[0] + "/" + self.migration
            self.drover("schema", "apply")
            self.rows = Rows(stack, self.migration)
        self.drover("topics", "apply")
        self.topic = Topic(stack.brokers, "drover.%s.source" % self.migration)
        self.follower = Follower(self)
        self.worker = Process("worker", [options.drover, "work", "--config", self.settings], self.env, self.folder)
        if rows:
            self.worker.start()
        self.base = 0  # messages before the last edit
        self.at = 0    # steps done
        self.done = []
        self.counts = collections.Counter()

    def state_path(self):
        return "%s/state/%s.follow.db" % (self.folder, self.migration)

    def mappings(self):
        os.makedirs(self.folder + "/mappings")
        for entity, text in MAPPINGS.items():
            with open("%s/mappings/%s.yaml" % (self.folder, entity), "w", encoding="utf-8") as out:
                out.write(text)
        self.settings = self.folder + "/drover.yaml"
        with open(self.settings, "w", encoding="utf-8") as out:
            out.write(SETTINGS % {"migration": self.migration, "folder": self.folder, "mappings": self.folder + "/mappings"})

    def drover(self, *words):
        done = subprocess.run([self.options.drover, *words, "--config", self.settings], env=self.env, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError("drover %s: %d\n%s" % (" ".join(words), done.returncode, done.stderr[-2000:]))

    # ---- steps

    def do(self, step):
        self.done.append(step)
        self.at += 1
        if not self.world.may(step):
            return
        name = step[0]
        self.counts[name if name != "kill" else "kill " + step[1]] += 1
        special = getattr(self, "do_" + name, None)
        if special:
            special(*step[1:])
            return
        if name != "root":
            self.base = self.topic.count
        self.expected.follow(step)
        self.disk.do(step)

    def do_wait(self, when):
        if when[0] == "messages":
            self.topic.wait_count(self.base + when[1], 0.8)
            when = [None, when[2]]
        time.sleep(when[1] / 1000)  # where a fault strikes is random by nature

    def do_kill(self, name, when):
        self.do_wait(when)
        self.follower.kill(name)

    def do_follower(self, what):
        getattr(self.follower, what)()

    def do_state(self, what):
        self.follower.state(what)

    def do_broker(self, what):
        freeze = what == "freeze"
        if freeze != self.broker_frozen:
            os.kill(self.stack.pid("kafka"), signal.SIGSTOP if freeze else signal.SIGCONT)
            self.broker_frozen = freeze

    def do_quiet(self):
        for name in ("broker", "follower"):
            getattr(self, "do_" + name)("thaw")
        self.follower.state("free")
        self.follower.start()
        began = time.monotonic()
        while True:
            with self.topic.news:
                problems, count = self.expected.problems(self.topic.store), self.topic.count
            if not problems and self.rows:
                problems = self.rows_problems()
            if not problems:
                break
            if not self.follower.alive():
                self.follower.start()  # ended by a state that could not be written; anything else is said there
            now = time.monotonic()
            if now - max(self.topic.last, began) > PATIENCE or now - began > LONGEST:
                raise Wrong(problems)
            self.topic.wait_pause(count, 0.2)
        with self.topic.news:
            self.expected.settle(self.topic.store)

    def rows_problems(self):
        if not self.worker.alive():
            raise Wrong([("the worker", "ended with %s\n%s" % (self.worker.status(), self.worker.tail(20)))])
        rows = self.rows.read()
        with self.topic.news:
            return [(key, "the topic says %s, the row %s" % (self.topic.store[key], rows.get(key)))
                    for key in self.topic.store if self.topic.store[key] != rows.get(key)]

    def close(self):
        self.do_broker("thaw")
        self.follower.state("free")
        self.follower.process.kill()
        self.worker.kill()
        self.topic.close()

    # ---- what happened

    def story(self, key):
        """The steps that changed the key, and the follower's ends among them."""
        world, out, holds = World(), [], {}
        for number, step in enumerate(self.done):
            was = dict(holds)
            for path in world.follow(step) if world.may(step) else []:
                content = world.files.get(path, BROKEN)
                record = winners(content).get(key) if content is not BROKEN else None
                holds.pop(path, None)
                if record:
                    holds[path] = record[3:]
            if was != holds or was and step[0] in ("put", "touch") and step[1] in was:
                out.append("      %6d  %s -> %s" % (number, short(step), holds))
            elif step[0] in ("kill", "state", "broker", "root", "follower", "quiet", "wait"):
                out.append("      %6d  %s" % (number, short(step)))
        messages = ["      message %d:%d version %d %s" % m for m in self.topic.history[key]]
        return "\n".join(out[-24:] + messages + self.known(key))

    def known(self, key):
        """What the follower's state says of the key, file by file."""
        state = sqlite3.connect("file:%s?mode=ro" % self.state_path(), uri=True)
        rows = state.execute("SELECT CAST(path AS TEXT), gone, done, version, own, deleted, hex(digest) FROM record JOIN file ON file.id = record.file "
                             "WHERE key = CAST(? AS BLOB) ORDER BY path", (key,)).fetchall()
        state.close()
        return ["      state %s gone %d done %d: version %d own %d deleted %d digest %s" % row for row in rows] or ["      state: no row"]


def short(step):
    return json.dumps([{"records": len(part["records"])} if isinstance(part, dict) else part for part in step])


# ---- making a failing run smaller

def fails(options, stack, steps, rows, tries=2):
    for _ in range(tries):
        run = Run(options, stack, rows)
        try:
            for step in steps:
                run.do(step)
        except Wrong as wrong:
            return run.done, wrong
        finally:
            run.close()
    return None, None


def starting_at(steps, first):
    """The files as they are before step `first`, then the rest."""
    world = World()
    for step in steps[:first]:
        if world.may(step):
            world.follow(step)
    if not steps[first:]:
        return []
    puts = [["put", p, c, "replace", None] for p, c in world.files.items() if c is not BROKEN]
    return [["follower", "start"], *puts, ["quiet"], *steps[first:]]


def shrink(options, stack, steps, rows):
    quiet = [i + 1 for i, step in enumerate(steps[:-1]) if step[0] == "quiet"]
    best = steps
    for first in reversed(quiet):
        failing, _ = fails(options, stack, starting_at(steps, first), rows)
        if failing:
            best = failing
            break
    size = max(1, len(best) // 2)
    while size:
        at = 0
        while at < len(best) - 1:
            trial = best[:at] + best[min(at + size, len(best) - 1):]
            failing, _ = fails(options, stack, trial, rows)
            if failing:
                best = failing
            else:
                at += size
        say("%d steps fail, without any %d of them it goes well" % (len(best), size))
        size //= 2
    return best


# ---- the whole

def write_steps(path, steps):
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(step) + "\n" for step in steps)


def report(run, wrong, path):
    say("WRONG at step %d of seed %d, in %s" % (run.at, run.options.seed, run.folder))
    for key, why in wrong.problems[:10]:
        print("    %s %s" % (key, why))
    for key, _ in wrong.problems[:2]:
        if "/" in key:
            print("    %s:\n%s" % (key, run.story(key)))
    print("    the follower:\n%s" % run.follower.process.tail(30))
    write_steps(path, run.done)
    print("    the steps: %s\n    again: %s --drover %s --replay %s --shrink" % (path, sys.argv[0], run.options.drover, path))
    sys.stdout.flush()


def go(run, steps, until=None):
    """Runs the steps; what is left when `until` is over stays undone, but for the rest of its episode."""
    for step in steps:
        run.do(step)
        if step[0] == "quiet" and until and time.monotonic() > until:
            return


def summary(run):
    kills = run.counts["kill KILL"], run.counts["kill TERM"]
    return "%d steps, %d messages; kill -9 %d, SIGTERM %d, broker frozen %d, state faults %d, quiet %d, keys %d" % (
        run.at, run.topic.count, *kills, run.counts["broker"] // 2, run.counts["state"] // 2, run.counts["quiet"],
        len(run.topic.store))


def parts(options):
    """(steps, with rows) one after the other, each on files and topics of its own."""
    if options.replay:
        with open(options.replay, encoding="utf-8") as lines:
            return [([json.loads(line) for line in lines], options.rows > 0)]
    out = [(Generator(options.seed, (8, options.big)).steps(options.steps), False)]
    if options.rows:
        out.append((Generator(options.seed + 1000000, (8, options.big)).steps(options.rows), True))
    return out


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drover", default=os.environ.get("DROVER"), help="the program; or $DROVER")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--steps", type=int, default=10000, help="compared with the topic")
    parser.add_argument("--rows", type=int, default=0, help="steps compared with PostgreSQL as well")
    parser.add_argument("--big", type=int, default=3000, help="records of the large files")
    parser.add_argument("--minutes", type=float, default=None, help="go on with further seeds for so long")
    parser.add_argument("--keep-going", action="store_true", help="report what is wrong, and begin anew")
    parser.add_argument("--replay", help="a file of steps")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--folder", default=None, help="where the servers and the files are")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    options = parser.parse_args()
    if not options.drover:
        parser.error("--drover or $DROVER must name the built program")
    options.drover = os.path.abspath(options.drover)
    options.seed = random.SystemRandom().randrange(100000) if options.seed is None else options.seed
    options.folder = os.path.abspath(options.folder or "%s/.stack/follow-%d-%d" % (
        os.path.dirname(os.path.dirname(HERE)), options.seed, os.getpid()))
    return options


def run_all(options, stack):
    failures, began = 0, time.monotonic()
    until = began + options.minutes * 60 if options.minutes else None
    while True:
        for steps, rows in parts(options):
            if options.shrink:
                write_steps(options.replay + ".small", shrink(options, stack, steps, rows))
                say("the smallest found: %s.small" % options.replay)
                return 1
            while steps:
                run = Run(options, stack, rows)
                try:
                    go(run, steps, until)
                    steps = []
                except Wrong as wrong:
                    failures += 1
                    report(run, wrong, "%s/steps%d.jsonl" % (os.path.dirname(options.folder), run.serial))
                    steps = starting_at(steps, run.at)
                    if not options.keep_going:
                        return 1
                finally:
                    say("seed %d%s: %s" % (options.seed, " with rows" if rows else "", summary(run)))
                    run.close()
                if not options.keep:
                    shutil.rmtree(run.folder, ignore_errors=True)
        if not until or time.monotonic() > until:
            return 1 if failures else 0
        options.seed += 1


def main():
    options = arguments()
    say("seed %d, in %s" % (options.seed, options.folder))
    stack = None
    try:
        stack = Stack(options.folder)
        say("servers are up")
        status = run_all(options, stack)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        say("the run failed: %s" % error)
        status = 2
    finally:
        if stack:
            stack.down()
            if not options.keep:
                stack.remove()
    return status


if __name__ == "__main__":
    sys.exit(main())
