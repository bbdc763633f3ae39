//! Looks whether a host keeps the sentences of contract 1.0.0. A step's `params` name a case, which is named after its
//! sentence: the handler succeeds where the sentence is kept, and fails for good with what it saw where it is not.
//!
//! It needs of its host what `tests/tests/conformance.rs` configures, and nothing that another host could not have.

use mainstay_plugin_sdk::recovery::*;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// The `params` of an operation.
#[derive(Debug, Deserialize, JsonSchema)]
struct Params {
    /// Which sentence.
    case: Case,
}

/// The sentences.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Case {
    /// `clock.now` never goes back within one operation.
    ClockNowNeverGoesBack,
    /// `clock.sleep` waits this long.
    ClockSleepWaits,
    /// Log lines above the limit are dropped and counted.
    LogLinesAboveTheLimitAreDropped,
    /// The settings are a JSON object, `{}` where there are none.
    SettingsAreAnObject,
    /// Keys are 1 to 256 bytes of text.
    KvKeysAreBounded,
    /// A write above the granted size is `limited`.
    KvAboveTheGrantIsLimited,
    /// The value is absent where the key is not there.
    KvGetOfNoKeyIsAbsent,
    /// `delete` does nothing where the key is not there.
    KvDeleteOfNoKeyDoesNothing,
    /// `compare-and-set` sets only where the present value is the expected one.
    KvCompareAndSetCompares,
    /// The keys come sorted by their bytes.
    KvKeysAreSorted,
    /// An undeclared placeholder is `failed`.
    UndeclaredPlaceholderIsFailed,
    /// An exit status other than 0 is an output.
    ExitStatusIsAnOutput,
    /// The exit code is 128 + the signal where a signal ended it.
    EndBySignalIsAnOutput,
    /// A command that is killed at its timeout is `timed-out`.
    KilledAtTimeoutIsTimedOut,
    /// What is not granted is `denied`, and the text names the missing grant.
    WhatIsNotGrantedIsDenied,
    /// `start` does nothing where the target runs.
    StartOfWhatRunsDoesNothing,
    /// `restart` stops it and starts it.
    RestartGivesANewProcess,
    /// `send` is `failed` where the target has no process.
    SignalWithoutProcessIsFailed,
    /// Empty evidence means that every check passes.
    CheckOfHealthyIsEmpty,
    /// The newest backup is absent where there is none.
    NewestOfNoneIsAbsent,
    /// `create` is `unavailable` while another backup of the job runs.
    CreateIsUnavailableWhileOneRuns,
    /// `http.send` is `unavailable` where no connection was made.
    NoConnectionIsUnavailable,
    /// The fields of the operation are as their docs say.
    OperationIsWhole,
    /// Answers `retryable`: the strategy decides when another attempt follows.
    AnswerRetryable,
    /// Answers `permanent`: the chain goes on.
    AnswerPermanent,
    /// Answers `needs-operator`: the operation waits for its approval.
    AnswerNeedsOperator,
    /// Answers at once.
    DoesNothing,
}

/// Looks at one sentence in each call.
#[derive(Debug, Default)]
pub struct Conformance;

impl RecoveryHandler for Conformance {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let Params { case } = op.params_as()?;
        match case {
            Case::AnswerRetryable => return Err(RecoveryFailure::Retryable("asked to".into())),
            Case::AnswerPermanent => return Err(RecoveryFailure::Permanent("asked to".into())),
            Case::AnswerNeedsOperator => {
                return Err(RecoveryFailure::NeedsOperator(vec!["look".into()]));
            }
            _ => {}
        }
        match look(case, op, host) {
            Ok(()) => Ok(Report::action("kept")),
            Err(seen) => Err(RecoveryFailure::Permanent(format!(
                "{case:?} is not kept: {seen}"
            ))),
        }
    }
}

/// The error is what was seen in place of what the contract says.
fn look(case: Case, op: &Operation, host: &mut impl Host) -> Result<(), String> {
    match case {
        Case::ClockNowNeverGoesBack => {
            let mut last = 0;
            for _ in 0..100 {
                let now = host.now();
                kept(now >= last, || format!("{now} after {last}"))?;
                last = now;
            }
            Ok(())
        }
        Case::ClockSleepWaits => {
            let before = host.now();
            host.sleep(Duration::from_millis(30));
            let slept = host.now().saturating_sub(before);
            kept(slept >= 29, || format!("slept {slept} ms"))
        }
        Case::LogLinesAboveTheLimitAreDropped => {
            for line in 0..500 {
                host.log(Level::Info, "conformance", &[("line", &line.to_string())]);
            }
            Ok(())
        }
        Case::SettingsAreAnObject => {
            let settings = host.settings_json();
            kept(settings == "{}", || settings.clone())
        }
        Case::KvKeysAreBounded => {
            for (length, is_key) in [(0, false), (1, true), (256, true), (257, false)] {
                let set = host.kv().set(&"k".repeat(length), "1");
                let is_kept = matches!(
                    (&set, is_key),
                    (Ok(()), true) | (Err(EffectError::Failed(_)), false)
                );
                kept(is_kept, || format!("a key of {length} bytes: {set:?}"))?;
            }
            host.kv().delete(&"k".repeat(256)).map_err(said)?;
            host.kv().delete("k").map_err(said)
        }
        Case::KvAboveTheGrantIsLimited => {
            let set = host.kv().set("big", vec![0_u8; 64 << 10]);
            kept(matches!(set, Err(EffectError::Limited(_))), || {
                format!("{set:?}")
            })
        }
        Case::KvGetOfNoKeyIsAbsent => {
            let value = host.kv().get("nobody").map_err(said)?;
            kept(value.is_none(), || format!("{value:?}"))
        }
        Case::KvDeleteOfNoKeyDoesNothing => host.kv().delete("nobody").map_err(said),
        Case::KvCompareAndSetCompares => {
            host.kv().delete("cas").map_err(said)?;
            for (expected, value, is_set) in [
                (Some("1"), "2", false),
                (None, "1", true),
                (None, "2", false),
                (Some("1"), "2", true),
            ] {
                let expected = expected.map(str::as_bytes);
                let set = host
                    .kv()
                    .compare_and_set("cas", expected, value)
                    .map_err(said)?;
                kept(set == is_set, || format!("{expected:?} to {value}: {set}"))?;
            }
            Ok(())
        }
        Case::KvKeysAreSorted => {
            for key in ["s/b", "s/a", "s/ab", "t"] {
                host.kv().set(key, "1").map_err(said)?;
            }
            let keys = host.kv().keys("s/").map_err(said)?;
            kept(keys == ["s/a", "s/ab", "s/b"], || format!("{keys:?}"))
        }
        Case::UndeclaredPlaceholderIsFailed => {
            let run = host.command("say", &[("word", "a"), ("nobody", "b")]);
            kept(matches!(run, Err(EffectError::Failed(_))), || {
                format!("{run:?}")
            })
        }
        Case::ExitStatusIsAnOutput => exits(host, "exits", 3),
        Case::EndBySignalIsAnOutput => exits(host, "is-killed", 128 + 9),
        Case::KilledAtTimeoutIsTimedOut => {
            let run = host.command("hangs", &[]);
            kept(matches!(run, Err(EffectError::TimedOut(_))), || {
                format!("{run:?}")
            })
        }
        Case::WhatIsNotGrantedIsDenied => {
            let denied = host.command("not-granted", &[]);
            let is_kept =
                matches!(&denied, Err(EffectError::Denied(text)) if text.contains("command"));
            kept(is_kept, || format!("{denied:?}"))
        }
        Case::StartOfWhatRunsDoesNothing => {
            let before = pid(op, host)?;
            host.target(&op.target).start().map_err(said)?;
            let after = pid(op, host)?;
            kept(before.is_some() && before == after, || {
                format!("{before:?}, then {after:?}")
            })
        }
        Case::RestartGivesANewProcess => {
            let before = pid(op, host)?;
            host.target(&op.target).restart().map_err(said)?;
            let after = pid(op, host)?;
            kept(after.is_some() && before != after, || {
                format!("{before:?}, then {after:?}")
            })
        }
        Case::SignalWithoutProcessIsFailed => {
            host.target(&op.target).stop().map_err(said)?;
            let sent = host.target(&op.target).signal(Signal::Hup);
            host.target(&op.target).start().map_err(said)?;
            kept(matches!(sent, Err(EffectError::Failed(_))), || {
                format!("{sent:?}")
            })
        }
        Case::CheckOfHealthyIsEmpty => {
            let failing = host.target(&op.target).check().map_err(said)?;
            kept(failing.is_empty(), || format!("{failing:?}"))
        }
        Case::NewestOfNoneIsAbsent => {
            let newest = host.backup("state").newest_before(1).map_err(said)?;
            kept(newest.is_none(), || format!("{newest:?}"))
        }
        Case::CreateIsUnavailableWhileOneRuns => {
            let created = host.backup("slow").create(BackupType::Full);
            kept(matches!(created, Err(EffectError::Unavailable(_))), || {
                format!("{created:?}")
            })
        }
        Case::NoConnectionIsUnavailable => {
            let sent = host.http(Request::get("http://127.0.0.1:1/"));
            kept(matches!(sent, Err(EffectError::Unavailable(_))), || {
                format!("{sent:?}")
            })
        }
        Case::OperationIsWhole => {
            let is_whole = op.attempt >= 1
                && op.max_attempts >= op.attempt
                && op.fencing >= 1
                && !op.dry_run
                && op.params.starts_with('{')
                && op.detected_at <= host.now();
            kept(is_whole, || format!("{op:?}"))
        }
        Case::AnswerRetryable
        | Case::AnswerPermanent
        | Case::AnswerNeedsOperator
        | Case::DoesNothing => Ok(()),
    }
}

/// A command has an output with this exit code.
fn exits(host: &mut impl Host, command: &str, code: i32) -> Result<(), String> {
    let output = host.command(command, &[]).map_err(said)?;
    kept(output.exit_code == code, || output.exit_code.to_string())
}

/// The process of the operation's target.
fn pid(op: &Operation, host: &mut impl Host) -> Result<Option<u32>, String> {
    let status = host.target(&op.target).status().map_err(said)?;
    Ok(status.pid)
}

fn kept(is_kept: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    match is_kept {
        true => Ok(()),
        false => Err(seen()),
    }
}

/// An error that nothing in the contract calls for.
fn said(error: EffectError) -> String {
    format!("{error:?}")
}

export_recovery_handler!(
    Conformance,
    handles = ["service-down"],
    capabilities = [
        "target" => "start, stop, restart and look at the target",
        "command" => "run commands that end in every way",
        "http" => "ask where nobody answers",
        "kv" => "keep values at the edges of what is allowed",
        "backup" => "take a backup while another one is taken",
    ],
);
