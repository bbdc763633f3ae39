//! The whole table: each effect without an intent, with one, and with a result.

use super::*;
use crate::{
    backup::BackupType,
    blob::Blob,
    effect::{EffectError, HttpRequest},
    id::OperationId,
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000) + Duration::from_secs(seconds)
}

fn identity(pid: u32) -> TargetIdentity {
    TargetIdentity {
        pid,
        start_ticks: 7,
        boot_id: "f00".to_owned(),
    }
}

fn entry(effect: &Effect, result: Option<EffectResult>) -> EffectEntry {
    let is_sleep = matches!(
        effect,
        Effect::ClockSleep { .. } | Effect::AwaitSignal { .. }
    );
    EffectEntry {
        operation: OperationId::parse("op-01K0000000000000000000000A").unwrap(),
        number: 3,
        at: at(0),
        kind: match result {
            Some(_) => EntryKind::Result,
            None => EntryKind::Intent,
        },
        effect: effect.clone(),
        result,
        call: Some(1),
        request_hash: Some(effect.request_hash()),
        fencing: 1,
        before: Some(identity(10)),
        until: is_sleep.then(|| at(60)),
    }
}

fn target() -> String {
    "api".to_owned()
}

fn send(signal: Signal) -> Effect {
    Effect::TargetSend {
        target: target(),
        signal,
    }
}

fn http(method: HttpMethod) -> Effect {
    Effect::HttpSend(HttpRequest {
        method,
        url: "https://hooks.example/".to_owned(),
        headers: Vec::new(),
        body: Blob::default(),
        timeout_ms: None,
        signing: None,
    })
}

fn command() -> Effect {
    Effect::CommandRun {
        name: "flush".to_owned(),
        arguments: Vec::new(),
    }
}

fn signal() -> Effect {
    Effect::AwaitSignal {
        name: "go".to_owned(),
        until: at(60),
    }
}

fn swap() -> Effect {
    Effect::KvCompareAndSet {
        key: "k".to_owned(),
        expected: None,
        value: Blob::default(),
    }
}

/// Every effect that has an intent, and of each kind that decides otherwise one.
fn acting() -> Vec<Effect> {
    vec![
        Effect::ClockSleep { length_ms: 60_000 },
        signal(),
        Effect::TargetStart { target: target() },
        Effect::TargetStop { target: target() },
        Effect::TargetRestart { target: target() },
        send(Signal::Term),
        send(Signal::Kill),
        send(Signal::Int),
        send(Signal::Hup),
        send(Signal::Usr1),
        send(Signal::Usr2),
        command(),
        http(HttpMethod::Put),
        http(HttpMethod::Delete),
        http(HttpMethod::Post),
        http(HttpMethod::Patch),
        Effect::KvSet {
            key: "k".to_owned(),
            value: Blob::default(),
        },
        Effect::KvDelete {
            key: "k".to_owned(),
        },
        swap(),
        Effect::BackupCreate {
            job: "state".to_owned(),
            backup_type: BackupType::Full,
        },
        Effect::BackupRestore {
            job: "state".to_owned(),
            id: "ful-x".to_owned(),
        },
    ]
}

fn reading() -> Vec<Effect> {
    vec![
        Effect::ClockNow,
        Effect::TargetStatus { target: target() },
        Effect::TargetCheck { target: target() },
        Effect::KvGet {
            key: "k".to_owned(),
        },
        Effect::KvKeys {
            prefix: String::new(),
        },
        Effect::BackupNewest {
            job: "state".to_owned(),
            before: None,
        },
        http(HttpMethod::Get),
        http(HttpMethod::Head),
        http(HttpMethod::Options),
    ]
}

/// What an effect that was begun and has no result comes to.
fn after_intent(effect: &Effect, seen: &Seen) -> Turn {
    let recorded = RecordedEffect {
        intent: Some(entry(effect, None)),
        result: None,
    };
    turn(3, effect, Some(&recorded), seen)
}

fn seen(target: Option<TargetSeen>) -> Seen {
    Seen {
        now: at(20),
        target,
        ..Seen::default()
    }
}

#[test]
fn what_has_no_intent_is_performed_and_what_has_a_result_is_fed() {
    let failed = || Err(EffectError::TimedOut("no".to_owned()));
    for effect in acting().iter().chain(&reading()) {
        let seen = seen(None);
        assert_eq!(turn(3, effect, None, &seen), Turn::Perform, "{effect:?}");
        for result in [Ok(Answer::Done), failed()] {
            let recorded = RecordedEffect {
                intent: (!effect.only_reads()).then(|| entry(effect, None)),
                result: Some(entry(effect, Some(result.clone()))),
            };
            let fed = turn(3, effect, Some(&recorded), &seen);
            assert_eq!(fed, Turn::Feed(result), "{effect:?}");
        }
    }
}

#[test]
fn what_was_begun_on_a_target_is_known_by_its_process() {
    use TargetSeen::{Down, Foreign, Runs};
    let (same, other) = (|| Runs(identity(10)), || Runs(identity(11)));
    let done = || Turn::Done(Answer::Done);
    let start = Effect::TargetStart { target: target() };
    let stop = Effect::TargetStop { target: target() };
    let restart = Effect::TargetRestart { target: target() };
    let rows = [
        (&start, [done(), done(), Turn::Again]),
        (&stop, [Turn::Again, Turn::Again, done()]),
        (&restart, [Turn::Again, done(), Turn::Start]),
        (&send(Signal::Term), [Turn::Again, done(), done()]),
        (&send(Signal::Kill), [Turn::Again, done(), done()]),
        (&send(Signal::Int), [Turn::Again, done(), done()]),
        (
            &send(Signal::Hup),
            [Turn::InDoubt, Turn::InDoubt, Turn::InDoubt],
        ),
        (
            &send(Signal::Usr1),
            [Turn::InDoubt, Turn::InDoubt, Turn::InDoubt],
        ),
        (
            &send(Signal::Usr2),
            [Turn::InDoubt, Turn::InDoubt, Turn::InDoubt],
        ),
    ];
    for (effect, expected) in rows {
        for (target, expected) in [same(), other(), Down].into_iter().zip(expected) {
            let found = after_intent(effect, &seen(Some(target.clone())));
            assert_eq!(found, expected, "{effect:?} with {target:?}");
        }
        let foreign = after_intent(effect, &seen(Some(Foreign)));
        assert_eq!(foreign, Turn::InDoubt, "{effect:?} of a foreign service");
    }
}

#[test]
fn what_reaches_further_is_repeated_only_where_that_can_do_no_harm() {
    for is_idempotent in [false, true] {
        let seen = Seen {
            is_idempotent,
            ..seen(None)
        };
        let doubtful = match is_idempotent {
            true => Turn::Again,
            false => Turn::InDoubt,
        };
        for effect in [command(), http(HttpMethod::Post), http(HttpMethod::Patch)] {
            assert_eq!(after_intent(&effect, &seen), doubtful, "{effect:?}");
        }
        for effect in [http(HttpMethod::Put), http(HttpMethod::Delete)] {
            assert_eq!(after_intent(&effect, &seen), Turn::Again, "{effect:?}");
        }
    }
    // Its value is written with its result, so it was not.
    assert_eq!(after_intent(&swap(), &seen(None)), Turn::Again);
}

#[test]
fn a_sleep_or_a_signal_is_waited_for_as_long_as_is_left_of_it_and_no_longer_whatever_the_clock_says()
 {
    for wait in [Effect::ClockSleep { length_ms: 60_000 }, signal()] {
        for (now, left) in [(0, 60), (20, 40), (60, 0), (500, 0)] {
            let seen = Seen {
                now: at(now),
                ..Seen::default()
            };
            let left = Turn::Wait(Duration::from_secs(left));
            assert_eq!(after_intent(&wait, &seen), left, "after {now} s");
        }
        let set_back = Seen {
            now: Timestamp::from_millis(0),
            ..Seen::default()
        };
        let whole = Turn::Wait(Duration::from_secs(60));
        assert_eq!(after_intent(&wait, &set_back), whole);
    }
}

#[test]
fn another_request_than_the_recorded_one_diverges_whatever_the_record_has() {
    let all: Vec<Effect> = acting().into_iter().chain(reading()).collect();
    for recorded in &all {
        for asked in all.iter().filter(|asked| *asked != recorded) {
            for result in [None, Some(Ok(Answer::Done))] {
                let of = RecordedEffect {
                    intent: Some(entry(recorded, None)),
                    result: result.map(|result| entry(recorded, Some(result))),
                };
                let found = turn(3, asked, Some(&of), &seen(None));
                let Turn::Diverged(divergence) = found else {
                    panic!("{asked:?} was taken for {recorded:?}: {found:?}");
                };
                assert_eq!(divergence.number, 3);
                assert_eq!(divergence.asked, request_words(asked));
            }
        }
    }
}

#[test]
fn a_record_has_the_entries_of_its_call_and_of_no_other() {
    let effect = Effect::KvDelete {
        key: "k".to_owned(),
    };
    let numbered = |number, call| EffectEntry {
        number,
        call,
        at: at(u64::from(number)),
        ..entry(&effect, None)
    };
    let entries = [
        numbered(1, Some(1)),
        numbered(2, Some(2)),
        numbered(3, Some(2)),
        numbered(4, None),
    ];
    let recorded = Recorded::of(&entries, 2, 3);
    assert_eq!(recorded.last_number(), Some(3));
    assert_eq!(recorded.last_at(), Some(at(3)));
    assert!(recorded.get(2).is_none(), "it was before this call");
    let other = Recorded::of(&entries, 7, 1);
    assert_eq!((other.last_number(), other.last_at()), (None, None));
    // The bound is that of the operation.
    let all: u64 = entries.iter().map(EffectEntry::bytes).sum();
    assert_eq!((recorded.bytes(), other.bytes()), (all, all));
}

#[test]
fn what_a_person_says_did_not_happen_is_as_if_it_was_never_begun_until_it_is_begun_again() {
    let effect = http(HttpMethod::Post);
    let begun_by = |fencing| EffectEntry {
        fencing,
        ..entry(&effect, None)
    };
    let said = EffectEntry {
        kind: EntryKind::DidNot,
        ..begun_by(2)
    };
    for (fencing, expected) in [(1, Turn::Perform), (2, Turn::InDoubt), (3, Turn::InDoubt)] {
        let recorded = Recorded::of(&[begun_by(fencing), said.clone()], 1, 1);
        let found = turn(3, &effect, recorded.get(3), &seen(None));
        assert_eq!(found, expected, "begun by daemon {fencing}");
    }
}

#[test]
fn a_record_knows_which_daemons_got_it_further() {
    let effect = http(HttpMethod::Put);
    let by = |fencing, result| EffectEntry {
        fencing,
        ..entry(&effect, result)
    };
    let begun = Recorded::of(&[by(4, None)], 1, 1);
    assert!(begun.has_of(4) && !begun.has_of(5));
    let ended = Recorded::of(&[by(4, None), by(6, Some(Ok(Answer::Done)))], 1, 1);
    assert!(ended.has_of(4) && !ended.has_of(5) && ended.has_of(6));
    let of_another_call = Recorded::of(&[by(4, None)], 2, 1);
    assert!(!of_another_call.has_of(4));
}

#[test]
fn a_sleep_that_nobody_held_is_no_time_of_the_call() {
    let slept = |number, length_ms, seconds| {
        let effect = Effect::ClockSleep { length_ms };
        let begun = EffectEntry {
            number,
            at: at(u64::from(number)),
            ..entry(&effect, None)
        };
        let ended = EffectEntry {
            at: at(u64::from(number) + seconds),
            ..entry(&effect, Some(Ok(Answer::Done)))
        };
        [begun, EffectEntry { number, ..ended }]
    };
    let entries: Vec<EffectEntry> = [slept(1, 3_000, 3), slept(10, 60_000, 60)]
        .into_iter()
        .flatten()
        .collect();
    let recorded = Recorded::of(&entries, 1, 1);
    assert_eq!(recorded.last_at(), Some(at(70)));
    assert_eq!(recorded.spent(at(0)), Duration::from_secs(10));
    assert_eq!(Recorded::default().spent(at(9)), Duration::ZERO);
    // Nor is the wait for a signal that came after 40 of the 60 seconds that it may last.
    let begun = entry(&signal(), None);
    let answer = Answer::Signal {
        number: 1,
        text: String::new(),
    };
    let came = EffectEntry {
        at: at(40),
        ..entry(&signal(), Some(Ok(answer)))
    };
    let recorded = Recorded::of(&[begun, came], 1, 1);
    assert_eq!(recorded.spent(at(0)), Duration::ZERO);
}
