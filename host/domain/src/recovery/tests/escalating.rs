//! People are told of what lasts, with what they have to do, and once more where nobody takes it on.

use super::{
    super::{Command, Refusal, Reply, Verb},
    fixtures::{key, needs_operator, retryable, route, spec, target, usual, with_route},
    world::World,
};
use crate::{
    actor::Actor,
    event::{Event, EventKind},
    id::IncidentId,
    incident::Escalation,
    name::FailureType,
    severity::Severity::High,
    spec::{EscalationSpec, RouteSpec, Spec},
};
use std::{collections::BTreeMap, time::Duration};

fn minutes(number: u64) -> Option<Duration> {
    Some(Duration::from_secs(60 * number))
}

fn usual_with(escalation: EscalationSpec) -> World {
    World::new(Spec {
        escalation,
        ..usual()
    })
}

/// [seed 000]: after three minutes.
fn after_three_minutes() -> EscalationSpec {
    EscalationSpec {
        after: minutes(3),
        runbooks: runbooks(),
        ..EscalationSpec::default()
    }
}

/// No route fits anything, so people are told at once; those of the second level five minutes later.
fn unrouted() -> World {
    World::new(Spec {
        escalation: EscalationSpec {
            second_level_after: minutes(5),
            runbooks: runbooks(),
            ..EscalationSpec::default()
        },
        ..spec(vec![target("api"), target("db")], Vec::new())
    })
}

fn last(world: &World, kind: EventKind) -> Event {
    let mut of_kind = world.events.iter().rev().filter(|event| event.kind == kind);
    of_kind.next().expect("there was one").clone()
}

fn take_on(world: &mut World, incident: &IncidentId) -> Reply {
    world.command(Command::Acknowledge {
        key: key("api down"),
        incident: incident.clone(),
        by: Actor::new("root", "anna"),
        reason: "I look at it".to_owned(),
    })
}

fn runbook() -> Vec<String> {
    vec!["look at the disk".to_owned()]
}

fn runbooks() -> BTreeMap<FailureType, Vec<String>> {
    [(key("api down").failure, runbook())].into()
}

#[test]
fn where_nobody_wrote_a_runbook_people_are_told_without_one() {
    let mut world = usual_with(EscalationSpec {
        after: minutes(3),
        ..EscalationSpec::default()
    });
    world.raise("api down", High);
    world.answer(needs_operator());
    let operation = world.operation("api down");
    world.wait(180_000);
    let told = last(&world, EventKind::IncidentOverdue);
    assert!(told.data.runbook().is_empty(), "{told:?}");
    // Nothing is written down with the operation, so a person decides about the same revision.
    assert_eq!(world.operation("api down").revision, operation.revision);
}

#[test]
fn what_lasts_for_three_minutes_is_told_once_with_the_runbook_and_its_recovery_goes_on() {
    let mut world = usual_with(after_three_minutes());
    world.raise("api down", High);
    let id = world.operation("api down").id;
    world.wait(179_999);
    assert_eq!(world.count(EventKind::IncidentOverdue), 0);
    let due = world.machine.wakes_at();
    assert_eq!(due, Some(world.at().monotonic + Duration::from_millis(1)));
    world.wait(1);
    assert_eq!(world.stage("api down"), "calling");
    let told = last(&world, EventKind::IncidentOverdue);
    assert_eq!(told.operation.as_ref(), Some(&id));
    assert_eq!(told.data.runbook(), runbook());
    assert!(told.message.contains("after 3 min"), "{}", told.message);
    assert_eq!(world.operations[&id].runbook, runbook());
    world.answer(retryable());
    for _ in 0..2 {
        world.attempt_again();
        world.answer(retryable());
    }
    assert_eq!(world.count(EventKind::IncidentOverdue), 1);
    // That none of them helped is news.
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    assert_eq!(
        last(&world, EventKind::OperationEscalated).data.runbook(),
        runbook()
    );
}

#[test]
fn the_three_minutes_go_on_over_a_restart_and_follow_the_config() {
    let mut world = usual_with(after_three_minutes());
    world.pause(Some("api"), true);
    world.raise("api down", High);
    world.restart(179_000);
    assert_eq!(world.count(EventKind::IncidentOverdue), 0);
    world.configure(usual());
    world.wait(600_000);
    assert_eq!(world.count(EventKind::IncidentOverdue), 0);
    world.configure(Spec {
        escalation: after_three_minutes(),
        ..usual()
    });
    assert_eq!(world.count(EventKind::IncidentOverdue), 1);
    world.restart(1_000);
    world.wait(600_000);
    assert_eq!(world.count(EventKind::IncidentOverdue), 1);
}

#[test]
fn what_is_recovered_or_ended_by_hand_in_time_is_no_news() {
    let mut world = usual_with(after_three_minutes());
    world.raise("api down", High);
    world.recover_it();
    world.wait(600_000);
    world.raise("db down", High);
    let id = world.operation("db down").id;
    world.pause(Some("db"), true);
    world.answer(retryable());
    world.decide(Verb::Cancel, &id);
    world.wait(600_000);
    assert_eq!(world.count(EventKind::IncidentOverdue), 0);
}

#[test]
fn what_waits_for_a_person_says_so_and_has_the_runbook_of_the_config_beside_the_handlers_steps() {
    let own = vec!["call the owner of api".to_owned()];
    let mut world = usual_with(EscalationSpec {
        runbooks: [(key("api down").failure, own.clone())].into(),
        ..after_three_minutes()
    });
    world.raise("api down", High);
    world.answer(needs_operator());
    let operation = world.operation("api down");
    assert_eq!(operation.runbook, own);
    assert_eq!(operation.steps, ["plug it in", "press the button"]);
    world.wait(180_000);
    let told = last(&world, EventKind::IncidentOverdue);
    assert!(
        told.message.ends_with("it waits for a person"),
        "{}",
        told.message
    );
    // A person who has looked at it decides about the same revision.
    assert_eq!(world.operation("api down").revision, operation.revision);
    world.decide(Verb::Reject, &operation.id);
    assert_eq!(
        last(&world, EventKind::OperationEscalated).data.runbook(),
        own
    );
    assert_eq!(world.operations[&operation.id].runbook, own);
}

#[test]
fn so_many_attempts_that_did_not_help_are_told_while_others_follow() {
    let mut world = usual_with(EscalationSpec {
        attempts: Some(2),
        ..EscalationSpec::default()
    });
    world.raise("api down", High);
    world.answer(retryable());
    assert_eq!(world.count(EventKind::IncidentOverdue), 0);
    world.attempt_again();
    world.answer(retryable());
    let told = last(&world, EventKind::IncidentOverdue);
    assert!(told.message.contains("2 attempts"), "{}", told.message);
    world.attempt_again();
    world.recover_it();
    assert_eq!(world.count(EventKind::IncidentOverdue), 1);
}

#[test]
fn where_nobody_takes_it_on_it_is_told_once_more_and_once_over_restarts() {
    let mut world = unrouted();
    world.raise("api down", High);
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    world.wait(200_000);
    world.restart(99_000);
    assert_eq!(world.count(EventKind::IncidentUnacknowledged), 0);
    world.wait(1_000);
    let told = last(&world, EventKind::IncidentUnacknowledged);
    assert_eq!(told.data.runbook(), runbook());
    for words in [" 5 min after people were told", "`mainstay ack inc-"] {
        assert!(told.message.contains(words), "{}", told.message);
    }
    world.restart(1_000);
    world.wait(3_600_000);
    assert_eq!(world.count(EventKind::IncidentUnacknowledged), 1);
}

#[test]
fn who_takes_it_on_is_on_record_and_nobody_else_is_told() {
    let mut world = unrouted();
    world.raise("api down", High);
    let id = world.incident("api down").id.clone();
    let other = IncidentId::parse("inc-01K0000000000000000000000B").unwrap();
    let refused = take_on(&mut world, &other);
    assert!(
        matches!(refused, Reply::Refused(Refusal::Conflict(_))),
        "{refused:?}"
    );
    assert_eq!(take_on(&mut world, &id), Reply::Done);
    let event = last(&world, EventKind::IncidentAcknowledged);
    assert_eq!(
        event.message,
        "root (who says: anna) takes on down of api: I look at it"
    );
    let taken = world.incident("api down").escalation.acknowledged.clone();
    assert_eq!(
        taken.map(|taken| (taken.by, taken.reason)),
        Some(("root".to_owned(), "I look at it".to_owned()))
    );
    let again = take_on(&mut world, &id);
    assert!(
        matches!(&again, Reply::Refused(Refusal::Conflict(why)) if why.contains("taken on by root")),
        "{again:?}"
    );
    world.restart(1_000);
    world.wait(3_600_000);
    assert_eq!(world.count(EventKind::IncidentUnacknowledged), 0);
    // What is over nobody takes on.
    world.clear("api down");
    let over = take_on(&mut world, &id);
    assert!(
        matches!(over, Reply::Refused(Refusal::Conflict(_))),
        "{over:?}"
    );
}

#[test]
fn who_takes_on_what_is_open_and_healthy_again_is_told_when_it_is_over() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    world.pass(100);
    world.raise("api down", High);
    world.attempt_again();
    world.recover_it();
    let incident = world.incident("api down");
    assert!(incident.state.is_open());
    let (id, until) = (incident.id.clone(), incident.relapse_until.unwrap());
    let refused = take_on(&mut world, &id);
    let expected = format!("healthy again, and over at {until} if it stays so");
    assert!(
        matches!(&refused, Reply::Refused(Refusal::Conflict(why)) if why.contains(&expected)),
        "{refused:?}"
    );
}

#[test]
fn what_comes_back_after_it_was_over_is_not_taken_on_any_more() {
    let mut world = usual_with(after_three_minutes());
    world.raise("api down", High);
    let id = world.incident("api down").id.clone();
    assert_eq!(take_on(&mut world, &id), Reply::Done);
    world.wait(240_000);
    assert_eq!(world.count(EventKind::IncidentOverdue), 0);
    world.recover_it();
    world.raise("api down", High);
    assert_eq!(world.count(EventKind::IncidentReopened), 1);
    // It has lasted since its first detection.
    assert_eq!(world.count(EventKind::IncidentOverdue), 1);
    let escalation = world.incident("api down").escalation.clone();
    assert!(escalation != Escalation::default() && escalation.acknowledged.is_none());
}

#[test]
fn what_nothing_is_done_about_says_why_and_what_a_person_can_do() {
    let said = |spec: Spec| {
        let mut world = World::new(spec);
        world.raise("api down", High);
        assert_eq!(world.stage("api down"), "unrouted");
        let waits = world.machine.summary_of(&key("api down").target).waits;
        waits.into_values().collect::<Vec<_>>().join("; ")
    };
    let unrouted = || spec(vec![target("api")], Vec::new());
    let of_child = said(unrouted());
    assert!(of_child.contains("for no route fits"), "{of_child}");
    assert!(
        of_child.contains("[[route]] with failure = \"down\""),
        "{of_child}"
    );
    assert!(of_child.contains("`mainstay restart api`"), "{of_child}");
    let mut foreign = target("api");
    foreign.process = None;
    let of_foreign = said(spec(vec![foreign], Vec::new()));
    assert!(!of_foreign.contains("mainstay restart"), "{of_foreign}");
    let simulated = RouteSpec {
        simulate: true,
        ..route()
    };
    let planned = said(with_route(simulated));
    assert!(planned.contains("only simulates"), "{planned}");
    assert!(
        planned.contains("`mainstay recover api --failure down`"),
        "{planned}"
    );
}
