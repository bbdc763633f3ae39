//! Approvals by several people, and what nobody approves in time.

use super::{
    super::{Command, Refusal, Reply, Verb},
    fixtures::{BEGIN, done, route, with_route},
    world::World,
};
use crate::{
    event::EventKind,
    operation::OperationState,
    severity::Severity::High,
    spec::{ApprovalSpec, RouteSpec, Spec, Strategy},
};
use std::{num::NonZeroU32, time::Duration};

const HOUR: u64 = 3_600_000;

/// Each recovery awaits people, as this says.
fn asking(needed: u32, of: &[&str], expires: Option<u64>) -> Spec {
    let mut spec = with_route(RouteSpec {
        strategy: Strategy::Manual { max_attempts: 1 },
        ..route()
    });
    spec.policy.approval = ApprovalSpec {
        needed: NonZeroU32::new(needed).unwrap(),
        of: of.iter().map(|name| (*name).to_owned()).collect(),
        expires: expires.map(Duration::from_millis),
    };
    spec
}

fn decide(world: &mut World, verb: Verb, by: &str) -> Reply {
    let id = world.operation("api down").id;
    world.command(Command::Decide {
        id,
        revision: None,
        verb,
        by: by.into(),
        reason: format!("{by} has looked"),
    })
}

fn refused(reply: &Reply) -> String {
    match reply {
        Reply::Refused(Refusal::Conflict(why) | Refusal::NotAllowed(why)) => why.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_config_that_is_stricter_by_now_counts_for_what_waits_already() {
    let mut world = World::new(asking(2, &["ann", "ben", "cid"], None));
    world.raise("api down", High);
    decide(&mut world, Verb::Approve, "ann");
    world.configure(asking(2, &["ben", "cid"], None));
    decide(&mut world, Verb::Approve, "ben");
    assert_eq!(world.stage("api down"), "asking", "ann decides no more");
    decide(&mut world, Verb::Approve, "cid");
    assert_eq!(world.called(), ["api down"]);

    let mut world = World::new(asking(1, &[], None));
    world.raise("api down", High);
    world.configure(asking(2, &[], None));
    decide(&mut world, Verb::Approve, "ann");
    assert_eq!(world.stage("api down"), "asking", "two have to");
    decide(&mut world, Verb::Approve, "ben");
    assert_eq!(world.called(), ["api down"]);
}

#[test]
fn two_different_people_have_to_approve_also_over_a_restart() {
    let mut world = World::new(asking(2, &[], None));
    world.raise("api down", High);
    decide(&mut world, Verb::Approve, "ann");
    assert_eq!(world.stage("api down"), "asking");
    world.restart(10);
    let again = decide(&mut world, Verb::Approve, "ann");
    let why = refused(&again);
    assert!(
        why.contains("ann has approved") && why.contains("1 more"),
        "{why}"
    );
    let target = world.incident("api down").target.clone();
    let waits = world.machine.summary_of(&target).waits;
    assert!(
        waits.values().all(|one| one.contains("waits for a person")),
        "{waits:?}"
    );
    decide(&mut world, Verb::Approve, "ben");
    assert_eq!(world.called(), ["api down"]);
    let approval = world.operation("api down").approval.unwrap();
    let votes: Vec<(&str, &str)> = approval
        .given
        .iter()
        .map(|vote| (vote.by.as_str(), vote.reason.as_str()))
        .collect();
    assert_eq!(
        votes,
        [("ann", "ann has looked"), ("ben", "ben has looked")]
    );
    let events = world.events.iter();
    let said: Vec<&str> = events
        .filter(|event| event.kind == EventKind::OperationApproved)
        .map(|event| event.message.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "ann approved the recovery of api from down (1 of 2): ann has looked",
            "ben approved the recovery of api from down (2 of 2): ben has looked",
        ]
    );
    world.answer(done());
}

#[test]
fn one_who_rejects_is_enough_whoever_approved_before() {
    let mut world = World::new(asking(2, &[], None));
    world.raise("api down", High);
    let id = world.operation("api down").id;
    decide(&mut world, Verb::Approve, "ann");
    decide(&mut world, Verb::Reject, "ben");
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
    assert_eq!(world.stage("api down"), "people");
}

#[test]
fn only_those_who_are_named_decide() {
    let mut world = World::new(asking(1, &["ann", "ben"], None));
    world.raise("api down", High);
    for verb in [Verb::Approve, Verb::Reject] {
        let why = refused(&decide(&mut world, verb, "eve"));
        assert!(why.ends_with("the recovery of api: ann, ben"), "{why}");
    }
    assert_eq!(world.stage("api down"), "asking");
    decide(&mut world, Verb::Approve, "ben");
    assert_eq!(world.called(), ["api down"]);
}

#[test]
fn what_nobody_approves_in_time_is_escalated_and_left_to_people() {
    for restarts in [false, true] {
        let mut world = World::new(asking(1, &[], Some(HOUR)));
        world.raise("api down", High);
        let id = world.operation("api down").id;
        let expires = world.operations[&id].approval.as_ref().unwrap().expires;
        assert_eq!(expires, Some(BEGIN + Duration::from_millis(HOUR)));
        if restarts {
            world.restart(HOUR / 2);
            world.wait(HOUR / 2 - 1);
        } else {
            world.wait(HOUR - 1);
        }
        assert_eq!(world.stage("api down"), "asking");
        let escalated = world.count(EventKind::OperationEscalated);
        world.wait(1);
        let operation = &world.operations[&id];
        assert_eq!(operation.state, OperationState::Failed);
        assert_eq!(
            operation.error.as_deref(),
            Some("nobody approved it in time")
        );
        assert_eq!(world.count(EventKind::OperationEscalated), escalated + 1);
        assert_eq!(world.stage("api down"), "people");
        world.pause(Some("api"), false);
        assert_eq!(world.stage("api down"), "asking", "somebody takes it up");
    }
}
