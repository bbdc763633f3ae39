//! What an operation does whose checks cannot look.

use super::{
    super::LookResult,
    fixtures::{done, usual},
    world::World,
};
use crate::severity::Severity;

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
