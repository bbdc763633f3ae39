"""A Google Cloud Storage for the tests, with one bucket, by its XML API: an S3, moto's, behind what gives it the words of the other
and checks tokens, and answers wrong where it is told to.

What differs is given: a token in place of a signature, `x-goog-if-generation-match: 0` in place of `if-none-match: *`, and 404 for
a deletion of what is not there.
It takes the port that it is given, or a free one for 0, which is the first line that it prints; `object_server.py` has its orders.
"""

import base64
import json
import sys
import time
import urllib.parse

import boto3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from moto.server import DomainDispatcherApplication, create_backend_app

from object_server import Told, header, obey, serve

account_file, bucket, port = sys.argv[1:4]
# Certificate and key, where it speaks TLS, as localhost.
tls = tuple(sys.argv[4:6])
with open(account_file) as file:
    account = json.load(file)
public_key = serialization.load_pem_private_key(account["private_key"].encode(), None).public_key()
SCOPES = {"https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/devstorage.read_write"}
CODES = {
    401: "AuthenticationRequired",
    403: "AccessDenied",
    404: "NoSuchBucket",
    429: "SlowDown",
    500: "InternalError",
    503: "ServiceUnavailable",
    507: "InsufficientStorage",
}
moto = DomainDispatcherApplication(create_backend_app)


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def has_token(environ):
    """Whether who asks has a token that the account signed itself, as https://google.aip.dev/auth/4111 has it."""
    kind, _, token = header(environ, "authorization").partition(" ")
    parts = token.split(".")
    if kind != "Bearer" or len(parts) != 3:
        return False
    signed = ".".join(parts[:2]).encode()
    try:
        public_key.verify(decoded(parts[2]), signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    head, claims = (json.loads(decoded(part)) for part in parts[:2])
    is_of_account = claims["iss"] == claims["sub"] == account["client_email"] and head["alg"] == "RS256"
    is_now = claims["iat"] - 300 < time.time() < claims["exp"] <= claims["iat"] + 3600
    return is_of_account and is_now and set(claims["scope"].split()) <= SCOPES


def behind(environ, start):
    """The same, asked of the S3."""
    # By this it knows what is asked of it, and looks no further.
    environ["HTTP_AUTHORIZATION"] = "AWS4-HMAC-SHA256 Credential=id/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    match environ.pop("HTTP_X_GOOG_IF_GENERATION_MATCH", None):
        case None:
            pass
        case "0":
            environ["HTTP_IF_NONE_MATCH"] = "*"
        case other:
            raise RuntimeError(f"a generation {other}")
    if environ["REQUEST_METHOD"] == "DELETE" and not environ["QUERY_STRING"]:
        found = []
        look = {**environ, "REQUEST_METHOD": "HEAD"}
        b"".join(moto(look, lambda status, *_: found.append(status)))
        if found[0].startswith("404"):
            body = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"
            start("404 Not Found", [("content-length", str(len(body))), ("content-type", "application/xml")])
            return [body]
    return moto(environ, start)


class Objects:
    """Its requests go to the S3 itself."""

    def __init__(self):
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{serve(0, (), moto)}",
            aws_access_key_id="id",
            aws_secret_access_key="key",
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket=bucket)

    def keys(self):
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def read(self, key):
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def write(self, key, body):
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def delete(self, key):
        self.client.delete_object(Bucket=bucket, Key=key)


told = Told(behind, has_token, CODES, refusal=401)


def readable(environ, start):
    """Keys come with all that is no letter and no digit escaped."""
    path, mark, query = environ["RAW_URI"].partition("?")
    environ["RAW_URI"] = environ["REQUEST_URI"] = urllib.parse.unquote(path) + mark + query
    return told(environ, start)


objects = Objects()
obey(serve(port, tls, readable), objects)
