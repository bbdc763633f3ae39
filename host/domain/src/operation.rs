//! A recovery operation: one durable run of a recovery chain for an incident.
//!
//! Invariant: no clock, no I/O; the legal moves between states are one table, and an illegal one is a typed error.
//!
//! Length: the record, its states and their table of moves in one place.

use crate::{
    doubt::Doubt,
    id::{IncidentId, OperationId},
    name::{FailureType, PluginName, TargetName},
    severity::Severity,
    text::excerpt,
    time::{Timestamp, millis},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod approval;
mod chain;
mod signal;
#[cfg(test)]
mod tests;
mod validation;
mod words;

pub use approval::{Approval, Vote};
pub use chain::{AttemptProgress, ChainPlace, Failed};
pub use signal::{AwaitedSignal, MAX_SIGNAL_BYTES, MAX_SIGNALS, ReceivedSignal};
pub use validation::{MAX_VALIDATION_CHARS, MAX_VALIDATION_RESULTS, ValidationResult};

/// Where an operation stands [seed 002, 000].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// In the queue.
    Scheduled,
    /// A handler runs, or the next attempt is waited for.
    InProgress,
    /// The handler is done; the checks decide.
    Validating,
    /// Verified healthy.
    Succeeded,
    /// No attempt worked, or it was interrupted.
    Failed,
    /// The handler is done, the validation is not.
    Partial,
    /// An operator ended it, or it was no longer needed.
    Cancelled,
    /// A person has to approve or reject it.
    AwaitingManual,
}

impl OperationState {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Partial | Self::Cancelled
        )
    }
}

/// Who asked for an operation [seed 000].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The host, by a check.
    Automatic,
    /// An operator, by command, or by approving.
    Manual,
    /// An operator, by command: it goes before all that waits.
    Emergency,
    /// An operator, by command, as a part of planned work: it goes behind all that waits.
    Maintenance,
}

/// A text that is no mode in which an operator asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no mode in which a recovery is asked for: manual, emergency and maintenance are")]
pub struct NotAsked(String);

impl Mode {
    /// Reads the word of a mode in which an operator asks.
    ///
    /// # Errors
    /// It is none.
    pub fn parse_asked(text: &str) -> Result<Self, NotAsked> {
        match text {
            "manual" => Ok(Self::Manual),
            "emergency" => Ok(Self::Emergency),
            "maintenance" => Ok(Self::Maintenance),
            other => Err(NotAsked(excerpt(other))),
        }
    }

    /// How urgent an operation in this mode is, where its target is so urgent.
    pub fn priority(self, of_target: u8) -> u8 {
        match self {
            Self::Automatic | Self::Manual => of_target,
            Self::Emergency => 0,
            Self::Maintenance => u8::MAX,
        }
    }
}

/// One operation. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its identifier.
    pub id: OperationId,
    /// The incident that it is for; absent in a dry run.
    pub incident: Option<IncidentId>,
    /// What is recovered.
    pub target: TargetName,
    /// From what.
    pub failure: FailureType,
    /// How bad it is.
    pub severity: Severity,
    /// Who asked for it.
    pub mode: Mode,
    /// Where it stands.
    pub state: OperationState,
    /// Attempts begun.
    pub attempts: u32,
    /// The handler that ran last.
    pub handler: Option<PluginName>,
    /// Its version.
    pub handler_version: Option<semver::Version>,
    /// The BLAKE3 hash of its component, hexadecimal.
    pub handler_digest: Option<String>,
    /// What was done, for people, in order.
    pub actions: Vec<String>,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// When the failure was detected.
    pub detected_at: Timestamp,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// From detection to its end, milliseconds, without what the target was verified healthy of that. Versions that did
    /// not know how long that was counted it too, and gave dry runs one.
    pub recovery_ms: Option<u64>,
    /// Whether the recovery time objective, counted like that time, was missed.
    pub rto_exceeded: bool,
    /// Whether it was handed to people.
    pub escalated: bool,
    /// Whether effects were only planned.
    pub dry_run: bool,
    /// How often it has changed: what a person decides about one revision is refused for a later one.
    #[serde(default)]
    pub revision: u64,
    /// What a person has to do, in order, where it waits for one or a handler said so.
    #[serde(default)]
    pub steps: Vec<String>,
    /// Its next attempt is not before this, where it waits for its time.
    #[serde(default)]
    pub due: Option<Timestamp>,
    /// The daemon ended during its last call, of which nobody knows what it did: the attempt is made again.
    #[serde(default)]
    pub cut_off: bool,
    /// How often the daemon ended during the calls of its present attempt.
    #[serde(default)]
    pub interruptions: u32,
    /// The last handler that did something: an effect that acts, or what it reports. Absent where none did, or where an
    /// earlier version did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted_by: Option<PluginName>,
    /// The last lines that the target's log, or the program of a check, had at the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Who asked to cancel it while a handler of it was called, and why: it ends after that call. It stays where the call
    /// recovered the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_asked: Option<String>,
    /// What a person has to do about its failure, in order, where it was handed to people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runbook: Vec<String>,
    /// Who has to approve it, and who has; absent where one person may, and none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The step whose handler is called, or is called next by the daemon that goes on with the attempt; absent where none
    /// is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Box<ChainPlace>>,
    /// The effect of which nobody knows whether it happened, where it waits for who can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Box<Doubt>>,
    /// What people signalled to its handlers, in the order in which it came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<ReceivedSignal>,
    /// What the checks said that decided on its last attempt whose handlers were done. Empty where none has so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_results: Vec<ValidationResult>,
}

/// What happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationEvent {
    /// An attempt begins.
    AttemptBegan,
    /// The handler is done.
    HandlerFinished,
    /// The checks pass again.
    Verified,
    /// No attempt is left, or nobody approved in time.
    GaveUp,
    /// It may not go on alone: the strategy is manual, or an effect is in doubt.
    NeedsOperator,
    /// An operator lets it run.
    Approved,
    /// An operator does not.
    Rejected,
    /// An operator ended it, or its failure ended by itself.
    Cancelled,
    /// The daemon ended while it ran; its incident is resumed.
    Interrupted,
}

impl OperationEvent {
    /// Every event.
    pub const ALL: [OperationEvent; 9] = [
        OperationEvent::AttemptBegan,
        OperationEvent::HandlerFinished,
        OperationEvent::Verified,
        OperationEvent::GaveUp,
        OperationEvent::NeedsOperator,
        OperationEvent::Approved,
        OperationEvent::Rejected,
        OperationEvent::Cancelled,
        OperationEvent::Interrupted,
    ];
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an operation that is {} cannot be {}", .from.as_str(), .event.done_to())]
pub struct IllegalMove {
    /// Where the operation stands.
    pub from: OperationState,
    /// What was to happen.
    pub event: OperationEvent,
}

/// Where an event takes an operation: the whole table of legal moves.
pub fn next(from: OperationState, event: OperationEvent) -> Result<OperationState, IllegalMove> {
    use OperationEvent as E;
    use OperationState as S;
    Ok(match (from, event) {
        (S::Scheduled | S::InProgress | S::Validating, E::AttemptBegan) => S::InProgress,
        (S::InProgress, E::HandlerFinished) => S::Validating,
        (S::Validating, E::Verified) => S::Succeeded,
        (S::Scheduled | S::InProgress | S::AwaitingManual, E::GaveUp) => S::Failed,
        (S::Validating, E::GaveUp) => S::Partial,
        (S::Scheduled | S::InProgress | S::Validating, E::NeedsOperator) => S::AwaitingManual,
        (S::AwaitingManual, E::Approved) => S::Scheduled,
        (S::AwaitingManual, E::Rejected) => S::Cancelled,
        (S::Scheduled | S::InProgress | S::Validating | S::AwaitingManual, E::Cancelled) => {
            S::Cancelled
        }
        (S::Scheduled | S::InProgress | S::Validating, E::Interrupted) => S::Failed,
        _ => return Err(IllegalMove { from, event }),
    })
}

impl Operation {
    /// One that is scheduled, for no incident yet, to act on the world.
    pub fn scheduled(
        id: OperationId,
        target: TargetName,
        failure: FailureType,
        severity: Severity,
        mode: Mode,
        detected_at: Timestamp,
    ) -> Self {
        Self {
            id,
            incident: None,
            target,
            failure,
            severity,
            mode,
            state: OperationState::Scheduled,
            attempts: 0,
            handler: None,
            handler_version: None,
            handler_digest: None,
            actions: Vec::new(),
            error: None,
            detected_at,
            started_at: None,
            finished_at: None,
            recovery_ms: None,
            rto_exceeded: false,
            escalated: false,
            dry_run: false,
            revision: 0,
            steps: Vec::new(),
            due: None,
            cut_off: false,
            interruptions: 0,
            acted_by: None,
            output: None,
            cancel_asked: None,
            runbook: Vec::new(),
            approval: None,
            chain: None,
            doubt: None,
            signals: Vec::new(),
            validation_results: Vec::new(),
        }
    }

    /// Lets an event happen: moves on, counts attempts, and keeps the times. Recovery is counted from detection. An
    /// automatic operation that did not recover its target is escalated [seed 000], and so is one that is rejected.
    /// On an error nothing has changed.
    pub fn apply(
        &mut self,
        event: OperationEvent,
        now: Timestamp,
        rto: Duration,
    ) -> Result<(), IllegalMove> {
        self.apply_after(event, now, now.since(self.detected_at), rto)
    }

    /// The same, where it is known for how long the target was failed since the detection, whatever the wall clock says.
    pub fn apply_after(
        &mut self,
        event: OperationEvent,
        now: Timestamp,
        elapsed: Duration,
        rto: Duration,
    ) -> Result<(), IllegalMove> {
        self.state = next(self.state, event)?;
        self.revision = self.revision.saturating_add(1);
        self.due = None;
        self.rto_exceeded |= elapsed > rto && !self.dry_run;
        match event {
            OperationEvent::AttemptBegan => {
                self.cut_off = false;
                self.attempts = self.attempts.saturating_add(1);
                self.started_at.get_or_insert(now);
            }
            OperationEvent::Approved if self.mode == Mode::Automatic => self.mode = Mode::Manual,
            OperationEvent::Rejected => self.escalated = true,
            OperationEvent::GaveUp => {
                self.escalated |= self.mode == Mode::Automatic && !self.dry_run;
            }
            _ => {}
        }
        if self.state.is_final() {
            self.finished_at = Some(now);
            // A dry run recovers nothing.
            self.recovery_ms = (!self.dry_run).then(|| millis(elapsed));
        }
        Ok(())
    }
}
