//! The events of incidents.

use super::millis;
use crate::{
    event::{Event, EventKind},
    id::OperationId,
    incident::Incident,
    journal::Change,
    name::TargetName,
    operation::Operation,
    recovery::how::{Closed, Then},
    severity::Severity,
    time::Timestamp,
};
use serde_json::{Value, json};

pub(in crate::recovery) fn opened(incident: &Incident, seen: &str, now: Timestamp) -> Change {
    let message = format!("{} has {}: {seen}", incident.target, incident.failure);
    let data = json!({ "recurrence": incident.recurrence, "affected": incident.affected });
    let kind = EventKind::IncidentOpened;
    Change::Event(of_incident(
        incident,
        kind,
        incident.severity,
        now,
        message,
        data,
    ))
}

pub(in crate::recovery) fn reopened(incident: &Incident, seen: &str, now: Timestamp) -> Change {
    let message = format!(
        "{} has {} again, {} after its recovery: {seen}",
        incident.target,
        incident.failure,
        match incident.tried_at {
            Some(tried_at) => format!("{} ms", millis(now.since(tried_at))),
            None => "shortly".to_owned(),
        }
    );
    let data = json!({ "relapses": incident.relapses, "attempts": incident.attempts });
    let kind = EventKind::IncidentReopened;
    Change::Event(of_incident(
        incident,
        kind,
        incident.severity,
        now,
        message,
        data,
    ))
}

pub(in crate::recovery) fn closed(
    incident: &Incident,
    by: Option<&OperationId>,
    how: Closed,
    now: Timestamp,
) -> Change {
    let open_ms = millis(now.since(incident.opened_at));
    let (target, failure) = (&incident.target, &incident.failure);
    let message = match how {
        Closed::Recovered => format!("{target} recovered from {failure} after {open_ms} ms"),
        Closed::Lasting => {
            let before = match incident.relapses {
                0 => String::new(),
                relapses => format!("; it had come back {relapses} times"),
            };
            format!(
                "{target} recovered from {failure} after {open_ms} ms, and stays healthy{before}"
            )
        }
        Closed::ByItself => {
            format!("{target} became healthy by itself from {failure} after {open_ms} ms")
        }
        Closed::Unseen => format!(
            "{target} was to be recovered from {failure}, which no check sees: nothing more is done about it"
        ),
        Closed::Removed => format!(
            "{target} is no longer configured, which lets go of {failure} after {open_ms} ms"
        ),
    };
    let word = match how {
        Closed::Recovered => "recovered",
        Closed::Lasting => "lasting",
        Closed::ByItself => "by-itself",
        Closed::Unseen => "unseen",
        Closed::Removed => "removed",
    };
    let data = json!({ "open_ms": open_ms, "relapses": incident.relapses, "attempts": incident.attempts,
        "how": word });
    let kind = EventKind::IncidentClosed;
    let mut event = of_incident(incident, kind, incident.severity, now, message, data);
    event.operation = by.cloned();
    Change::Event(event)
}

/// People have to act, and what follows.
pub(in crate::recovery) fn escalated(
    incident: &Incident,
    operation: Option<&Operation>,
    message: String,
    then: Then,
    now: Timestamp,
) -> Change {
    let then = match then {
        Then::Round => "round",
        Then::People => "people",
        Then::Route => "route",
    };
    let kind = EventKind::OperationEscalated;
    let data = json!({
        "then": then,
        "handler": operation.and_then(|operation| operation.handler.as_ref()),
        "handler_version": operation.and_then(|operation| operation.handler_version.as_ref()),
    });
    let mut event = of_incident(incident, kind, incident.severity, now, message, data);
    event.operation = operation.map(|operation| operation.id.clone());
    Change::Event(event)
}

pub(in crate::recovery) fn flapping(target: &TargetName, now: Timestamp) -> Change {
    let message = format!(
        "{target} fails again and again: its recoveries are spaced out as their strategy says"
    );
    let event = Event::new(EventKind::CircuitFlapping, Severity::High, now, message);
    Change::Event(event.with_target(target))
}

fn of_incident(
    incident: &Incident,
    kind: EventKind,
    severity: Severity,
    now: Timestamp,
    message: String,
    mut data: Value,
) -> Event {
    if let Value::Object(data) = &mut data {
        data.insert("incident".to_owned(), json!(incident.id));
        data.insert("failure".to_owned(), json!(incident.failure));
    }
    Event::new(kind, severity, now, message)
        .with_target(&incident.target)
        .with_data(data)
}
