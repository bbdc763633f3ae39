//! How much an attempt is validated, and for how long [seed 000].

use super::{
    super::LookResult,
    fixtures::{done, retryable, route, with_route},
    world::World,
};
use crate::{
    severity::Severity::High,
    spec::{RouteSpec, Workflow},
};

fn world(workflow: Workflow) -> World {
    let mut world = World::new(with_route(RouteSpec {
        workflow,
        ..route()
    }));
    world.raise("api down", High);
    world
}

#[test]
fn a_thorough_recovery_has_to_last() {
    let mut world = world(Workflow::Thorough);
    world.answer(done());
    world.clear("api down");
    world.see(LookResult::Healthy);
    for _ in 0..19 {
        assert_eq!(world.stage("api down"), "validating");
        world.wait(250);
        world.see(LookResult::Healthy);
    }
    assert_eq!(world.stage("api down"), "validating");
    world.wait(250);
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
}

#[test]
fn what_fails_again_meanwhile_has_to_last_anew() {
    let mut world = world(Workflow::Thorough);
    world.answer(done());
    world.see(LookResult::Healthy);
    world.wait(250);
    world.see(LookResult::Failing);
    world.wait(250);
    world.see(LookResult::Healthy);
    for _ in 0..19 {
        world.wait(250);
        world.see(LookResult::Healthy);
    }
    assert_eq!(world.stage("api down"), "validating");
    world.wait(250);
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
}

/// The target has 5 s.
#[test]
fn a_thorough_validation_takes_twice_the_time_that_the_target_says() {
    for (workflow, seconds) in [
        (Workflow::Standard, 5),
        (Workflow::Fast, 5),
        (Workflow::Thorough, 10),
    ] {
        let mut world = world(workflow);
        world.answer(done());
        world.pass(seconds * 1_000 - 1);
        world.see(LookResult::Failing);
        assert_eq!(world.stage("api down"), "validating", "{workflow:?}");
        world.wait(1);
        world.see(LookResult::Failing);
        assert_eq!(world.stage("api down"), "resting", "{workflow:?}");
    }
}

#[test]
fn a_fast_one_acts_on_what_the_checks_saw_last() {
    for (workflow, stage) in [
        (Workflow::Standard, "looking"),
        (Workflow::Fast, "calling"),
        (Workflow::Thorough, "looking"),
    ] {
        let mut world = world(workflow);
        world.answer(retryable());
        world.wait(1_000);
        assert_eq!(world.stage("api down"), stage, "{workflow:?}");
    }
}

#[test]
fn a_daemon_that_has_seen_nothing_yet_looks_first() {
    let mut world = world(Workflow::Fast);
    world.answer(retryable());
    world.restart(2_000);
    assert_eq!(world.stage("api down"), "looking");
}
