"""Stands in for an exchange: a stream of quotes on port 7401, and the same over REST on port 7402.

It breaks as exchanges do: while there is a file `exchange.silent`, the stream stays open and says nothing; while there is
`exchange.ended`, each stream ends as soon as it is there; and while there is `exchange.busy`, REST answers 503.
"""

import json
import os
import socketserver
import threading
import time

import standin

SYMBOLS = {"BTC-USD": 61000.5, "ETH-USD": 3000.25}
tick = threading.Event()  # never set: it paces the stream


def quotes():
    now = int(time.time() * 1000)
    return [{"symbol": symbol, "price": price, "at": now} for symbol, price in SYMBOLS.items()]


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while not tick.wait(0.2) and not os.path.exists("exchange.ended"):
                if not os.path.exists("exchange.silent"):
                    self.wfile.write(json.dumps({"quotes": quotes()}).encode() + b"\n")
        except OSError:
            pass  # whoever listened has gone


def answer(method, path, body):
    if os.path.exists("exchange.busy"):
        return 503, {"error": "busy"}
    return 200, {"quotes": quotes()}


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


stream = Server(("127.0.0.1", 7401), Stream)
threading.Thread(target=stream.serve_forever, daemon=True).start()
standin.serve(7402, answer)
