"""A durable recovery handler in Python. Its parameters are those of the guest `probe`, and so is what it does by them:

`twelve`   twelve effects of all kinds: `name` is a server that knows idempotency keys, and `word` one that does not;
`between`  one effect, or all that look, as `word` names it, between two requests to the server `name`;
`chance`   sets values in an order and of a kind that only chance and clocks know.

What a module computes at its import is frozen into the component when that is built: nothing is drawn there, and the order
of a set of texts is that of the build.
"""

import json
import random
import time

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import plugin, recovery
from wit_world.imports import backups, clock, commands, durable, http, kv, targets
from wit_world.imports import random as host_random
from wit_world.imports.types import BackupType

# Milliseconds: so long that nobody holds it.
SLEEP = 10_000
# Milliseconds, within the timeout of a step.
LONGEST_WAIT = 40_000


class Plugin(exports.Plugin):
    def describe(self) -> plugin.Descriptor:
        return plugin.Descriptor(
            name="durable-python",
            version="1.0.0",
            summary="Does what the step's `do` says, to be killed in the middle.",
            handles=["service-down"],
            capabilities=[
                plugin.Capability("target", "restart the target"),
                plugin.Capability("command", "run `mark`, `once` and `again`"),
                plugin.Capability("http", "post to servers"),
                plugin.Capability("kv", "count its runs"),
                plugin.Capability("backup", "take a backup of `state`, and put back `kept`"),
            ],
            settings_schema=None,
        )

    def configure(self, settings: str) -> None:
        pass


class Recovery(exports.Recovery):
    def recover(self, operation: recovery.Operation) -> recovery.Report:
        params = json.loads(operation.params)
        deeds = {"twelve": twelve, "between": between, "chance": chance}
        deed = deeds.get(params.get("do"))
        if deed is None:
            why = f"`do` is one of {', '.join(sorted(deeds))}, and not {params.get('do')!r}"
            raise Err(recovery.RecoveryFailure_Permanent(why))
        try:
            told = deed(operation, params)
        except Err as error:
            if isinstance(error.value, recovery.RecoveryFailure_Permanent):
                raise
            # What a host did not do may be done by it later.
            why = getattr(error.value, "value", repr(error.value))
            raise Err(recovery.RecoveryFailure_Retryable(why)) from None
        return recovery.Report(actions=["durable-python 1.0.0", told], data_loss=None)


def send(method: http.Method, url: str) -> http.Response:
    body = b"{}" if method == http.Method.POST else b""
    headers = [("content-type", "application/json")] if body else []
    return http.send(http.Request(method, url, headers, body, None))


def count() -> int:
    while True:
        before = kv.get("count")
        number = int(before or b"0") + 1
        if kv.compare_and_set("count", before, str(number).encode()):
            return number


def milliseconds(length: str) -> int:
    """Of a length as `100ms`."""
    return int(length.removesuffix("ms"))


def twelve(operation: recovery.Operation, params: dict) -> str:
    name, word = params["name"], params["word"]
    run = count()
    began = clock.now()
    send(http.Method.POST, f"{name}/begin")
    commands.run("mark", [("target", operation.target)])
    clock.sleep(milliseconds(params["length"]))
    send(http.Method.POST, f"{word}/once")
    targets.restart(operation.target)
    kv.set("began", str(began).encode())
    send(http.Method.POST, f"{name}/end")
    send(http.Method.GET, f"{name}/look")
    targets.status(operation.target)
    return f"run {run}"


def between(operation: recovery.Operation, params: dict) -> str:
    name, word, target = params["name"], params["word"], operation.target
    # It is on the disk before the first request, and the record of the call with it.
    kv.set("between", word.encode())
    if word == "start":
        targets.stop(target)
    send(http.Method.GET, f"{name}/before")
    told = word
    match word:
        case "restart":
            targets.restart(target)
        case "stop":
            targets.stop(target)
        case "start":
            targets.start(target)
        case "hup" | "term" | "int" | "usr1" | "usr2" | "kill":
            targets.send(target, targets.Signal[word.upper()])
        case "put" | "delete" | "post" | "patch":
            told = str(send(http.Method[word.upper()], f"{name}/it").status)
        case "command":
            told = str(commands.run("once", [("target", target)]).exit_code)
        case "again":
            told = str(commands.run("again", [("target", target)]).exit_code)
        case "count":
            told = f"run {count()}"
        case "set":
            kv.set("it", b"1")
            told = kept()
        case "unset":
            kv.delete("it")
            told = kept()
        case "look":
            told = look(target, name)
        case "sleep":
            began = clock.now()
            clock.sleep(SLEEP)
            told = str(clock.now() - began)
        case "signal":
            told = durable.await_signal("go", clock.now() + LONGEST_WAIT)
        case "backup":
            told = backups.create("state", BackupType.SNAPSHOT).id
        case "restore":
            newest = backups.newest("kept", None)
            if newest is None:
                raise Err(recovery.RecoveryFailure_Permanent("there is no backup of kept"))
            backups.restore("kept", newest.id)
            told = newest.id
        case _:
            raise Err(recovery.RecoveryFailure_Permanent(f"there is no effect `{word}`"))
    send(http.Method.GET, f"{name}/after")
    if word in ("stop", "kill"):
        targets.start(target)
    return told


def kept() -> str:
    """Whether the value is there that is set and deleted."""
    return "gone" if kv.get("it") is None else "there"


def look(target: str, name: str) -> str:
    """All effects that only look; gives the time, and the identifier of the newest backup of `kept`."""
    now = clock.now()
    targets.status(target)
    targets.check(target)
    kv.keys("b")
    kv.get("between")
    newest = backups.newest("kept", None)
    for method in (http.Method.HEAD, http.Method.OPTIONS):
        send(method, f"{name}/it")
    return f"{now} {newest.id if newest else ''}"


def chance(operation: recovery.Operation, params: dict) -> str:
    """What is drawn here comes from WASI, and so does what the clocks say."""
    del operation, params
    # By its own clock, and longer than any call may last by that of the host.
    time.sleep(3_600)
    told = [durable.key("chance"), str(host_random.number())]
    drawn = random.SystemRandom()
    for text in {f"value {number}" for number in range(8)}:
        value = f"{drawn.getrandbits(64):x} {time.time_ns()} {time.monotonic_ns()}"
        kv.set(f"chance-{text[-1]}", value.encode())
        told.append(f"{text}: {value} {clock.now()}")
        if drawn.random() < 0.5:
            clock.sleep(int(text[-1]))
    return "; ".join(told)
