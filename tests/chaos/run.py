#!/usr/bin/env python3
"""Chaos: random kills and freezes of everything, and a checker that shares no code with Drover.

    tests/chaos/run.py --drover build/release/drover --seed 7

It starts servers of its own, produces records of many tenants in storage hybrid while it kills and freezes
workers, producers, PostgreSQL, Redis and Kafka, waits until all is written, and compares. What was planted:
records refused by the mapping, by a CHECK, by a constraint checked at COMMIT and by a trigger; deletes; several
versions of a key in any order, also the same one twice; children before their parents, and such whose parent
never comes. Workers come and go, and join while the others are over their memory. The same seed gives the same
records and the same faults; when they strike depends on the machine.

With --bulk it is a bulk load in storage database: the same faults while the tables are loaded, then `drover load
finish` is killed, and PostgreSQL under it, while records come; the workers go on by upserts, under more faults.

Exit code: 0 all as it must be, 1 something is wrong (each kind is listed), 2 the run itself failed.
"""
import argparse
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True  # the tree stays as it is

import load
from checker import Checker, message_of
from servers import ROOT, Process, Stack, say

PARTITIONS = 6
SETTINGS = """migration: %(migration)s
mappings: [%(folder)s/mappings]
state_dir: %(folder)s/state
storage: %(storage)s
kafka: { partitions: %(partitions)d, conf: { session.timeout.ms: 6000, heartbeat.interval.ms: 500 } }
work: { parent_wait: %(parent_wait)ds, breaker: 0 }
verify: { report: %(folder)s/report, samples: 1000 }
"""
FORMS = {
    "short": {"faults": 5, "records": 6000, "freeze": 6.0, "pause": 2.0, "parent_wait": 30, "patience": 120, "limit": 1200},
    "full": {"faults": 60, "records": 50000, "freeze": 15.0, "pause": 3.0, "parent_wait": 120, "patience": 180, "limit": 4500},
}
ABORTS = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE)


# How often the finish of a bulk load is struck, and how many faults follow it.
STRUCK = {"short": (3, 2), "full": (12, 10)}


class Broken(Exception):
    """The run cannot go on: what is seen then is a finding."""


class Feed:
    """One producer after another: the same command again until it succeeds, then the next chunk's."""

    def __init__(self, name, commands):
        self.name, self.commands, self.process = name, commands, None  # commands: (chunk, process)
        self.again_at = 0

    def tick(self, gate, note):
        if self.process is None:
            if self.commands and self.commands[0][0] <= gate and time.monotonic() >= self.again_at:
                self.process = self.commands[0][1]
                self.process.start()
            return
        status = self.process.status()
        if status is None:
            return
        if status == 0:
            self.commands.pop(0)
        else:
            note(self.process, status)
            self.again_at = time.monotonic() + 0.5
        self.process = None

    def done(self):
        return not self.commands


class Chaos:
    storage, entities, constraints = "hybrid", load.ENTITIES, load.CONSTRAINTS
    stages = ("next_offset", "redis_next", "results_next")

    def __init__(self, options):
        self.options = options
        self.random = random.Random("faults %d" % options.seed)
        self.folder = options.folder + "/run"  # beside what the servers write, where ./dev clean finds them
        self.migration = "chaos%d" % options.seed
        self.problems = []  # (kind, text) that the checker cannot see
        self.exits = {}
        self.workers, self.wanted, self.serial = {}, 0, 0
        self.replacing = False  # a worker is due to be started
        self.due = []  # (time, what to do then)
        self.deck = []
        self.gate = -1
        self.last_gate = options.chunks
        self.stack = None
        self.began = time.monotonic()

    # ---- setting up

    def prepare(self):
        os.makedirs(self.folder)
        self.stack = Stack(self.options.folder)
        stack = self.stack
        stack.sql("CREATE DATABASE %s OWNER drover" % self.migration)
        self.env = dict(stack.env, DATABASE_URL=stack.env["DATABASE_URL"].rsplit("/", 1)[0] + "/" + self.migration)
        self.env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=1")
        os.makedirs(self.folder + "/mappings")
        for entity in self.entities:
            with open("%s/mappings/%s.yaml" % (self.folder, entity), "w", encoding="utf-8") as out:
                out.write(load.MAPPINGS[entity])
        self.settings = self.folder + "/drover.yaml"
        with open(self.settings, "w", encoding="utf-8") as out:
            out.write(SETTINGS % {"migration": self.migration, "folder": self.folder, "partitions": PARTITIONS,
                                  "parent_wait": self.options.parent_wait, "storage": self.storage})
        for words in (("schema", "apply"), ("topics", "apply")):
            self.run_to_end("-".join(words), self.drover(*words))
        stack.sql(self.constraints, self.migration)
        self.load = load.Load(self.folder + "/sources", self.options.seed, self.options.records, self.options.tenants,
                              self.options.chunks, self.options.without, self.entities)
        self.load.generate()
        say("records %d of %d tenants, %d deletes; planted %s" % (
            self.load.count, self.options.tenants, sum(map(len, self.load.deletes)),
            ", ".join("%s %d" % item for item in sorted(self.load.planted.items()))))
        self.feeds = [Feed("events", self.produce_commands("events", ("event", "memo"))),
                      Feed("family", self.produce_commands("family", ("purchase", "customer"))),
                      Feed("deletes", self.delete_commands())]

    def drover(self, *words):
        return [self.options.drover, *words, "--config", self.settings]

    def run_to_end(self, name, words, limit=300):
        process = Process(name, words, self.env, self.folder)
        process.start()
        process.running.wait(limit)
        if process.status() != 0:
            raise Broken("%s ended with %d\n%s" % (name, process.status(), process.tail()))

    def produce_commands(self, name, entities):
        out = []
        for chunk in range(self.options.chunks):
            files = self.load.files(chunk, entities)
            if files:
                words = self.drover("produce", *files, "--state-dir", self.folder + "/state-" + name)
                out.append((chunk, Process("produce-" + name, words, self.env, self.folder)))
        return out

    def delete_commands(self):
        """Another producer's deletes: key and version are all that schemas/wire.md asks for."""
        out = []
        for chunk, deletes in enumerate(self.load.deletes):
            by_version = {}
            for entity, tenant, ident, version in deletes:
                by_version.setdefault(version, []).append("%s/%s/%s:\n" % (tenant, entity, load.key_part(ident)))
            for version, lines in sorted(by_version.items()):
                path = "%s/delete-%03d-%d" % (self.folder, chunk, version)
                with open(path, "w", encoding="utf-8") as text:
                    text.writelines(lines)
                words = ["kcat", "-P", "-b", self.stack.brokers, "-t", self.topic("source"), "-K:", "-Z",
                         "-X", "partitioner=murmur2", "-X", "acks=all", "-X", "message.timeout.ms=600000",
                         "-H", "drover-version=%d" % version]
                out.append((chunk, Process("kcat-deletes", words, self.env, self.folder, stdin=path)))
        return out

    def topic(self, name):
        return "drover.%s.%s" % (self.migration, name)

    # ---- keeping all going

    def add_worker(self):
        self.serial += 1
        rng = self.random
        words = self.drover("work", "--batch-records", str(rng.choice((1, 7, 50, 300, 2000))),
                            "--connections", str(rng.randint(1, 6)), "--work-memory", rng.choice(("1MiB", "2MiB")),
                            "--redis-lag", str(rng.choice((50, 1000, 100000))))
        worker = Process("worker%d" % self.serial, words, self.env, self.folder)
        self.workers[worker.name] = worker
        worker.start()
        return worker

    def note_exit(self, process, status):
        self.exits[process.name.rstrip("0123456789"), status] = \
            self.exits.get((process.name.rstrip("0123456789"), status), 0) + 1
        if status in ABORTS or status in (1, 3, 5, 6) and not process.name.startswith("kcat"):
            self.problems.append(("ended by itself", "%s: %d\n%s" % (process.name, status, process.tail())))
            say("! %s ended by itself with %d" % (process.name, status))

    def tick(self):
        now = time.monotonic()
        self.gate = min(self.gate, self.last_gate)
        for when, what in sorted(self.due, key=lambda d: d[0]):
            if when <= now:
                self.due.remove((when, what))
                what()
        for worker in list(self.workers.values()):
            status = worker.status()
            if status is None:
                continue
            # 4: a server was away when it started; whoever supervises it starts it again
            self.note_exit(worker, status)
            del self.workers[worker.name]
        missing = self.wanted - len(self.workers)
        if missing > 0 and not self.replacing:
            self.replacing = True
            self.later(self.random.choice((0, 0, 0.5, 3)), self.replace_worker)
        for feed in self.feeds:
            feed.tick(self.gate, self.note_exit)

    def replace_worker(self):
        self.replacing = False
        if len(self.workers) < self.wanted:
            self.add_worker()

    def later(self, seconds, what):
        self.due.append((time.monotonic() + seconds, what))

    def run_for(self, seconds):
        """The time between faults, and how long one lasts, are random by nature."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tick()
            time.sleep(0.05)

    def run_until(self, condition, limit):
        until = time.monotonic() + limit
        while not condition() and time.monotonic() < until:
            self.tick()
            time.sleep(0.05)

    def some_worker(self):
        alive = [w for w in self.workers.values() if w.alive()]
        return self.random.choice(alive) if alive else None

    # ---- faults

    def strike(self, number):
        rng = self.random
        if not self.deck:  # dealt like cards, so that a short run hits everything too
            self.deck = rng.sample(self.options.targets, len(self.options.targets))
        target = self.deck.pop()
        fault = getattr(self, "hit_" + target)
        seconds = rng.choice((rng.uniform(0.1, 2), rng.uniform(0.1, self.options.freeze)))
        text = fault(seconds, rng.random())
        say("fault %2d  %s" % (number, text))

    def hit_worker(self, seconds, chance):
        self.run_until(self.some_worker, 60)
        worker = self.some_worker()
        if worker is None:
            raise Broken("no worker stays alive")
        if chance < 0.55:
            worker.kill()
            return "kill -9 %s" % worker.name
        worker.signal(signal.SIGSTOP)
        self.later(seconds, lambda: worker.signal(signal.SIGCONT))
        return "freeze %s for %.1f s" % (worker.name, seconds)

    def hit_producer(self, seconds, chance):
        def alive():
            return [feed.process for feed in self.feeds if feed.process and feed.process.alive()]

        if not alive():
            self.gate += 1
            self.run_until(alive, 10)
        if not alive():
            return self.hit_worker(seconds, chance)  # all is produced
        process = self.random.choice(alive())
        if chance < 0.6:
            process.kill()
            return "kill -9 %s" % process.name
        process.signal(signal.SIGSTOP)
        self.later(seconds, lambda: process.signal(signal.SIGCONT))
        return "freeze %s for %.1f s" % (process.name, seconds)

    def hit_postgres(self, seconds, chance):
        if chance < 0.25:
            return self.down("postgres", seconds)
        if chance < 0.45:
            os.kill(self.stack.pid("postgres"), signal.SIGQUIT)  # what pg_ctl stop -m immediate sends
            self.run_for(min(seconds, 3))
            self.stack.restart("postgres")
            return "PostgreSQL: immediate shutdown, started again"
        if chance < 0.65:
            backends = self.sql_soon("SELECT pid FROM pg_stat_activity WHERE datname = '%s'" % self.migration).split()
            if not backends:
                return "PostgreSQL: no backend to hit"
            pid = int(self.random.choice(backends))
            if chance < 0.55:
                self.sql_soon("SELECT pg_terminate_backend(%d)" % pid)
                return "PostgreSQL: one session terminated"
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            return "PostgreSQL: kill -9 of one backend"
        return self.freeze("postgres", seconds)

    def hit_redis(self, seconds, chance):
        if chance < 0.35:
            return self.down("redis", seconds)
        if chance < 0.5:
            self.stack.restart("redis")
            return "redis: orderly restart"
        if chance < 0.65:
            with self.stack.redis() as redis:
                redis.call("FLUSHALL")
            return "redis: FLUSHALL"
        return self.freeze("redis", seconds)

    def hit_kafka(self, seconds, chance):
        if chance < 0.4:
            return self.down("kafka", seconds)
        if chance < 0.5:
            self.stack.restart("kafka")
            return "kafka: orderly restart"
        return self.freeze("kafka", seconds)

    def sql_soon(self, text):
        until = time.monotonic() + 60
        while True:
            try:
                return self.stack.sql(text, self.migration, limit=20)
            except Exception:  # it may just be recovering
                if time.monotonic() > until:
                    raise
                self.run_for(0.3)

    def down(self, service, seconds):
        self.stack.kill(service)
        self.run_for(seconds / 2)
        self.stack.restart(service)
        return "%s: kill -9, away for %.1f s" % (service, seconds / 2)

    def freeze(self, service, seconds):
        self.stack.pause(service)
        self.run_for(seconds)
        self.stack.resume(service)
        return "%s: frozen for %.1f s" % (service, seconds)

    def join_over_budget(self, seconds):
        """PostgreSQL stands still, so the workers fill their memory and pause; then another one joins."""
        self.stack.pause("postgres")
        self.gate += 2  # so that there is enough to read
        self.run_for(max(seconds, 3))
        worker = self.add_worker()
        self.wanted = max(self.wanted, len(self.workers))
        self.run_for(min(2 + seconds / 2, 6))
        self.stack.resume("postgres")
        return "PostgreSQL: frozen for %.1f s, %s joins meanwhile" % (
            max(seconds, 3) + min(2 + seconds / 2, 6), worker.name)

    def come_and_go(self):
        chance = self.random.random()
        if chance < 0.15 and self.wanted < 4:
            self.wanted += 1
            say("          %s joins" % self.add_worker().name)
        elif chance < 0.3 and self.wanted > 2:
            worker = self.some_worker()
            if worker and not worker.frozen:
                self.wanted -= 1
                say("          %s is asked to leave" % worker.name)
                worker.leave()

    def faults(self):
        self.wanted = 2
        for _ in range(2):
            self.add_worker()
        self.strike_often(self.options.faults)
        self.gate = self.last_gate
        while self.due:
            self.run_for(0.2)
        say("no more faults; producing the rest")

    def strike_often(self, faults):
        for number in range(1, faults + 1):
            self.gate = max(self.gate, (number - 1) * self.options.chunks // faults)
            self.run_for(self.random.uniform(0.2, self.options.pause))
            self.strike(number)
            if not self.options.still:
                self.come_and_go()
            if number % 10 == 5 and not self.options.still:
                say("          %s" % self.join_over_budget(self.random.uniform(3, self.options.freeze)))

    # ---- the end

    def wait_for(self, what, condition, idle, look=lambda: None):
        """Until the condition holds. Gives up when for `idle` seconds nothing that `look` shows has changed."""
        seen, changed = object(), time.monotonic()
        while True:
            self.tick()
            try:
                if condition():
                    return True
                now = look()
            except Exception as error:  # a server that is still coming back
                now = str(error)[:200]
            if now != seen:
                seen, changed = now, time.monotonic()
            elif time.monotonic() - changed > idle:
                self.problems.append(("stuck", "%s: for %d s nothing has changed: %s" % (what, idle, seen)))
                say("! stuck: %s: %s" % (what, seen))
                return False
            if time.monotonic() - self.began > self.options.limit:
                self.problems.append(("stuck", "%s: the time is over: %s" % (what, seen)))
                return False
            time.sleep(0.3)

    def progress(self, ends):
        """Of each partition: its number, and how far each stage is behind."""
        rows = self.stack.rows("SELECT partition, next_offset, redis_next, results_next FROM drover.partition_progress"
                               " ORDER BY 1", self.migration, load.load_json)
        return [(r["partition"], *(ends[r["partition"]] - r[n] for n in self.stages)) for r in rows]

    def settle(self):
        stack, patience = self.stack, self.options.parent_wait + self.options.patience
        if not self.wait_for("producers", lambda: all(feed.done() for feed in self.feeds), self.options.patience * 2,
                             lambda: [len(feed.commands) for feed in self.feeds]):
            raise Broken("the producers did not end")
        self.messages = [message_of(m) for m in stack.topic(self.topic("source"))]
        self.checker = Checker({"source": self.topic("source")}, self.messages, self.options.parent_wait,
                               noted=self.storage == "hybrid")
        say("the topic holds %d messages; waiting until all is written" % len(self.messages))
        ends = self.checker.ends

        def progress():
            return self.progress(ends)

        def waiting():
            return int(stack.sql("SELECT count(*) FROM drover.waiting", self.migration))

        def written():
            return sum(1 for p in progress() if not any(p[1:])) == len(ends) and waiting() == 0

        def redis_is_whole():
            with stack.redis() as redis:
                sentinel = redis.call("GET", "drover:sentinel:" + self.migration)
                return sentinel is not None and redis.run_id().encode() in sentinel

        good = self.wait_for("partition, records PostgreSQL, Redis, receipts are behind; waiting children", written,
                             patience, lambda: (progress(), waiting()))
        if self.storage != "hybrid":
            return good
        good = self.wait_for("Redis' sentinel", redis_is_whole, self.options.patience) and good
        return good

    def stop(self):
        begin = time.monotonic()
        stopping = list(self.workers.values())
        self.workers, self.wanted = {}, 0
        for worker in stopping:
            worker.leave()
        for worker in stopping:
            try:
                status = worker.running.wait(max(1, 60 - (time.monotonic() - begin)))
            except Exception:
                self.problems.append(("does not stop", "%s\n%s" % (worker.name, worker.tail())))
                worker.kill()
                continue
            if status != 0:
                self.problems.append(("does not stop with 0", "%s: %d\n%s" % (worker.name, status, worker.tail())))
        say("%d workers stopped in %.1f s" % (len(stopping), time.monotonic() - begin))

    def verify(self):
        process = Process("verify", self.drover("verify", "--json"), self.env, self.folder)
        process.start()
        status = process.running.wait(900)
        with open(process.path, encoding="utf-8") as text:
            for line in text:
                if line.startswith('{"schema"'):
                    return load.load_json(line), status
        self.problems.append(("the verifier fails", "%d\n%s" % (status, process.tail())))
        return None, status

    def check(self):
        checker, stack = self.checker, self.stack
        checker.read_letters(stack.topic(self.topic("dlq")))
        checker.model()
        sources = [(entity, record) for chunk in self.load.lines for entity, records in chunk.items()
                   for record in records]
        checker.check_sources(sources, [d for chunk in self.load.deletes for d in chunk])
        checker.check_rows({entity: stack.rows("SELECT *, encode(drover_digest, 'hex') AS digest FROM public." + entity,
                                               self.migration, load.load_json) for entity in self.entities})
        checker.check_writes(self.writes(), stack.rows("SELECT * FROM chaos_step", self.migration, load.load_json))
        checker.check_offsets(stack.rows("SELECT * FROM drover.partition_progress", self.migration, load.load_json),
                              self.stages)
        checker.check_letters()
        results = stack.topic(self.topic("results"), lambda text: load.load_json(load.load_json(text)["payload"]))
        checker.check_receipts(results)
        self.check_stores(results)
        report, status = self.verify()
        if report:
            checker.check_verdict(report)
            say("drover verify says %s (exit %d): %s" % (report["verdict"], status, ", ".join(
                "%s %d" % (k, v) for k, v in {**report["counts"], **report["beside"]}.items() if v)))

    def writes(self):
        return self.stack.rows("SELECT * FROM chaos_write ORDER BY seq", self.migration, load.load_json)

    def check_stores(self, _):
        with self.stack.redis() as redis:
            self.checker.check_redis(redis.everything())

    def report(self):
        checker = self.checker
        for kind, text in self.problems:
            checker.find(kind, text)
        count = {kind: len(texts) for kind, texts in checker.findings.items()}
        redis = sum(n for kind, n in count.items() if kind.startswith("Redis: "))
        say("refused: %s" % ", ".join("%s %d" % item for item in sorted(checker.refused.items())))
        say("besides: %s" % ", ".join("%s %d" % item for item in sorted(checker.notes.items())))
        say("programs that ended: %s" % ", ".join("%s %d: %d" % (*key, n) for key, n in sorted(self.exits.items())))
        for kind in sorted(count):
            print("WRONG  %6d  %s" % (count[kind], kind))
            for text in checker.findings[kind][:self.options.show]:
                print("               %s" % text)
        say("of %d keys: lost %d, stale %d, regressed %d, applied twice %d, dead letters not planted %d, missing %d; "
            "Redis: %d wrong of %d" % (
                len(checker.winner), count.get("lost", 0) + count.get("lost before the topic", 0), count.get("stale", 0),
                count.get("regressed", 0), count.get("applied twice", 0),
                count.get("dead letter that was not planted", 0), count.get("dead letter missing", 0), redis,
                len(checker.winner)))
        return 1 if count else 0

    def end(self):
        for process in [*self.workers.values(), *(feed.process for feed in getattr(self, "feeds", ()) if feed.process)]:
            process.kill()
        if self.stack:
            self.stack.down()

    def run(self):
        self.prepare()
        self.faults()
        if not self.settle():
            self.last_words()
        self.stop()
        self.check()
        return self.report()

    def last_words(self):
        for worker in self.workers.values():
            say("%s says last:\n%s" % (worker.name, worker.tail()))


class BulkChaos(Chaos):
    """The tables are loaded in bulk; the last chunk but one comes while that is finished, the last one later."""
    storage, entities, constraints = "database", load.LOADED, load.BULK_CONSTRAINTS
    stages = ("next_offset", "results_next")

    def prepare(self):
        super().prepare()
        self.run_to_end("load-begin", self.drover("load", "begin"))
        with open(self.folder + "/load-begin.log", encoding="utf-8") as log:
            said = log.read()
        for entity in self.entities:
            if "public.%s: bulk\n" % entity not in said:
                raise Broken("%s is not loaded in bulk:\n%s" % (entity, said))
        self.last_gate = max(0, self.options.chunks - 3)

    def faults(self):
        super().faults()
        self.wait_for("producers of what is loaded", self.is_produced, self.options.patience * 2)
        ends = {}
        for m in self.stack.topic(self.topic("source")):
            ends[m["partition"]] = max(ends.get(m["partition"], 0), m["offset"] + 1)
        if not self.wait_for("partition, records PostgreSQL and receipts are behind",
                             lambda: len(self.progress(ends)) == len(ends) and not any(p[1] for p in self.progress(ends)),
                             self.options.patience, lambda: self.progress(ends)):
            raise Broken("what is to be loaded does not get there")
        say("%d messages are loaded; finishing" % sum(ends.values()))
        self.finish()
        self.last_gate = self.gate = self.options.chunks
        self.strike_often(STRUCK[self.options.form][1])
        while self.due:
            self.run_for(0.2)

    def is_produced(self):
        return all(feed.process is None and not (feed.commands and feed.commands[0][0] <= self.last_gate)
                   for feed in self.feeds)

    def finish(self):
        """Struck a few times, each at a random instant of what a whole one takes; then until one succeeds."""
        rng, struck = self.random, STRUCK[self.options.form][0]
        # early: records come while it works
        finish = Process("load-finish", self.drover("load", "finish", "--early"), self.env, self.folder)
        self.last_gate = self.gate = max(0, self.options.chunks - 2)
        for number in range(1, struck + 1):
            finish.start()
            self.run_for(rng.uniform(0.05, 0.6))
            chance, text = rng.random(), "it was over"
            if finish.alive() and chance < 0.5:
                finish.kill()
                text = "kill -9"
            elif finish.alive():
                text = (self.hit_postgres if chance < 0.8 else self.hit_worker)(rng.uniform(0.1, 2), chance / 2)
                self.run_until(lambda: not finish.alive(), 120)
                finish.kill()
            self.note_finish(finish)
            say("finish %2d  %s (ended with %d)" % (number, text, finish.status()))
        for _ in range(20):
            finish.start()
            self.run_until(lambda: not finish.alive(), 300)
            self.note_finish(finish)
            if finish.status() == 0:
                say("the load is finished; the workers go on")
                return
            self.run_for(1)
        raise Broken("the load cannot be finished: exit %s\n%s" % (finish.status(), finish.tail()))

    def note_finish(self, finish):
        status = finish.status()
        self.exits[finish.name, status] = self.exits.get((finish.name, status), 0) + 1
        if status in ABORTS or status in (3, 5, 6):
            self.problems.append(("ended by itself", "%s: %d\n%s" % (finish.name, status, finish.tail())))

    def writes(self):
        return []

    def check_stores(self, results):
        stack = self.stack
        self.checker.check_loads(
            stack.rows("SELECT number, table_name, state, told, rows, left_out FROM drover.load", self.migration,
                       load.load_json), results,
            stack.rows("SELECT relname, relrowsecurity, relforcerowsecurity, (SELECT count(*) FROM pg_policy AS p"
                       " WHERE p.polrelid = c.oid) AS policies FROM pg_class AS c WHERE relkind = 'r' AND"
                       " relnamespace = 'public'::regnamespace AND relname IN ('%s')" % "', '".join(self.entities),
                       self.migration, load.load_json))
        for name in sorted(os.listdir(self.folder)):
            if name.startswith("worker"):
                with open("%s/%s" % (self.folder, name), encoding="utf-8", errors="replace") as log:
                    for line in log:
                        if "refused a COPY" in line:
                            self.problems.append(("COPY is refused each time", "%s: %s" % (name, line.strip())))


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drover", default=os.environ.get("DROVER", ROOT + "/build/dev/drover"), help="the program")
    parser.add_argument("--seed", type=int, default=None, help="(default: from the clock)")
    parser.add_argument("--faults", type=int)
    parser.add_argument("--records", type=int)
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--chunks", type=int, default=None, help="parts of the sources (default: by records)")
    parser.add_argument("--freeze", type=float, help="most seconds of a freeze")
    parser.add_argument("--pause", type=float, help="most seconds between two faults")
    parser.add_argument("--parent-wait", type=int, help="work.parent_wait in seconds")
    parser.add_argument("--patience", type=int, help="seconds without progress that mean stuck")
    parser.add_argument("--limit", type=int, help="most seconds of the run")
    parser.add_argument("--targets", default=None,
                        help="what is hit, in turn; a name that is there twice is hit twice as often")
    parser.add_argument("--without", default="", help="do not plant: mapping, check, deferred, raised")
    parser.add_argument("--bulk", action="store_true", help="a bulk load")
    parser.add_argument("--still", action="store_true", help="workers neither join nor leave, but when they are hit")
    parser.add_argument("--show", type=int, default=5, help="examples of each kind of finding")
    parser.add_argument("--keep", action="store_true", help="keep the folder, also when all is well")
    parser.add_argument("--folder", default=None, help="where to work (default: .stack/chaos.<pid>)")
    parser.add_argument("--form", choices=FORMS, default="full", help="defaults of ./dev test (short) or ./dev test --full")
    parser.set_defaults(**FORMS[parser.parse_args(arguments).form])
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = int(time.time()) % 100000
    options.chunks = options.chunks or max(2, options.records // (2000 if options.records >= 20000 else 1000))
    options.targets = (options.targets or ("worker,producer,postgres,worker,kafka" if options.bulk else
                                           "worker,producer,postgres,redis,kafka")).split(",")
    options.without = [w for w in options.without.split(",") if w]
    if options.bulk:  # no table that is loaded has such a trigger or constraint
        options.without += ["deferred", "raised"]
    options.drover = os.path.abspath(options.drover)
    options.folder = os.path.abspath(options.folder or "%s/.stack/chaos.%d" % (ROOT, os.getpid()))
    return options


def main():
    options = options_of(sys.argv[1:])
    say("tests/chaos/run.py --seed %d --faults %d --records %d --tenants %d --chunks %d --freeze %g --pause %g "
        "--parent-wait %d --targets %s%s --drover %s" % (
            options.seed, options.faults, options.records, options.tenants, options.chunks, options.freeze,
            options.pause, options.parent_wait, ",".join(options.targets),
            (" --without " + ",".join(options.without) if options.without else "") + (" --bulk" if options.bulk else "") + (" --still" if options.still else ""), options.drover))
    os.makedirs(options.folder)
    os.chmod(options.folder, 0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chaos = (BulkChaos if options.bulk else Chaos)(options)
    status = 2
    try:
        status = chaos.run()
    except Broken as error:
        print("BROKEN  %s" % error)
        for kind, text in chaos.problems:
            print("WRONG  %s: %s" % (kind, text))
    finally:
        chaos.end()
        if status == 0 and not options.keep:
            chaos.stack.remove()
        else:
            say("logs, sources and the servers' data: %s" % options.folder)
    return status


if __name__ == "__main__":
    sys.exit(main())
