#!/usr/bin/env python3
"""A webhook that behaves as its path says: webhook_server.py FILE

Prints its port; appends each request to FILE as "PATH BODY". /ok takes it, /flaky does so from the third request on,
/broken never (500), /busy never (429), /refused never (404), /moved redirects to /ok, /slow never answers, /large
answers with more than anybody reads.
"""
import http.server
import sys
import threading

COUNTS = {}
FOREVER = threading.Event()


class Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        path = self.path.split("?")[0]
        name = path.rsplit("/", 1)[1]
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert self.headers["Content-Type"] == "application/json"
        with open(sys.argv[1], "a") as file:
            file.write(f"{self.path} {body}\n")
        COUNTS[path] = COUNTS.get(path, 0) + 1
        if name == "slow":
            FOREVER.wait()
        codes = {"ok": 204, "flaky": 204 if COUNTS[path] >= 3 else 503, "broken": 500, "busy": 429, "refused": 404,
                 "moved": 302, "large": 200}
        self.send_response(codes[name])
        if name == "moved":
            self.send_header("Location", "/ok")
        self.end_headers()
        try:
            for _ in range(64 if name == "large" else 0):
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
