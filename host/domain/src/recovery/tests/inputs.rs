//! Further inputs of the table of `stages`, and the rows that each input has.

use super::{
    super::{
        Command, FoundOut, Handled, Input, Look, LookResult, NewSignal, NotHandled, PolicyOrder,
        Ticket, Verb,
    },
    fixtures::key,
    world::World,
};
use crate::{
    call::{NextStep, RecoveryFailure},
    id::{IncidentId, OperationId},
    name::SignalName,
    policy::{CharterBreach, Phase, TargetPolicy},
    replay::Halt,
};
use std::time::Duration;

/// Those of which `sentences` says nothing.
pub(super) const FURTHER: &str = "unseen kept-stopped halted sleeping decided settling blind charter-broken \
    charter-whole acknowledge signal resolve pause-for show-policy clear-policy safe-phase";

const SLEEP: Duration = Duration::from_secs(5);

/// One of [`FURTHER`], about `api down` and its newest operation.
pub(super) fn further(world: &World, name: &str, id: &OperationId) -> Input {
    let called = |halt| {
        let handled = Handled {
            by: None,
            result: Err(NotHandled::Halted(halt)),
            effects: 1,
            acted: false,
        };
        Input::Called(id.clone(), handled)
    };
    let looked = |seen| {
        let look = Look {
            number: world.looks.first().map_or(1, |(_, number)| *number),
            seen,
            is_present: true,
            results: Vec::new(),
        };
        Input::Looked(id.clone(), look)
    };
    let person = |command| Input::Command(command, Ticket(100));
    let target = key("api down").target;
    match name {
        "unseen" => Input::Unseen(key("api down")),
        "kept-stopped" => Input::KeptStopped(key("api down"), "stopped by ann".to_owned()),
        "halted" => called(Halt::GivenUp("nobody knows".to_owned())),
        "sleeping" => called(Halt::Suspended {
            until: world.at().now + SLEEP,
            left: SLEEP,
        }),
        // Nobody was asked.
        "decided" => Input::Decided(id.clone(), 1, Ok(NextStep::AttemptAfter(SLEEP))),
        "settling" => looked(LookResult::Settling),
        "blind" => looked(LookResult::Unseen),
        "charter-broken" => Input::Charter(Some(CharterBreach::Unreadable("gone".to_owned()))),
        "charter-whole" => Input::Charter(None),
        "acknowledge" => person(Command::Acknowledge {
            key: key("api down"),
            incident: newest_incident(world),
            by: "ann".into(),
            reason: "so".to_owned(),
        }),
        "signal" => person(Command::Signal(NewSignal {
            id: id.clone(),
            name: SignalName::parse("go").unwrap(),
            text: String::new(),
            by: "ann".into(),
        })),
        // Nothing is in doubt.
        "resolve" => person(Command::Resolve {
            id: id.clone(),
            number: 1,
            found: FoundOut::DidNot,
            by: "ann".into(),
        }),
        "pause-for" => person(Command::PauseFor {
            target: Some(target),
            length: Duration::from_secs(60),
            reason: "so".to_owned(),
            by: "ann".into(),
        }),
        "show-policy" => person(Command::ShowPolicy(target)),
        "clear-policy" => person(Command::SetPolicy(PolicyOrder {
            target,
            policy: TargetPolicy::default(),
            clear: true,
            reason: "so".to_owned(),
            by: "ann".into(),
        })),
        "safe-phase" => person(Command::SetPhase {
            to: Phase::Safe,
            reason: "so".to_owned(),
            by: "ann".into(),
        }),
        _ => panic!("{name} is no input"),
    }
}

fn newest_incident(world: &World) -> IncidentId {
    let made_up = || IncidentId::parse("inc-01K0000000000000000000000A").unwrap();
    let newest = world.incidents.keys().next_back();
    newest.cloned().unwrap_or_else(made_up)
}

/// The rows that an input has. What is new does not compile before it is said here which those are.
pub(super) fn rows_of(input: &Input) -> &'static str {
    match input {
        Input::Raised { .. } => "raised worse",
        Input::Cleared(_) => "cleared",
        Input::Unseen(_) => "unseen",
        Input::KeptStopped(..) => "kept-stopped",
        Input::Exited(..) => "exited",
        Input::Called(_, handled) => match &handled.result {
            Ok(_) => "done",
            Err(NotHandled::Failed(RecoveryFailure::Retryable(_))) => "retryable",
            Err(NotHandled::Failed(RecoveryFailure::Permanent(_))) => "permanent",
            Err(NotHandled::Failed(RecoveryFailure::NeedsOperator(_))) => "needs-operator",
            Err(NotHandled::Missing(_)) => "missing",
            Err(NotHandled::Halted(_)) => "halted sleeping",
        },
        Input::Decided(..) => "decided",
        Input::Looked(_, look) => match look.seen {
            LookResult::Healthy => "healthy passing stale",
            LookResult::Settling => "settling",
            LookResult::Failing => "failing",
            LookResult::Down => "down",
            LookResult::NotYet => "not-yet",
            LookResult::Unseen => "blind",
        },
        Input::Command(command, _) => rows_of_command(command),
        Input::Serves(_) => "serves",
        Input::Spec(_) => "same-spec without-target another-route",
        Input::Charter(_) => "charter-broken charter-whole",
        Input::Tick => "tick",
        Input::Stop => "stop",
        // It is the first one, and so comes at no stage; `restart` has what is made of each of them.
        Input::Recovered(_) => "",
    }
}

fn rows_of_command(command: &Command) -> &'static str {
    match command {
        Command::Recover { .. } => "recover dry-run",
        Command::Decide { verb, .. } => match verb {
            Verb::Approve => "approve",
            Verb::Reject => "reject",
            Verb::Cancel => "cancel",
        },
        Command::Acknowledge { .. } => "acknowledge",
        Command::Resolve { .. } => "resolve",
        Command::Signal(_) => "signal",
        Command::Pause { .. } => "pause resume",
        Command::ShowPolicy(_) => "show-policy",
        Command::SetPolicy(_) => "clear-policy",
        Command::SetPhase { .. } => "safe-phase",
        Command::PauseFor { .. } => "pause-for",
    }
}
