//! How far people were told of an incident, and who took it on.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How far people were told of an incident, and who took it on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// When people were told that it needs them, or lasts; absent where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// When it was told once more, for nobody had acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_level_at: Option<Timestamp>,
    /// Who took it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
}

impl Escalation {
    /// Whether nothing of it has happened.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// That a person takes an incident on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// What they say about it; may be empty.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}
