"""The servers of a chaos run, a stack of its own, and what is asked of them without Drover."""
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Stack:
    """./dev's servers in a folder of this run; taken down whatever becomes of this process."""

    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, DROVER_STACK_DIR=folder, NO_COLOR="1")
        self.log = os.path.join(folder, "dev.log")
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)  # the user postgres must get in
        self.guard()
        self.dev("up")
        for line in self.dev("env").splitlines():
            name, value = line[len("export "):].split("=", 1)
            self.env[name] = value
        self.brokers = self.env["KAFKA_BROKERS"]
        host, port = self.env["REDIS_URL"].split("//")[1].split("/")[0].split(":")
        self.redis_address = (host, int(port))
        self.admin_url = self.env.pop("DROVER_ADMIN_DATABASE_URL")
        self.paused = set()

    def guard(self):
        """A process that sees this one end, even by SIGKILL, and stops the servers then."""
        reading, self.alive = os.pipe()
        if os.fork() == 0:
            try:
                os.setsid()
                if os.fork() != 0:
                    os._exit(0)
                os.close(self.alive)
                for number in (1, 2):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
                os.read(reading, 1)
                if os.path.isdir(self.folder):
                    subprocess.run(["./dev", "stack", "down"], cwd=ROOT, env=self.env, check=False)
            finally:
                os._exit(0)
        os.wait()
        os.close(reading)

    def dev(self, *words):
        done = subprocess.run(["./dev", "stack", *words], cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        with open(self.log, "a", encoding="utf-8") as log:
            log.write("$ ./dev stack %s -> %d\n%s" % (" ".join(words), done.returncode, done.stderr))
        if done.returncode != 0:
            raise RuntimeError("./dev stack %s failed:\n%s" % (" ".join(words), done.stderr[-2000:]))
        return done.stdout

    def pause(self, service):
        self.paused.add(service)
        self.dev("pause", service)

    def resume(self, service):
        self.dev("resume", service)
        self.paused.discard(service)

    def kill(self, service):
        self.dev("kill", service)
        self.paused.discard(service)

    def restart(self, service):
        """Starts it, after a kill or an orderly stop, and waits until it answers."""
        self.paused.discard(service)
        self.dev("restart", service)

    def pid(self, service):
        return int(self.dev("pid", service))

    def down(self):
        for service in sorted(self.paused):
            self.resume(service)
        self.dev("down")

    def remove(self):
        with open(os.path.join(self.folder, "ports"), encoding="utf-8") as ports:
            for line in ports:  # where the user postgres could not get in, its data are elsewhere
                name, _, value = line.strip().partition("=")
                if name == "POSTGRES_DATA" and value.startswith("/var/tmp/drover-"):
                    shutil.rmtree(os.path.dirname(value), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- PostgreSQL, as its administrator

    def sql(self, text, database=None, limit=120):
        url = self.admin_url if database is None else self.admin_url.rsplit("/", 1)[0] + "/" + database
        done = subprocess.run(["psql", url, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=limit, check=False)
        if done.returncode != 0:
            raise RuntimeError("psql: %s" % done.stderr.strip()[:500])
        return done.stdout

    def rows(self, query, database, load):
        """Each row of the query as a dict; numbers as `load` makes them."""
        text = self.sql("SELECT row_to_json(t) FROM (%s) AS t" % query, database, limit=300)
        return [load(line) for line in text.splitlines() if line]

    # ---- Kafka

    def topic(self, name, load=json.loads):
        """Every message of a topic, in the order of each partition."""
        done = subprocess.run(["kcat", "-C", "-b", self.brokers, "-t", name, "-o", "beginning", "-e", "-q", "-J"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError("kcat: %s" % done.stderr.decode()[-500:])
        return [load(line) for line in done.stdout.decode("utf-8").split("\n") if line]

    # ---- Redis

    def redis(self):
        return Redis(self.redis_address)


class Redis:
    """As much of the protocol as is needed to read everything."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, 30)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def calls(self, commands):
        """Sends all, then reads all answers."""
        answers = []
        for start in range(0, len(commands), 500):
            part = commands[start:start + 500]
            out = []
            for words in part:
                words = [w if isinstance(w, bytes) else str(w).encode("utf-8") for w in words]
                out.append(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            self.socket.sendall(b"".join(out))
            answers += [self.answer() for _ in part]
        return answers

    def call(self, *words):
        return self.calls([words])[0]

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis ended the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError("Redis: %s" % rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        size = int(rest)
        if size < 0:
            return None
        if kind == b"$":
            return self.file.read(size + 2)[:-2]
        return [self.answer() for _ in range(size)]

    def everything(self):
        """key -> text of a string, dict of a hash, or None for another type."""
        keys, cursor = set(), b"0"
        while True:
            cursor, page = self.call("SCAN", cursor, "COUNT", 1000)
            keys.update(page)
            if cursor == b"0":
                break
        keys = sorted(keys)
        found = {}
        for key, kind in zip(keys, self.calls([("TYPE", k) for k in keys])):
            found[key] = kind.decode()
        strings = [k for k in keys if found[k] == "string"]
        hashes = [k for k in keys if found[k] == "hash"]
        out = {k.decode("utf-8"): None for k in keys}
        for key, value in zip(strings, self.calls([("GET", k) for k in strings])):
            out[key.decode("utf-8")] = value.decode("utf-8", "replace") if value is not None else None
        for key, value in zip(hashes, self.calls([("HGETALL", k) for k in hashes])):
            texts = [v.decode("utf-8", "replace") for v in value]
            out[key.decode("utf-8")] = dict(zip(texts[::2], texts[1::2]))
        return out

    def run_id(self):
        for line in self.call("INFO", "server").decode().splitlines():
            if line.startswith("run_id:"):
                return line.split(":", 1)[1]
        return ""


def die_with_parent():
    """What is started here ends with this process, also when that is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Process:
    """A program of the run: started, killed, frozen, watched."""

    def __init__(self, name, words, env, folder, stdin=None):
        self.name, self.words, self.env, self.stdin = name, words, env, stdin
        self.path = os.path.join(folder, name + ".log")
        self.running = None
        self.frozen = False
        self.leaving = False
        self.starts = 0

    def start(self):
        self.starts += 1
        with open(self.path, "ab") as log:
            source = open(self.stdin, "rb") if self.stdin else subprocess.DEVNULL
            try:
                self.running = subprocess.Popen(self.words, env=self.env, cwd=ROOT, stdin=source, stdout=log,
                                                stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
            finally:
                if self.stdin:
                    source.close()
        self.frozen = False
        self.leaving = False

    def status(self):
        """None while it runs."""
        return self.running.poll() if self.running else 0

    def alive(self):
        return self.running is not None and self.running.poll() is None

    def signal(self, number):
        if self.alive():
            self.running.send_signal(number)
            if number in (signal.SIGSTOP, signal.SIGCONT):
                self.frozen = number == signal.SIGSTOP

    def leave(self):
        """Asks it to end in order, once: a second time would be an order to end at once."""
        if not self.leaving:
            self.leaving = True
            self.signal(signal.SIGTERM)

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.running:
            self.running.wait()

    def tail(self, lines=8):
        try:
            with open(self.path, encoding="utf-8", errors="replace") as log:
                return "".join("      | " + line for line in log.readlines()[-lines:])
        except OSError:
            return ""


def say(text):
    print("%8.1f  %s" % (time.monotonic() - say.begin, text))
    sys.stdout.flush()


say.begin = time.monotonic()
