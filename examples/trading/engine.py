"""Stands in for a trading engine over the file `book/book.json`, on port 7404.

    python3 engine.py check             whether the profile in the environment is one
    python3 engine.py serve             the API: /health, /profile, /orders, /portfolio, /positions, /permissions, /account
    python3 engine.py stop              no new orders from now on
    python3 engine.py resume            new orders again
    python3 engine.py enough 9000       whether the cash is that much: exits with 0, else with 1
    python3 engine.py viewable          whether the key may look at the account: exits with 0, else with 1
    python3 engine.py pay -95000        changes the cash, as a loss or a deposit would
"""

import json
import os
import sys
import urllib.request

import standin

BOOK = "book/book.json"
TIMES_IN_FORCE = ["GTC", "IOC", "FOK"]


def profile():
    """What the environment says; each key may stand in `env` of the target, or in local.env."""
    of = os.environ.get
    return {
        "profile": of("PROFILE", "dev"),
        "symbols": [symbol.strip().upper() for symbol in of("SYMBOLS", "").split(",") if symbol.strip()],
        "interval_s": float(of("INTERVAL_S", "5")),
        "max_position": float(of("MAX_POSITION", "0")),
        "max_leverage": float(of("MAX_LEVERAGE", "1")),
        "reduce_only_mode": of("REDUCE_ONLY_MODE", "0") == "1",
        "shorts": of("SHORTS", "0") == "1",
        "time_in_force": of("TIME_IN_FORCE", "GTC"),
        "dry_run": of("DRY_RUN", "0") == "1",
    }


def faults(found):
    """What keeps it from being a profile."""
    if not found["symbols"]:
        yield "SYMBOLS names none"
    for name in ["interval_s", "max_position", "max_leverage"]:
        if not found[name] > 0:
            yield f"{name.upper()} is {found[name]}: more than 0 is wanted"
    if found["time_in_force"] not in TIMES_IN_FORCE:
        yield f"TIME_IN_FORCE is {found['time_in_force']}: it is one of {', '.join(TIMES_IN_FORCE)}"


def book():
    with open(BOOK) as file:
        return json.load(file)


def write(changed):
    standin.write(BOOK, json.dumps(changed, indent=1))


def cash(held):
    return sum(float(balance["amount"]) for balance in held["balances"])


def may_view(held):
    return held.get("can_view", True)


def marks():
    """What things cost now; empty where the feed does not say."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:7403/quotes", timeout=0.5) as answer:
            return {quote["symbol"]: quote["price"] for quote in json.load(answer)["quotes"]}
    except (OSError, ValueError):
        return {}


def account(held):
    known = marks()
    positions = [
        {"symbol": one["symbol"], "quantity": one["quantity"], "mark": known.get(one["symbol"])}
        for one in held["positions"]
        if "symbol" in one and "quantity" in one
    ]
    return {"balances": held["balances"], "positions": positions}


def answer(method, path, body):
    held = book()
    if method == "POST" and path == "/orders/cancel":
        for order in held["orders"]:
            if order["id"] in body["ids"]:
                order["status"] = "cancelled"
        write(held)
        return 200, {}
    if method == "POST" and path == "/positions/remove":
        held["positions"] = [one for one in held["positions"] if one["id"] not in body["ids"]]
        write(held)
        return 200, {}
    known = {
        "/health": lambda: {"status": "ok"},
        "/profile": profile,
        "/orders": lambda: {"orders": held["orders"]},
        "/portfolio": lambda: {"cash": cash(held)},
        "/positions": lambda: {"positions": held["positions"]},
        "/permissions": lambda: {"can_trade": not held["stopped"], "can_view": may_view(held)},
        "/account": lambda: account(held),
    }
    return (200, known[path]()) if path in known else (404, None)


def main(verb, *arguments):
    if verb == "check":
        found = list(faults(profile()))
        sys.exit("; ".join(found) or None)
    elif verb == "serve":
        standin.serve(7404, answer)
    elif verb in ["stop", "resume"]:
        write({**book(), "stopped": verb == "stop"})
    elif verb == "enough":
        sys.exit(0 if cash(book()) >= float(arguments[0]) else 1)
    elif verb == "viewable":
        sys.exit(0 if may_view(book()) else 1)
    elif verb == "pay":
        held = book()
        first = held["balances"][0]
        first["amount"] = str(float(first["amount"]) + float(arguments[0]))
        write(held)


main(*sys.argv[1:])
