//! What an operation does from a detection to its end.

use super::{
    super::{Input, LookResult, Reply, Verb},
    fixtures::{
        BEGIN, done, missing, needs_operator, permanent, plugin, retryable, route, spec, step,
        target, usual, with_route,
    },
    world::World,
};
use crate::{
    event::EventKind,
    operation::{Mode, Operation, OperationState},
    severity::Severity::{Critical, High, Low},
    spec::RouteSpec,
};
use std::time::Duration;

/// `first`, then `second`.
pub(super) fn two_steps() -> RouteSpec {
    RouteSpec {
        chain: vec![step("first"), step("second")],
        ..route()
    }
}

/// Trap 6 of the seeds' systems: only what is critical was ever recovered, one after the other, and history lived in memory.
#[test]
fn trap_6_what_is_low_is_recovered_beside_what_is_critical_and_both_stay_on_record() {
    let mut world = World::new(spec(vec![target("a"), target("b")], vec![route()]));
    world.raise("a down", Low);
    world.raise("b down", Critical);
    assert_eq!(world.called(), ["a down", "b down"]);
    world.restart(1_000);
    let severities = world.operations.values().map(|one| one.severity);
    assert_eq!(severities.collect::<Vec<_>>(), [Low, Critical]);
}

#[test]
fn detection_is_once_per_incident_over_all_its_operations() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    assert_eq!(
        world.calls[0].request.remaining,
        Some(Duration::from_secs(300))
    );
    world.pass(10_000);
    world.recover_it();
    world.pass(5_000);
    world.raise("api down", High);
    let request = &world.calls[0].request;
    assert_eq!(request.detected_at, BEGIN);
    // It was healthy for five seconds, which count against no objective.
    assert_eq!(request.remaining, Some(Duration::from_secs(290)));
    world.pass(291_000);
    world.recover_it();
    let taken: Vec<_> = world
        .operations
        .values()
        .map(|one| (one.recovery_ms, one.rto_exceeded))
        .collect();
    assert_eq!(taken, [(Some(10_000), false), (Some(301_000), true)]);
}

#[test]
fn an_exit_ends_a_validation_at_once() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(done());
    assert_eq!(world.stage("api down"), "validating");
    world.exit("api");
    assert_eq!(world.stage("api down"), "resting");
    assert_eq!(world.waits("api down"), Duration::from_secs(1));
    // What was asked before the exit says nothing about what is now.
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "resting");
}

#[test]
fn what_passed_before_an_exit_says_nothing_after_it() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(done());
    // The process runs for a moment, and is gone again.
    world.clear("api down");
    world.exit("api");
    assert_eq!(world.stage("api down"), "resting");
}

#[test]
fn what_a_later_look_finds_again_is_not_over() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(done());
    // It passes for a moment, and fails again before anybody raises it anew.
    world.clear("api down");
    world.see(LookResult::Failing);
    while world.stage("api down") == "validating" {
        world.wait(1_000);
        world.see(LookResult::Failing);
    }
    assert_eq!(
        world.stage("api down"),
        "resting",
        "the attempt did not help"
    );
}

#[test]
fn what_is_queued_looks_afresh_before_it_acts() {
    for (seen, stage, calls) in [
        (LookResult::Healthy, "watched", 0),
        (LookResult::Failing, "calling", 1),
    ] {
        let mut world = World::new(usual());
        world.raise("api down", High);
        world.answer(retryable());
        world.wait(1_000);
        assert_eq!((world.stage("api down"), world.calls.len()), ("looking", 0));
        world.see(seen);
        assert_eq!((world.stage("api down"), world.calls.len()), (stage, calls));
    }
}

#[test]
fn a_permanent_failure_lets_the_chain_go_on_and_its_step_is_not_called_again() {
    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    world.answer(permanent());
    assert_eq!(world.calls[0].handler, plugin("second"));
    world.answer(retryable());
    world.wait(1_000);
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].handler, plugin("second"));
    assert_eq!(world.calls[0].request.attempt, 2);
}

#[test]
fn a_chain_of_which_every_step_is_permanent_fails_at_once() {
    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    world.answer(permanent());
    world.answer(permanent());
    assert_eq!(world.stage("api down"), "scheduled");
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
}

#[test]
fn a_missing_handler_fails_at_once_and_one_that_comes_back_ends_the_pause() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(missing());
    let states: Vec<_> = world.operations.values().map(|one| one.state).collect();
    assert_eq!(states, [OperationState::Failed, OperationState::Scheduled]);
    assert_eq!(world.waits("api down"), Duration::from_secs(1));
    world.pass(10);
    world.input(Input::Serves(plugin("another")));
    assert_eq!(world.stage("api down"), "scheduled");
    world.input(Input::Serves(plugin("fix")));
    assert_eq!(world.stage("api down"), "looking");
}

#[test]
fn a_dry_run_says_what_a_recovery_would_do_and_makes_the_attempt_that_it_would_make() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    world.wait(1_000);
    world.raise("api down", High);
    world.answer(retryable());
    let Reply::Operation(asked) = world.ask_for("api down", true) else {
        panic!("it is planned");
    };
    let planned = world.calls[0].request.attempt;
    world.answer(done());
    let dry = &world.operations[&asked.id];
    let planned_only = "step 1, fix, was only planned [dry-run]";
    assert_eq!(dry.actions, ["would restart", planned_only]);
    assert_eq!(dry.recovery_ms, None);
    let said = world.events.iter();
    let said = said.filter(|event| event.operation.as_ref() == Some(&asked.id));
    for event in said {
        assert!(event.message.contains("dry run"), "{}", event.message);
    }
    world.ask_for("api down", false);
    assert_eq!(world.calls[0].request.attempt, planned);
    assert_eq!(planned, 3);
}

#[test]
fn a_dry_run_holds_nothing_back() {
    let mut world = World::new(usual());
    world.ask_for("api down", true);
    world.raise("api down", High);
    assert_eq!((world.stage("api down"), world.calls.len()), ("calling", 2));
    assert!(world.calls[0].request.dry_run && !world.calls[1].request.dry_run);
    world.answer(done());
    let is_planned = |one: &&Operation| one.dry_run && one.state == OperationState::Succeeded;
    assert_eq!(world.operations.values().filter(is_planned).count(), 1);
    assert_eq!(world.stage("api down"), "calling");
}

/// A dry run of what is automatic, where its route says so.
#[test]
fn a_route_that_only_simulates_plans_once_and_leaves_the_failure_to_people() {
    let simulating = || {
        with_route(RouteSpec {
            simulate: true,
            ..route()
        })
    };
    let mut world = World::new(simulating());
    world.raise("api down", High);
    let request = &world.calls[0].request;
    assert!(request.dry_run && request.evidence.len() == 1);
    assert_eq!(world.stage("api down"), "unrouted");
    world.answer(done());
    let planned = world.operations.values().next().unwrap();
    assert_eq!(planned.actions[0], "would restart");
    assert_eq!(
        (planned.dry_run, planned.mode, planned.state),
        (true, Mode::Automatic, OperationState::Succeeded)
    );
    world.raise("api down", High);
    world.configure(simulating());
    let told = world.events.iter();
    let told = told.filter(|event| event.kind == EventKind::OperationEscalated);
    assert_eq!((told.count(), world.operations.len()), (1, 1));
    // A person has it recovered all the same.
    world.ask_for("api down", false);
    assert!(!world.calls[0].request.dry_run);
}

#[test]
fn what_only_simulates_is_planned_for_each_failure_however_many_come_at_once() {
    let mut world = forty_plans();
    assert_eq!(world.calls.len(), 16, "as many as may be under way");
    // What is over before its turn is not planned for.
    world.clear("t39 down");
    while !world.calls.is_empty() {
        assert!(world.calls.len() <= 16);
        world.answer(done());
    }
    assert_eq!(ended(&world, OperationState::Succeeded), 39);
}

/// Forty failures, of `t0 down` to `t39 down`, for which it is only planned.
fn forty_plans() -> World {
    let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let targets = names.iter().map(|name| target(name)).collect();
    let simulating = RouteSpec {
        simulate: true,
        ..route()
    };
    let mut world = World::new(spec(targets, vec![simulating]));
    for name in &names {
        world.raise(&format!("{name} down"), High);
    }
    world
}

/// How many dry runs have ended so.
fn ended(world: &World, state: OperationState) -> usize {
    let planned = world.operations.values();
    let planned = planned.filter(|one| one.dry_run && one.state == state);
    planned.count()
}

#[test]
fn what_one_daemon_has_not_planned_the_next_one_does_and_only_that() {
    let mut world = forty_plans();
    world.answer(done());
    world.clear("t39 down");
    world.restart(1_000);
    while !world.calls.is_empty() {
        assert!(world.calls.len() <= 16);
        world.answer(done());
    }
    // One of them was planned before, and of one the failure is over.
    assert_eq!(ended(&world, OperationState::Succeeded), 39);
    assert_eq!(ended(&world, OperationState::Cancelled), 15 + 1);
    world.restart(1_000);
    assert!(world.calls.is_empty());
    assert!(world.operations.values().all(|one| one.state.is_final()));
}

#[test]
fn a_plan_that_the_end_of_the_daemon_cuts_off_between_two_steps_is_made_by_the_next() {
    let mut world = World::new(with_route(RouteSpec {
        simulate: true,
        ..two_steps()
    }));
    world.raise("api down", High);
    world.input(Input::Stop);
    world.raise("db down", High);
    world.answer(done());
    assert_eq!((world.calls.len(), world.machine.calls()), (0, 0));
    world.restart(10);
    assert_eq!(world.called(), ["api down", "db down"]);
    assert_eq!(world.calls[0].handler, plugin("first"));
}

#[test]
fn a_plan_that_ends_the_daemon_again_and_again_is_not_made_for_ever() {
    let mut world = World::new(with_route(RouteSpec {
        simulate: true,
        ..route()
    }));
    world.raise("api down", High);
    for _ in 0..2 {
        world.restart(10);
        assert_eq!(world.called(), ["api down"]);
    }
    world.restart(10);
    assert!(world.calls.is_empty());
    assert_eq!(ended(&world, OperationState::Cancelled), 3);
}

#[test]
fn a_person_cancels_a_plan_that_waits() {
    let mut world = forty_plans();
    let waiting = world.operations.values();
    let mut waiting = waiting.filter(|one| one.state == OperationState::Scheduled);
    let id = waiting.next().unwrap().id.clone();
    let reply = world.decide(Verb::Cancel, &id);
    let Reply::Operation(cancelled) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(cancelled.state, OperationState::Cancelled);
    while !world.calls.is_empty() {
        world.answer(done());
    }
    assert_eq!(ended(&world, OperationState::Succeeded), 39);
}

#[test]
fn a_person_gets_a_dry_run_while_those_of_many_failures_wait() {
    let mut world = forty_plans();
    let reply = world.ask_for("t0 down", true);
    assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");
    world.answer(done());
    let reply = world.ask_for("t0 down", true);
    assert!(matches!(reply, Reply::Operation(_)), "{reply:?}");
    while !world.calls.is_empty() {
        assert!(world.calls.len() <= 16);
        world.answer(done());
    }
    assert_eq!(ended(&world, OperationState::Succeeded), 41);
}

#[test]
fn what_is_recovered_when_its_route_begins_to_simulate_is_left_to_people() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(retryable());
    assert_eq!(world.stage("api down"), "resting");
    world.configure(with_route(RouteSpec {
        simulate: true,
        ..route()
    }));
    world.wait(60_000);
    assert_eq!(world.stage("api down"), "unrouted");
    assert_eq!(world.calls.len(), 0);
    let failed = world.operations.values().next().unwrap();
    assert_eq!(failed.state, OperationState::Failed);
    assert_eq!(
        failed.error.as_deref(),
        Some("its route only simulates by now")
    );
}

#[test]
fn what_is_done_is_in_the_journal_before_the_next_step_is_called() {
    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    world.answer(done());
    assert_eq!(world.calls[0].handler, plugin("second"));
    let written = world.operations.values().next().unwrap();
    assert_eq!(written.actions, ["restarted"]);
}

#[test]
fn asking_when_to_wake_changes_nothing() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(retryable());
    world.pass(1_000);
    // The driver's clock has gone on since the last input.
    world.machine.wakes_at();
    world.machine.audit().unwrap();
    world.input(Input::Tick);
    assert_eq!(world.stage("api down"), "looking");
}

#[test]
fn what_is_over_during_a_call_is_not_kept_open_by_a_pause() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.pause(Some("api"), true);
    world.clear("api down");
    world.answer(retryable());
    assert_eq!(world.stage("api down"), "watched");
    assert!(!world.incident("api down").state.is_open());
}

#[test]
fn nobody_is_asked_about_what_is_over() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.clear("api down");
    world.answer(needs_operator());
    assert_eq!(world.stage("api down"), "watched");
    assert_eq!(world.count(EventKind::OperationAwaitingManual), 0);
}

#[test]
fn a_validation_ends_with_its_time() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(done());
    world.pass(4_999);
    world.see(LookResult::Failing);
    assert_eq!(world.stage("api down"), "validating");
    world.wait(1);
    world.see(LookResult::Failing);
    assert_eq!(world.stage("api down"), "resting");
}
