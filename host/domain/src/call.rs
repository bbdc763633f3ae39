//! What the host asks a plugin, and what a plugin answers.
//!
//! Invariant: these are the shapes of `plugin-sdk/wit` in the words of the domain; every contract version has an adapter
//! in the runtime that turns its own shapes into these. What came with contract 1.1.0 is below here, in a file for each
//! kind.

mod collect;
mod next;
mod pages;
mod probe;

pub use collect::{CollectFailure, CollectRequest, Cursor, Page, Part};
pub use next::{AttemptRecord, NextStep, Situation};
pub use pages::{CollectedPages, PageFault};
pub use probe::{Condition, MAX_MEMORY, ProbeRequest, Seen};

use crate::{
    alert::Alert,
    backup::BackupSummary,
    health::Evidence,
    id::{IncidentId, OperationId},
    name::{FailureType, JobName, TargetName},
    severity::Severity,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One attempt of a recovery handler at one operation. Serialised as it is stored with a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecoverRequest {
    /// The operation; with the number of an effect, its idempotency key.
    pub operation: OperationId,
    /// What it is for; absent in a dry run.
    pub incident: Option<IncidentId>,
    /// What is to be recovered.
    pub target: TargetName,
    /// From what.
    pub failure: FailureType,
    /// How bad it is.
    pub severity: Severity,
    /// How often the incident came back within its window; 0 the first time.
    pub recurrence: u32,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub max_attempts: u32,
    /// The operating phase of the host.
    pub phase: String,
    /// When the failure was detected.
    pub detected_at: Timestamp,
    /// What is left of the recovery time objective; absent where there is none, zero where it is spent.
    #[serde(rename = "remaining_ms", with = "whole_millis", default)]
    pub remaining: Option<Duration>,
    /// What checks saw.
    pub evidence: Vec<Evidence>,
    /// Rises with every new owner of the target.
    pub fencing: u64,
    /// Effects are only planned.
    pub dry_run: bool,
    /// Parameters of the chain's step as the operator wrote them, secrets by name; a JSON object.
    pub params: serde_json::Value,
}

/// A length that may be absent, stored in whole milliseconds, which are what a guest is told.
mod whole_millis {
    use crate::time::millis;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(
        length: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        length.map(millis).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let length = Option::<u64>::deserialize(deserializer)?;
        Ok(length.map(Duration::from_millis))
    }
}

/// What a handler did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// For people, in order.
    pub actions: Vec<String>,
    /// What may be lost, for people.
    pub data_loss: Option<String>,
}

/// Why a handler did not recover its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryFailure {
    /// Another attempt may help.
    #[error("{0}")]
    Retryable(String),
    /// No attempt will help.
    #[error("{0}")]
    Permanent(String),
    /// A person has to do this: the steps.
    #[error("a person has to act: {}", .0.join("; "))]
    NeedsOperator(Vec<String>),
}

/// One attempt of an alerter at one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverRequest {
    /// The message.
    pub alert: Alert,
    /// Which attempt this is, from 1; above 1 the receiver may have seen it.
    pub attempt: u32,
}

/// What an alerter has of a delivered alert.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Receipt {
    /// The receiver's own name for it.
    pub reference: Option<String>,
}

/// Why an alert was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryFailure {
    /// Another attempt may help.
    #[error("{reason}")]
    RetryAfter {
        /// For people.
        reason: String,
        /// Not sooner than this, milliseconds.
        after_ms: Option<u64>,
    },
    /// No attempt will help.
    #[error("{0}")]
    Permanent(String),
}

/// What a retention policy is asked. The answer has one verdict for each backup; what has none is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeRequest {
    /// Whose backups these are.
    pub job: JobName,
    /// The time that ages are counted from.
    pub now: Timestamp,
    /// Every backup of the job.
    pub backups: Vec<BackupSummary>,
}
