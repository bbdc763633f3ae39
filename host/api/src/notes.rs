//! What people write down about incidents and operations.

use mainstay_domain::event::{self, EventData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A note of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// When it was written.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Who wrote it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// What they wrote.
    pub text: String,
}

impl Note {
    /// The note that an event is; none where it is none.
    pub fn of(event: &event::Event) -> Option<Self> {
        let EventData::NoteAdded(facts) = &event.data else {
            return None;
        };
        Some(Self {
            at: event.at.to_string(),
            by: facts.by.clone(),
            note: facts.note.clone(),
            text: facts.text.clone(),
        })
    }
}

/// The body of `POST /v1/notes`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteBody {
    /// The identifier of the incident or the operation.
    pub id: String,
    /// What is to be kept.
    pub text: String,
    /// On whose behalf, as a note: who writes is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}
