"""Stands in for a satellite: six subsystems, what goes wrong with them, and what is done about it.

    python3 craft.py watch                       reports each anomaly to Mainstay by its score, and that it is over
    python3 craft.py look power                  exits with 1 while there is an anomaly of this subsystem
    python3 craft.py do reduce-power-load power  does something about it; exits with 1 where that did not help
    python3 craft.py break power 0.85            makes an anomaly, from 0 to 1

An anomaly is a number in `anomalies/NAME`. Each action ends those that are below its limit, and leaves a line in `done.log`.
"""

import http.client
import json
import os
import socket
import sys
import threading

# From which score on an anomaly is one.
THRESHOLDS = {"power": 0.7, "thermal": 0.6, "attitude": 0.8, "comm": 0.75, "memory": 0.7, "unknown": 0.85}

# Below which score each action helps. What only tells or writes down never does.
LIMITS = {
    "reduce-power-load": 0.9,
    "activate-cooling": 0.7,
    "reduce-processor-load": 0.9,
    "stabilize-attitude": 0.9,
    "restart-radio": 0.85,
    "switch-to-backup-radio": 0.95,
    "purge-cache": 0.8,
    "enter-safe-mode": 1.01,
}
ONLY_TELL = ["alert-ground", "log-detailed-state"]


def anomaly(name):
    try:
        with open(f"anomalies/{name}") as file:
            return float(file.read())
    except FileNotFoundError:
        return 0.0


def is_one(name):
    return anomaly(name) >= THRESHOLDS[name]


def set_anomaly(name, score):
    os.makedirs("anomalies", exist_ok=True)
    with open(f"anomalies/{name}.new", "w") as file:
        file.write(str(score))
    os.replace(f"anomalies/{name}.new", f"anomalies/{name}")


def append(path, line):
    with open(path, "a") as file:
        file.write(line + "\n")


def do(action, name):
    """Whether it helped, or was not meant to."""
    append("done.log", f"{action} {name}")
    if action == "alert-ground":
        append("ground.log", f"{name} {anomaly(name)}")
    elif action == "log-detailed-state":
        append("state.log", json.dumps({name: anomaly(name) for name in THRESHOLDS}))
    elif anomaly(name) < LIMITS[action]:
        set_anomaly(name, 0.0)
    return action in ONLY_TELL or not is_one(name)


class Mainstay(http.client.HTTPConnection):
    """The admin API, over the socket of the daemon."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect("state/mainstay.sock")


def report(name, body):
    """The status of the answer."""
    body = {"failure": f"{name}-anomaly", "by": "watch", **body}
    connection = Mainstay("mainstay", timeout=5)
    try:
        connection.request(
            "POST", f"/v1/targets/{name}/report", json.dumps(body), {"content-type": "application/json"}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def watch():
    pause = threading.Event()  # never set: it paces the looks
    told = dict.fromkeys(THRESHOLDS)  # the score that was told, False where it was said that all is well, None at first
    while not pause.wait(0.2):
        for name in THRESHOLDS:
            score = anomaly(name) if is_one(name) else False
            if score == told[name]:
                continue
            try:
                status = report(name, {"score": score, "message": f"anomaly of {name}"} if score else {"clear": True})
            except OSError:
                continue  # told when the daemon answers
            # Where nothing was reported before, there is nothing to take back.
            if status < (300 if score else 500):
                told[name] = score
            else:
                print(f"the report of {name} was refused: {status}", file=sys.stderr, flush=True)


def main(verb, *arguments):
    if verb == "watch":
        watch()
    elif verb == "look":
        sys.exit(f"an anomaly of {anomaly(arguments[0])}" if is_one(arguments[0]) else 0)
    elif verb == "do":
        sys.exit(0 if do(*arguments) else f"{arguments[0]} did not help")
    elif verb == "break":
        set_anomaly(arguments[0], float(arguments[1]))


main(*sys.argv[1:])
