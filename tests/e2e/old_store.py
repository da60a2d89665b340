"""An application's HTTP, as an old store: GET /api/TENANT/ENTITY/ID?token=… of the records in a file.

    old_store.py RECORDS PORT_FILE

Asks for a token in the URL and for a header. A POST gives {"requests", "connections"} by now. /control/slow/MS holds up
each answer from now on; /control/stall/MS: from the next request on everything stands still for so long;
/control/refuse/N: the next N are answered with 503."""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

records = {}
for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    records[record["tenant"], record["id"]] = line.encode()
lock = threading.Lock()
counts = {"requests": 0, "connections": 0}
wait = {"slow": 0.0, "stall": 0.0, "stalled_until": 0.0, "refuse": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # kept alive
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.is_new = True

    def answer(self, status, body=b"{}"):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def control(self, parts):
        what, value = parts[1], float(parts[2])
        if what == "slow":
            wait["slow"] = value / 1000
        elif what == "stall":
            wait["stall"] = value / 1000
        else:
            wait["refuse"] = int(value)
        self.answer(200)

    def count(self):
        with lock:
            counts["requests"] += 1
            counts["connections"] += self.is_new
            self.is_new = False
            if wait["stall"]:
                wait["stalled_until"], wait["stall"] = time.monotonic() + wait["stall"], 0.0
            if wait["refuse"] > 0:
                wait["refuse"] -= 1
                return True
        return False

    def do_GET(self):
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if parts[0] == "control":
            return self.control(parts)
        refused = self.count()
        time.sleep(max(wait["slow"], wait["stalled_until"] - time.monotonic(), 0))
        if parse_qs(url.query).get("token") != ["t0k3n-of-the-old"] or self.headers.get("X-Key") != "k3y-of-the-old":
            return self.answer(401)
        if refused:
            return self.answer(503)
        if len(parts) != 4 or parts[0] != "api" or parts[2] != "event":
            return self.answer(400)
        body = records.get((parts[1], parts[3]))
        return self.answer(404) if body is None else self.answer(200, body)

    def do_POST(self):  # the numbers
        self.answer(200, json.dumps(counts).encode())

    def log_message(self, *words):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(sys.argv[2], "w", encoding="utf-8") as port:
    port.write(f"{server.server_address[1]}\n")
server.serve_forever()
