"""Stands in for the part of a trading program that knows what things cost.

    python3 feed.py serve          takes quotes from the stream, or by REST, and gives them on port 7403
    python3 feed.py use stream     from now on by the stream; or: use rest

`GET /quotes` gives the last quotes, `GET /way` how they come, and `GET /home` 503 where they come by REST although the
stream speaks.
"""

import json
import socket
import sys
import threading
import time
import urllib.request

import standin

lock = threading.Lock()
quotes = {}
spoke_at = 0.0  # when the stream last said something
pause = threading.Event()  # never set: it paces the two loops


def way():
    return standin.read("feed.way", "stream")


def take(found):
    with lock:
        for quote in found:
            quotes[quote["symbol"]] = quote


def stream():
    global spoke_at
    while True:
        try:
            with socket.create_connection(("127.0.0.1", 7401), timeout=5) as connection:
                for line in connection.makefile():
                    spoke_at = time.monotonic()
                    if way() == "stream":
                        take(json.loads(line)["quotes"])
        except (OSError, ValueError):
            pass  # whether it is back is seen by the next connection
        pause.wait(0.2)


def rest():
    while True:
        if way() == "rest":
            try:
                with urllib.request.urlopen("http://127.0.0.1:7402/quotes", timeout=1) as answer:
                    take(json.load(answer)["quotes"])
            except (OSError, ValueError):
                pass  # the quotes grow old, which is seen
        pause.wait(0.2)


def answer(method, path, body):
    if path == "/quotes":
        with lock:
            return 200, {"quotes": list(quotes.values())}
    if path == "/way":
        return 200, {"way": way()}
    if path == "/home":
        speaks = time.monotonic() - spoke_at < 1
        return (503 if speaks and way() == "rest" else 200), {"way": way(), "stream_speaks": speaks}
    return 404, None


if sys.argv[1] == "use":
    standin.write("feed.way", sys.argv[2])
else:
    threading.Thread(target=stream, daemon=True).start()
    threading.Thread(target=rest, daemon=True).start()
    standin.serve(7403, answer)
