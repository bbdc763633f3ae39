//! An incident: one open failure of one target.
//!
//! Invariant: a target has at most one open incident per failure type; a failure that comes back while it is open
//! counts as a recurrence.

use crate::{
    health::Evidence,
    id::IncidentId,
    name::{FailureType, TargetName},
    severity::Severity,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// The failure holds.
    Open,
    /// Verified healthy after an operation.
    Recovered,
    /// Became healthy without one.
    SelfHealed,
    /// A person has to act; it closes when the checks pass again.
    Escalated,
}

impl IncidentState {
    /// Whether the failure still holds.
    pub fn is_open(self) -> bool {
        matches!(self, IncidentState::Open | IncidentState::Escalated)
    }
}

/// One open or past failure of one target. Serialised as `incidents --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its identifier.
    pub id: IncidentId,
    /// What failed.
    pub target: TargetName,
    /// How it failed.
    pub failure: FailureType,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub state: IncidentState,
    /// When it was detected.
    pub opened_at: Timestamp,
    /// When it was seen healthy again.
    pub closed_at: Option<Timestamp>,
    /// How often it came back within its window; 0 the first time.
    pub recurrence: u32,
    /// What the checks saw, oldest first, bounded.
    pub evidence: Vec<Evidence>,
    /// What else suffers, by the failure type.
    pub affected: Vec<String>,
}
