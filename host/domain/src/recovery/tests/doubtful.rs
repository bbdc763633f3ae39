//! An effect of which nobody knows whether it happened.

use super::{
    super::{Command, FoundOut, NotHandled, Refusal, Reply, Verb},
    fixtures::{route, step, usual, with_route},
    world::World,
};
use crate::{
    blob::Blob,
    doubt::Doubt,
    effect::{Answer, CommandOutput, Effect},
    event::EventKind,
    id::OperationId,
    operation::OperationState,
    record::EntryKind,
    replay::Halt,
    severity::Severity::High,
    spec::{EscalationSpec, RouteSpec, Spec, StepSpec},
};
use std::time::Duration;

fn doubt(world: &World) -> Doubt {
    Doubt {
        call: 1,
        number: 3,
        effect: Effect::CommandRun {
            name: "flush".to_owned(),
            arguments: Vec::new(),
        },
        key: "op-3".to_owned(),
        begun_at: world.at().now,
    }
}

/// The daemon was killed in a call, and the next one halts at an effect in doubt.
fn in_doubt() -> (World, OperationId) {
    in_doubt_by(usual())
}

fn in_doubt_by(config: Spec) -> (World, OperationId) {
    let mut world = World::new(config);
    world.raise("api down", High);
    world.keep_on_record();
    world.restart(10);
    let halt = Halt::InDoubt(Box::new(doubt(&world)));
    world.answer(Err(NotHandled::Halted(halt)));
    let id = world.operation("api down").id;
    (world, id)
}

fn resolve(world: &mut World, id: &OperationId, number: u32, found: FoundOut) -> Reply {
    world.command(Command::Resolve {
        id: id.clone(),
        number,
        found,
        by: "ann".into(),
    })
}

#[test]
fn an_effect_in_doubt_waits_for_a_person_and_the_call_stays_open_also_for_the_next_daemon() {
    let (mut world, id) = in_doubt();
    assert_eq!(world.count(EventKind::EffectInDoubt), 1);
    for _ in 0..2 {
        assert_eq!(world.stage("api down"), "asking");
        let operation = world.operation("api down");
        assert_eq!(operation.doubt.as_ref().unwrap().number, 3);
        assert!(operation.error.unwrap().contains("op-3"));
        assert!(world.open_calls.contains_key(&id), "it has no end");
        let Reply::Refused(Refusal::Conflict(why)) = world.decide(Verb::Approve, &id) else {
            panic!("it was approved");
        };
        assert!(why.contains("--did-not"), "{why}");
        world.restart(10);
    }
}

#[test]
fn a_doubt_of_a_call_of_which_the_journal_lacks_something_is_no_question_any_more() {
    let (mut world, id) = in_doubt();
    world.lost.insert(id.clone());
    world.restart(10);
    assert_eq!(world.stage("api down"), "asking");
    let operation = world.operation("api down");
    assert_eq!(operation.doubt, None);
    assert!(operation.error.unwrap().contains("set aside"));
    assert!(world.open_calls.is_empty(), "nobody goes on with it");
    let reply = resolve(&mut world, &id, 3, FoundOut::DidNot);
    assert!(matches!(reply, Reply::Refused(Refusal::Conflict(_))));
    world.decide(Verb::Approve, &id);
    assert!(!world.calls[0].resumed);
}

#[test]
fn what_a_person_found_out_is_written_and_the_same_call_goes_on() {
    for (found, kind) in [
        (FoundOut::DidNot, EntryKind::DidNot),
        (FoundOut::Happened(None), EntryKind::Result),
    ] {
        let (mut world, id) = in_doubt();
        world.restart(10);
        let reply = resolve(&mut world, &id, 3, found);
        assert!(matches!(reply, Reply::Operation(_)), "{reply:?}");
        assert_eq!(world.count(EventKind::EffectResolved), 1);
        let entry = world.effects.last().unwrap();
        assert_eq!((entry.number, entry.kind, entry.call), (3, kind, Some(1)));
        assert_eq!(entry.fencing, 3, "of this daemon");
        let operation = world.operation("api down");
        assert_eq!(operation.state, OperationState::InProgress);
        assert_eq!((operation.attempts, operation.doubt), (1, None));
        let call = &world.calls[0];
        assert!(call.resumed);
        assert_eq!((call.place.call, call.request.attempt), (1, 1));
        world.recover_it();
        assert_eq!(world.stage("api down"), "watched");
    }
}

#[test]
fn another_effect_or_an_answer_of_another_shape_is_refused_and_it_is_asked_on() {
    let (mut world, id) = in_doubt();
    let reply = resolve(&mut world, &id, 4, FoundOut::DidNot);
    assert!(matches!(reply, Reply::Refused(Refusal::Conflict(_))));
    for wrong in ["done", "nothing"] {
        let answer = FoundOut::Happened(Some(wrong.into()));
        let Reply::Refused(Refusal::NotAllowed(why)) = resolve(&mut world, &id, 3, answer) else {
            panic!("{wrong} was taken");
        };
        assert!(why.contains("exit_code"), "{why}");
    }
    assert_eq!(world.stage("api down"), "asking");
    let output = Answer::Output(CommandOutput {
        exit_code: 7,
        stdout: b"flushed".to_vec().into(),
        stderr: Blob::default(),
        truncated: false,
    });
    let given = serde_json::to_value(&output).unwrap();
    resolve(&mut world, &id, 3, FoundOut::Happened(Some(given)));
    assert_eq!(world.effects.last().unwrap().result, Some(Ok(output)));
}

#[test]
fn a_doubt_is_asked_about_also_where_its_failure_is_over() {
    let (mut world, id) = in_doubt();
    world.clear("api down");
    assert_eq!(world.stage("api down"), "asking");
    world.restart(10);
    assert_eq!(world.stage("api down"), "asking");
    resolve(&mut world, &id, 3, FoundOut::DidNot);
    assert!(world.calls[0].resumed);
    // It is over before that is seen to be in doubt.
    let halt = Halt::InDoubt(Box::new(doubt(&world)));
    world.answer(Err(NotHandled::Halted(halt)));
    assert_eq!(world.stage("api down"), "asking");
    resolve(&mut world, &id, 3, FoundOut::Happened(None));
    world.recover_it();
    assert_eq!(world.operations[&id].state, OperationState::Succeeded);
}

#[test]
fn a_doubt_that_lasts_is_told_once_more_also_where_its_failure_is_over() {
    let after = Duration::from_secs(180);
    for is_over in [false, true] {
        let (mut world, id) = in_doubt_by(Spec {
            escalation: EscalationSpec {
                after: Some(after),
                ..EscalationSpec::default()
            },
            ..usual()
        });
        if is_over {
            world.clear("api down");
        }
        let opened = world.incident("api down").opened_at;
        let left = after - world.at().now.since(opened);
        let left = u64::try_from(left.as_millis()).unwrap();
        world.wait(left - 1_000);
        // Whichever daemon is there by then.
        world.restart(500);
        assert_eq!(world.count(EventKind::IncidentOverdue), 0);
        world.wait(500);
        assert_eq!(world.count(EventKind::IncidentOverdue), 1);
        assert_eq!(world.stage("api down"), "asking", "over: {is_over}");
        let mut events = world.events.iter();
        let told = events.find(|event| event.kind == EventKind::IncidentOverdue);
        let told = told.unwrap();
        assert_eq!(told.operation.as_ref(), Some(&id));
        assert!(
            told.message.ends_with("it waits for a person"),
            "{}",
            told.message
        );
    }
}

#[test]
fn who_is_asked_may_end_it_instead() {
    let (mut world, id) = in_doubt();
    world.decide(Verb::Reject, &id);
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
    assert!(world.open_calls.is_empty(), "nobody goes on with its call");
}

#[test]
fn what_always_runs_is_called_before_an_operation_in_doubt_is_ended() {
    let always = StepSpec {
        always: true,
        ..step("alert")
    };
    for verb in [Verb::Reject, Verb::Cancel] {
        let mut world = World::new(with_route(RouteSpec {
            chain: vec![step("fix"), always.clone()],
            ..route()
        }));
        world.raise("api down", High);
        world.keep_on_record();
        world.restart(10);
        let halt = Halt::InDoubt(Box::new(doubt(&world)));
        world.answer(Err(NotHandled::Halted(halt)));
        let id = world.operation("api down").id;
        world.decide(verb, &id);
        assert!(world.open_calls.is_empty(), "{verb:?}");
        assert_eq!(world.calls[0].handler, always.handler, "{verb:?}");
        assert_eq!(world.calls[0].request.attempt, 1, "{verb:?}");
        world.answer(Ok(Default::default()));
        let ended = &world.operations[&id];
        assert_eq!(ended.state, OperationState::Cancelled, "{verb:?}");
        assert_eq!(ended.escalated, verb == Verb::Reject);
        assert_eq!(world.stage("api down"), "people", "{verb:?}");
    }
}

#[test]
fn a_doubt_that_nobody_ends_in_time_is_left_to_people_with_what_was_missed() {
    let mut config = usual();
    config.policy.approval.expires = Some(Duration::from_secs(60));
    let mut world = World::new(config);
    world.raise("api down", High);
    world.keep_on_record();
    world.restart(10);
    let halt = Halt::InDoubt(Box::new(doubt(&world)));
    world.answer(Err(NotHandled::Halted(halt)));
    let id = world.operation("api down").id;
    // Also where no daemon lived meanwhile.
    world.restart(60_000);
    assert_eq!(world.stage("api down"), "people");
    let missed = "nobody said in time whether effect 3 of its recovery happened";
    let ended = &world.operations[&id];
    assert_eq!(ended.state, OperationState::Failed);
    assert_eq!(ended.error.as_deref(), Some(missed));
    let incident = world.incident("api down");
    assert_eq!(incident.handed_over.as_deref(), Some(missed));
    assert!(world.open_calls.is_empty());
}

#[test]
fn a_call_whose_chain_is_another_one_has_ended_and_a_person_is_asked() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    world.spec = with_route(RouteSpec {
        chain: vec![step("other")],
        ..route()
    });
    world.restart(10);
    assert_eq!(world.stage("api down"), "asking");
    assert!(world.open_calls.is_empty(), "nobody goes on with it");
}
