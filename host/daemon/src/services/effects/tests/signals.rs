//! Waits for signals to the operation of a call.

use super::*;
use crate::ports::Clock;
use mainstay_domain::{
    name::{FailureType, SignalName},
    operation::{Mode, Operation, ReceivedSignal},
};

fn now() -> Timestamp {
    ManualClock::new().now()
}

/// A call on record that has had two effects, before which these signals came.
fn waiting(names: &[&str]) -> Bench {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = Some(Arc::new(CallRecord {
        timeout_ms: 50_000,
        ..record()
    }));
    came(&bench, names);
    bench
}

/// These signals came so far.
fn came(bench: &Bench, names: &[&str]) {
    let mut signalled = Operation::scheduled(
        operation(),
        name("api"),
        FailureType::parse("api-down").unwrap(),
        Severity::High,
        Mode::Automatic,
        now(),
    );
    signalled.signals = (1..)
        .zip(names)
        .map(|(number, name)| ReceivedSignal {
            number,
            name: SignalName::parse(name).unwrap(),
            text: format!("text {number}"),
            at: now(),
            by: "ann".to_owned(),
            note: None,
        })
        .collect();
    bench.inbox.note(&[Change::Operation(signalled)]);
}

/// The next daemon, with the journal of the one before, and what it knows of signals.
fn next(bench: &Bench) -> Bench {
    let mut next = replayed(bench);
    next.call.record.clone_from(&bench.call.record);
    next.inbox = bench.inbox.clone();
    next
}

async fn wait(
    session: &mut Box<dyn EffectSession>,
    name: &str,
    seconds: u64,
) -> Result<String, EffectError> {
    let until = now() + Duration::from_secs(seconds);
    within(session.await_signal(name.to_owned(), until)).await
}

#[tokio::test(start_paused = true)]
async fn signals_that_came_before_are_had_at_once_each_once_and_stand_in_the_journal() {
    let bench = waiting(&["stop", "go", "go"]);
    let mut session = bench.session();
    assert_eq!(wait(&mut session, "go", 10).await.unwrap(), "text 2");
    assert_eq!(wait(&mut session, "go", 10).await.unwrap(), "text 3");
    let written = [(EntryKind::Result, 3), (EntryKind::Result, 4)];
    assert_eq!(bench.written(), written);
    let answer = Answer::Signal {
        number: 3,
        text: "text 3".to_owned(),
    };
    assert_eq!(bench.entries()[1].result, Some(Ok(answer)));
    // Fed, and not taken once more.
    let next = next(&bench);
    let mut session = next.session();
    assert_eq!(wait(&mut session, "go", 10).await.unwrap(), "text 2");
    assert_eq!(wait(&mut session, "go", 10).await.unwrap(), "text 3");
    assert!(next.written().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_not_held_and_goes_on_with_the_signal_that_came_meanwhile() {
    let bench = waiting(&["stop"]);
    let mut session = bench.session();
    wait(&mut session, "go", 10).await.unwrap_err();
    let Some(Halt::Awaits(awaited)) = session.halted() else {
        panic!("{:?}", session.halted());
    };
    assert_eq!((awaited.name.as_str(), awaited.seen), ("go", 1));
    assert_eq!(awaited.left, Duration::from_secs(10));
    assert_eq!(bench.written(), [(EntryKind::Intent, 3)]);
    let until = now() + Duration::from_secs(10);
    assert_eq!(bench.entries()[0].until, Some(until));

    // Woken, and still none: it goes on to wait, and writes nothing.
    let again = next(&bench);
    let mut session = again.session();
    wait(&mut session, "go", 10).await.unwrap_err();
    assert!(matches!(session.halted(), Some(Halt::Awaits(_))));
    assert!(again.written().is_empty());

    let last = next(&bench);
    came(&last, &["stop", "go"]);
    let mut session = last.session();
    assert_eq!(wait(&mut session, "go", 10).await.unwrap(), "text 2");
    assert_eq!(last.written(), [(EntryKind::Result, 3)]);
    assert_eq!(session.halted(), None);
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_held_until_its_signal_comes_or_its_time_is_over() {
    let bench = waiting(&[]);
    let mut session = bench.session();
    let late = wait(&mut session, "go", 3).await.unwrap_err();
    assert!(matches!(late, EffectError::TimedOut(_)), "{late}");
    assert_eq!(session.halted(), None);
    let written = [(EntryKind::Intent, 3), (EntryKind::Result, 3)];
    assert_eq!(bench.written(), written);

    let mut session = bench.session();
    let waits = async { wait(&mut session, "go", 3).await };
    let comes = async {
        wait_until("that it waits", || bench.written().len() > 2).await;
        came(&bench, &["go"]);
    };
    let (text, ()) = tokio::join!(waits, comes);
    assert_eq!(text.unwrap(), "text 1");
}

#[tokio::test(start_paused = true)]
async fn what_is_past_is_not_waited_for_and_another_name_than_then_diverges() {
    let bench = waiting(&[]);
    let mut session = bench.session();
    let late = wait(&mut session, "go", 0).await.unwrap_err();
    assert!(matches!(late, EffectError::TimedOut(_)), "{late}");
    let next = next(&bench);
    let mut session = next.session();
    wait(&mut session, "stop", 0).await.unwrap_err();
    assert!(matches!(session.halted(), Some(Halt::Diverged(_))));
    assert!(next.written().is_empty());
}

#[tokio::test]
async fn in_a_dry_run_a_signal_is_planned_and_none_is_taken() {
    let mut bench = waiting(&["go"]);
    bench.call.purpose = recovers(true, 2);
    let mut session = bench.session();
    assert_eq!(wait(&mut session, "go", 10).await.unwrap(), "");
    assert_eq!(bench.written(), [(EntryKind::Planned, 3)]);
    let name = SignalName::parse("go").unwrap();
    assert!(bench.inbox.take(&operation(), &name).is_ok());
}
