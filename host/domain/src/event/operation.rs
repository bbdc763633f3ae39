//! What events of an operation and of its effects say.

use crate::{
    id::IncidentId,
    name::{FailureType, PluginName},
    operation::{Operation, OperationState},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Which recovery an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationFacts {
    /// From what the target is recovered.
    pub failure: FailureType,
    /// Whether effects are only planned.
    pub dry_run: bool,
    /// How often the operation has changed; a person decides about one revision.
    pub revision: u64,
}

impl OperationFacts {
    /// Those of an operation.
    pub fn of(operation: &Operation) -> Self {
        Self {
            failure: operation.failure.clone(),
            dry_run: operation.dry_run,
            revision: operation.revision,
        }
    }
}

/// What an operation came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationOutcome {
    /// The incident that it was for; absent in a dry run.
    pub incident: Option<IncidentId>,
    /// Where it stands.
    pub state: OperationState,
    /// Attempts begun.
    pub attempts: u32,
    /// The handler that ran last.
    pub handler: Option<PluginName>,
    /// Its version.
    pub handler_version: Option<semver::Version>,
    /// What was done, for people, in order.
    pub actions: Vec<String>,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// From detection to its end, milliseconds.
    pub recovery_ms: Option<u64>,
    /// Whether the recovery time objective was missed.
    pub rto_exceeded: bool,
    /// What a person has to do, in order, where a handler said so.
    pub steps: Vec<String>,
    /// The last handler that did something; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted_by: Option<PluginName>,
    /// The last lines that the target's log, or the program of a check, had at the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl OperationOutcome {
    /// That of an operation.
    pub fn of(operation: &Operation) -> Self {
        Self {
            incident: operation.incident.clone(),
            state: operation.state,
            attempts: operation.attempts,
            handler: operation.handler.clone(),
            handler_version: operation.handler_version.clone(),
            actions: operation.actions.clone(),
            error: operation.error.clone(),
            recovery_ms: operation.recovery_ms,
            rto_exceeded: operation.rto_exceeded,
            steps: operation.steps.clone(),
            acted_by: operation.acted_by.clone(),
            // Of what is over nobody needs them.
            output: match operation.state {
                OperationState::Succeeded | OperationState::Cancelled => None,
                _ => operation.output.clone(),
            },
        }
    }
}

/// A recovery is in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationScheduled {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// It begins no sooner than this, where it waits for its time.
    pub due: Option<Timestamp>,
}

/// A person asked for a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationAskedFor {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// Who asked: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// A recovery waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationAwaitingManual {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// What the person has to do, in order.
    pub steps: Vec<String>,
    /// Why it did not succeed so far.
    pub error: Option<String>,
    /// Attempts begun.
    pub attempts: u32,
    /// The number of the effect of which a person has to say first whether it happened, where one is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<u32>,
}

/// A person approved a recovery, or asked to cancel one that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationApproved {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// Who did: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they said it.
    pub reason: String,
}

/// A recovery began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationStarted {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// The number of its attempt.
    pub attempt: u32,
    /// The handler that is called first.
    pub handler: Option<PluginName>,
}

/// Another daemon resumes a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationResumed {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// How often a daemon ended during the calls of the present attempt.
    pub interruptions: u32,
}

/// An attempt failed and another follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRetrying {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// The number of the attempt that failed.
    pub attempt: u32,
    /// Why it failed.
    pub error: String,
    /// How long the next one waits, milliseconds.
    pub delay_ms: u64,
}

/// The handler is done, the checks decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationValidating {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// The number of the attempt.
    pub attempt: u32,
}

/// A recovery succeeded, is partial, or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationEnded {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// What it came to.
    #[serde(flatten)]
    pub outcome: OperationOutcome,
    /// People hear that it is over when it lasts.
    pub unproved: bool,
    /// People were told before that it does not help.
    pub again: bool,
}

impl OperationEnded {
    /// The end of an operation.
    pub fn of(operation: &Operation, unproved: bool, again: bool) -> Self {
        Self {
            about: OperationFacts::of(operation),
            outcome: OperationOutcome::of(operation),
            unproved,
            again,
        }
    }
}

/// A recovery was ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationCancelled {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// What it came to until then.
    #[serde(flatten)]
    pub outcome: OperationOutcome,
}

impl OperationCancelled {
    /// The end of an operation.
    pub fn of(operation: &Operation) -> Self {
        Self {
            about: OperationFacts::of(operation),
            outcome: OperationOutcome::of(operation),
        }
    }
}

/// An effect was performed, refused or planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectPerformed {
    /// Its WIT name, e.g. `targets.restart`.
    pub effect: String,
    /// `done`, or why not.
    pub outcome: String,
    /// Whether it was only planned, in a dry run.
    pub planned: bool,
}
