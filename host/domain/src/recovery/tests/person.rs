//! What people ask for and decide.

use super::{
    super::{LookResult, Refusal, Reply, Verb},
    fixtures::{
        decision, done, key, needs_operator, permanent, retryable, route, spec, target, usual,
        with_route,
    },
    stories::two_steps,
    world::World,
};
use crate::{
    event::EventKind,
    operation::{Mode, OperationState},
    severity::Severity::{High, Low},
    spec::{RouteSpec, Strategy},
};

fn conflicts(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused(Refusal::Conflict(_)))
}

/// The state of the operation that a command answers with.
fn state(reply: &Reply) -> OperationState {
    match reply {
        Reply::Operation(operation) => operation.state,
        other => panic!("{other:?}"),
    }
}

/// A world in which the handler of `api down` said what a person has to do.
fn asking() -> World {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(needs_operator());
    world
}

#[test]
fn needs_operator_waits_with_the_steps_of_the_handler_and_an_approval_runs_it_again() {
    let mut world = asking();
    let operation = world.operation("api down");
    assert_eq!(operation.state, OperationState::AwaitingManual);
    assert_eq!(operation.steps, ["plug it in", "press the button"]);
    world.wait(3_600_000);
    assert_eq!((world.stage("api down"), world.calls.len()), ("asking", 0));
    world.decide(Verb::Approve, &operation.id);
    assert_eq!(world.calls[0].request.operation, operation.id);
    assert_eq!(world.calls[0].request.attempt, 2);
    world.recover_it();
    assert_eq!(
        world.operations[&operation.id].state,
        OperationState::Succeeded
    );
    assert_eq!(world.operations[&operation.id].mode, Mode::Manual);
}

#[test]
fn a_rejection_escalates_and_leaves_it_to_people_until_it_is_over() {
    let mut world = asking();
    let id = world.operation("api down").id;
    assert_eq!(
        state(&world.decide(Verb::Reject, &id)),
        OperationState::Cancelled
    );
    assert!(world.operations[&id].escalated);
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    world.wait(3_600_000);
    world.raise("api down", High);
    assert_eq!((world.stage("api down"), world.calls.len()), ("people", 0));
    world.clear("api down");
    assert_eq!(world.stage("api down"), "watched", "people were told");
    world.wait(60_000);
    assert_eq!(world.stage("api down"), "none");
    world.raise("api down", High);
    assert_eq!(world.stage("api down"), "calling");
}

#[test]
fn a_decision_is_about_one_revision_and_a_repeat_is_a_conflict() {
    for verb in [Verb::Approve, Verb::Reject, Verb::Cancel] {
        let mut world = asking();
        let operation = world.operation("api down");
        let (id, now) = (operation.id, operation.revision);
        for other in [now - 1, now + 1] {
            assert!(conflicts(&world.command(decision(verb, &id, Some(other)))));
        }
        assert_eq!(world.stage("api down"), "asking");
        assert!(!conflicts(&world.command(decision(verb, &id, Some(now)))));
        for revision in [Some(now), None] {
            // An approved one runs, and may be cancelled; that is no repeat.
            let repeated = world.command(decision(verb, &id, revision));
            assert!(conflicts(&repeated), "{verb:?} {revision:?}: {repeated:?}");
        }
    }
}

#[test]
fn a_severity_that_a_person_has_not_seen_is_another_revision() {
    let mut world = World::new(usual());
    world.raise("api slow", Low);
    world.answer(needs_operator());
    let operation = world.operation("api slow");
    world.raise("api slow", High);
    let stale = decision(Verb::Approve, &operation.id, Some(operation.revision));
    assert!(conflicts(&world.command(stale)));
}

#[test]
fn one_that_runs_ends_after_its_call_when_it_is_cancelled() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    let id = world.operation("api down").id;
    assert_eq!(
        state(&world.decide(Verb::Cancel, &id)),
        OperationState::InProgress
    );
    assert!(conflicts(&world.decide(Verb::Cancel, &id)));
    world.answer(retryable());
    assert_eq!(world.stage("api down"), "people");
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
}

#[test]
fn that_a_cancel_was_asked_for_is_an_event_and_another_revision_and_stays_on_record() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    let before = world.operation("api down");
    world.decide(Verb::Cancel, &before.id);
    assert_eq!(world.count(EventKind::OperationCancelling), 1);
    let asked = world.operation("api down");
    assert!(asked.revision > before.revision);
    assert_eq!(asked.cancel_asked.as_deref(), Some("cancelled by ann: so"));
    let stale = decision(Verb::Cancel, &before.id, Some(before.revision));
    assert!(conflicts(&world.command(stale)));
    assert_eq!(world.count(EventKind::OperationCancelling), 1);
    world.recover_it();
    let ended = &world.operations[&before.id];
    assert_eq!(ended.state, OperationState::Succeeded);
    assert_eq!(ended.cancel_asked, asked.cancel_asked);
}

#[test]
fn a_dry_run_that_is_cancelled_says_so_too() {
    let mut world = World::new(usual());
    let Reply::Operation(operation) = world.ask_for("api down", true) else {
        panic!("it is begun");
    };
    world.decide(Verb::Cancel, &operation.id);
    assert_eq!(world.count(EventKind::OperationCancelling), 1);
    assert!(world.operations[&operation.id].cancel_asked.is_some());
}

#[test]
fn what_a_person_stopped_says_who_and_how_it_goes_on_and_a_resume_takes_it_up() {
    for verb in [Verb::Reject, Verb::Cancel] {
        for restarts in [false, true] {
            let mut world = asking();
            let id = world.operation("api down").id;
            world.decide(verb, &id);
            if restarts {
                world.restart(10);
            }
            let incident = world.incident("api down");
            let target = incident.target.clone();
            let waits = world.machine.summary_of(&target).waits;
            let said = &waits[&incident.id];
            assert!(said.contains("stopped by hand: ann "), "{said}");
            assert!(said.contains("mainstay resume api"), "{said}");
            world.pause(Some("db"), false);
            assert_eq!(world.stage("api down"), "people", "it is of another target");
            world.pause(Some("api"), false);
            assert_ne!(world.stage("api down"), "people");
            assert!(!world.incident("api down").by_hand);
            assert!(world.machine.summary_of(&target).waits.is_empty());
        }
    }
}

#[test]
fn no_further_step_is_called_for_one_that_is_cancelled() {
    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    let id = world.operation("api down").id;
    world.decide(Verb::Cancel, &id);
    world.answer(done());
    assert!(world.calls.is_empty(), "{:?}", world.calls);
}

#[test]
fn a_cancellation_holds_also_for_the_next_daemon() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    let id = world.operation("api down").id;
    world.decide(Verb::Cancel, &id);
    world.restart(10);
    assert!(
        world.operations[&id].state.is_final(),
        "{:?}",
        world.operations[&id]
    );
    assert_eq!(world.stage("api down"), "people");
}

#[test]
fn a_failure_that_comes_back_was_over_and_is_recovered_also_where_a_person_had_cancelled() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    let id = world.operation("api down").id;
    world.decide(Verb::Cancel, &id);
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
    world.pass(2_000);
    world.raise("api down", High);
    assert_eq!(
        (world.stage("api down"), world.incident("api down").by_hand),
        ("calling", false)
    );
}

#[test]
fn a_dry_run_is_cancelled_at_the_revision_that_it_has() {
    let mut world = World::new(usual());
    let Reply::Operation(operation) = world.ask_for("api down", true) else {
        panic!("it is begun");
    };
    let (id, now) = (operation.id, operation.revision);
    assert!(conflicts(&world.command(decision(
        Verb::Cancel,
        &id,
        Some(now + 1)
    ))));
    assert!(conflicts(&world.decide(Verb::Approve, &id)));
    assert!(!conflicts(&world.command(decision(
        Verb::Cancel,
        &id,
        Some(now)
    ))));
    assert!(conflicts(&world.decide(Verb::Cancel, &id)));
    world.answer(done());
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
}

#[test]
fn a_manual_strategy_waits_until_it_is_approved() {
    let mut world = World::new(with_route(RouteSpec {
        strategy: Strategy::Manual { max_attempts: 1 },
        ..route()
    }));
    world.raise("api down", High);
    assert_eq!((world.stage("api down"), world.calls.len()), ("asking", 0));
    let id = world.operation("api down").id;
    world.decide(Verb::Approve, &id);
    world.recover_it();
    assert_eq!(world.operations[&id].state, OperationState::Succeeded);
}

#[test]
fn what_no_check_sees_is_recovered_by_hand_and_ends_with_its_operation() {
    for (helps, state) in [
        (true, OperationState::Succeeded),
        (false, OperationState::Failed),
    ] {
        let mut world = World::new(usual());
        world.pause(None, true);
        world.ask_for("api down", false);
        assert_eq!(world.stage("api down"), "calling");
        match helps {
            true => world.recover_it(),
            false => drop(world.answer(permanent())),
        }
        assert_eq!(world.operations.values().next_back().unwrap().state, state);
        assert!(!world.incident("api down").state.is_open());
        assert_eq!(world.count(EventKind::OperationEscalated), 0);
    }
}

#[test]
fn a_failure_that_nobody_knows_of_the_target_is_refused_with_what_is_known() {
    let slow = RouteSpec {
        failure: Some(key("api slow").failure),
        target: Some(target("api").name),
        ..route()
    };
    let config = || {
        spec(
            vec![target("api"), target("db")],
            vec![route(), slow.clone()],
        )
    };
    for dry_run in [false, true] {
        let mut world = World::new(config());
        let Reply::Refused(Refusal::Unknown(why)) = world.ask_for("api dwn", dry_run) else {
            panic!("it is known");
        };
        assert!(why.contains("`dwn`: it knows down, slow"), "{why}");
        let reply = world.ask_for("db slow", dry_run);
        assert!(
            matches!(reply, Reply::Refused(_)),
            "it is of another: {reply:?}"
        );
        for known in ["api down", "api slow", "db down"] {
            let reply = world.ask_for(known, dry_run);
            assert!(matches!(reply, Reply::Operation(_)), "{known}: {reply:?}");
        }
        // A report is a failure that no check knows.
        let mut world = World::new(config());
        world.raise("api reported", High);
        world.recover_it();
        let reply = world.ask_for("api reported", dry_run);
        assert!(matches!(reply, Reply::Operation(_)), "{reply:?}");
    }
}

#[test]
fn a_person_waits_for_no_pause_and_asks_once() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(retryable());
    world.pass(10);
    assert_eq!(
        state(&world.ask_for("api down", false)),
        OperationState::InProgress
    );
    assert_eq!(world.calls[0].request.attempt, 2);
    assert!(conflicts(&world.ask_for("api down", false)));
}

#[test]
fn a_paused_host_begins_nothing_by_itself() {
    let mut world = World::new(usual());
    world.pause(None, true);
    world.raise("api down", High);
    world.wait(3_600_000);
    assert_eq!(
        (world.stage("api down"), world.looks.len()),
        ("scheduled", 0)
    );
    world.pause(None, false);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["api down"]);
}
