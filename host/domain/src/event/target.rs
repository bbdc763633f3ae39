//! What events of a target say: of its process, its checks and its circuit.

use crate::{
    drill::DrillMethod,
    id::IncidentId,
    name::{CheckName, FailureType, TargetName},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A supervised process was started, was found again, or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// The process number.
    pub pid: u32,
    /// When it was started.
    pub started_at: Timestamp,
    /// How often the daemon had started the target again, this start included.
    pub restarts: u32,
}

/// A person commanded something of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCommanded {
    /// Who did: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they said it.
    pub reason: String,
    /// `done`, or why not.
    pub outcome: String,
    /// The targets that depend on it.
    pub dependents: Vec<TargetName>,
}

/// A person has a target broken on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetBroken {
    /// The failure that is to come of it.
    pub failure: FailureType,
    /// How it is broken.
    pub method: DrillMethod,
    /// Who has it broken: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// The drill of a target is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetDrilled {
    /// The failure that was to come of the break.
    pub failure: FailureType,
    /// How it was broken.
    pub method: DrillMethod,
    /// Who had it broken: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// The incident that came of it, where one did.
    pub incident: Option<IncidentId>,
    /// Its recovery time objective, milliseconds.
    pub rto_ms: u64,
    /// From the break until the incident was opened, milliseconds.
    pub noticed_ms: Option<u64>,
    /// From the break until it was healthy again, milliseconds.
    pub recovered_ms: Option<u64>,
    /// `done` where it was healthy again within its objective, else why not.
    pub outcome: String,
}

/// A failure was reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureReported {
    /// Which.
    pub failure: FailureType,
    /// How sure they are, from 0 to 1, where they say it.
    pub confidence: Option<f64>,
    /// Who reports it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// It does not hold longer than this.
    pub until: Option<Timestamp>,
}

/// A failure is not reported any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCleared {
    /// Which.
    pub failure: FailureType,
    /// Who says that it is over; none: the time of the report is over, or its target was stopped.
    pub by: Option<String>,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// A check failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckFailed {
    /// Its name.
    pub check: CheckName,
    /// How often it has failed in a row now.
    pub in_a_row: u32,
    /// The measured value, where there is one, in the check's own unit.
    pub value: Option<f64>,
}

/// A check passes and warns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckDegraded {
    /// Its name.
    pub check: CheckName,
    /// The measured value, where there is one, in the check's own unit.
    pub value: Option<f64>,
}

/// A check passes again, or does not warn any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRecovered {
    /// Its name.
    pub check: CheckName,
    /// The measured value, where there is one, in the check's own unit.
    pub value: Option<f64>,
}

/// A target has another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRenamed {
    /// What it was called.
    pub from: TargetName,
    /// What it is called since.
    pub to: TargetName,
}

/// A circuit opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitOpened {
    /// The failure that was raised with it, where one was.
    pub failure: Option<FailureType>,
}
