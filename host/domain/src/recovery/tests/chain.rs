//! Chains: conditions, what a failed step means, pauses.

use super::{
    super::{AttemptProgress, Failed, Input, LookResult, turn::next},
    fixtures::{
        decision, done, missing, needs_operator, permanent, plugin, retryable, route, step,
        with_route,
    },
    world::World,
};
use crate::{
    condition::{Condition, Facts},
    event::EventKind,
    operation::OperationState,
    recovery::Verb,
    severity::Severity::{Critical, High, Medium},
    spec::{OnFailure, RouteSpec, StepSpec},
};
use proptest::{
    collection::vec,
    prelude::{any, prop_assert, prop_assert_eq, proptest},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

fn when(handler: &str, condition: &str) -> StepSpec {
    StepSpec {
        when: Some(Condition::parse(condition).unwrap()),
        ..step(handler)
    }
}

fn on_failure(handler: &str, then: OnFailure) -> StepSpec {
    StepSpec {
        on_failure: Some(then),
        ..step(handler)
    }
}

fn always(handler: &str) -> StepSpec {
    StepSpec {
        always: true,
        ..step(handler)
    }
}

fn paused(handler: &str, seconds: u64) -> StepSpec {
    StepSpec {
        pause: Duration::from_secs(seconds),
        ..step(handler)
    }
}

fn world(chain: Vec<StepSpec>) -> World {
    World::new(with_route(RouteSpec { chain, ..route() }))
}

/// Who is called now.
fn called(world: &World) -> Vec<String> {
    let calls = world.calls.iter();
    calls.map(|call| call.handler.to_string()).collect()
}

fn actions(world: &World) -> Vec<String> {
    let mut operations = world.operations.values();
    operations.next().unwrap().actions.clone()
}

#[test]
fn a_step_is_called_where_its_condition_is_met_and_else_the_record_says_why_it_is_not() {
    for (severity, first) in [(Medium, "second"), (High, "first"), (Critical, "first")] {
        let mut world = world(vec![when("first", "severity >= high"), step("second")]);
        world.raise("api down", severity);
        assert_eq!(called(&world), [first], "{severity}");
        world.answer(done());
        let was_skipped = first == "second";
        assert_eq!(
            actions(&world).contains(
                &"step 1, first, was not called: severity >= high was not met [condition-not-met]"
                    .to_owned()
            ),
            was_skipped
        );
    }
}

#[test]
fn a_severity_is_at_least_the_least_score_of_its_class() {
    let mut world = world(vec![
        when("first", "severity >= 0.8"),
        when("second", "severity >= 0.7"),
    ]);
    world.raise("api down", High);
    assert_eq!(called(&world), ["second"]);
}

#[test]
fn a_score_that_was_reported_is_what_conditions_are_about() {
    for (score, first) in [(0.85, "first"), (0.75, "second")] {
        let mut world = world(vec![when("first", "severity >= 0.8"), step("second")]);
        world.raise_scored("api down", High, score);
        assert_eq!(called(&world), [first], "{score}");
    }
}

#[test]
fn a_score_makes_a_failure_critical_that_comes_again_and_again() {
    let mut world = world(vec![step("fix")]);
    for (count, severity) in [(1, Medium), (2, Medium), (3, Critical)] {
        world.raise_scored("api down", Medium, 0.5);
        assert_eq!(world.incident("api down").severity, severity, "{count}");
        if world.calls.is_empty() {
            world.attempt_again();
        }
        world.recover_it();
        world.pass(5_000);
    }
}

#[test]
fn conditions_know_the_recurrence_the_attempt_the_step_and_the_time_since_the_detection() {
    let mut world = world(vec![
        when("again", "recurrence_count >= 2"),
        when("later", "attempt >= 2 and duration >= 900ms and step == 2"),
        when(
            "now",
            "attempt == 1 and recurrence_count == 1 and step == 3 and confidence == 1",
        ),
    ]);
    world.raise("api down", High);
    assert_eq!(called(&world), ["now"]);
    world.answer(retryable());
    world.wait(1_000);
    world.see(LookResult::Failing);
    assert_eq!(called(&world), ["later"]);
    world.recover_it();
    // It comes back: that is the second time within its window.
    world.pass(5_000);
    world.raise("api down", High);
    assert_eq!(called(&world), ["again"]);
}

#[test]
fn an_attempt_of_which_no_condition_is_met_has_failed_and_the_next_one_asks_again() {
    let mut world = world(vec![when("fix", "attempt >= 2")]);
    world.raise("api down", High);
    assert_eq!((world.stage("api down"), world.calls.len()), ("resting", 0));
    world.wait(1_000);
    world.see(LookResult::Failing);
    assert_eq!(called(&world), ["fix"]);
}

#[test]
fn a_chain_whose_conditions_are_never_met_is_handed_to_people() {
    let mut world = world(vec![when("fix", "severity == critical")]);
    world.raise("api down", High);
    for _ in 0..2 {
        world.wait(2_000);
        world.see(LookResult::Failing);
    }
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    let failed = world.operations.values().next().unwrap();
    assert_eq!(failed.state, OperationState::Failed);
    assert_eq!(
        failed.error.as_deref(),
        Some("the condition of no step of its chain was met")
    );
}

/// Trap 1 of the seeds' systems: what always runs at the end of a chain was lost with a condition that could not be evaluated,
/// and with whatever failed before it.
#[test]
fn what_always_runs_is_called_whatever_came_before() {
    for answer in [
        done(),
        retryable(),
        permanent(),
        missing(),
        needs_operator(),
    ] {
        for then in [None, Some(OnFailure::Continue), Some(OnFailure::Stop)] {
            let first = StepSpec {
                on_failure: then,
                ..step("first")
            };
            let mut world = world(vec![
                first,
                when("never", "severity == low"),
                always("alert"),
            ]);
            world.raise("api down", High);
            world.answer(answer.clone());
            assert_eq!(called(&world), ["alert"], "{answer:?} {then:?}");
        }
    }
}

#[test]
fn a_failure_lets_the_chain_go_on_where_its_step_says_so() {
    for (then, next) in [
        (None, false),
        (Some(OnFailure::Continue), true),
        (Some(OnFailure::Stop), false),
    ] {
        let first = StepSpec {
            on_failure: then,
            ..step("first")
        };
        let mut world = world(vec![first, step("second")]);
        world.raise("api down", High);
        world.answer(retryable());
        assert_eq!(!world.calls.is_empty(), next, "{then:?}");
    }
}

#[test]
fn what_failed_for_good_ends_the_chain_where_its_step_says_so() {
    let mut world = world(vec![
        on_failure("first", OnFailure::Stop),
        step("second"),
        always("alert"),
    ]);
    world.raise("api down", High);
    world.answer(permanent());
    assert_eq!(called(&world), ["alert"]);
    world.answer(done());
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
}

#[test]
fn an_attempt_has_failed_by_what_was_passed_over_only_if_no_step_behind_it_is_done() {
    for (second, stage) in [(done(), "validating"), (permanent(), "resting")] {
        let mut world = world(vec![
            on_failure("first", OnFailure::Continue),
            step("second"),
        ]);
        world.raise("api down", High);
        world.answer(retryable());
        world.answer(second);
        assert_eq!(world.stage("api down"), stage);
    }
}

#[test]
fn a_pause_lies_between_two_steps() {
    let mut world = world(vec![step("first"), paused("second", 2)]);
    world.raise("api down", High);
    world.answer(done());
    assert_eq!((world.stage("api down"), world.calls.len()), ("pausing", 0));
    world.wait(1_999);
    assert_eq!(world.stage("api down"), "pausing");
    world.wait(1);
    assert_eq!(called(&world), ["second"]);
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
}

#[test]
fn nothing_is_waited_for_before_the_first_step_that_is_called() {
    let mut world = world(vec![when("first", "severity == low"), paused("second", 2)]);
    world.raise("api down", High);
    assert_eq!(called(&world), ["second"]);
}

#[test]
fn what_is_cancelled_in_a_pause_calls_what_always_runs_and_ends() {
    let mut world = world(vec![step("first"), paused("second", 60), always("alert")]);
    world.raise("api down", High);
    world.answer(retryable());
    assert_eq!(
        called(&world),
        ["alert"],
        "a failed step has no pause behind it"
    );

    let mut world = self::world(vec![
        on_failure("first", OnFailure::Continue),
        paused("second", 60),
        always("alert"),
    ]);
    world.raise("api down", High);
    world.answer(retryable());
    assert_eq!(world.stage("api down"), "pausing");
    let id = world.operations.keys().next().unwrap().clone();
    world.command(decision(Verb::Cancel, &id, None));
    assert_eq!(called(&world), ["alert"]);
    world.answer(done());
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
}

#[test]
fn a_daemon_that_ends_in_a_pause_leaves_the_attempt_to_the_next() {
    let mut world = world(vec![step("first"), paused("second", 60)]);
    world.raise("api down", High);
    world.answer(done());
    world.input(Input::Stop);
    assert_eq!(world.stage("api down"), "resting");
    world.restart(10);
    world.see(LookResult::Failing);
    assert_eq!(called(&world), [""; 0], "the first is done, and it pauses");
    world.wait(60_000);
    assert_eq!(called(&world), ["second"]);
    assert_eq!(world.calls[0].request.attempt, 1);
}

#[test]
fn a_dry_run_asks_the_same_conditions() {
    let mut world = world(vec![
        when("first", "attempt == 2"),
        when("second", "attempt == 1"),
    ]);
    world.ask_for("api down", true);
    assert_eq!(world.calls[0].handler, plugin("second"));
    world.answer(done());
    let planned = world.operations.values().next().unwrap();
    assert_eq!(planned.state, OperationState::Succeeded);
    assert!(
        planned.actions[0].ends_with("[condition-not-met]"),
        "{planned:?}"
    );
    assert_eq!(
        planned.actions[1..],
        [
            "would restart",
            "step 2, second, was only planned [dry-run]"
        ]
    );
}

proptest! {
    #[test]
    fn no_step_that_always_runs_is_ever_passed_by(
        steps in vec((any::<bool>(), 0..3_usize, any::<bool>()), 1..8),
        has_failed in any::<bool>(),
        is_stopped in any::<bool>(),
        goes_on in any::<bool>(),
    ) {
        let chain: Vec<StepSpec> = steps
            .iter()
            .map(|(always, then, _)| StepSpec {
                always: *always,
                on_failure: [None, Some(OnFailure::Continue), Some(OnFailure::Stop)][*then],
                ..step("fix")
            })
            .collect();
        let permanent: BTreeSet<usize> = (0..steps.len()).filter(|place| steps[*place].2).collect();
        let mut progress = AttemptProgress {
            failed: has_failed.then(|| Failed::Retryable("not yet".to_owned())),
            stopped: is_stopped,
            ..AttemptProgress::default()
        };
        let turn = next(&chain, None, (&permanent, &BTreeMap::new()), goes_on, &Facts::default(), &mut progress);
        let first = (0..chain.len()).find(|place| chain[*place].always && !permanent.contains(place));
        match (turn.place, first) {
            (Some(place), Some(first)) => prop_assert!(place <= first),
            (Some(_), None) => prop_assert!(!has_failed && !is_stopped && goes_on),
            (None, first) => prop_assert_eq!(first, None),
        }
    }
}
