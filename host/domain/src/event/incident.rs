//! What events of an incident say.

use crate::{
    id::IncidentId,
    incident::Incident,
    name::{FailureType, PluginName},
    severity::Severity,
};
use serde::{Deserialize, Serialize};

/// Which incident an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentFacts {
    /// Its identifier.
    pub incident: IncidentId,
    /// How the target failed.
    pub failure: FailureType,
}

impl IncidentFacts {
    /// Those of an incident.
    pub fn of(incident: &Incident) -> Self {
        Self {
            incident: incident.id.clone(),
            failure: incident.failure.clone(),
        }
    }
}

/// An incident was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentOpened {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// How often it came back within its window; 0 the first time.
    pub recurrence: u32,
    /// What else suffers, by the failure type.
    pub affected: Vec<String>,
    /// A person asked for its recovery, and no check has seen it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked_for: bool,
    /// The last lines that the target's log, or the program of a check, had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// A failure came back right after its recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentReopened {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// How often it has come back so far.
    pub relapses: u32,
    /// Attempts in the present round.
    pub attempts: u32,
}

/// An incident is worse than it was known to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentWorsened {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// How bad it was known to be before.
    pub was: Severity,
}

/// An incident has lasted longer than the recovery time objective of its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtoExceeded {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// The objective, milliseconds.
    pub rto_ms: u64,
    /// For how long the target was failed since the detection, milliseconds.
    pub open_ms: u64,
    /// Attempts in the present round.
    pub attempts: u32,
}

/// An incident lasts for so long, or so many attempts did not help, that people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentOverdue {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// From detection until now, milliseconds.
    pub open_ms: u64,
    /// Attempts in the present round.
    pub attempts: u32,
    /// What a person has to do, in order.
    pub runbook: Vec<String>,
}

/// A person takes an incident on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentAcknowledged {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// Who did: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// What they say about it; may be empty.
    pub reason: String,
}

/// Nobody has taken an incident on in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentUnacknowledged {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// From when people were told until now, milliseconds.
    pub told_ms: u64,
    /// What a person has to do, in order.
    pub runbook: Vec<String>,
}

/// A failure is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentClosed {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// From detection to its end, milliseconds.
    pub open_ms: u64,
    /// How often it had come back.
    pub relapses: u32,
    /// Attempts of all its rounds; versions that did not keep those of the rounds before counted the last.
    pub attempts: u32,
    /// How it ended.
    pub how: IncidentEnd,
    /// By whom its target is kept stopped, and why, for people, where that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// How an incident came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentEnd {
    /// An operation was verified.
    Recovered,
    /// It had come back before, and then stayed healthy for the relapse window.
    Lasting,
    /// The checks pass, and no operation was verified.
    ByItself,
    /// No check sees it.
    Unseen,
    /// Its target is not configured any more.
    Removed,
}

/// People have to act on an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationEscalated {
    /// Which.
    #[serde(flatten)]
    pub about: IncidentFacts,
    /// What follows.
    pub then: AfterEscalation,
    /// The handler that ran last, where one did.
    pub handler: Option<PluginName>,
    /// Its version.
    pub handler_version: Option<semver::Version>,
    /// The last lines that the target's log, or the program of a check, had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Attempts that were made; 0 where no handler served, or where an earlier version did not write it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Why the last attempt did not help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a person has to do, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runbook: Vec<String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What follows when people were told that they have to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterEscalation {
    /// Another round of attempts, after a wait.
    Round,
    /// Nothing until it is over: a person decided so.
    People,
    /// Nothing: no route fits it.
    Route,
}
