//! What commands answer that give no more than that they were taken.

use crate::severity::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to `POST /v1/recover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scheduled {
    /// The identifier of the operation that was scheduled.
    pub operation: String,
}

/// The answer to `start`, `stop`, `restart` and `reload` of a target: it is begun, and what comes of it is an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Commanded {
    /// The target's name.
    pub target: String,
    /// The targets that depend on it.
    pub dependents: Vec<String>,
}

/// What `backup cancel --json` prints: what was under way is cancelled, and nothing of it stays or is put in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelledRestore {
    /// The job.
    pub job: String,
    /// Whether it has ended; else it is told to end, and the events tell what comes of it.
    #[serde(default)]
    pub ended: bool,
}

/// What `report --json` prints: the report that holds, or that was cleared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedFailure {
    /// The target's name.
    pub target: String,
    /// Which failure.
    pub failure: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure the reporter is, from 0 to 1; null where they do not say it.
    pub confidence: Option<f64>,
    /// It does not hold longer than this; null: until it is cleared.
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
    /// Whether it was cleared.
    pub cleared: bool,
}

/// What `plugin forget --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForgottenPlugin {
    /// The plugin's name.
    pub name: String,
    /// The version that may be of other bytes now.
    pub version: String,
}

/// What `unsilence --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndedSilence {
    /// The identifier of the silence that is over.
    pub id: String,
}

/// What `pause --json` and `resume --json` print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseReport {
    /// The name of the target; null: the host.
    pub target: Option<String>,
    /// Whether its automatic recovery is paused now.
    pub paused: bool,
}
