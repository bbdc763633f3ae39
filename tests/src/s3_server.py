"""An S3 for the tests, with one bucket: moto's, behind what checks signatures, and answers wrong where it is told to.

It takes the port that it is given, or a free one for 0, which is the first line that it prints; `object_server.py` has its orders.
"""

import datetime
import hashlib
import hmac
import re
import sys
import urllib.parse

import boto3
import urllib3
from moto.server import DomainDispatcherApplication, create_backend_app

from object_server import Told, header, obey, serve

key_id, key, bucket, region, port = sys.argv[1:6]
# Certificate and key, where it speaks TLS, as localhost.
tls = tuple(sys.argv[6:8])
urllib3.disable_warnings()
moto = DomainDispatcherApplication(create_backend_app)


def code(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


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


class Objects:
    """Its own requests are signed as all are; while it answers wrong, so it does to these."""

    def __init__(self, port):
        self.client = boto3.client(
            "s3",
            endpoint_url=f"{'https' if tls else 'http'}://127.0.0.1:{port}",
            verify=False,
            aws_access_key_id=key_id,
            aws_secret_access_key=key,
            region_name=region,
        )
        self.client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})

    def keys(self):
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def read(self, key):
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def write(self, key, body):
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def delete(self, key):
        self.client.delete_object(Bucket=bucket, Key=key)


port = serve(port, tls, Told(moto, is_signed, CODES))
obey(port, Objects(port))
