"""What the stand-ins of this example share: a small HTTP server, and files that are whole or not there."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(port, answer):
    """Answers each request on 127.0.0.1 with what `answer(method, path, body)` gives: a status and a JSON value."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self):
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            status, value = answer(self.command, self.path, body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = handle_one

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def write(path, text):
    """Takes the place of a file at one stroke."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def read(path, otherwise):
    """What a file holds; `otherwise` where it is not there."""
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return otherwise
