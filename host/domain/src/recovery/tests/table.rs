//! How the table of `stages` is read: which stage follows each input, what is written, and what is asked for.
//!
//! A row is `INPUTS -> STAGE | WRITES | ACTIONS`; `=` is the stage that it was, `none` that there is no case, and `illegal`
//! that the input is refused and nothing has changed. Writes: `I` an incident, `O` an operation, each with its state, `C` the
//! end of a call, `P` a pause, `+` an event. Each input comes 10 ms after the stage was reached, so that what was seen then is not seen now.

use super::{
    super::{
        Action, Command, Handled, IllegalMove, Input, Look, LookResult, NotHandled, Outcome,
        Refusal, Reply, Ticket, Verb,
    },
    fixtures::{
        decision, done, evidence, key, missing, needs_operator, permanent, plugin, retryable,
        route, spec, step, target, usual, with_route,
    },
    inputs::{FURTHER, further, rows_of},
    world::World,
};
use crate::{
    call::Report,
    id::OperationId,
    record::Change,
    severity::Severity,
    spec::{RouteSpec, StepSpec},
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

pub(super) const INPUTS: &str = "raised worse cleared exited done retryable permanent needs-operator missing \
    healthy passing failing down not-yet stale recover dry-run approve reject cancel pause resume serves same-spec \
    without-target another-route tick stop";

/// Only what is critical.
fn for_critical() -> RouteSpec {
    RouteSpec {
        severity: Some(Severity::Critical),
        ..route()
    }
}

/// A second step, a minute behind the first.
fn with_a_pause() -> RouteSpec {
    let second = StepSpec {
        pause: Duration::from_secs(60),
        ..step("second")
    };
    RouteSpec {
        chain: vec![step("fix"), second],
        ..route()
    }
}

/// A world in which `api down` stands at a stage.
pub(super) fn begin(stage: &str) -> World {
    let mut world = match stage {
        "unrouted" => World::new(with_route(for_critical())),
        "pausing" => World::new(with_route(with_a_pause())),
        _ => World::new(usual()),
    };
    if matches!(stage, "scheduled" | "looking") {
        world.pause(Some("api"), true);
    }
    if stage != "none" {
        world.raise("api down", Severity::High);
    }
    match stage {
        "people" => {
            world.answer(retryable());
            let id = world.operation("api down").id;
            world.decide(Verb::Cancel, &id);
        }
        "resting" => drop(world.answer(retryable())),
        "asking" => drop(world.answer(needs_operator())),
        "looking" => {
            world.pass(10);
            world.pause(Some("api"), false);
        }
        "pausing" | "validating" => drop(world.answer(done())),
        "watched" => world.recover_it(),
        _ => {}
    }
    assert_eq!(world.stage("api down"), stage);
    world.pass(10);
    world
}

pub(super) fn apply(world: &mut World, name: &str) -> Result<Outcome, IllegalMove> {
    let made_up = || OperationId::parse("op-01K0000000000000000000000A").unwrap();
    let id = world
        .operations
        .keys()
        .next_back()
        .cloned()
        .unwrap_or_else(made_up);
    let number = world.looks.first().map_or(1, |(_, number)| *number);
    let called = |result: Result<Report, NotHandled>| {
        let handled = Handled {
            by: None,
            result,
            effects: 1,
            acted: false,
        };
        Input::Called(id.clone(), handled)
    };
    let looked = |number, seen, is_present| {
        let look = Look {
            number,
            seen,
            is_present,
            results: Vec::new(),
        };
        Input::Looked(id.clone(), look)
    };
    let person = |command| Input::Command(command, Ticket(100));
    let recover = |dry_run| Command::Recover {
        key: key("api down"),
        dry_run,
        mode: crate::operation::Mode::Manual,
        by: "ann".into(),
    };
    let pause = |paused| Command::Pause {
        target: Some(key("api down").target),
        paused,
        by: "ann".into(),
    };
    let raised = |severity| Input::Raised {
        key: key("api down"),
        severity,
        evidence: evidence("refused"),
        detected_at: world.at().now,
    };
    let other = RouteSpec {
        chain: vec![step("other")],
        ..route()
    };
    let input = match name {
        "raised" => raised(Severity::High),
        "worse" => raised(Severity::Critical),
        "cleared" => Input::Cleared(key("api down")),
        "exited" => Input::Exited(key("api down").target, evidence("exit code 1")),
        "done" => called(done()),
        "retryable" => called(retryable()),
        "permanent" => called(permanent()),
        "needs-operator" => called(needs_operator()),
        "missing" => called(missing()),
        "healthy" => looked(number, LookResult::Healthy, false),
        // One run passes, and it takes more of them until the failure is over.
        "passing" => looked(number, LookResult::Healthy, true),
        "failing" => looked(number, LookResult::Failing, true),
        "down" => looked(number, LookResult::Down, true),
        "not-yet" => looked(number, LookResult::NotYet, true),
        "stale" => looked(0, LookResult::Healthy, false),
        "recover" => person(recover(false)),
        "dry-run" => person(recover(true)),
        "approve" => person(decision(Verb::Approve, &id, None)),
        "reject" => person(decision(Verb::Reject, &id, None)),
        "cancel" => person(decision(Verb::Cancel, &id, None)),
        "pause" => person(pause(true)),
        "resume" => person(pause(false)),
        "serves" => Input::Serves(plugin("fix")),
        "same-spec" => Input::Spec(Arc::new(world.spec.clone())),
        "without-target" => Input::Spec(Arc::new(spec(
            vec![target("db")],
            world.spec.routes.clone(),
        ))),
        "another-route" => Input::Spec(Arc::new(with_route(other))),
        "tick" => Input::Tick,
        "stop" => Input::Stop,
        _ => further(world, name, &id),
    };
    let mut rows = rows_of(&input).split_whitespace();
    assert!(rows.any(|row| row == name), "{name} is no row of {input:?}");
    world.try_input(input)
}

/// A state as it is printed.
fn word(state: impl serde::Serialize) -> String {
    match serde_json::to_value(state).unwrap() {
        Value::String(word) => word,
        other => panic!("{other} is no word"),
    }
}

fn write_words(change: &Change) -> String {
    match change {
        Change::Incident(one) => format!("I.{}", word(one.state)),
        Change::Operation(one) => format!("O.{}", one.state.as_str()),
        Change::Event(event) => format!("+{}", event.kind.as_str().split_once('.').unwrap().1),
        Change::Paused(_, paused) => format!("P.{paused}"),
        Change::AuditedUnder(context) => format!("A.{}", context.phase),
        Change::CallEnded(..) => "C".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn action_words(action: &Action) -> String {
    match action {
        Action::Call(call) => format!("call-{}", call.handler),
        Action::Decide(asked) => format!("ask-{}", asked.plugin),
        Action::Look { acted: true, .. } => "look-acted".to_owned(),
        Action::Look { .. } => "look".to_owned(),
        Action::Answer(_, Reply::Operation(one)) => format!("answer-{}", one.state.as_str()),
        Action::Answer(_, Reply::Done) => "answer-done".to_owned(),
        Action::Answer(_, Reply::Policy(_)) => "answer-policy".to_owned(),
        Action::Answer(_, Reply::Refused(Refusal::Unknown(_))) => "unknown".to_owned(),
        Action::Answer(_, Reply::Refused(Refusal::Conflict(_))) => "conflict".to_owned(),
        Action::Answer(_, Reply::Refused(Refusal::NotAllowed(_))) => "not-allowed".to_owned(),
    }
}

/// What an input comes to at a stage, as a row says it.
fn found(stage: &str, input: &str) -> String {
    let mut world = begin(stage);
    // The time passes also where nothing is changed.
    let at = world.at();
    world.machine.keeper.pass(at);
    let before = format!("{:?}", world.machine);
    let time = world.machine.timeline.clone();
    let Ok(outcome) = apply(&mut world, input) else {
        // All but the time is as it was.
        world.machine.timeline = time;
        assert_eq!(before, format!("{:?}", world.machine), "{stage}: {input}");
        return "illegal".to_owned();
    };
    let next = match world.stage("api down") {
        same if same == stage => "=",
        other => other,
    };
    let writes: Vec<String> = outcome.writes.iter().map(write_words).collect();
    let actions: Vec<String> = outcome.after.iter().map(action_words).collect();
    let row = format!("{next} | {} | {}", writes.join(" "), actions.join(" "));
    row.trim_end_matches([' ', '|']).to_owned()
}

/// Checks every row of a stage; each input stands in exactly one.
pub(super) fn check(stage: &str, rows: &str) {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for row in rows.lines().filter(|row| !row.trim().is_empty()) {
        let (inputs, expected) = row.split_once("->").unwrap();
        let expected: Vec<&str> = expected.split_whitespace().collect();
        for input in inputs.split_whitespace() {
            assert!(seen.insert(input), "{stage}: {input} stands twice");
            let found = found(stage, input);
            if found.split_whitespace().ne(expected.iter().copied()) {
                wrong.push(format!(
                    "{input} -> {found}, and the table says {}",
                    expected.join(" ")
                ));
            }
        }
    }
    let all = [INPUTS, FURTHER].map(str::split_whitespace);
    let all: BTreeSet<&str> = all.into_iter().flatten().collect();
    assert_eq!(seen, all, "{stage}");
    assert!(wrong.is_empty(), "{stage}:\n{}", wrong.join("\n"));
}
