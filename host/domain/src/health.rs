//! What checks see of a target.

use crate::{
    name::{CheckName, TargetName},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// How a target is, by its checks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// No check has answered yet, or the host cannot look.
    #[default]
    Unknown,
    /// It was started a moment ago, and not every check has passed since; or it has failed before, and its process has not
    /// run for a moment yet.
    Starting,
    /// Every check passes.
    Healthy,
    /// It works, but a check warns, or has failed too seldom to count.
    Degraded,
    /// A check has failed as often as it may.
    Failed,
}

/// One thing that a check saw, for people and for handlers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The check's name.
    pub check: String,
    /// When it looked.
    pub observed_at: Timestamp,
    /// What it saw, one line.
    pub message: String,
    /// The measured value, where there is one, in the check's own unit.
    pub value: Option<f64>,
    /// The last lines that its program printed, or that the target wrote to its log; see
    /// [`last_lines`](crate::text::last_lines). Absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// How bad it is, from 0 to 1 [seed 001]. Absent where nobody says it as a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// What one run of one check gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should be.
    Healthy,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Failed,
    /// The host could not look, for reasons of its own, or as the service starts up or refuses it; this says nothing about
    /// whether the target works.
    Unknown,
}

/// The result of one run of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The target that was looked at.
    pub target: TargetName,
    /// The check that looked.
    pub check: CheckName,
    /// How it was.
    pub outcome: Outcome,
    /// What was seen.
    pub evidence: Evidence,
}

impl Observation {
    /// With the last lines of what failed.
    #[must_use]
    pub fn with_output(mut self, output: Option<String>) -> Self {
        self.evidence.output = output;
        self
    }
}
