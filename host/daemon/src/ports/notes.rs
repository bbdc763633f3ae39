//! Notes, as people write them down.

use super::{Boxed, operator::Refused};
use mainstay_domain::{
    actor::Actor,
    event::Event,
    id::{IncidentId, OperationId},
    name::TargetName,
};

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// This incident.
    Incident(IncidentId),
    /// This operation.
    Operation(OperationId),
}

/// A note that somebody writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteRequest {
    /// What it is about; it is there.
    pub about: Noted,
    /// The target of that.
    pub target: TargetName,
    /// What is written.
    pub text: String,
    /// Who writes it.
    pub by: Actor,
}

/// Takes notes.
pub trait Notes: Send + Sync {
    /// Writes a note down; the event that it is.
    fn add(&self, request: NoteRequest) -> Boxed<'_, Result<Event, Refused>>;
}
