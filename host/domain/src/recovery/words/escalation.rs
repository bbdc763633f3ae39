//! The events of an escalation: that an incident lasts, that nobody takes it on, and that somebody does.

use super::incidents::of_incident;
use crate::{
    actor::Actor,
    event::{
        EventKind, IncidentAcknowledged, IncidentFacts, IncidentOverdue, IncidentUnacknowledged,
    },
    id::OperationId,
    incident::Incident,
    record::Change,
    severity::Severity,
    time::{Timestamp, millis},
};
use std::time::Duration;

/// It has lasted for `open`, and its recovery goes on.
pub(in crate::recovery) fn overdue(
    incident: &Incident,
    operation: Option<&OperationId>,
    (message, open): (String, Duration),
    runbook: Vec<String>,
    now: Timestamp,
) -> Change {
    let data = IncidentOverdue {
        about: IncidentFacts::of(incident),
        open_ms: millis(open),
        attempts: incident.attempts,
        runbook,
    };
    let kind = EventKind::IncidentOverdue;
    let mut event = of_incident(incident, kind, incident.severity, now, message, data);
    event.operation = operation.cloned();
    Change::Event(event)
}

/// People were told `told` before.
pub(in crate::recovery) fn unacknowledged(
    incident: &Incident,
    operation: Option<&OperationId>,
    told: Duration,
    runbook: Vec<String>,
    now: Timestamp,
) -> Change {
    let (target, failure) = (&incident.target, &incident.failure);
    let message = format!(
        "nobody has taken on {failure} of {target}, {} s after people were told: mainstay ack {}",
        told.as_secs(),
        incident.id
    );
    let data = IncidentUnacknowledged {
        about: IncidentFacts::of(incident),
        told_ms: millis(told),
        runbook,
    };
    let kind = EventKind::IncidentUnacknowledged;
    let mut event = of_incident(incident, kind, incident.severity, now, message, data);
    event.operation = operation.cloned();
    Change::Event(event)
}

/// A person takes it on.
pub(in crate::recovery) fn acknowledged(
    incident: &Incident,
    by: &Actor,
    reason: &str,
    now: Timestamp,
) -> Change {
    let why = match reason.trim() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let (target, failure) = (&incident.target, &incident.failure);
    let message = format!("{by} takes on {failure} of {target}{why}");
    let data = IncidentAcknowledged {
        about: IncidentFacts::of(incident),
        by: by.name.clone(),
        note: by.note.clone(),
        reason: reason.to_owned(),
    };
    let kind = EventKind::IncidentAcknowledged;
    Change::Event(of_incident(
        incident,
        kind,
        Severity::Low,
        now,
        message,
        data,
    ))
}
