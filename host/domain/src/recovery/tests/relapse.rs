//! What comes back after its recovery.

use super::{
    super::LookResult,
    fixtures::{done, permanent, route, usual, with_route},
    world::World,
};
use crate::{
    event::{Event, EventData, EventKind, OperationEnded},
    name::TargetName,
    severity::Severity::High,
    spec::RouteSpec,
};
use std::time::Duration;

/// What an event says that ended an operation.
fn ended(event: &Event) -> &OperationEnded {
    match &event.data {
        EventData::OperationEnded(ended) => ended,
        other => panic!("{other:?}"),
    }
}

/// A world in which `api down` was recovered, and has come back 100 ms later.
fn relapsed() -> World {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    world.pass(100);
    world.raise("api down", High);
    world
}

#[test]
fn a_failure_that_comes_back_within_its_window_is_the_same_incident() {
    let mut world = relapsed();
    let incident = world.incident("api down");
    assert!(incident.state.is_open());
    assert_eq!((incident.relapses, incident.closed_at), (1, None));
    assert_eq!(world.incidents.len(), 1);
    assert_eq!(world.count(EventKind::IncidentOpened), 1);
    assert_eq!(world.count(EventKind::IncidentReopened), 1);
    world.attempt_again();
    assert_eq!(world.calls[0].request.attempt, 2);
    assert_eq!(world.calls[0].request.max_attempts, 3);
}

#[test]
fn attempts_and_delays_count_on_and_after_the_last_attempt_it_is_escalated() {
    let mut world = relapsed();
    for (waits, attempt) in [(900, 2), (1_900, 3)] {
        assert_eq!(world.waits("api down"), Duration::from_millis(waits));
        world.attempt_again();
        assert_eq!(world.calls[0].request.attempt, attempt);
        assert_eq!(world.count(EventKind::OperationEscalated), 0);
        world.recover_it();
        world.pass(100);
        world.raise("api down", High);
    }
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    assert_eq!(world.count(EventKind::IncidentOpened), 1);
    assert_eq!(world.incident("api down").failures_in_a_row, 1);
    // The next round begins, after the pause of a round.
    assert_eq!(world.waits("api down"), Duration::from_millis(900));
    world.attempt_again();
    assert_eq!(world.calls[0].request.attempt, 1);
}

#[test]
fn what_has_recovered_and_has_to_last_is_open_and_not_failing() {
    let mut world = relapsed();
    let seen = |world: &World| {
        let summary = world.machine.summary_of(&TargetName::parse("api").unwrap());
        (summary.incident.is_some(), summary.is_failing)
    };
    assert_eq!(seen(&world), (true, true));
    world.attempt_again();
    world.recover_it();
    assert_eq!(seen(&world), (true, false));
    world.pass(100);
    world.raise("api down", High);
    assert_eq!(seen(&world), (true, true));
}

#[test]
fn what_came_back_is_resolved_only_when_it_lasts() {
    let mut world = relapsed();
    assert_eq!(world.count(EventKind::IncidentClosed), 1);
    world.attempt_again();
    world.recover_it();
    let succeeded = world
        .events
        .iter()
        .filter(|event| event.kind == EventKind::OperationSucceeded);
    let unproved: Vec<_> = succeeded.map(|event| ended(event).unproved).collect();
    assert_eq!(unproved, [false, true]);
    world.wait(59_999);
    assert_eq!(world.count(EventKind::IncidentClosed), 1);
    world.wait(1);
    assert_eq!(world.count(EventKind::IncidentClosed), 2);
    // No operation closes it, so it is an alert of its own.
    assert_eq!(world.events.last().unwrap().operation, None);
    assert_eq!(world.stage("api down"), "none");
}

#[test]
fn what_a_person_recovers_while_it_is_healthy_is_over_when_it_would_have_been() {
    let mut world = relapsed();
    world.attempt_again();
    world.recover_it();
    let until = world.incident("api down").relapse_until;
    world.wait(30_000);
    world.ask_for("api down", false);
    world.recover_it();
    assert_eq!(world.incident("api down").relapse_until, until);
    world.wait(29_999);
    assert_eq!(world.count(EventKind::IncidentClosed), 1);
    world.wait(1);
    assert_eq!(world.count(EventKind::IncidentClosed), 2);
    assert_eq!(world.stage("api down"), "none");
}

#[test]
fn what_fails_while_a_person_recovers_it_has_to_last_for_a_whole_window() {
    let mut world = relapsed();
    world.attempt_again();
    world.recover_it();
    world.wait(30_000);
    world.ask_for("api down", false);
    world.raise("api down", High);
    world.recover_it();
    world.wait(59_999);
    assert_eq!(world.count(EventKind::IncidentClosed), 1);
    world.wait(1);
    assert_eq!(world.count(EventKind::IncidentClosed), 2);
}

#[test]
fn an_incident_closes_with_the_attempts_of_all_its_rounds() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(permanent());
    for _ in 0..2 {
        world.attempt_again();
        world.answer(permanent());
    }
    world.restart(10);
    world.attempt_again();
    world.recover_it();
    world.wait(60_000);
    let EventData::IncidentClosed(closed) = &world.events.last().unwrap().data else {
        panic!("it is closed");
    };
    assert_eq!(closed.attempts, 4);
    assert_eq!(world.count(EventKind::IncidentClosed), 1);
}

#[test]
fn what_is_not_watched_any_more_is_resolved_by_an_alert() {
    let mut world = relapsed();
    let at_once = RouteSpec {
        relapse_window: Duration::ZERO,
        ..route()
    };
    world.configure(with_route(at_once));
    world.attempt_again();
    world.recover_it();
    assert_eq!(world.stage("api down"), "none");
    let of_kind = |kind: EventKind| world.events.iter().filter(move |event| event.kind == kind);
    let succeeded = of_kind(EventKind::OperationSucceeded).next_back().unwrap();
    let closed = of_kind(EventKind::IncidentClosed).next_back().unwrap();
    // One of the two is an alert.
    assert!(!ended(succeeded).unproved || closed.operation.is_none());
}

#[test]
fn a_failure_that_comes_back_after_its_window_is_another_incident() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    world.wait(60_000);
    assert_eq!(world.stage("api down"), "none");
    world.raise("api down", High);
    assert_eq!(world.incidents.len(), 2);
    assert_eq!(world.incident("api down").recurrence, 1);
}

#[test]
fn how_often_it_came_back_is_counted_over_the_time_that_was_lived_whatever_the_clock_does() {
    for restarts in [false, true] {
        for (pause, expected) in [(1_800_000, 1), (7_200_000, 0)] {
            let mut world = World::new(usual());
            world.set_ahead(Duration::from_secs(86_400));
            world.raise("api down", High);
            world.recover_it();
            world.wait(60_000);
            assert_eq!(world.stage("api down"), "none");
            world.set_ahead(Duration::ZERO);
            if restarts {
                world.restart(1_000);
            }
            world.wait(pause);
            world.raise("api down", High);
            let incident = &world.case("api down").unwrap().incident;
            assert_eq!(incident.recurrence, expected, "{restarts} {pause}");
        }
    }
}

#[test]
fn a_failure_cools_down_for_the_time_that_is_lived_whatever_the_clock_does() {
    for restarts in [false, true] {
        for (pause, expected) in [(10_000, "scheduled"), (400_000, "calling")] {
            let mut world = World::new(with_route(RouteSpec {
                cooldown: Duration::from_secs(300),
                ..route()
            }));
            world.set_ahead(Duration::from_secs(86_400));
            world.raise("api down", High);
            world.recover_it();
            world.wait(60_000);
            world.set_ahead(Duration::ZERO);
            if restarts {
                world.restart(1_000);
            }
            world.wait(pause);
            // It is over by then, where the window went on over the restart.
            world.wait(60_000);
            world.raise("api down", High);
            assert_eq!(world.stage("api down"), expected, "{restarts} {pause}");
        }
    }
}

#[test]
fn a_cooldown_ends_no_sooner_where_the_clock_is_set_ahead() {
    let mut world = World::new(with_route(RouteSpec {
        cooldown: Duration::from_secs(300),
        ..route()
    }));
    world.raise("api down", High);
    world.recover_it();
    world.wait(60_000);
    world.set_ahead(Duration::from_secs(86_400));
    world.wait(10_000);
    world.raise("api down", High);
    assert_eq!(world.stage("api down"), "scheduled");
    world.wait(229_000);
    assert_eq!(world.stage("api down"), "scheduled");
    world.wait(1_000);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["api down"]);
}

#[test]
fn the_window_ends_with_its_time_also_where_no_tick_came_before() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    world.pass(60_001);
    world.raise("api down", High);
    assert_eq!(world.incidents.len(), 2);
}

#[test]
fn who_was_told_that_it_needs_them_is_told_that_it_is_over_when_it_lasts_and_not_told_twice_that_nothing_helps()
 {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(permanent());
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    world.attempt_again();
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
    assert_eq!(world.count(EventKind::IncidentClosed), 0);
    world.pass(100);
    world.raise("api down", High);
    world.attempt_again();
    world.answer(permanent());
    world.attempt_again();
    world.recover_it();
    world.wait(60_000);
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    assert_eq!(world.count(EventKind::IncidentClosed), 1);
    assert_eq!(world.stage("api down"), "none");
}

#[test]
fn who_was_told_that_it_is_over_is_told_that_nothing_helps() {
    let mut world = relapsed();
    assert_eq!(world.count(EventKind::IncidentClosed), 1);
    while world.count(EventKind::OperationEscalated) == 0 {
        world.attempt_again();
        world.answer(permanent());
    }
    assert!(world.incident("api down").escalated);
}

#[test]
fn who_was_not_told_that_it_is_over_is_not_told_twice_that_nothing_helps() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    for _ in 0..3 {
        world.answer(permanent());
        world.attempt_again();
    }
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    let failed = world
        .events
        .iter()
        .filter(|event| event.kind == EventKind::OperationFailed);
    let again: Vec<_> = failed.map(|event| ended(event).again).collect();
    assert_eq!(again, [false, true, true]);
}

#[test]
fn what_heals_by_itself_between_two_relapses_is_the_same_incident() {
    let mut world = relapsed();
    world.clear("api down");
    assert_eq!(world.stage("api down"), "watched");
    world.pass(100);
    world.raise("api down", High);
    assert_eq!(world.incidents.len(), 1);
    assert_eq!(world.incident("api down").attempts, 1);
}

#[test]
fn the_window_begins_with_what_the_checks_say_and_not_with_what_the_handler_says() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(done());
    world.pass(3_000);
    world.see(LookResult::Healthy);
    world.pass(59_000);
    world.raise("api down", High);
    assert_eq!(world.incidents.len(), 1);
}
