//! What events of silences say.

use crate::id::SilenceId;
use serde::{Deserialize, Serialize};

/// Alerts are silenced for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceBegan {
    /// The silence.
    pub silence: SilenceId,
    /// The key of the alerts; none: all about the target of the event.
    pub key: Option<String>,
    /// Who did it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they say.
    pub reason: String,
    /// For how long, milliseconds.
    pub length_ms: u64,
}

/// A silence is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceEnded {
    /// The silence.
    pub silence: SilenceId,
    /// Who ended it; none: its time was over.
    pub by: Option<String>,
    /// What they say about themselves.
    pub note: Option<String>,
}
