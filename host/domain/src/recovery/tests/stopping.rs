//! What the machine does when the daemon ends.

use super::{
    super::{Input, LookResult, Refusal, Reply},
    fixtures::{done, key, plugin, retryable, route, spec, target, usual, with_route},
    stories::two_steps,
    world::World,
};
use crate::{operation::OperationState, severity::Severity::High, spec::RouteSpec};

/// A world in which `api down` is called and the daemon is to stop.
fn stopping() -> World {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.input(Input::Stop);
    world
}

#[test]
fn nothing_is_begun_and_no_look_is_asked_for() {
    let slow = RouteSpec {
        failure: Some(key("db slow").failure),
        ..route()
    };
    let spec = spec(vec![target("api"), target("db")], vec![slow, route()]);
    let mut world = World::new(spec);
    world.raise("api down", High);
    world.input(Input::Stop);
    world.raise("db down", High);
    world.ask_for("db slow", false);
    world.answer(done());
    world.wait(60_000);
    assert!(world.calls.is_empty() && world.looks.is_empty());
    assert_eq!(world.stage("db down"), "scheduled");
    assert_eq!(world.machine.wakes_at(), None);
}

#[test]
fn a_look_that_was_asked_for_begins_no_attempt() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(retryable());
    world.wait(1_000);
    world.input(Input::Stop);
    world.see(LookResult::Failing);
    assert!(world.calls.is_empty());
    world.restart(10);
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].request.attempt, 2);
}

#[test]
fn a_look_that_was_asked_for_may_say_that_it_is_recovered() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(done());
    world.input(Input::Stop);
    world.see(LookResult::Healthy);
    let states: Vec<_> = world.operations.values().map(|one| one.state).collect();
    assert_eq!(states, [OperationState::Succeeded]);
}

#[test]
fn what_a_call_answers_meanwhile_is_kept_for_the_next_daemon() {
    let mut world = stopping();
    world.answer(retryable());
    world.restart(10);
    assert_eq!(world.stage("api down"), "resting");
    world.wait(990);
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].request.attempt, 2);

    let mut world = stopping();
    world.answer(done());
    world.restart(10);
    assert_eq!(world.stage("api down"), "validating");
    let written = world.operations.values().next().unwrap();
    assert_eq!((written.actions.len(), written.interruptions), (1, 0));
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
}

#[test]
fn the_next_step_of_a_chain_is_for_the_next_daemon() {
    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    world.input(Input::Stop);
    world.answer(done());
    assert!(world.calls.is_empty());
    assert_eq!(world.machine.calls(), 0);
    world.restart(10);
    let written = world.operations.values().next().unwrap();
    assert_eq!((written.actions.len(), written.interruptions), (1, 0));
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].request.attempt, 1);
    assert_eq!(
        world.calls[0].handler,
        plugin("second"),
        "the first is done"
    );
    world.answer(done());
    assert_eq!(world.stage("api down"), "validating");
}

#[test]
fn it_is_idle_when_the_last_call_has_its_answer() {
    let mut world = stopping();
    assert_ne!(world.machine.calls(), 0);
    world.answer(done());
    assert_eq!(world.machine.calls(), 0);
}

#[test]
fn a_dry_run_is_for_the_next_daemon() {
    let mut world = stopping();
    let reply = world.ask_for("db down", true);
    assert!(
        matches!(reply, Reply::Refused(Refusal::Conflict(_))),
        "{reply:?}"
    );
    assert_eq!(world.calls.len(), 1);
}
