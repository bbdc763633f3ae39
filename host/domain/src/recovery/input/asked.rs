//! What a person asks of the machine, and what becomes of it.

use crate::{
    actor::Actor,
    id::{IncidentId, OperationId},
    name::{SignalName, TargetName},
    operation::{Mode, Operation},
    policy::{EffectivePolicy, Phase},
    recovery::{CaseKey, PolicyOrder},
};
use std::time::Duration;

/// What becomes of a person's command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The operation that it concerns, as it is now.
    Operation(Box<Operation>),
    /// How a target is recovered now.
    Policy(Box<EffectivePolicy>),
    /// It is done.
    Done,
    /// It is not done.
    Refused(Refusal),
}

/// Why a person's command is not carried out; sentences for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The target or operation is not there.
    #[error("{0}")]
    Unknown(String),
    /// It is there, and not in the state that the command needs: somebody was faster, or it is the same once more.
    #[error("{0}")]
    Conflict(String),
    /// No config of today allows it.
    #[error("{0}")]
    NotAllowed(String),
}

/// Tells a command's reply from others; the driver's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What a person asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Recovers a target, now.
    Recover {
        /// Of what.
        key: CaseKey,
        /// Effects are only planned.
        dry_run: bool,
        /// In which mode; not automatic.
        mode: Mode,
        /// Who asks.
        by: Actor,
    },
    /// Decides about an operation.
    Decide {
        /// Which.
        id: OperationId,
        /// The revision that was looked at; none: whichever it has.
        revision: Option<u64>,
        /// What is decided.
        verb: Verb,
        /// Who decides.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// Takes an incident on: nobody else is told that nobody has.
    Acknowledge {
        /// Of which failure it is.
        key: CaseKey,
        /// Which.
        incident: IncidentId,
        /// Who does.
        by: Actor,
        /// What they say about it; may be empty.
        reason: String,
    },
    /// Says whether an effect happened that is in doubt; its operation goes on.
    Resolve {
        /// Of which operation.
        id: OperationId,
        /// The number of the effect.
        number: u32,
        /// What was found out.
        found: FoundOut,
        /// Who says so.
        by: Actor,
    },
    /// Signals to the handler of an operation.
    Signal(NewSignal),
    /// Pauses automatic operations of a target, or with none of the host.
    Pause {
        /// Whose.
        target: Option<TargetName>,
        /// False resumes them.
        paused: bool,
        /// Who asks.
        by: Actor,
    },
    /// Shows how a target is recovered.
    ShowPolicy(TargetName),
    /// Sets what holds over the routes of a target.
    SetPolicy(PolicyOrder),
    /// Changes the phase of the host.
    SetPhase {
        /// To which.
        to: Phase,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Pauses them for a while.
    PauseFor {
        /// Whose; none: the host's.
        target: Option<TargetName>,
        /// For how long; at most [`LONGEST_PAUSE`](crate::pause::LONGEST_PAUSE).
        length: Duration,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
}

/// What a person signals to the handler of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSignal {
    /// Of which operation.
    pub id: OperationId,
    /// What it is called.
    pub name: SignalName,
    /// What comes with it; may be empty, and has at most
    /// [`MAX_SIGNAL_BYTES`](crate::operation::MAX_SIGNAL_BYTES).
    pub text: String,
    /// Who signals.
    pub by: Actor,
}

/// What a person found out about an effect that was in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundOut {
    /// It happened; with what was answered, as a journal shows it, or as if it went well.
    Happened(Option<serde_json::Value>),
    /// It did not: it is performed now.
    DidNot,
}

/// What a person decides about an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Lets an operation that awaits a person run.
    Approve,
    /// Ends an operation that awaits a person; its incident is escalated.
    Reject,
    /// Ends an operation that waits or runs; a running one after its call.
    Cancel,
}
