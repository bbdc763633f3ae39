//! What is validated while the process of its target does not run.

use super::{
    super::LookResult,
    fixtures::{done, retryable, route, spec, target, usual, with_route},
    world::World,
};
use crate::{
    event::EventKind,
    jitter::Jitter,
    name::{CheckName, FailureType},
    operation::OperationState,
    severity::Severity::{self, Critical, High},
    spec::{CheckKind, CheckSpec, RouteSpec, Spec, Strategy},
};
use std::{num::NonZeroU32, time::Duration};

/// Whether the disk has room, which no process says.
fn disk_check() -> CheckSpec {
    CheckSpec {
        name: CheckName::parse("disk").unwrap(),
        kind: CheckKind::Disk {
            path: "/".into(),
            max_percent: 95.0,
            warn_percent: None,
        },
        every: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        fail_after: 1,
        fail_of: None,
        recover_after: 1,
        jitter: Duration::ZERO,
        failure: FailureType::parse("disk-full").unwrap(),
        severity: Severity::High,
    }
}

#[test]
fn an_exit_says_nothing_of_a_failure_that_is_seen_without_the_process() {
    let mut api = target("api");
    api.checks = vec![disk_check()];
    let mut world = World::new(spec(vec![api], vec![route()]));
    world.raise("api disk-full", Critical);
    world.answer(done());
    world.exit("api");
    assert_eq!(world.stage("api disk-full"), "validating");
    world.see(LookResult::Healthy);
    let states = world.operations.values().map(|one| one.state);
    assert_eq!(states.collect::<Vec<_>>(), [OperationState::Succeeded]);
}

#[test]
fn what_is_seen_without_the_process_holds_up_nobody_who_starts_it() {
    let mut api = target("api");
    api.checks = vec![disk_check()];
    let mut world = World::new(spec(vec![api], vec![route()]));
    world.raise("api disk-full", High);
    world.answer(done());
    world.exit("api");
    world.raise("api down", High);
    assert_eq!(world.stage("api down"), "scheduled");
    world.see(LookResult::Failing);
    let stages = (world.stage("api disk-full"), world.stage("api down"));
    assert_eq!(stages, ("validating", "calling"));
    world.answer(done());
    world.see(LookResult::Healthy);
    world.wait(1_000);
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api disk-full"), "watched");
}

/// So many attempts, ten seconds apart.
fn attempts(max_attempts: u32) -> RouteSpec {
    let apart = Duration::from_secs(10);
    RouteSpec {
        strategy: Strategy::Exponential {
            max_attempts,
            initial_delay: apart,
            multiplier: 1.0,
            max_delay: apart,
            delay_first: false,
            jitter: Jitter::None,
        },
        ..route()
    }
}

/// The only attempt at `api corrupt` is done, and its process waits to be started by the operation of `api down`.
fn mended_while_down() -> World {
    mended_while_down_of(with_route(attempts(1)))
}

fn mended_while_down_of(spec: Spec) -> World {
    let mut world = World::new(spec);
    world.raise("api corrupt", Critical);
    world.raise("api down", High);
    assert_eq!(world.stage("api down"), "scheduled");
    world.answer(done());
    world.see(LookResult::Down);
    let stages = (world.stage("api corrupt"), world.stage("api down"));
    assert_eq!(stages, ("validating", "calling"));
    world
}

#[test]
fn what_is_mended_while_the_process_is_down_is_judged_when_another_operation_has_started_it() {
    let mut world = mended_while_down();
    world.answer(done());
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
    world.wait(1_000);
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api corrupt"), "watched");
    let ended = world.operations.values();
    let ended: Vec<_> = ended.map(|one| (one.state, one.attempts)).collect();
    assert_eq!(ended, [(OperationState::Succeeded, 1); 2]);
    assert_eq!(world.count(EventKind::OperationEscalated), 0);
}

#[test]
fn what_is_mended_did_not_help_where_the_process_ends_again_or_the_time_is_over() {
    let mut world = mended_while_down();
    world.answer(done());
    world.exit("api");
    assert_eq!(world.count(EventKind::OperationPartial), 2);

    let mut world = mended_while_down();
    world.wait(5_000);
    world.see(LookResult::Down);
    assert_eq!(world.count(EventKind::OperationPartial), 1);
    assert_eq!(world.stage("api down"), "calling");
}

#[test]
fn who_gave_way_has_the_turn_again_before_others_of_its_target_and_of_the_host() {
    let mut spec = with_route(attempts(1));
    spec.policy.host.concurrent = NonZeroU32::new(1);
    let mut world = mended_while_down_of(spec);
    let others = |world: &World| [world.stage("api stuck"), world.stage("db down")];
    world.raise("api stuck", High);
    world.raise("db down", High);
    world.answer(done());
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
    assert_eq!(world.stage("api corrupt"), "validating");
    assert_eq!(others(&world), ["scheduled"; 2]);
    world.wait(1_000);
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api corrupt"), "watched");
    assert_ne!(others(&world), ["scheduled"; 2]);
}

#[test]
fn who_gave_way_and_ended_has_no_turn_any_more() {
    let mut world = mended_while_down();
    world.exit("api");
    assert_ne!(world.stage("api corrupt"), "validating");
    // Else the target would be busy for ever, which the audit sees.
    world.answer(done());
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
}

#[test]
fn the_next_daemon_looks_on_and_lets_the_other_operation_begin() {
    let mut world = mended_while_down();
    world.restart(1_000);
    assert_eq!(world.stage("api corrupt"), "validating");
    world.see(LookResult::Down);
    assert_eq!(world.stage("api down"), "looking");
}

#[test]
fn a_process_that_nobody_else_starts_in_time_ends_the_attempt_at_once() {
    let mut world = World::new(usual());
    world.raise("api corrupt", Critical);
    world.answer(done());
    world.see(LookResult::Down);
    assert_eq!(world.stage("api corrupt"), "resting");

    // The other one begins its next attempt when the five seconds of this one are over.
    let mut world = World::new(with_route(attempts(3)));
    world.raise("api down", High);
    world.answer(retryable());
    world.raise("api corrupt", Critical);
    world.answer(done());
    world.see(LookResult::Down);
    assert_eq!(world.stage("api corrupt"), "resting");
}
