"""An S3 for the tests, with one bucket: moto's, behind what checks signatures, and answers wrong where it is told to.

It takes the port that it is given, or a free one for 0, which is the first line that it prints. Each line that it reads is an
order, and has one line as its answer:
`answer WHAT METHOD PART`: requests of the method, or of any (`*`), whose path holds the part are answered with the status WHAT,
not at all (`gone`), with half of what they ask for (`cut`), or right, at a kilobyte a second (`slow`), which is seen when it
begins; `answer`: all are answered right again; `keys`: those of all objects; `flip KEY`: one byte of an object is changed;
`delete KEY`; `seen`: each request with its status, since the last time.
"""

import datetime
import hashlib
import hmac
import io
import json
import re
import socket
import sys
import threading
import time
import urllib.parse

import boto3
import urllib3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

key_id, key, bucket, region, port = sys.argv[1:6]
# Certificate and key, where it speaks TLS, as localhost.
tls = tuple(sys.argv[6:8])
urllib3.disable_warnings()
rules = []
seen = []
moto = DomainDispatcherApplication(create_backend_app)


def code(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def header(environ, name):
    name = name.upper().replace("-", "_")
    return environ.get(name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}", "")


def canonical_query(query):
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    quoted = lambda text: urllib.parse.quote(urllib.parse.unquote_plus(text), safe="-_.~")
    return "&".join(f"{name}={value}" for name, value in sorted((quoted(name), quoted(value)) for name, _, value in pairs))


def is_signed(environ):
    pattern = "AWS4-HMAC-SHA256 Credential=(.+?)/(.+?), ?SignedHeaders=(.+?), ?Signature=(.+)"
    wanted = re.fullmatch(pattern, header(environ, "authorization"))
    if not wanted or wanted[1] != key_id:
        return False
    day, signed_for, service, _ = wanted[2].split("/")
    date = header(environ, "x-amz-date")
    sent = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    late = abs((datetime.datetime.now(datetime.timezone.utc) - sent).total_seconds())
    if late > 900 or signed_for != region:
        return False
    path, _, query = environ["RAW_URI"].partition("?")
    lines = [f"{name}:{header(environ, name).strip()}" for name in wanted[3].split(";")]
    digest = header(environ, "x-amz-content-sha256")
    canonical = [environ["REQUEST_METHOD"], path, canonical_query(query), *lines, "", wanted[3], digest]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    signed = "\n".join(["AWS4-HMAC-SHA256", date, wanted[2], digest])
    derived = f"AWS4{key}".encode()
    for part in [day, signed_for, service, "aws4_request"]:
        derived = code(derived, part)
    return hmac.compare_digest(code(derived, signed).hex(), wanted[4])


CODES = {
    403: "AccessDenied",
    404: "NoSuchBucket",
    429: "SlowDown",
    500: "InternalError",
    503: "ServiceUnavailable",
    507: "InsufficientStorage",
}


def end(environ):
    try:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def refuse(environ, start, status):
    # Who is told before all is read may hear of a broken connection instead.
    environ["wsgi.input"].read(int(header(environ, "content-length") or 0))
    body = f"<?xml version='1.0'?><Error><Code>{CODES.get(status, 'Other')}</Code></Error>".encode()
    start(f"{status} Told", [("content-length", str(len(body))), ("content-type", "application/xml")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def half(environ, start):
    """The headers of all of it, and half of it."""
    def cut(body):
        yield body[: len(body) // 2]
        end(environ)

    return cut(b"".join(moto(environ, start)))


PIECE = 100


def slowly(environ, start):
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

    return paced(b"".join(moto(environ, start)))


def answer(environ, start):
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
                return half(environ, told)
            if what == "slow" and is_signed(environ):
                seen.append(f"{method} {path} slow")
                return slowly(environ, told)
            if what == "slow":
                return refuse(environ, told, 403)
            return refuse(environ, told, int(what))
    return moto(environ, told) if is_signed(environ) else refuse(environ, told, 403)


class Silent(WSGIRequestHandler):
    def log(self, *_):
        pass


server = make_server("127.0.0.1", int(port), answer, threaded=True, request_handler=Silent, ssl_context=tls or None)
threading.Thread(target=server.serve_forever, daemon=True).start()
# Its own requests are signed as all are; while it answers wrong, so it does to these.
client = boto3.client(
    "s3",
    endpoint_url=f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}",
    verify=False,
    aws_access_key_id=key_id,
    aws_secret_access_key=key,
    region_name=region,
)
client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
seen.clear()
print(server.server_port, flush=True)
for line in sys.stdin:
    order, *of = line.split()
    said = "done"
    if order == "answer":
        rules[:] = [of] if of else []
    elif order == "keys":
        said = [found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    elif order == "flip":
        body = bytearray(client.get_object(Bucket=bucket, Key=of[0])["Body"].read())
        body[len(body) // 2] ^= 1
        client.put_object(Bucket=bucket, Key=of[0], Body=bytes(body))
    elif order == "delete":
        client.delete_object(Bucket=bucket, Key=of[0])
    elif order == "seen":
        said, seen[:] = list(seen), []
    print(json.dumps(said), flush=True)
