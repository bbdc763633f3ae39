//! The events of the gate.

use crate::{
    actor::Actor,
    event::{Event, EventKind, PhaseChanged},
    policy::Phase,
    record::Change,
    severity::Severity,
    time::Timestamp,
};

pub(in crate::recovery) fn phase_changed(
    from: Phase,
    to: Phase,
    by: &Actor,
    reason: &str,
    now: Timestamp,
) -> Change {
    let why = match reason.trim() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let message = format!("{by} changed the phase from {from} to {to}{why}");
    let event = Event::new(EventKind::PhaseChanged, Severity::Low, now, message);
    let facts = PhaseChanged {
        from,
        to,
        by: by.name.clone(),
        note: by.note.clone(),
        reason: reason.to_owned(),
    };
    Change::Event(event.with_data(facts))
}
