//! The recovery time objective, and what is said of how an incident ends.

use super::{
    super::{Input, LookResult},
    fixtures::{done, retryable, route, spec, target, usual, with_route},
    world::World,
};
use crate::{
    call::Report,
    event::{AfterEscalation, EventData, EventKind},
    incident::IncidentState,
    name::PluginName,
    plugin::PluginIdentity,
    severity::Severity::High,
    spec::{RouteSpec, Strategy, TargetSpec},
};
use std::time::Duration;

/// `api` has a minute.
fn hurried() -> World {
    let api = TargetSpec {
        rto: Duration::from_secs(60),
        ..target("api")
    };
    World::new(spec(vec![api, target("db")], vec![route()]))
}

fn exceeded(world: &World) -> usize {
    world.count(EventKind::RtoExceeded)
}

fn said(world: &World, kind: EventKind) -> String {
    let mut of_kind = world.events.iter().rev().filter(|event| event.kind == kind);
    of_kind.next().expect("there was one").message.clone()
}

#[test]
fn an_exceeded_objective_is_said_when_it_is_exceeded_and_once() {
    let mut world = hurried();
    world.raise("api down", High);
    assert_eq!(world.stage("api down"), "calling");
    world.wait(59_999);
    assert_eq!(exceeded(&world), 0);
    let due = world.machine.wakes_at();
    assert_eq!(due, Some(world.at().monotonic + Duration::from_millis(1)));
    world.wait(1);
    assert_eq!(exceeded(&world), 1, "while the handler is still called");
    assert!(world.incident("api down").rto_exceeded_at.is_some());
    world.wait(600_000);
    world.answer(retryable());
    world.wait(600_000);
    assert_eq!(exceeded(&world), 1);
}

#[test]
fn what_comes_back_is_counted_on_from_its_first_detection_without_its_healthy_time() {
    let mut world = hurried();
    world.raise("api down", High);
    world.wait(10_000);
    world.recover_it();
    world.wait(55_000);
    assert_eq!(exceeded(&world), 0);
    world.raise("api down", High);
    assert_eq!(world.incidents.len(), 1);
    assert_eq!(world.incident("api down").calm_ms, Some(55_000));
    let left = world.calls[0].request.remaining;
    assert_eq!(left, Some(Duration::from_secs(50)));
    world.wait(49_999);
    assert_eq!(exceeded(&world), 0);
    world.wait(1);
    assert_eq!(exceeded(&world), 1);
}

#[test]
fn the_time_in_which_a_target_was_healthy_is_part_of_no_recovery() {
    // How long it was failed, and then healthy, one after the other; what its last recovery took, and whether it was late.
    type Story<'a> = (&'a [(u64, u64)], u64, bool);
    let stories: [Story<'_>; 5] = [
        (&[(1_000, 0)], 1_000, false),
        (&[(1_000, 14_000), (1_000, 0)], 2_000, false),
        (
            &[(1_000, 59_000), (1_000, 59_000), (1_000, 0)],
            3_000,
            false,
        ),
        (&[(40_000, 14_000), (19_000, 0)], 59_000, false),
        (&[(40_000, 14_000), (21_000, 0)], 61_000, true),
    ];
    for (spells, took, late) in stories {
        for restarts in [false, true] {
            let mut world = hurried();
            for (failed, healthy) in spells.iter().copied() {
                world.raise("api down", High);
                world.wait(failed);
                world.recover_it();
                match restarts {
                    true => drop(world.restart(healthy)),
                    false => drop(world.wait(healthy)),
                }
            }
            assert_eq!(world.incidents.len(), 1, "{spells:?}");
            let last = world.operations.values().next_back().unwrap();
            assert_eq!(last.recovery_ms, Some(took), "{spells:?}");
            assert_eq!(last.rto_exceeded, late, "{spells:?}");
            assert_eq!(exceeded(&world), usize::from(late), "{spells:?}");
        }
    }
}

#[test]
fn what_a_person_recovers_while_it_is_healthy_exceeds_nothing() {
    let mut world = hurried();
    world.raise("api down", High);
    world.recover_it();
    world.wait(1_000);
    world.raise("api down", High);
    world.recover_it();
    world.wait(59_500);
    world.ask_for("api down", false);
    world.wait(30_000);
    assert_eq!(world.stage("api down"), "calling");
    assert_eq!(exceeded(&world), 0);
}

#[test]
fn what_is_healthy_while_its_objective_ends_exceeds_nothing() {
    let mut world = hurried();
    world.raise("api down", High);
    world.recover_it();
    world.wait(3_600_000);
    assert_eq!(exceeded(&world), 0);
}

#[test]
fn the_objective_goes_on_over_a_restart_and_follows_the_config() {
    let mut world = hurried();
    world.pause(Some("api"), true);
    world.raise("api down", High);
    world.restart(59_000);
    assert_eq!(exceeded(&world), 0);
    world.configure(usual());
    world.wait(2_000);
    assert_eq!(exceeded(&world), 0, "it has five minutes now");
    world.wait(300_000);
    assert_eq!(exceeded(&world), 1);
    world.restart(1_000);
    world.wait(1_000_000);
    assert_eq!(exceeded(&world), 1, "one incident says it once");
}

#[test]
fn a_daemon_that_ends_leaves_the_objective_to_the_next() {
    let mut world = hurried();
    world.raise("api down", High);
    world.input(Input::Stop);
    assert_eq!(world.machine.wakes_at(), None);
    world.wait(60_000);
    assert_eq!(exceeded(&world), 0);
    world.restart(10);
    assert_eq!(exceeded(&world), 1);
}

#[test]
fn what_ended_an_incident_is_its_state() {
    let mut world = World::new(usual());
    world.pause(None, true);
    world.raise("api down", High);
    world.lose_sight("api down");
    assert_eq!(world.incident("api down").state, IncidentState::Unseen);
    world.raise("db down", High);
    world.configure(spec(vec![target("api")], vec![route()]));
    assert_eq!(world.incident("db down").state, IncidentState::Removed);
    let said = said(&world, EventKind::IncidentClosed);
    assert!(said.contains("no longer in the config"), "{said}");
}

#[test]
fn a_recovery_that_a_person_ends_after_its_target_was_removed_is_not_said_to_be_healthy() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    let id = world.operation("api down").id;
    world.configure(spec(vec![target("db")], vec![route()]));
    world.decide(super::super::Verb::Cancel, &id);
    world.clear("api down");
    world.answer(done());
    assert_eq!(world.incident("api down").state, IncidentState::Removed);
}

/// The handler `fix` answers this, and the checks pass.
fn recovered_with(actions: Vec<String>, acted: bool) -> World {
    let mut world = World::new(usual());
    world.raise("api down", High);
    let call = world.calls.remove(0);
    let handled = super::super::Handled {
        by: Some(PluginIdentity {
            name: PluginName::parse("fix").unwrap(),
            version: semver::Version::new(1, 0, 0),
            digest: "ab".repeat(32),
        }),
        result: Ok(Report {
            actions,
            data_loss: None,
        }),
        effects: 1,
        acted,
    };
    world.input(Input::Called(call.request.operation, handled));
    world.see(LookResult::Healthy);
    world
}

#[test]
fn a_handler_that_did_nothing_is_not_said_to_have_recovered_anything() {
    for (actions, acted, did_nothing) in [
        (vec![], false, true),
        (vec![], true, false),
        (vec!["restarted".to_owned()], false, false),
    ] {
        let world = recovered_with(actions, acted);
        for kind in [EventKind::OperationSucceeded, EventKind::IncidentClosed] {
            let said = said(&world, kind);
            assert_eq!(said.contains("fix did nothing"), did_nothing, "{said}");
            assert_eq!(said.contains("recover"), !did_nothing, "{said}");
        }
    }
}

#[test]
fn what_follows_an_escalation_is_what_the_config_says() {
    let after = |route: RouteSpec| {
        let mut world = World::new(with_route(self::route()));
        world.raise("api down", High);
        world.configure(with_route(route));
        world.answer(super::fixtures::permanent());
        let escalated = world
            .events
            .iter()
            .find_map(|event| event.data.after_escalation());
        escalated.expect("it was escalated")
    };
    assert_eq!(after(route()), AfterEscalation::Round);
    let asking = RouteSpec {
        strategy: Strategy::Manual { max_attempts: 3 },
        ..route()
    };
    assert_eq!(after(asking), AfterEscalation::People);
    let of_another = RouteSpec {
        target: Some(target("db").name),
        ..route()
    };
    assert_eq!(after(of_another), AfterEscalation::Route);
}

#[test]
fn a_failure_that_a_person_asks_about_is_not_said_to_be_seen() {
    let mut world = World::new(usual());
    world.ask_for("api down", false);
    let opened = world
        .events
        .iter()
        .find(|event| event.kind == EventKind::IncidentOpened);
    let opened = opened.expect("there is an incident");
    assert!(opened.data.is_asked_for());
    assert!(opened.message.contains("is to be recovered"), "{opened:?}");
    assert!(matches!(&opened.data, EventData::IncidentOpened(_)));
}
