"""A mail server for the tests: takes mail after a login, within TLS, and notes each with the answer that it gave."""

import asyncio
import email
import email.policy
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

directory, tls, certificate, key, password = sys.argv[1:6]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


def answer():
    try:
        with open(os.path.join(directory, "answer"), encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        given = answer() or "250 OK"
        noted = {
            "answer": given,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": str(mail["subject"]),
            "message_id": str(mail["message-id"]),
            "references": str(mail["references"]),
            "text": mail.get_content(),
        }
        with open(os.path.join(directory, "seen.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps(noted) + "\n")
        return given


def authenticate(server, session, envelope, mechanism, login):
    is_good = isinstance(login, LoginPassword) and login.password == password.encode()
    return AuthResult(success=is_good, handled=False)


def protocol():
    options = {"tls_context": context, "require_starttls": True} if tls == "starttls" else {}
    # The first byte is within TLS already where it is implicit, which the library does not see.
    return SMTP(
        Handler(),
        # Else it looks its own name up.
        hostname="localhost",
        # Else it makes one that nothing runs.
        loop=asyncio.get_running_loop(),
        authenticator=authenticate,
        auth_required=True,
        auth_require_tls=tls == "starttls",
        **options,
    )


async def main():
    loop = asyncio.get_running_loop()
    within = context if tls == "implicit" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=within)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
