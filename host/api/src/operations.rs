//! Operations, and the journal of one.
//!
//! Length: the forms of an operation and of all that is shown with it.

use crate::{calls::HandlerCall, notes::Note, severity::Severity, status::Health, words::words};
use mainstay_domain::{
    effect::{EffectError, EffectResult},
    operation,
    record::{self, EffectEntry},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

words! {
    /// Where an operation stands.
    #[serde(rename_all = "kebab-case")]
    OperationState as operation::OperationState {
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
}

impl OperationState {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        operation::OperationState::from(self).is_final()
    }
}

words! {
    /// Who asked for an operation.
    #[serde(rename_all = "kebab-case")]
    Mode as operation::Mode {
        /// The host, by a check.
        Automatic,
        /// An operator, by command, or by approving.
        Manual,
        /// An operator, by command: it goes before all that waits.
        Emergency,
        /// An operator, by command, as a part of planned work: it goes behind all that waits.
        Maintenance,
    }
}

words! {
    /// What kind of entry of a journal it is.
    #[serde(rename_all = "kebab-case")]
    EntryKind as record::EntryKind {
        /// It is about to be done.
        Intent,
        /// It was done, or failed.
        Result,
        /// It was not done: the dry run's plan answered.
        Planned,
        /// It was begun, and a person says that it did not happen.
        DidNot,
    }
}

/// One operation: one durable run of a recovery chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// Its identifier.
    pub id: String,
    /// The identifier of the incident that it is for; null in a dry run.
    pub incident: Option<String>,
    /// What is recovered.
    pub target: String,
    /// From what.
    pub failure: String,
    /// How bad it is.
    pub severity: Severity,
    /// Who asked for it.
    pub mode: Mode,
    /// Where it stands.
    pub state: OperationState,
    /// Attempts begun.
    pub attempts: u32,
    /// The handler that ran last.
    pub handler: Option<String>,
    /// Its version.
    pub handler_version: Option<String>,
    /// The BLAKE3 hash of its component, hexadecimal.
    pub handler_digest: Option<String>,
    /// What was done, for people, in order.
    pub actions: Vec<String>,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// When the failure was detected.
    #[schemars(extend("format" = "date-time"))]
    pub detected_at: String,
    /// When the first attempt began.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: Option<String>,
    /// When it ended.
    #[schemars(extend("format" = "date-time"))]
    pub finished_at: Option<String>,
    /// From detection to its end, milliseconds, without what its target was verified healthy of that.
    pub recovery_ms: Option<u64>,
    /// Whether the recovery time objective, counted from detection, was missed.
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
    #[schemars(extend("format" = "date-time"))]
    pub due: Option<String>,
    /// The daemon ended during its last call, of which nobody knows what it did: the attempt is made again.
    #[serde(default)]
    pub cut_off: bool,
    /// How often the daemon ended during the calls of its present attempt.
    #[serde(default)]
    pub interruptions: u32,
    /// The last lines that the target's log, or the program of a check, had at the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Who asked to cancel it while a handler of it was called, and why: it ends after that call. Absent where
    /// nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_asked: Option<String>,
    /// What a person has to do about its failure, in order, where it was handed to people. Absent where it was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runbook: Vec<String>,
    /// Who has to approve it, and who has. Absent where one person may, and none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What people signalled to its handlers, in the order in which it came. Absent where nobody did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// What the checks said that decided on its last attempt whose handlers were done. Absent where none has so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_results: Vec<ValidationResult>,
    /// What it waits for, for people: a person, its time, its turn, a budget, the phase, the end of a pause. Absent where it
    /// waits for nothing, and in answers to commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

/// A signal that an operation has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// Its number within its operation, from 1.
    pub number: u32,
    /// What it is called.
    pub name: String,
    /// What came with it, as JSON text; empty where nothing did.
    pub text: String,
    /// When it came.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Who sent it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

impl From<&operation::ReceivedSignal> for Signal {
    fn from(signal: &operation::ReceivedSignal) -> Self {
        Self {
            number: signal.number,
            name: signal.name.to_string(),
            text: signal.text.clone(),
            at: signal.at.to_string(),
            by: signal.by.clone(),
            note: signal.note.clone(),
        }
    }
}

/// What a check said of the target that an operation has recovered, or has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidationResult {
    /// Its name.
    pub check: String,
    /// How it found the target. Healthy and degraded pass.
    pub outcome: Health,
    /// The same, for people.
    pub message: String,
    /// When it looked.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

impl From<&operation::ValidationResult> for ValidationResult {
    fn from(result: &operation::ValidationResult) -> Self {
        Self {
            check: result.check.to_string(),
            outcome: result.outcome.into(),
            message: result.message.clone(),
            at: result.at.to_string(),
        }
    }
}

/// The approval that an operation awaits, or was let run by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// So many people have to approve.
    pub needed: u32,
    /// Those who have, in order.
    pub given: Vec<Vote>,
    /// Where it is not approved before this, it is left to people; null: it waits.
    #[schemars(extend("format" = "date-time"))]
    pub expires: Option<String>,
}

/// That somebody approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vote {
    /// Who: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they said it.
    pub reason: String,
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

impl From<&operation::Approval> for Approval {
    fn from(approval: &operation::Approval) -> Self {
        let vote = |vote: &operation::Vote| Vote {
            by: vote.by.clone(),
            note: vote.note.clone(),
            reason: vote.reason.clone(),
            at: vote.at.to_string(),
        };
        Self {
            needed: approval.needed,
            given: approval.given.iter().map(vote).collect(),
            expires: approval.expires.map(String::from),
        }
    }
}

impl From<&operation::Operation> for Operation {
    fn from(operation: &operation::Operation) -> Self {
        Self {
            id: operation.id.to_string(),
            incident: operation.incident.as_ref().map(ToString::to_string),
            target: operation.target.to_string(),
            failure: operation.failure.to_string(),
            severity: operation.severity.into(),
            mode: operation.mode.into(),
            state: operation.state.into(),
            attempts: operation.attempts,
            handler: operation.handler.as_ref().map(ToString::to_string),
            handler_version: operation.handler_version.as_ref().map(ToString::to_string),
            handler_digest: operation.handler_digest.clone(),
            actions: operation.actions.clone(),
            error: operation.error.clone(),
            detected_at: operation.detected_at.to_string(),
            started_at: operation.started_at.map(String::from),
            finished_at: operation.finished_at.map(String::from),
            recovery_ms: operation.recovery_ms,
            rto_exceeded: operation.rto_exceeded,
            escalated: operation.escalated,
            dry_run: operation.dry_run,
            revision: operation.revision,
            steps: operation.steps.clone(),
            due: operation.due.map(String::from),
            cut_off: operation.cut_off,
            interruptions: operation.interruptions,
            output: operation.output.clone(),
            cancel_asked: operation.cancel_asked.clone(),
            runbook: operation.runbook.clone(),
            approval: operation.approval.as_ref().map(Approval::from),
            signals: operation.signals.iter().map(Signal::from).collect(),
            validation_results: operation
                .validation_results
                .iter()
                .map(ValidationResult::from)
                .collect(),
            waits: None,
        }
    }
}

/// What `operation show ID --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationDetail {
    /// The operation's own fields.
    #[serde(flatten)]
    pub operation: Operation,
    /// Its effects, in order.
    pub journal: Vec<JournalEntry>,
    /// What people wrote down about it, oldest first. Absent where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The calls of its handlers that did something, in order. Absent where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<HandlerCall>,
}

/// One entry of an operation's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalEntry {
    /// The number of the effect within its operation, from 1; an intent and its result share it.
    pub seq: u32,
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Before, after, or instead.
    pub kind: EntryKind,
    /// The contract's name of the function, e.g. `targets.restart`.
    pub effect: String,
    /// Its arguments.
    pub request: Value,
    /// What was answered; null in an intent and after a failure.
    pub response: Value,
    /// `done`, or how it failed (`denied: …`, `timed out: …`); null in an intent.
    pub outcome: Option<String>,
    /// The number of the call of a handler that asked for it; absent where calls were not on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u32>,
    /// Its idempotency key; absent where `call` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether nobody knows if it happened, so that a person has to say. Absent where that is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_doubt: bool,
}

impl From<&EffectEntry> for JournalEntry {
    fn from(entry: &EffectEntry) -> Self {
        let mut request = serde_json::to_value(&entry.effect).unwrap_or_default();
        if let Some(fields) = request.as_object_mut() {
            // It has a field of its own.
            fields.remove("effect");
        }
        let outcome = |result: &EffectResult| match result {
            Ok(_) => "done".to_owned(),
            Err(error) => EffectError::to_string(error),
        };
        let answer = entry
            .result
            .as_ref()
            .and_then(|result| result.as_ref().ok());
        Self {
            seq: entry.number,
            at: entry.at.to_string(),
            kind: entry.kind.into(),
            effect: entry.effect.name().to_owned(),
            request,
            response: answer
                .and_then(|answer| serde_json::to_value(answer).ok())
                .unwrap_or_default(),
            outcome: entry.result.as_ref().map(outcome),
            call: entry.call,
            key: entry
                .call
                .map(|_| format!("{}-{}", entry.operation, entry.number)),
            in_doubt: false,
        }
    }
}
