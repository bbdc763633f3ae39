"""What the servers of objects for the tests have in common: they answer wrong where they are told to, and tell what was asked.

Each line that one reads is an order, and has one line as its answer:
`answer WHAT METHOD PART`: requests of the method, or of any (`*`), whose path holds the part are answered with the status WHAT,
not at all (`gone`), with half of what they ask for (`cut`), or right, at a kilobyte a second (`slow`), which is seen when it
begins; `answer`: all are answered right again; `keys`: those of all objects; `flip KEY`: one byte of an object is changed;
`delete KEY`; `seen`: each request with its status, since the last time.
"""

import io
import json
import socket
import sys
import threading
import time

from werkzeug.serving import WSGIRequestHandler, make_server

rules = []
seen = []


def header(environ, name):
    name = name.upper().replace("-", "_")
    return environ.get(name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}", "")


def end(environ):
    try:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


PIECE = 100


class Told:
    """Answers as `right` does, but for what it is told; `admits` says whether a request is signed, `refusal` is what one is answered
    that is not, and `codes` has the codes of errors."""

    def __init__(self, right, admits, codes, refusal=403):
        self.right, self.admits, self.codes, self.refusal = right, admits, codes, refusal

    def refuse(self, environ, start, status):
        # Who is told before all is read may hear of a broken connection instead.
        environ["wsgi.input"].read(int(header(environ, "content-length") or 0))
        body = f"<?xml version='1.0'?><Error><Code>{self.codes.get(status, 'Other')}</Code></Error>".encode()
        start(f"{status} Told", [("content-length", str(len(body))), ("content-type", "application/xml")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def half(self, environ, start):
        """The headers of all of it, and half of it."""

        def cut(body):
            yield body[: len(body) // 2]
            end(environ)

        return cut(b"".join(self.right(environ, start)))

    def slowly(self, environ, start):
        """What comes and what goes, a kilobyte a second."""
        body, left = bytearray(), int(header(environ, "content-length") or 0)
        while left > len(body):
            piece = environ["wsgi.input"].read(min(PIECE, left - len(body)))
            if not piece:
                start("500 Gone", [])
                return []
            body += piece
            time.sleep(PIECE / 1000)
        environ["wsgi.input"] = io.BytesIO(body)

        def paced(whole):
            for at in range(0, len(whole), PIECE):
                yield whole[at : at + PIECE]
                time.sleep(PIECE / 1000)

        return paced(b"".join(self.right(environ, start)))

    def __call__(self, environ, start):
        method, path = environ["REQUEST_METHOD"], environ["RAW_URI"]

        def told(status, headers, *more):
            seen.append(f"{method} {path} {status.split()[0]}")
            return start(status, headers, *more)

        for what, of_method, part in list(rules):
            if of_method in ("*", method) and part in path:
                if what == "gone":
                    seen.append(f"{method} {path} gone")
                    environ["wsgi.input"].read(int(header(environ, "content-length") or 0))
                    end(environ)
                    start("500 Gone", [])
                    return []
                if what == "cut":
                    return self.half(environ, told)
                if what == "slow" and self.admits(environ):
                    seen.append(f"{method} {path} slow")
                    return self.slowly(environ, told)
                if what == "slow":
                    return self.refuse(environ, told, self.refusal)
                return self.refuse(environ, told, int(what))
        return self.right(environ, told) if self.admits(environ) else self.refuse(environ, told, self.refusal)


class Silent(WSGIRequestHandler):
    def log(self, *_):
        pass


def serve(port, tls, told):
    """Begins to serve on a port, or on a free one for 0, over TLS where `tls` has a certificate and its key; the port."""
    server = make_server("127.0.0.1", int(port), told, threaded=True, request_handler=Silent, ssl_context=tls or None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def obey(port, objects):
    """Prints the port, and does what it is told; `objects` lists, reads, writes and deletes behind all that is answered wrong."""
    seen.clear()
    print(port, flush=True)
    for line in sys.stdin:
        order, *of = line.split()
        said = "done"
        if order == "answer":
            rules[:] = [of] if of else []
        elif order == "keys":
            said = objects.keys()
        elif order == "flip":
            body = bytearray(objects.read(of[0]))
            body[len(body) // 2] ^= 1
            objects.write(of[0], bytes(body))
        elif order == "delete":
            objects.delete(of[0])
        elif order == "seen":
            said, seen[:] = list(seen), []
        print(json.dumps(said), flush=True)
