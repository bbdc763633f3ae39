//! What people write down about incidents and operations.
//!
//! Invariant: a note is an event, and is on record once who wrote it hears so.
//! Invariant: no secret is in it.

use super::shared::Shared;
use crate::ports::{Boxed, NoteRequest, Noted, Notes, Refused, Secrets};
use mainstay_domain::{
    actor::Actor,
    event::{Event, EventKind, NoteAdded},
    record::Change,
    severity::Severity,
};
use std::sync::Arc;

/// The service.
pub struct NoteService {
    /// Where notes are written.
    pub shared: Shared,
    /// What is taken out of them.
    pub secrets: Arc<dyn Secrets>,
}

impl NoteService {
    fn concealed(&self, words: &str) -> String {
        let concealed = self.secrets.conceal(words.as_bytes().to_vec());
        String::from_utf8_lossy(&concealed).into_owned()
    }

    fn event(&self, request: NoteRequest) -> Event {
        let NoteRequest {
            about,
            target,
            text,
            by,
        } = request;
        let text = self.concealed(&text);
        let by = Actor {
            note: by.note.map(|note| self.concealed(&note)),
            ..by
        };
        let (incident, operation) = match about {
            Noted::Incident(id) => (Some(id), None),
            Noted::Operation(id) => (None, Some(id)),
        };
        let id = match (&incident, &operation) {
            (Some(id), _) => id.to_string(),
            (None, id) => id.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let message = format!("{by} notes about {id}: {text}");
        let facts = NoteAdded {
            incident,
            by: by.name,
            note: by.note,
            text,
        };
        let now = self.shared.clock.now();
        let mut event = Event::new(EventKind::NoteAdded, Severity::Low, now, message)
            .with_target(&target)
            .with_data(facts);
        event.operation = operation;
        event
    }
}

impl Notes for NoteService {
    fn add(&self, request: NoteRequest) -> Boxed<'_, Result<Event, Refused>> {
        let event = self.event(request);
        let changes = vec![Change::Event(event.clone())];
        let written = self.shared.journal.commit(changes.into());
        Box::pin(async move {
            match written.await {
                Ok(_) => Ok(event),
                Err(error) => Err(Refused(error.to_string())),
            }
        })
    }
}
