//! Incidents, and what checks saw of them.

use crate::{notes::Note, severity::Severity, words::words};
use mainstay_domain::{health, incident};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// Where an incident stands.
    #[serde(rename_all = "kebab-case")]
    IncidentState as incident::IncidentState {
        /// The failure holds.
        Open,
        /// Verified healthy after an operation.
        Recovered,
        /// Became healthy without one.
        SelfHealed,
        /// A person has to act; it closes when the checks pass again.
        Escalated,
        /// By another config no check sees the failure: whether it holds nobody knows.
        Unseen,
        /// The config has its target no more.
        Removed,
    }
}

impl IncidentState {
    /// Whether the failure still holds.
    pub fn is_open(self) -> bool {
        incident::IncidentState::from(self).is_open()
    }
}

/// One thing that a check saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The check's name.
    pub check: String,
    /// When it looked.
    #[schemars(extend("format" = "date-time"))]
    pub observed_at: String,
    /// What it saw, one line.
    pub message: String,
    /// The measured value, where there is one, in the check's own unit.
    pub value: Option<f64>,
    /// The last lines that its program printed, or that the target wrote to its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl From<&health::Evidence> for Evidence {
    fn from(evidence: &health::Evidence) -> Self {
        Self {
            check: evidence.check.clone(),
            observed_at: evidence.observed_at.to_string(),
            message: evidence.message.clone(),
            value: evidence.value,
            output: evidence.output.clone(),
        }
    }
}

/// How far people were told of an incident, and who took it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Escalation {
    /// When people were told that it needs them, or lasts. Absent where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub told_at: Option<String>,
    /// When it was told once more, for nobody had acknowledged it. Absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub second_level_at: Option<String>,
    /// Who took it on. Absent where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
}

impl From<&incident::Escalation> for Escalation {
    fn from(escalation: &incident::Escalation) -> Self {
        Self {
            told_at: escalation.told_at.map(String::from),
            second_level_at: escalation.second_level_at.map(String::from),
            acknowledged: escalation.acknowledged.as_ref().map(Into::into),
        }
    }
}

/// That a person took an incident on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acknowledgement {
    /// Who: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// What they say about it; may be empty.
    pub reason: String,
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

impl From<&incident::Acknowledgement> for Acknowledgement {
    fn from(taken: &incident::Acknowledgement) -> Self {
        Self {
            by: taken.by.clone(),
            note: taken.note.clone(),
            reason: taken.reason.clone(),
            at: taken.at.to_string(),
        }
    }
}

/// One open or past failure of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// Its identifier.
    pub id: String,
    /// What failed.
    pub target: String,
    /// How it failed.
    pub failure: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub state: IncidentState,
    /// A person rejected or cancelled its recovery: nothing automatic is done about it until it is over, or
    /// `resume` of its target takes it up.
    #[serde(default)]
    pub by_hand: bool,
    /// When it was detected.
    #[schemars(extend("format" = "date-time"))]
    pub opened_at: String,
    /// When it was seen healthy again.
    #[schemars(extend("format" = "date-time"))]
    pub closed_at: Option<String>,
    /// How often it came back within its window; 0 the first time.
    pub recurrence: u32,
    /// What the checks saw, oldest first, bounded.
    pub evidence: Vec<Evidence>,
    /// What else suffers, by the failure type.
    pub affected: Vec<String>,
    /// It was handed to people at some time; that is said once.
    #[serde(default)]
    pub escalated: bool,
    /// How often it came back within the relapse window of its recovery.
    #[serde(default)]
    pub relapses: u32,
    /// Attempts in the present round; a round is as many as the strategy allows.
    #[serde(default)]
    pub attempts: u32,
    /// Rounds in a row that did not help.
    #[serde(default)]
    pub failures_in_a_row: u32,
    /// When its last operation ended: what the next one waits is counted from here.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub tried_at: Option<String>,
    /// A failure that comes back before this is this incident again.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub relapse_until: Option<String>,
    /// The handler that was missing when it was tried last; when it serves, no wait holds.
    #[serde(default)]
    pub missing: Option<String>,
    /// When it was opened and reopened, oldest first, the last of them.
    #[serde(default)]
    pub openings: Vec<String>,
    /// When its recovery time objective was exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub rto_exceeded_at: Option<String>,
    /// Who rejected or cancelled its recovery, and why, where it is left to people. Absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over: Option<String>,
    /// How far people were told of it, and who took it on. Absent where neither has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// What people wrote down about it, oldest first. Absent where there is none, and in a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

impl From<&incident::Incident> for Incident {
    fn from(incident: &incident::Incident) -> Self {
        Self {
            id: incident.id.to_string(),
            target: incident.target.to_string(),
            failure: incident.failure.to_string(),
            severity: incident.severity.into(),
            state: incident.state.into(),
            by_hand: incident.by_hand,
            opened_at: incident.opened_at.to_string(),
            closed_at: incident.closed_at.map(String::from),
            recurrence: incident.recurrence,
            evidence: incident.evidence.iter().map(Evidence::from).collect(),
            affected: incident.affected.clone(),
            escalated: incident.escalated,
            relapses: incident.relapses,
            attempts: incident.attempts,
            failures_in_a_row: incident.failures_in_a_row,
            tried_at: incident.tried_at.map(String::from),
            relapse_until: incident.relapse_until.map(String::from),
            missing: incident.missing.as_ref().map(ToString::to_string),
            openings: incident.openings.iter().map(ToString::to_string).collect(),
            rto_exceeded_at: incident.rto_exceeded_at.map(String::from),
            handed_over: incident.handed_over.clone(),
            escalation: match &incident.escalation {
                none if none.is_none() => None,
                escalation => Some(escalation.into()),
            },
            notes: Vec::new(),
        }
    }
}
