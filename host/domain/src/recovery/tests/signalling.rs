//! What people signal to the handler of an operation.

use super::{
    super::{Command, NewSignal, NotHandled, Refusal, Reply, Verb},
    fixtures::{key, usual},
    world::World,
};
use crate::{
    event::EventKind,
    id::OperationId,
    name::SignalName,
    operation::{AwaitedSignal, MAX_SIGNAL_BYTES, MAX_SIGNALS, OperationState},
    replay::Halt,
    severity::Severity::High,
};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn named(name: &str) -> SignalName {
    SignalName::parse(name).unwrap()
}

fn signal(world: &mut World, id: &OperationId, name: &str, text: &str) -> Reply {
    world.command(Command::Signal(NewSignal {
        id: id.clone(),
        name: named(name),
        text: text.to_owned(),
        by: "ann".into(),
    }))
}

fn is_taken(reply: &Reply) -> bool {
    matches!(reply, Reply::Operation(_))
}

/// The call waits for `go`, when the operation has so many signals.
fn awaits(world: &World, seen: usize) -> NotHandled {
    NotHandled::Halted(Halt::Awaits(AwaitedSignal {
        name: named("go"),
        seen,
        until: world.at().now + HOUR,
        left: HOUR,
    }))
}

/// A handler is called.
fn called() -> (World, OperationId) {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    let id = world.operation("api down").id;
    (world, id)
}

#[test]
fn a_wait_for_a_signal_holds_nothing_is_shown_and_goes_on_as_soon_as_the_signal_comes() {
    let (mut world, id) = called();
    let waits = awaits(&world, 0);
    world.answer(Err(waits));
    assert_eq!(world.stage("api down"), "resting");
    assert_eq!(world.machine.calls(), 0);
    let summary = world.machine.summary_of(&key("api down").target);
    let (_, why) = summary.rests.unwrap();
    assert_eq!(why, "its handler waits for the signal `go`");
    let waits: Vec<&String> = summary.waits.values().collect();
    let command = format!("`mainstay operation signal {id} go`");
    assert!(waits[0].contains(&command), "{waits:?}");

    // Another one changes nothing.
    assert!(is_taken(&signal(&mut world, &id, "stop", "")));
    assert!(world.calls.is_empty());
    let reply = signal(&mut world, &id, "go", "{}");
    assert!(is_taken(&reply), "{reply:?}");
    let call = &world.calls[0];
    assert!(call.resumed);
    assert_eq!((call.place.call, call.request.attempt), (1, 1));
    assert_eq!(world.count(EventKind::OperationSignalled), 2);
    let signals = &world.operations[&id].signals;
    let came: Vec<(u32, &str, &str)> = signals
        .iter()
        .map(|one| (one.number, one.name.as_str(), one.text.as_str()))
        .collect();
    assert_eq!(came, [(1, "stop", ""), (2, "go", "{}")]);
    assert_eq!(signals[0].by, "ann");
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
    assert_eq!(world.operations[&id].signals.len(), 2, "they stay");
}

#[test]
fn a_signal_that_comes_while_the_wait_begins_ends_it_at_once_and_one_that_was_seen_does_not() {
    for (name, seen, goes_on) in [("go", 0, true), ("go", 1, false), ("stop", 0, false)] {
        let (mut world, id) = called();
        assert!(is_taken(&signal(&mut world, &id, name, "")));
        let waits = awaits(&world, seen);
        world.answer(Err(waits));
        assert_eq!(world.calls.len(), usize::from(goes_on), "{name} {seen}");
    }
}

#[test]
fn a_wait_that_no_signal_ends_goes_on_when_its_time_is_over() {
    let (mut world, _) = called();
    let waits = awaits(&world, 0);
    world.answer(Err(waits));
    world.wait(3_599_999);
    assert!(world.calls.is_empty(), "it waits");
    world.wait(1);
    assert!(world.calls[0].resumed);
}

#[test]
fn signals_are_there_for_the_next_daemon() {
    let (mut world, id) = called();
    signal(&mut world, &id, "stop", "now");
    world.restart(10);
    let waits = awaits(&world, 1);
    world.answer(Err(waits));
    assert_eq!(world.operation("api down").signals[0].text, "now");
    assert!(is_taken(&signal(&mut world, &id, "go", "")));
    assert!(world.calls[0].resumed);
    assert_eq!(world.operation("api down").signals[1].number, 2);
}

#[test]
fn a_wait_can_be_cancelled_and_what_has_ended_takes_no_signal() {
    let (mut world, id) = called();
    let waits = awaits(&world, 0);
    world.answer(Err(waits));
    world.decide(Verb::Cancel, &id);
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
    let reply = signal(&mut world, &id, "go", "");
    let Reply::Refused(Refusal::Conflict(why)) = reply else {
        panic!("{reply:?}");
    };
    assert!(why.contains("neither waits nor runs"), "{why}");
}

#[test]
fn what_was_cancelled_before_its_handler_waits_for_a_signal_waits_for_none() {
    let (mut world, id) = called();
    world.decide(Verb::Cancel, &id);
    assert_eq!(world.stage("api down"), "calling", "no call is broken off");
    let halted = awaits(&world, 0);
    world.answer(Err(halted));
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
    assert!(world.open_calls.is_empty(), "it has its end");
}

#[test]
fn signals_are_bounded_in_size_and_number() {
    let (mut world, id) = called();
    let long = "x".repeat(MAX_SIGNAL_BYTES + 1);
    let reply = signal(&mut world, &id, "go", &long);
    assert!(
        matches!(&reply, Reply::Refused(Refusal::NotAllowed(why)) if why.contains("4096")),
        "{reply:?}"
    );
    for _ in 0..MAX_SIGNALS {
        assert!(is_taken(&signal(&mut world, &id, "go", &long[1..])));
    }
    let reply = signal(&mut world, &id, "go", "");
    assert!(
        matches!(&reply, Reply::Refused(Refusal::NotAllowed(why)) if why.contains("takes no more")),
        "{reply:?}"
    );
    assert_eq!(world.operations[&id].signals.len(), MAX_SIGNALS);
}

#[test]
fn a_dry_run_takes_no_signal() {
    let mut world = World::new(usual());
    let Reply::Operation(dry) = world.ask_for("api down", true) else {
        panic!("it is not begun");
    };
    let reply = signal(&mut world, &dry.id, "go", "");
    assert!(
        matches!(&reply, Reply::Refused(Refusal::Conflict(why)) if why.contains("dry run")),
        "{reply:?}"
    );
}
