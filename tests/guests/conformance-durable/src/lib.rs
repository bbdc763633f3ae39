//! Looks whether a host keeps the sentences that contract 1.1.0 has of durable recovery handlers. A step's `params` name a
//! case, which is named after its sentence: the handler succeeds where the sentence is kept, and fails for good with what
//! it saw where it is not.

use mainstay_plugin_sdk::durable::*;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

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
    /// `random.number` gives another one each time.
    RandomNumbersDiffer,
    /// `random.bytes` gives as many as are asked for.
    RandomBytesAreAsMany,
    /// `durable.sleep-until` waits until then.
    SleepUntilWaits,
    /// It does not wait at all for what is past.
    SleepUntilThePastIsNoWait,
    /// `durable.key` is the same for the same name, another for another, and may stand in a header.
    KeyIsOfItsName,
    /// It is the same in every attempt of the operation.
    KeyIsTheSameInEveryAttempt,
    /// `durable.replaying` is false where nothing was cut off.
    NothingIsReplayed,
    /// A name of a signal that is not in kebab-case is `failed`.
    SignalHasAName,
    /// What a recovery handler may import is there too.
    TargetsAreThere,
}

/// Looks at one sentence in each call.
#[derive(Debug, Default)]
pub struct Conformance;

impl DurableRecoveryHandler for Conformance {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let Params { case } = op.params_as()?;
        if let (Case::KeyIsTheSameInEveryAttempt, 1) = (case, op.attempt) {
            let key = host.durable_key("it");
            host.kv().set("key", key)?;
            return Err(RecoveryFailure::Retryable("asked to".into()));
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
        Case::RandomNumbersDiffer => {
            let drawn: BTreeSet<u64> = (0..100).map(|_| host.random_number()).collect();
            kept(drawn.len() == 100, format!("{drawn:?}"))
        }
        Case::RandomBytesAreAsMany => {
            let most = host.random_bytes(65_536);
            let (none, some) = (host.random_bytes(0), host.random_bytes(33));
            let lengths = [none.len(), some.len(), most.len()];
            kept(lengths == [0, 33, 65_536], format!("{lengths:?}"))
        }
        Case::SleepUntilWaits => {
            let until = host.now() + 300;
            host.sleep_until(until);
            let now = host.now();
            kept(now >= until, format!("{now}, not {until}"))
        }
        Case::SleepUntilThePastIsNoWait => {
            let began = host.now();
            host.sleep_until(began - 3_600_000);
            host.sleep_until(0);
            let took = host.now() - began;
            kept(took < 10_000, format!("{took} ms"))
        }
        Case::KeyIsOfItsName => {
            let [one, again, other] =
                ["it", "it", "something else: ✓"].map(|name| host.durable_key(name));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            let fits = |key: &str| key.len() <= 128 && key.bytes().all(plain);
            let is_kept = one == again && one != other && fits(&one) && fits(&other);
            kept(is_kept, format!("{one}, {again}, {other}"))
        }
        Case::KeyIsTheSameInEveryAttempt => {
            let before = host.kv().get("key")?.unwrap_or_default();
            let key = host.durable_key("it");
            let is_kept = op.attempt == 2 && key.as_bytes() == before;
            kept(is_kept, format!("{key} in attempt {}", op.attempt))
        }
        Case::NothingIsReplayed => kept(!host.is_replaying(), "it replays".to_owned()),
        Case::SignalHasAName => {
            let until = host.now() + 60_000;
            for name in ["", "No name", "a--b"] {
                let signal = host.await_signal(name, until);
                let is_failed = matches!(signal, Err(EffectError::Failed(_)));
                kept(is_failed, format!("{name}: {signal:?}"))?;
            }
            Ok(())
        }
        Case::TargetsAreThere => {
            let status = host.target(&op.target).status()?;
            kept(status.running == Some(true), format!("{status:?}"))
        }
    }
}

fn kept(is_kept: bool, seen: String) -> Result<(), String> {
    match is_kept {
        true => Ok(()),
        false => Err(seen),
    }
}

export_durable_recovery_handler!(
    Conformance,
    handles = ["well-down"],
    capabilities = [
        "target" => "look at it",
        "kv" => "keep a key between two attempts",
    ],
);
