//! A recovery operation: one durable run of a recovery chain for an incident.
//!
//! Invariant: no clock, no I/O; the legal moves between states are one table, and an illegal one is a typed error.

use crate::{
    id::{IncidentId, OperationId},
    name::{FailureType, PluginName, TargetName},
    severity::Severity,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

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
    /// An operator, past budgets and cooldowns.
    Emergency,
    /// An operator, in planned work.
    Maintenance,
}

/// One operation. Serialised as `history --json` prints it.
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
    /// From detection to its end, milliseconds.
    pub recovery_ms: Option<u64>,
    /// Whether the recovery time objective, counted from detection, was missed.
    pub rto_exceeded: bool,
    /// Whether it was handed to people.
    pub escalated: bool,
    /// Whether effects were only planned.
    pub dry_run: bool,
}
