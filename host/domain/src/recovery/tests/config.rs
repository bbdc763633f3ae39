//! What waits follows the config, and what is no longer configured is let go of.

use super::{
    super::LookResult,
    fixtures::{
        done, missing, permanent, plugin, retryable, route, spec, step, target, usual, with_route,
    },
    stories::two_steps,
    world::World,
};
use crate::{
    event::EventKind,
    incident::IncidentState,
    jitter::Jitter,
    severity::Severity::{Critical, High},
    spec::{RestartPolicy, RouteSpec, Spec, Strategy},
};
use std::time::Duration;

/// What the last event of this kind says.
fn said(world: &World, kind: EventKind) -> String {
    let mut events = world.events.iter().rev();
    let event = events.find(|event| event.kind == kind);
    event.expect("there was one").message.clone()
}

fn without_api() -> Spec {
    spec(vec![target("db")], vec![route()])
}

#[test]
fn what_is_no_longer_configured_is_not_said_to_be_healthy() {
    for tried in [false, true] {
        let mut world = World::new(usual());
        match tried {
            true => {
                world.raise("api down", High);
                world.answer(retryable());
            }
            false => {
                world.pause(None, true);
                world.raise("api down", High);
            }
        }
        world.configure(without_api());
        assert_eq!(world.stage("api down"), "none");
        let said = said(&world, EventKind::IncidentClosed);
        assert!(
            said.contains("no longer in the config"),
            "tried: {tried}: {said}"
        );
    }
}

#[test]
fn what_is_watched_and_no_longer_configured_is_not_said_to_stay_healthy() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    world.pass(2_000);
    world.raise("api down", High);
    world.recover_it();
    assert!(world.incident("api down").state.is_open());
    world.configure(without_api());
    let said = said(&world, EventKind::IncidentClosed);
    assert!(!said.contains("stays healthy"), "{said}");
}

#[test]
fn what_runs_when_its_target_is_taken_out_ends_with_its_call_and_alarms_nobody() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.configure(without_api());
    assert_eq!(world.stage("api down"), "calling");
    let scheduled = world.count(EventKind::OperationScheduled);
    world.answer(permanent());
    assert_eq!(world.stage("api down"), "none");
    assert_eq!(world.count(EventKind::OperationScheduled), scheduled);
    assert_eq!(world.count(EventKind::OperationEscalated), 0);
}

#[test]
fn an_unrouted_failure_gets_the_route_that_comes() {
    let only_critical = RouteSpec {
        severity: Some(Critical),
        ..route()
    };
    let mut world = World::new(with_route(only_critical));
    world.raise("api down", High);
    assert_eq!(world.incident("api down").state, IncidentState::Escalated);
    world.pass(10);
    world.configure(usual());
    world.see(LookResult::Failing);
    assert_eq!(world.stage("api down"), "calling");
}

#[test]
fn a_cooldown_and_a_back_off_follow_a_changed_config() {
    let cooling = |seconds| RouteSpec {
        cooldown: Duration::from_secs(seconds),
        relapse_window: Duration::ZERO,
        ..route()
    };
    let mut world = World::new(with_route(cooling(30)));
    world.raise("api down", High);
    world.recover_it();
    world.pass(1_000);
    world.raise("api down", High);
    assert_eq!(world.waits("api down"), Duration::from_secs(29));
    world.configure(with_route(cooling(5)));
    assert_eq!(world.waits("api down"), Duration::from_secs(4));
    world.configure(with_route(cooling(60)));
    assert_eq!(world.waits("api down"), Duration::from_secs(59));
    world.pass(10);
    world.configure(with_route(cooling(0)));
    assert_eq!(world.stage("api down"), "looking");
}

#[test]
fn the_delay_before_an_attempt_follows_a_changed_config_and_counts_from_the_attempt_before() {
    let mut world = World::new(usual());
    let linear = |initial| RouteSpec {
        strategy: Strategy::Linear {
            max_attempts: 3,
            initial_delay: Duration::from_millis(initial),
            max_delay: Duration::from_secs(8),
            delay_first: false,
            jitter: Jitter::None,
        },
        ..route()
    };
    world.raise("api down", High);
    world.answer(retryable());
    world.pass(100);
    world.configure(with_route(linear(5_000)));
    assert_eq!(world.waits("api down"), Duration::from_millis(4_900));
    world.configure(with_route(linear(200)));
    assert_eq!(world.waits("api down"), Duration::from_millis(100));
    // Another daemon does not know when that was, and makes no wait longer.
    world.restart(0);
    world.configure(with_route(linear(5_000)));
    assert_eq!(world.waits("api down"), Duration::from_millis(100));
}

#[test]
fn a_flapping_target_waits_no_longer_for_a_config_that_comes_meanwhile() {
    let mut world = World::new(with_route(RouteSpec {
        relapse_window: Duration::ZERO,
        ..route()
    }));
    for _ in 0..5 {
        world.raise("api down", High);
        world.recover_it();
        world.pass(10);
    }
    world.raise("api down", High);
    assert_eq!(world.waits("api down"), Duration::from_secs(1));
    world.pass(500);
    world.configure(world.spec.clone());
    assert_eq!(world.waits("api down"), Duration::from_millis(500));
}

#[test]
fn of_a_flapping_target_that_is_taken_out_and_brought_back_the_end_is_told_once() {
    let usual = with_route(RouteSpec {
        relapse_window: Duration::ZERO,
        ..route()
    });
    let mut world = World::new(usual.clone());
    for _ in 0..5 {
        world.raise("api down", High);
        world.recover_it();
        world.pass(10);
    }
    world.raise("api down", High);
    assert_eq!(world.count(EventKind::CircuitFlapping), 1);
    assert_eq!(world.count(EventKind::CircuitSteady), 0);
    world.configure(without_api());
    assert_eq!(world.count(EventKind::CircuitSteady), 1);
    let said = said(&world, EventKind::CircuitSteady);
    assert!(said.contains("no longer in the config"), "{said}");
    world.configure(usual);
    world.wait(1_000_000);
    assert_eq!(world.count(EventKind::CircuitSteady), 1);
}

#[test]
fn a_step_that_no_attempt_helps_is_no_step_of_another_chain() {
    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    world.answer(permanent());
    world.answer(retryable());
    world.configure(with_route(RouteSpec {
        chain: vec![step("third"), step("second")],
        ..route()
    }));
    world.wait(1_000);
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].handler, plugin("third"));
}

#[test]
fn a_config_with_fewer_attempts_gives_no_further_one() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(retryable());
    world.pass(10);
    world.configure(with_route(RouteSpec {
        strategy: Strategy::Immediate { max_attempts: 1 },
        ..route()
    }));
    world.pass(1_000);
    if !world.looks.is_empty() {
        world.see(LookResult::Failing);
    }
    assert!(world.calls.is_empty());
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
}

#[test]
fn a_config_that_changes_nothing_writes_nothing() {
    let mut world = World::new(usual());
    world.pause(Some("api"), true);
    world.raise("api down", High);
    world.raise("db down", High);
    world.answer(retryable());
    world.raise("db slow", High);
    world.pass(300);
    let outcome = world.configure(usual());
    assert!(outcome.writes.is_empty(), "{:?}", outcome.writes);
}

/// Also where the severity, and not the config, is what changed.
#[test]
fn a_route_that_asks_a_person_asks_whoever_waits() {
    let manual = |severity| RouteSpec {
        severity,
        strategy: Strategy::Manual { max_attempts: 1 },
        ..route()
    };
    let both = || spec(vec![target("api")], vec![route(), manual(Some(Critical))]);
    for by_config in [true, false] {
        let mut world = World::new(match by_config {
            true => usual(),
            false => both(),
        });
        world.pause(None, true);
        world.raise("api down", High);
        match by_config {
            true => drop(world.configure(with_route(manual(None)))),
            false => drop(world.raise("api down", Critical)),
        }
        world.pass(10);
        world.pause(None, false);
        if !world.looks.is_empty() {
            world.see(LookResult::Failing);
        }
        assert!(world.calls.is_empty(), "by config: {by_config}");
        assert_eq!(world.stage("api down"), "asking", "by config: {by_config}");
    }
}

/// Also where the next daemon is the first to know of it.
#[test]
fn what_waits_when_the_end_of_its_process_is_left_to_people_is_not_recovered() {
    let left = || {
        let mut api = target("api");
        api.process.as_mut().unwrap().restart = RestartPolicy::Never;
        spec(vec![api], vec![route()])
    };
    for (tried, restarts) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = World::new(usual());
        match tried {
            true => {
                world.raise("api down", High);
                world.answer(retryable());
            }
            false => {
                world.pause(None, true);
                world.raise("api down", High);
            }
        }
        match restarts {
            true => {
                world.spec = left();
                world.restart(0);
            }
            false => drop(world.configure(left())),
        }
        world.wait(1_000);
        if !tried {
            world.pause(None, false);
        }
        let story = format!("tried: {tried}, restarts: {restarts}");
        assert!(
            world.calls.is_empty() && world.looks.is_empty(),
            "{story}: {:?} {:?}",
            world.calls,
            world.looks
        );
        assert_eq!(world.stage("api down"), "unrouted", "{story}");
        assert_eq!(world.count(EventKind::OperationEscalated), 1, "{story}");
        assert_eq!(
            world.incident("api down").state,
            IncidentState::Escalated,
            "{story}"
        );
    }
}

#[test]
fn a_call_goes_on_with_the_route_that_it_began_with() {
    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    world.configure(usual());
    world.answer(done());
    assert_eq!(world.calls[0].handler, plugin("second"));
}

#[test]
fn a_chain_that_no_longer_names_the_handler_that_was_missing_is_tried_at_once() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    for _ in 0..4 {
        world.answer(missing());
        world.attempt_again();
    }
    world.answer(missing());
    world.pass(10);
    let longer = RouteSpec {
        chain: vec![step("fix"), step("second")],
        ..route()
    };
    world.configure(with_route(longer));
    assert_eq!(world.stage("api down"), "scheduled", "it is missing still");
    let other = RouteSpec {
        chain: vec![step("second")],
        ..route()
    };
    world.configure(with_route(other));
    assert_eq!(world.stage("api down"), "looking");
    assert_eq!(world.incident("api down").missing, None);
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].handler, plugin("second"));
}

#[test]
fn a_chain_that_asks_for_another_version_of_the_handler_that_was_missing_is_tried_at_once() {
    let asking_for = |version: &str| {
        let mut fix = step("fix");
        fix.version = version.parse().unwrap();
        with_route(RouteSpec {
            chain: vec![fix],
            ..route()
        })
    };
    let mut world = World::new(asking_for("^1"));
    world.raise("api down", High);
    for _ in 0..4 {
        world.answer(missing());
        world.attempt_again();
    }
    world.answer(missing());
    world.pass(10);
    world.configure(asking_for("^1"));
    assert_eq!(world.stage("api down"), "scheduled", "it is missing still");
    world.configure(asking_for("^2"));
    assert_eq!(world.stage("api down"), "looking");
    assert_eq!(world.incident("api down").missing, None);
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].version.to_string(), "^2");
}

#[test]
fn what_lost_its_route_while_its_handler_was_missing_follows_the_next_config() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(missing());
    let without = Spec {
        routes: Vec::new(),
        ..usual()
    };
    world.configure(without);
    world.wait(1_000);
    assert_eq!(world.stage("api down"), "unrouted");
    let other = RouteSpec {
        chain: vec![step("second")],
        ..route()
    };
    world.configure(with_route(other));
    assert_eq!(world.stage("api down"), "looking");
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].handler, plugin("second"));
}
