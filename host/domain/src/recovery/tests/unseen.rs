//! What an operation does whose checks cannot look, and what becomes of a failure that no check sees any more.

use super::{
    super::{Input, Look, LookResult},
    fixtures::{done, retryable, usual},
    world::World,
};
use crate::{
    event::{EventData, EventKind, IncidentEnd},
    severity::Severity,
};

/// Answers every look like this, until the operation does something else than to look.
fn see_all(world: &mut World, stage: &str, seen: LookResult) {
    for _ in 0..1_000 {
        if world.stage("api down") != stage {
            return;
        }
        if world.looks.is_empty() {
            world.wait(250);
        } else {
            world.see(seen);
        }
    }
    panic!("it looks for ever");
}

#[test]
fn an_operation_that_cannot_look_does_nothing_until_it_has_looked() {
    let mut world = World::new(usual());
    world.pause(Some("api"), true);
    world.raise("api down", Severity::High);
    world.pass(10);
    world.pause(Some("api"), false);
    for _ in 0..3 {
        assert_eq!(world.stage("api down"), "looking");
        see_all(&mut world, "looking", LookResult::Unseen);
        assert_eq!(world.stage("api down"), "scheduled", "it gives way");
        assert_eq!(world.operation("api down").attempts, 0);
        assert!(world.calls.is_empty(), "nothing is done");
        world.wait(10_000);
    }
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["api down"]);
}

#[test]
fn a_validation_that_cannot_look_waits_for_its_end_and_says_so() {
    let mut world = World::new(usual());
    world.raise("api down", Severity::High);
    world.answer(done());
    world.see(LookResult::Unseen);
    assert_eq!(world.stage("api down"), "validating", "it is neither");
    see_all(&mut world, "validating", LookResult::Unseen);
    assert_eq!(world.stage("api down"), "resting");
    let said = format!("{:?}", world.machine);
    assert!(said.contains("nobody knows whether it helped"), "{said}");
    assert!(!said.contains("still fail"), "{said}");
}

#[test]
fn a_validation_whose_time_went_by_while_the_daemon_was_held_up_looks_once_more() {
    let mut world = World::new(usual());
    world.raise("api down", Severity::High);
    world.answer(done());
    world.pass(60_000);
    world.see(LookResult::Unseen);
    assert_eq!(world.stage("api down"), "validating");
    world.wait(250);
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
}

/// How its incident ended, and what was said of that.
fn end_of(world: &World) -> (IncidentEnd, String) {
    let mut closed = world
        .events
        .iter()
        .filter(|event| event.kind == EventKind::IncidentClosed);
    let (Some(event), None) = (closed.next(), closed.next()) else {
        panic!("it ends once: {:?}", world.events);
    };
    let EventData::IncidentClosed(facts) = &event.data else {
        panic!("{event:?}");
    };
    (facts.how, event.message.clone())
}

#[test]
fn a_failure_that_no_check_sees_any_more_is_not_said_to_be_healthy_wherever_its_recovery_stands() {
    fn paused(world: &mut World) {
        world.pause(Some("api"), true);
        world.raise("api down", Severity::High);
        world.lose_sight("api down");
    }
    fn called(world: &mut World) {
        world.raise("api down", Severity::High);
        world.lose_sight("api down");
        assert_eq!(world.stage("api down"), "calling", "no call is broken off");
        world.answer(retryable());
    }
    fn looking(world: &mut World) {
        world.pause(Some("api"), true);
        world.raise("api down", Severity::High);
        world.pass(10);
        world.pause(Some("api"), false);
        assert_eq!(world.stage("api down"), "looking");
        world.lose_sight("api down");
        world.see(LookResult::Healthy);
    }
    let stories: [fn(&mut World); 3] = [paused, called, looking];
    for (number, story) in stories.into_iter().enumerate() {
        let mut world = World::new(usual());
        story(&mut world);
        assert_eq!(world.stage("api down"), "none", "{number}");
        let (how, said) = end_of(&world);
        assert_eq!(how, IncidentEnd::Unseen, "{number}: {said}");
        let is_about = |kind: EventKind| {
            matches!(
                kind,
                EventKind::IncidentClosed | EventKind::OperationCancelled
            )
        };
        for event in world.events.iter().filter(|event| is_about(event.kind)) {
            assert!(!event.message.contains("healthy"), "{event:?}");
        }
    }
}

#[test]
fn what_no_check_sees_and_a_handler_mended_is_recovered_by_the_checks_that_are_left() {
    let mut world = World::new(usual());
    world.raise("api down", Severity::High);
    world.lose_sight("api down");
    world.answer(done());
    world.see(LookResult::Healthy);
    assert_eq!(end_of(&world).0, IncidentEnd::Recovered);
}

#[test]
fn a_failure_that_is_seen_again_after_nobody_saw_it_ends_as_any_other() {
    let mut world = World::new(usual());
    world.raise("api down", Severity::High);
    world.lose_sight("api down");
    world.raise("api down", Severity::High);
    world.clear("api down");
    world.answer(retryable());
    assert_eq!(end_of(&world).0, IncidentEnd::ByItself);
}

#[test]
fn an_operation_whose_check_says_that_it_is_too_soon_looks_again_before_it_does_anything() {
    let mut world = World::new(usual());
    world.pause(Some("api"), true);
    world.raise("api down", Severity::High);
    world.pass(10);
    world.pause(Some("api"), false);
    assert_eq!(world.stage("api down"), "looking");
    world.see(LookResult::NotYet);
    assert_eq!(world.stage("api down"), "looking");
    assert!(world.calls.is_empty(), "nothing is done");
    // It is still held against the target, and that is all that anybody knows.
    see_all(&mut world, "looking", LookResult::NotYet);
    assert_eq!(world.called(), ["api down"]);
}

#[test]
fn a_validation_that_saw_nothing_to_its_end_says_what_is_still_held_against_the_target() {
    for (is_present, words) in [
        (true, "still fail"),
        (false, "nobody knows whether it helped"),
    ] {
        let mut world = World::new(usual());
        world.raise("api down", Severity::High);
        world.answer(done());
        world.pass(60_000);
        let (id, number) = world.looks.remove(0);
        let look = Look {
            number,
            seen: LookResult::NotYet,
            is_present,
            results: Vec::new(),
        };
        world.input(Input::Looked(id, look));
        assert_eq!(world.stage("api down"), "resting", "{is_present}");
        let said = format!("{:?}", world.machine);
        assert!(said.contains(words), "{said}");
    }
}
