"""An Azure Blob Storage for the tests, with one account and one container: Azurite, behind what answers wrong where it is told to.

It takes the port that it is given, or a free one for 0, which is the first line that it prints; `object_server.py` has its orders.
"""

import base64
import ctypes
import email.utils
import hashlib
import hmac
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.parse
import xml.etree.ElementTree

from object_server import Told, header, obey, serve

azurite, account, key, container, port = sys.argv[1:6]
# Certificate and key, where it speaks TLS, as localhost.
tls = tuple(sys.argv[6:8])
# As its signatures are of that version.
VERSION = "2023-11-03"
PR_SET_PDEATHSIG = 1
CODES = {
    403: "AuthenticationFailed",
    404: "ContainerNotFound",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServerBusy",
    507: "InsufficientStorage",
}
libc = ctypes.CDLL(None)


def start_azurite():
    """Starts it, to end with this; its port."""
    process = subprocess.Popen(
        ["node", azurite, "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]
        + ["--disableTelemetry", "--disableProductStyleUrl"],
        env={**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    for line in process.stdout:
        listens = re.search(r"successfully listens on http://127\.0\.0\.1:(\d+)", line)
        if listens:
            # It tells of each request, to nobody.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return int(listens[1])
    sys.exit("Azurite does not serve")


BEHIND = start_azurite()


def ask(method, path, headers, body):
    """Asks Azurite: status and reason, headers, and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", BEHIND)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return f"{answer.status} {answer.reason}", answer.getheaders(), answer.read()
    finally:
        connection.close()


OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding"}


def forward(environ, start):
    body = environ["wsgi.input"].read(int(header(environ, "content-length") or 0))
    headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ["content-type", "content-length"]:
        if header(environ, name):
            headers[name] = header(environ, name)
    method = environ["REQUEST_METHOD"]
    status, given, answer = ask(method, environ["RAW_URI"], headers, body)
    given = [(name, value) for name, value in given if name.lower() not in OF_THE_CONNECTION]
    if method != "HEAD":
        given = [(name, value) for name, value in given if name.lower() != "content-length"]
        given.append(("content-length", str(len(answer))))
    start(status, given)
    return [answer]


class Objects:
    """Its requests are signed as all are, and go to Azurite itself."""

    def __init__(self):
        self.asked("PUT", "", {"restype": "container"})

    def asked(self, method, below, query=(), body=b"", headers=()):
        headers = {**dict(headers), "x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": VERSION}
        query, path = dict(query), f"/{account}/{container}{below}"
        length = str(len(body)) if body else ""
        lines = [method, "", "", length, "", "", "", "", "", "", "", ""]
        lines += [f"{name}:{value}" for name, value in sorted(headers.items())]
        lines.append(f"/{account}{path}")
        lines += [f"{name}:{value}" for name, value in sorted(query.items())]
        code = hmac.new(base64.b64decode(key), "\n".join(lines).encode(), hashlib.sha256).digest()
        headers["authorization"] = f"SharedKey {account}:{base64.b64encode(code).decode()}"
        headers["content-length"] = str(len(body))
        path += f"?{urllib.parse.urlencode(query)}" if query else ""
        status, _, answer = ask(method, path, headers, body)
        if not status.startswith("2"):
            raise RuntimeError(f"{method} {path}: {status}: {answer}")
        return answer

    def keys(self):
        listed = self.asked("GET", "", {"restype": "container", "comp": "list"})
        return [name.text for name in xml.etree.ElementTree.fromstring(listed).iter("Name")]

    def read(self, key):
        return self.asked("GET", f"/{key}")

    def write(self, key, body):
        self.asked("PUT", f"/{key}", body=body, headers={"x-ms-blob-type": "BlockBlob"})

    def delete(self, key):
        self.asked("DELETE", f"/{key}")


objects = Objects()
# Azurite itself refuses what is not signed.
obey(serve(port, tls, Told(forward, lambda _: True, CODES)), objects)
