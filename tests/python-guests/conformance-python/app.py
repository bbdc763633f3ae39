"""The cases of the guest `conformance` in Python: whether a host keeps the sentences of contract 1.0.0, as another toolchain
has them. A step's `params` name a case, which is named after its sentence: the handler succeeds where the sentence is kept,
and fails for good with what it saw where it is not.

It needs of its host what the guest in Rust needs, and is configured with.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import plugin, recovery
from wit_world.imports import backups, clock, commands, http, kv, log, settings, targets
from wit_world.imports.types import (
    BackupType,
    EffectError_Denied,
    EffectError_Failed,
    EffectError_Limited,
    EffectError_TimedOut,
    EffectError_Unavailable,
)


class NotKept(Exception):
    """What was seen in place of what the contract says."""


class Plugin(exports.Plugin):
    def describe(self) -> plugin.Descriptor:
        return plugin.Descriptor(
            name="conformance-python",
            version="1.0.0",
            summary="Looks whether a host keeps the sentences of the contract.",
            handles=["service-down"],
            capabilities=[
                plugin.Capability("target", "start, stop, restart and look at the target"),
                plugin.Capability("command", "run commands that end in every way"),
                plugin.Capability("http", "ask where nobody answers"),
                plugin.Capability("kv", "keep values at the edges of what is allowed"),
                plugin.Capability("backup", "take a backup while another one is taken"),
            ],
            settings_schema=None,
        )

    def configure(self, settings: str) -> None:
        pass


class Recovery(exports.Recovery):
    def recover(self, operation: recovery.Operation) -> recovery.Report:
        case = json.loads(operation.params).get("case")
        match case:
            case "answer-retryable":
                raise Err(recovery.RecoveryFailure_Retryable("asked to"))
            case "answer-permanent":
                raise Err(recovery.RecoveryFailure_Permanent("asked to"))
            case "answer-needs-operator":
                raise Err(recovery.RecoveryFailure_NeedsOperator(["look"]))
        look = CASES.get(case)
        if look is None:
            raise Err(recovery.RecoveryFailure_Permanent(f"there is no case {case!r}"))
        try:
            look(operation)
        except NotKept as seen:
            why = f"{case} is not kept: {seen}"
        except Err as error:
            # Nothing in the contract calls for it.
            why = f"{case} is not kept: {error.value!r}"
        else:
            return recovery.Report(actions=["kept"], data_loss=None)
        raise Err(recovery.RecoveryFailure_Permanent(why))


def kept(is_kept: bool, seen: object) -> None:
    if not is_kept:
        raise NotKept(repr(seen))


def given(effect, *arguments) -> object:
    """What an effect gives, or its error."""
    try:
        return effect(*arguments)
    except Err as error:
        return error.value


def clock_now_never_goes_back(operation: recovery.Operation) -> None:
    last = 0
    for _ in range(100):
        now = clock.now()
        kept(now >= last, (now, last))
        last = now


def clock_sleep_waits(operation: recovery.Operation) -> None:
    before = clock.now()
    clock.sleep(30)
    slept = clock.now() - before
    kept(slept >= 29, slept)


def log_lines_above_the_limit_are_dropped(operation: recovery.Operation) -> None:
    for line in range(500):
        log.write(log.Level.INFO, "conformance", [("line", str(line))])


def settings_are_an_object(operation: recovery.Operation) -> None:
    found = settings.get()
    kept(found == "{}", found)


def kv_keys_are_bounded(operation: recovery.Operation) -> None:
    for length, is_key in [(0, False), (1, True), (256, True), (257, False)]:
        answer = given(kv.set, "k" * length, b"1")
        is_kept = answer is None if is_key else isinstance(answer, EffectError_Failed)
        kept(is_kept, (length, answer))
    kv.delete("k" * 256)
    kv.delete("k")


def kv_above_the_grant_is_limited(operation: recovery.Operation) -> None:
    answer = given(kv.set, "big", bytes(64 << 10))
    kept(isinstance(answer, EffectError_Limited), answer)


def kv_get_of_no_key_is_absent(operation: recovery.Operation) -> None:
    value = kv.get("nobody")
    kept(value is None, value)


def kv_delete_of_no_key_does_nothing(operation: recovery.Operation) -> None:
    kv.delete("nobody")


def kv_compare_and_set_compares(operation: recovery.Operation) -> None:
    kv.delete("cas")
    for expected, value, is_set in [
        (b"1", b"2", False),
        (None, b"1", True),
        (None, b"2", False),
        (b"1", b"2", True),
    ]:
        answer = kv.compare_and_set("cas", expected, value)
        kept(answer == is_set, (expected, value, answer))


def kv_keys_are_sorted(operation: recovery.Operation) -> None:
    for key in ["s/b", "s/a", "s/ab", "t"]:
        kv.set(key, b"1")
    keys = list(kv.keys("s/"))
    kept(keys == ["s/a", "s/ab", "s/b"], keys)


def undeclared_placeholder_is_failed(operation: recovery.Operation) -> None:
    answer = given(commands.run, "say", [("word", "a"), ("nobody", "b")])
    kept(isinstance(answer, EffectError_Failed), answer)


def exit_status_is_an_output(operation: recovery.Operation) -> None:
    output = commands.run("exits", [])
    kept(output.exit_code == 3, output)


def end_by_signal_is_an_output(operation: recovery.Operation) -> None:
    output = commands.run("is-killed", [])
    kept(output.exit_code == 128 + 9, output)


def killed_at_timeout_is_timed_out(operation: recovery.Operation) -> None:
    answer = given(commands.run, "hangs", [])
    kept(isinstance(answer, EffectError_TimedOut), answer)


def what_is_not_granted_is_denied(operation: recovery.Operation) -> None:
    answer = given(commands.run, "not-granted", [])
    kept(isinstance(answer, EffectError_Denied) and "command" in answer.value, answer)


def start_of_what_runs_does_nothing(operation: recovery.Operation) -> None:
    before = targets.status(operation.target).pid
    targets.start(operation.target)
    after = targets.status(operation.target).pid
    kept(before is not None and before == after, (before, after))


def restart_gives_a_new_process(operation: recovery.Operation) -> None:
    before = targets.status(operation.target).pid
    targets.restart(operation.target)
    after = targets.status(operation.target).pid
    kept(after is not None and before != after, (before, after))


def signal_without_process_is_failed(operation: recovery.Operation) -> None:
    targets.stop(operation.target)
    answer = given(targets.send, operation.target, targets.Signal.HUP)
    targets.start(operation.target)
    kept(isinstance(answer, EffectError_Failed), answer)


def check_of_healthy_is_empty(operation: recovery.Operation) -> None:
    failing = list(targets.check(operation.target))
    kept(failing == [], failing)


def newest_of_none_is_absent(operation: recovery.Operation) -> None:
    newest = backups.newest("state", 1)
    kept(newest is None, newest)


def create_is_unavailable_while_one_runs(operation: recovery.Operation) -> None:
    answer = given(backups.create, "slow", BackupType.FULL)
    kept(isinstance(answer, EffectError_Unavailable), answer)


def no_connection_is_unavailable(operation: recovery.Operation) -> None:
    request = http.Request(http.Method.GET, "http://127.0.0.1:1/", [], b"", None)
    answer = given(http.send, request)
    kept(isinstance(answer, EffectError_Unavailable), answer)


def operation_is_whole(operation: recovery.Operation) -> None:
    is_whole = (
        1 <= operation.attempt <= operation.max_attempts
        and operation.fencing >= 1
        and not operation.dry_run
        and operation.params.startswith("{")
        and operation.detected_at <= clock.now()
    )
    kept(is_whole, operation)


def does_nothing(operation: recovery.Operation) -> None:
    pass


CASES = {
    look.__name__.replace("_", "-"): look
    for look in (
        clock_now_never_goes_back,
        clock_sleep_waits,
        log_lines_above_the_limit_are_dropped,
        settings_are_an_object,
        kv_keys_are_bounded,
        kv_above_the_grant_is_limited,
        kv_get_of_no_key_is_absent,
        kv_delete_of_no_key_does_nothing,
        kv_compare_and_set_compares,
        kv_keys_are_sorted,
        undeclared_placeholder_is_failed,
        exit_status_is_an_output,
        end_by_signal_is_an_output,
        killed_at_timeout_is_timed_out,
        what_is_not_granted_is_denied,
        start_of_what_runs_does_nothing,
        restart_gives_a_new_process,
        signal_without_process_is_failed,
        check_of_healthy_is_empty,
        newest_of_none_is_absent,
        create_is_unavailable_while_one_runs,
        no_connection_is_unavailable,
        operation_is_whole,
        does_nothing,
    )
}
