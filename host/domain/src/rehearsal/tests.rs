//! A record of a look, a restart and another look, and builds that do it otherwise.

use super::*;
use crate::{
    call::{RecoverRequest, Report},
    call_record::{CALL_FORMAT, CallSeed, RecordedLimits},
    id::OperationId,
    name::{FailureType, PluginName, TargetName},
    severity::Severity,
    spec::Limits,
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn record() -> CallRecord {
    let operation = OperationId::parse("op-01K0000000000000000000000A").unwrap();
    CallRecord {
        format: CALL_FORMAT,
        operation: operation.clone(),
        call: 2,
        step: 0,
        attempt: 1,
        plugin: PluginName::parse("fixer").unwrap(),
        version: semver::Version::new(1, 0, 0),
        digest: "ab".repeat(32),
        contract: "1.0.0".to_owned(),
        input: RecoverRequest {
            operation,
            incident: None,
            target: TargetName::parse("api").unwrap(),
            failure: FailureType::parse("api-down").unwrap(),
            severity: Severity::High,
            recurrence: 0,
            attempt: 1,
            max_attempts: 1,
            phase: "normal".to_owned(),
            detected_at: at(0),
            remaining: None,
            evidence: Vec::new(),
            fencing: 1,
            dry_run: false,
            params: serde_json::json!({}),
        },
        settings: serde_json::json!({}),
        limits: RecordedLimits::from(&Limits::default()),
        seed: CallSeed([7; 32]),
        first_number: 3,
        began_at: at(0),
        timeout_ms: 1_000,
        wake_at: None,
        replays: 0,
        fencing: 1,
    }
}

fn get(key: &str) -> Effect {
    Effect::KvGet {
        key: key.to_owned(),
    }
}

fn restart() -> Effect {
    Effect::TargetRestart {
        target: "api".to_owned(),
    }
}

fn stop() -> Effect {
    Effect::TargetStop {
        target: "api".to_owned(),
    }
}

fn entry(number: u32, kind: EntryKind, effect: Effect, result: Option<Answer>) -> EffectEntry {
    EffectEntry {
        operation: record().operation,
        number,
        at: at(1),
        kind,
        request_hash: Some(effect.request_hash()),
        effect,
        result: result.map(Ok),
        call: Some(2),
        fencing: 1,
        before: None,
        until: None,
    }
}

/// The clock, a value, a restart, another value.
fn rehearsal() -> Rehearsal {
    let value = |text: &str| Some(Answer::Value(Some(text.as_bytes().to_vec().into())));
    let entries = [
        entry(
            3,
            EntryKind::Result,
            Effect::ClockNow,
            Some(Answer::Now(at(5))),
        ),
        entry(4, EntryKind::Result, get("a"), value("1")),
        entry(5, EntryKind::Intent, restart(), None),
        entry(5, EntryKind::Result, restart(), Some(Answer::Done)),
        entry(6, EntryKind::Result, get("b"), value("2")),
    ];
    Rehearsal::new(&record(), &entries)
}

fn done(text: &str) -> CallOutcome {
    CallOutcome::Done(Report {
        actions: vec![text.to_owned()],
        data_loss: None,
    })
}

fn retryable(text: &str) -> CallOutcome {
    CallOutcome::Failed(RecoveryFailure::Retryable(text.to_owned()))
}

/// A build that asks for these, and ends so.
fn check(asks: &[Effect], now: Option<&CallOutcome>) -> (Class, Option<FirstDifference>) {
    let mut rehearsal = rehearsal();
    for effect in asks {
        let _ = rehearsal.answer(effect);
    }
    let found = rehearsal.end(Some(&done("restarted")), now);
    assert_eq!(found.effects.len(), asks.len());
    (found.class, found.first)
}

#[test]
fn the_same_build_is_fed_what_it_was_answered_and_differs_in_nothing() {
    let mut rehearsal = rehearsal();
    assert_eq!(rehearsal.answer(&Effect::ClockNow), Ok(Answer::Now(at(5))));
    let one = Answer::Value(Some(b"1".to_vec().into()));
    assert_eq!(rehearsal.answer(&get("a")), Ok(one));
    assert_eq!(rehearsal.answer(&restart()), Ok(Answer::Done));
    let two = Answer::Value(Some(b"2".to_vec().into()));
    assert_eq!(rehearsal.answer(&get("b")), Ok(two));
    let same = done("restarted");
    let found = rehearsal.clone().end(Some(&same), Some(&same));
    assert_eq!((found.class, found.first), (Class::Identical, None));
    let numbers: Vec<u32> = found.effects.iter().map(|effect| effect.number).collect();
    assert_eq!(numbers, [3, 4, 5, 6]);
    // A call that had no end ends as it does.
    let found = rehearsal.end(None, Some(&retryable("no")));
    assert_eq!(found.class, Class::Identical);
}

#[test]
fn each_class_is_told_from_the_others() {
    let all = || vec![Effect::ClockNow, get("a"), restart(), get("b")];
    let same = done("restarted");
    for (asks, now, class) in [
        (all(), Some(done("restarted api")), Class::Cosmetic),
        (all(), Some(retryable("no")), Class::OutcomeDiffers),
        (all(), None, Class::Fault),
        (
            vec![get("a"), Effect::ClockNow, restart(), get("b")],
            Some(same.clone()),
            Class::ReadsDiffer,
        ),
        (
            vec![Effect::ClockNow, restart(), get("b")],
            Some(same.clone()),
            Class::ReadsDiffer,
        ),
        (
            vec![Effect::ClockNow, get("a"), stop(), get("b")],
            Some(same.clone()),
            Class::EffectsDiffer,
        ),
        (
            vec![Effect::ClockNow, get("a"), restart()],
            Some(same.clone()),
            Class::ReadsDiffer,
        ),
        (
            vec![Effect::ClockNow, get("a")],
            Some(same.clone()),
            Class::EffectsDiffer,
        ),
    ] {
        let (found, first) = check(&asks, now.as_ref());
        assert_eq!(found, class, "{asks:?}");
        let differs = matches!(class, Class::ReadsDiffer | Class::EffectsDiffer);
        assert_eq!(first.is_some(), differs, "{asks:?}");
    }
}

#[test]
fn the_first_difference_names_what_was_asked_for_then_and_now() {
    let same = done("restarted");
    let (_, first) = check(&[Effect::ClockNow, stop()], Some(&same));
    let expected = FirstDifference {
        number: 4,
        recorded: Some("kv.get of `a`".to_owned()),
        asked: Some("targets.stop of api".to_owned()),
    };
    assert_eq!(first, Some(expected));
    let (_, first) = check(&[Effect::ClockNow, get("a")], Some(&same));
    let expected = FirstDifference {
        number: 5,
        recorded: Some("targets.restart of api".to_owned()),
        asked: None,
    };
    assert_eq!(first, Some(expected));
}

#[test]
fn a_look_is_not_answered_from_behind_something_that_acts() {
    let mut rehearsal = rehearsal();
    assert_eq!(rehearsal.answer(&get("b")), Ok(Answer::Value(None)));
    assert_eq!(rehearsal.answer(&stop()), Ok(Answer::Done));
    let unknown = Effect::TargetStatus {
        target: "api".to_owned(),
    };
    assert!(rehearsal.answer(&unknown).is_err());
}
