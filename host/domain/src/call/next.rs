//! What the host asks a recovery strategy, and what comes next.

use crate::{
    name::{FailureType, TargetName},
    severity::Severity,
    time::Timestamp,
};
use std::time::Duration;

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Which one, from 1.
    pub number: u32,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The plugin whose step failed.
    pub handler: String,
    /// Its version; empty where none served.
    pub version: String,
    /// Why, for people.
    pub error: String,
}

/// What is to be decided on.
#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// What failed.
    pub target: TargetName,
    /// How.
    pub failure: FailureType,
    /// How bad it is.
    pub severity: Severity,
    /// How often the incident came back within its window; 0 the first time.
    pub recurrence: u32,
    /// The operating phase of the host.
    pub phase: String,
    /// The time that waits are counted from.
    pub now: Timestamp,
    /// When the failure was detected.
    pub detected_at: Timestamp,
    /// What is left of the recovery time objective; absent where there is none.
    pub remaining: Option<Duration>,
    /// Oldest first; at least one.
    pub attempts: Vec<AttemptRecord>,
    /// Parameters of the strategy as the operator wrote them, secrets by name; a JSON object.
    pub params: serde_json::Value,
}

impl Situation {
    /// So many attempts are told of.
    pub const MOST_ATTEMPTS: usize = 100;
}

/// What comes after a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Another one, after this wait.
    AttemptAfter(Duration),
    /// A person says how it goes on: why.
    Escalate(String),
    /// No other one: why.
    GiveUp(String),
}

impl NextStep {
    /// The longest wait between two attempts.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
}
