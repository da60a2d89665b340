"""NDJSON that grows, against a model: random appends, halves of lines, rewrites, truncations, the follower killed.

    follow_grown.py SEED ROUNDS FILE DATABASE_URL FOLLOWER…

FOLLOWER… is the command that follows. After each round the rows must be what the file holds. The seed is printed.
"""
import json
import os
import random
import signal
import subprocess
import sys
import time

PATIENCE = 90


class Follower:
    def __init__(self, words):
        self.words, self.running = words, None

    def start(self):
        self.running = subprocess.Popen(self.words, stdin=subprocess.DEVNULL)

    def kill(self, number):
        self.running.send_signal(number)
        self.running.wait()


class Grown:
    def __init__(self, random_, path, follower):
        self.random, self.path, self.follower = random_, path, follower
        self.count, self.rest, self.log = 0, b"", []

    def line(self):
        self.count += 1
        ident = "r%d" % self.random.randrange(60)
        text = json.dumps({"tenant": "t%d" % (len(ident) % 2), "id": ident, "n": self.count + 10000})
        return text.encode() + b"\n"

    def lines(self):
        with open(self.path, "rb") as file:
            return file.read().splitlines(keepends=True)

    def write(self, data):
        with open(self.path, "ab", buffering=0) as file:
            file.write(data)

    def whole(self):
        """What a half line lacks."""
        if self.rest:
            self.write(self.rest)
            self.rest = b""

    def step(self):
        name = self.random.choice(["append"] * 6 + ["half"] * 3 + ["blank", "in_place", "in_place", "in_place_append", "truncate",
                                                                   "replace", "touch", "rename", "kill", "term", "pause"])
        self.log.append(name)
        getattr(self, name)()

    def append(self):
        self.whole()
        self.write(b"".join(self.line() for _ in range(self.random.choice([1, 1, 2, 5, 40]))))

    def half(self):
        self.whole()
        line = self.line()
        at = self.random.randrange(1, len(line))
        self.write(line[:at])
        self.rest = line[at:]

    def blank(self):
        self.whole()
        self.write(b"\n \n")

    def change_one(self, file_lines):
        """One record's number is another of the same length."""
        whole = [i for i, line in enumerate(file_lines) if line.strip()]
        if not whole:
            return None
        i = self.random.choice(whole)
        record = json.loads(file_lines[i])
        record["n"] = 10000 + (record["n"] + self.random.randrange(1, 80000)) % 90000
        line = json.dumps(record).encode() + b"\n"
        return (sum(map(len, file_lines[:i])), line) if len(line) == len(file_lines[i]) else None

    def in_place(self, more=b""):
        self.whole()
        change = self.change_one(self.lines())
        with open(self.path, "r+b", buffering=0) as file:
            if change:
                file.seek(change[0])
                file.write(change[1])
            if more:
                file.seek(0, 2)
                file.write(more)

    def in_place_append(self):
        self.in_place(self.line() + self.line())

    def truncate(self):
        self.whole()
        lines = self.lines()
        keep = self.random.randrange(1, len(lines) + 1) if lines else 0
        os.truncate(self.path, sum(map(len, lines[:keep])))

    def replace(self):
        self.whole()
        lines = [line for line in self.lines() if line.strip()]
        self.random.shuffle(lines)
        with open(self.path + ".tmp", "wb") as file:
            file.write(b"".join(lines[: self.random.randrange(len(lines) // 2, len(lines) + 1)]) or self.line())
        os.rename(self.path + ".tmp", self.path)

    def touch(self):
        when = time.time() - self.random.choice([0, 5, 100000000])
        os.utime(self.path, (when, when))

    def rename(self):
        other = self.path.replace("things", "things-renamed") if "renamed" not in self.path else self.path.replace("-renamed", "")
        os.rename(self.path, other)
        self.path = other

    def kill(self):
        self.follower.kill(signal.SIGKILL)
        self.follower.start()

    def term(self):
        self.follower.kill(signal.SIGTERM)
        self.follower.start()

    def pause(self):
        time.sleep(self.random.random() / 2)

    def expected(self):
        out = {}
        for line in self.lines():
            if line.strip():
                record = json.loads(line)
                out[(record["tenant"], record["id"])] = record["n"]
        return sorted("%s %s %d" % (tenant, ident, n) for (tenant, ident), n in out.items())


def rows(url):
    text = subprocess.run(["psql", url, "-Atc", "SELECT isolation_key || ' ' || id || ' ' || n FROM thing WHERE NOT drover_deleted"],
                          capture_output=True, text=True, check=True).stdout
    return sorted(text.split("\n")[:-1])


def main():
    seed, rounds, path, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    print("seed %d" % seed, flush=True)
    follower = Follower(sys.argv[5:])
    grown = Grown(random.Random(seed), path, follower)
    grown.write(b"".join(grown.line() for _ in range(30)))
    follower.start()
    try:
        for number in range(rounds):
            del grown.log[:]
            for _ in range(grown.random.randrange(2, 7)):
                grown.step()
            grown.whole()
            want, until = grown.expected(), time.monotonic() + PATIENCE
            while (have := rows(url)) != want:
                if time.monotonic() > until:
                    print("seed %d, round %d: %s\nmissing %s\ntoo many %s" %
                          (seed, number, " ".join(grown.log), sorted(set(want) - set(have))[:10], sorted(set(have) - set(want))[:10]))
                    return 1
                time.sleep(0.05)
        return 0
    finally:
        follower.kill(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
