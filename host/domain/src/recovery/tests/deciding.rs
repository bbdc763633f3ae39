//! What a plugin decides in place of a route's own strategy.

use super::{
    super::{Input, LookResult, Verb},
    fixtures::{plugin, retryable, route, with_route},
    world::World,
};
use crate::{
    call::NextStep,
    event::EventKind,
    operation::{Operation, OperationState},
    severity::Severity::High,
    spec::{DeciderSpec, RouteSpec},
};
use semver::VersionReq;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A world in which the first attempt for `api down` has failed, and a plugin is asked what comes next.
fn asked() -> World {
    let mut world = World::new(with_route(RouteSpec {
        decider: Some(DeciderSpec {
            plugin: plugin("decides"),
            version: VersionReq::STAR,
            params: serde_json::json!({ "a": 1 }),
        }),
        ..route()
    }));
    world.raise("api down", High);
    world.answer(retryable());
    world
}

/// The oldest question is answered.
fn say(world: &mut World, next: Result<NextStep, &str>) {
    let asked = world.asked.remove(0);
    let next = next.map_err(str::to_owned);
    world.input(Input::Decided(asked.operation, asked.attempt, next));
}

fn operation(world: &World) -> Operation {
    world.operations.values().next().unwrap().clone()
}

#[test]
fn a_plugin_is_told_of_the_failed_attempts_and_says_how_long_is_waited() {
    let mut world = asked();
    let situation = &world.asked[0].situation;
    assert_eq!(situation.params, serde_json::json!({ "a": 1 }));
    let numbers: Vec<u32> = situation.attempts.iter().map(|one| one.number).collect();
    assert_eq!(numbers, [1]);
    assert!(situation.attempts[0].error.contains("not yet"));
    assert_eq!(world.count(EventKind::OperationRetrying), 0);

    say(&mut world, Ok(NextStep::AttemptAfter(5 * SECOND)));
    assert_eq!(world.count(EventKind::OperationRetrying), 1);
    assert_eq!(world.waits("api down"), 5 * SECOND);
    world.attempt_again();
    assert_eq!(world.calls[0].request.attempt, 2);
    world.answer(retryable());
    let numbers: Vec<u32> = world.asked[0]
        .situation
        .attempts
        .iter()
        .map(|one| one.number)
        .collect();
    assert_eq!(numbers, [1, 2]);
    say(&mut world, Ok(NextStep::AttemptAfter(Duration::MAX)));
    assert_eq!(world.waits("api down"), NextStep::LONGEST_WAIT);
}

#[test]
fn where_a_plugin_gives_no_answer_the_routes_own_strategy_decides() {
    let mut world = asked();
    say(&mut world, Err("it trapped"));
    assert_eq!(world.waits("api down"), SECOND);
    assert_eq!(world.count(EventKind::OperationRetrying), 1);
    world.attempt_again();
    assert_eq!(world.calls[0].request.attempt, 2);

    // Nobody waits for one that says nothing, and what it says too late is nothing.
    let mut world = asked();
    let asked = world.asked.remove(0);
    world.wait(10_000);
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].request.attempt, 2);
    let late = NextStep::GiveUp("too late".to_owned());
    world.input(Input::Decided(asked.operation, asked.attempt, Ok(late)));
    assert_eq!(world.stage("api down"), "calling");
}

#[test]
fn a_plugin_is_not_asked_after_the_last_attempt() {
    let mut world = asked();
    for _ in 0..2 {
        say(&mut world, Ok(NextStep::AttemptAfter(SECOND)));
        world.attempt_again();
        world.answer(retryable());
    }
    assert!(world.asked.is_empty());
    assert_eq!(operation(&world).state, OperationState::Failed);
    assert_eq!(operation(&world).attempts, 3);
}

#[test]
fn a_plugin_that_asks_for_a_person_has_one_decide() {
    let mut world = asked();
    say(
        &mut world,
        Ok(NextStep::Escalate("it is the disk".to_owned())),
    );
    let waits = operation(&world);
    assert_eq!(waits.state, OperationState::AwaitingManual);
    assert!(waits.error.unwrap().contains("it is the disk"));
    assert!(!waits.steps.is_empty());
    world.decide(Verb::Approve, &waits.id);
    assert_eq!(world.calls[0].request.attempt, 2);
}

#[test]
fn a_plugin_that_gives_up_ends_the_operation_as_the_last_attempt_does() {
    let mut world = asked();
    let id = world.asked[0].operation.clone();
    let why = "it will not help".to_owned();
    say(&mut world, Ok(NextStep::GiveUp(why)));
    // Another round has its own operation.
    let ended = world.operations[&id].clone();
    assert_eq!((ended.state, ended.attempts), (OperationState::Failed, 1));
    assert!(
        ended
            .error
            .unwrap()
            .ends_with("its strategy gives up: it will not help")
    );
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
}

#[test]
fn a_wait_that_a_plugin_chose_outlives_a_reload_and_a_restart() {
    let mut world = asked();
    say(&mut world, Ok(NextStep::AttemptAfter(60 * SECOND)));
    let spec = world.spec.clone();
    world.configure(spec);
    assert_eq!(world.waits("api down"), 60 * SECOND);
    world.restart(10_000);
    assert_eq!(world.waits("api down"), 50 * SECOND);
}
