"""Servers and the program under test, as a test sees them from outside. Standard library only; nothing of Drover's code."""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlparse

WORK = tempfile.mkdtemp(prefix="drover-mutation.")
NAME = "mutation_%d" % os.getpid()
CHILDREN = []


def say(text):
    print("== %6.1f s  %s" % (time.monotonic() - BEGAN, text), flush=True)


BEGAN = time.monotonic()


class Failed(Exception):
    pass


def own_variable(name, otherwise=""):
    """A variable of the tests, which Drover would refuse as one it does not know: taken out of the environment."""
    OWN.setdefault(name, os.environ.pop(name, ""))
    return OWN[name] or otherwise


OWN = {}


def need(name):
    if not os.environ.get(name):
        sys.exit("no %s: run ./dev test" % name)
    return os.environ[name]


DROVER = need("DROVER")
SERVER = need("DATABASE_URL")
ROOT_URL = need("DROVER_ADMIN_DATABASE_URL")
BROKERS = need("KAFKA_BROKERS")


def url_of(base):
    return base.rsplit("/", 1)[0] + "/" + NAME


class Psql:
    """One psql as the superuser, kept open: statements in, lines out."""

    MARK = "--answered--"

    def __init__(self, url):
        self.pipe = subprocess.Popen(["psql", url, "-qAtX", "-v", "ON_ERROR_STOP=0"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
        CHILDREN.append(self.pipe)

    def run(self, sql, may_fail=False):
        self.pipe.stdin.write(sql.rstrip().rstrip(";") + ";\n\\echo " + self.MARK + "\n")
        self.pipe.stdin.flush()
        lines = []
        for line in self.pipe.stdout:
            line = line.rstrip("\n")
            if line == self.MARK:
                break
            lines.append(line)
        wrong = [line for line in lines if re.match(r"(ERROR|FATAL|psql:)", line)]
        if wrong and not may_fail:
            raise Failed("psql: %s\n  in: %s" % (wrong[0], sql[:600]))
        return lines


class Redis:
    """A Redis of the test's own, spoken to in its own protocol."""

    def __init__(self):
        folder = tempfile.mkdtemp(dir=WORK)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        listener.close()
        self.server = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                                        "--dir", folder], stdout=subprocess.DEVNULL)
        CHILDREN.append(self.server)
        wait_for(lambda: self.connect(), 30, "Redis")
        self.url = "redis://127.0.0.1:%d/0" % self.port

    def connect(self):
        try:
            self.file = socket.create_connection(("127.0.0.1", self.port), 5).makefile("rwb")
        except OSError:
            return False
        return self.do("PING") == b"PONG"

    def do(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        self.file.flush()
        answer = self.read()
        if isinstance(answer, Failed):
            raise answer
        return answer

    def read(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return Failed("Redis: " + rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            return self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        raise Failed("Redis answers %r" % line)

    def save(self):
        """All keys: {key: (dump, when it expires in ms or -1)}."""
        saved = {}
        for key in self.do("KEYS", "*"):
            saved[key] = (self.do("DUMP", key), self.do("PEXPIRETIME", key) if self.has_expiretime() else None)
        return saved

    def has_expiretime(self):
        if not hasattr(self, "seven"):
            info = self.do("INFO", "server").decode()
            self.seven = int(re.search(r"redis_version:(\d+)", info).group(1)) >= 7
        return self.seven

    def restore(self, saved, keys):
        for key in keys:
            self.do("DEL", key)
            if key in saved:
                dump, expires = saved[key]
                if expires is not None and expires > 0:
                    self.do("RESTORE", key, expires, dump, "ABSTTL")
                else:
                    self.do("RESTORE", key, 0, dump)


def wait_for(condition, seconds, what):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise Failed("waited in vain for " + what)
        time.sleep(0.1)


def drover(*words, codes=(0,), env=None):
    """Runs the program; returns (code, stdout). Any code that is not allowed fails with its output."""
    done = subprocess.run([DROVER] + list(words) + ["--config", os.path.join(WORK, "drover.yaml")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **(env or {})))
    if done.returncode not in codes:
        raise Failed("drover %s: exit code %d, not %s\n%s\n%s" % (
            " ".join(words), done.returncode, codes, done.stdout.decode(errors="replace")[-3000:],
            done.stderr.decode(errors="replace")[-3000:]))
    return done.returncode, done.stdout.decode(errors="replace")


def write(name, text):
    path = os.path.join(WORK, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def settings(**others):
    lines = {"state_dir": os.path.join(WORK, "state"), "kafka": "{ partitions: 4 }"}
    lines.update(others)
    write("drover.yaml", "".join("%s: %s\n" % item for item in lines.items()))


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def clean_up():
    for child in CHILDREN:
        child.kill()
        child.wait()
    subprocess.run(["psql", ROOT_URL, "-qXc", "DROP DATABASE IF EXISTS %s WITH (FORCE)" % NAME],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(WORK, ignore_errors=True)


def main(test):
    status = 1
    try:
        status = test()
    except Failed as failure:
        print("FAILED: %s" % failure, flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        clean_up()
    sys.exit(status)
