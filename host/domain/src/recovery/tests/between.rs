//! Who goes first, and who goes between.

use super::{
    super::{LookResult, Reply},
    fixtures::{done, permanent, retryable, route, spec, target, usual},
    world::World,
};
use crate::{
    id::OperationId,
    operation::{Mode, OperationState},
    severity::Severity::{self, Critical, High, Low, Medium},
    spec::TargetSpec,
    time::Monotonic,
};

/// The targets whose operations look first, in order, when a pause of everything ends.
fn order(mut world: World, raised: &[(&str, Severity)]) -> Vec<String> {
    world.pause(None, true);
    for (name, severity) in raised {
        world.raise(name, *severity);
    }
    world.pass(10);
    world.pause(None, false);
    let target = |(id, _): &(OperationId, u64)| world.operations[id].target.to_string();
    world.looks.iter().map(target).collect()
}

/// [seed 000] The modes of an operation.
#[test]
fn an_emergency_goes_before_all_that_waits_and_maintenance_behind_it() {
    for (mode, priority) in [
        (Mode::Manual, 5),
        (Mode::Emergency, 0),
        (Mode::Maintenance, 255),
    ] {
        let mut world = World::new(usual());
        let Reply::Operation(asked) = world.ask_in(mode, "api down", false) else {
            panic!("it is taken");
        };
        assert_eq!(asked.mode, mode);
        let entry = world.machine.entry(&asked, Monotonic::default());
        assert_eq!((entry.priority, entry.is_manual), (priority, true));
        // Only what is automatic is escalated.
        world.answer(permanent());
        let failed = &world.operations[&asked.id];
        assert_eq!(failed.state, OperationState::Failed);
        assert!(!failed.escalated, "{mode:?}");
    }
}

#[test]
fn severity_orders_after_priority() {
    let raised = [("api down", High), ("db down", Critical)];
    assert_eq!(order(World::new(usual()), &raised), ["db", "api"]);
    let less_urgent = TargetSpec {
        priority: 9,
        ..target("db")
    };
    let config = spec(vec![target("api"), less_urgent], vec![route()]);
    assert_eq!(order(World::new(config), &raised), ["api", "db"]);
    let raised = [("db down", High), ("api down", High)];
    assert_eq!(order(World::new(usual()), &raised), ["db", "api"]);
}

#[test]
fn a_more_severe_failure_goes_between_the_attempts_of_the_lesser() {
    let mut world = World::new(usual());
    world.raise("api slow", Medium);
    world.answer(retryable());
    world.pass(10);
    world.raise("api down", High);
    assert_eq!(world.called(), ["api down"]);
    // The lesser one is due, and waits for the end of the other.
    world.wait(1_000);
    assert_eq!((world.stage("api slow"), world.looks.len()), ("resting", 0));
    world.recover_it();
    assert_eq!(world.stage("api slow"), "looking");
}

#[test]
fn a_failure_that_is_no_more_severe_waits_for_the_last_attempt() {
    let mut world = World::new(usual());
    world.raise("api slow", High);
    world.answer(retryable());
    world.pass(10);
    world.raise("api down", High);
    assert_eq!(
        (world.stage("api down"), world.calls.len()),
        ("scheduled", 0)
    );
    world.wait(1_000);
    world.see(LookResult::Failing);
    world.recover_it();
    assert_eq!(world.stage("api down"), "looking");
}

#[test]
fn one_that_rests_keeps_the_lesser_out_also_after_a_more_severe_one_went_between() {
    let mut world = World::new(usual());
    world.raise("api slow", High);
    world.answer(retryable());
    world.pass(10);
    world.raise("api down", Critical);
    world.recover_it();
    world.raise("api dusty", Low);
    assert_eq!(
        (world.stage("api slow"), world.stage("api dusty")),
        ("resting", "scheduled")
    );
}

#[test]
fn one_that_rests_is_as_severe_as_it_has_become() {
    let mut world = World::new(usual());
    world.raise("api slow", Medium);
    world.answer(retryable());
    world.pass(10);
    world.raise("api slow", Critical);
    world.raise("api down", High);
    assert_eq!(
        (world.stage("api slow"), world.stage("api down")),
        ("resting", "scheduled")
    );
}

#[test]
fn one_that_rests_keeps_the_lesser_out_also_after_a_restart() {
    let mut world = World::new(usual());
    world.raise("api slow", High);
    world.answer(retryable());
    world.raise("api dusty", Low);
    assert_eq!(world.stage("api dusty"), "scheduled");
    world.restart(10);
    assert_eq!(
        (world.stage("api slow"), world.stage("api dusty")),
        ("resting", "scheduled")
    );
}

#[test]
fn a_target_waits_for_the_recovery_of_what_it_depends_on() {
    let api = TargetSpec {
        depends_on: vec![target("db").name],
        ..target("api")
    };
    let mut world = World::new(spec(vec![api, target("db")], vec![route()]));
    world.raise("db down", Low);
    world.raise("api down", Critical);
    assert_eq!(world.called(), ["db down"]);
    world.answer(done());
    world.pass(10);
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "looking");
}
