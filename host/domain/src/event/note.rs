//! What events of notes say.

use crate::id::IncidentId;
use serde::{Deserialize, Serialize};

/// A person wrote something down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteAdded {
    /// About this incident; none: about the operation of the event.
    pub incident: Option<IncidentId>,
    /// Who did it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// What they wrote.
    pub text: String,
}
