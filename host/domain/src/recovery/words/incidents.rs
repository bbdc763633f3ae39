//! The events of incidents.

use super::{escalations::is_untried, idle_handler};
use crate::{
    event::{
        AfterEscalation, Event, EventData, EventKind, IncidentClosed, IncidentEnd, IncidentFacts,
        IncidentOpened, IncidentReopened, IncidentWorsened, OperationEscalated, RtoExceeded,
    },
    id::OperationId,
    incident::Incident,
    measure::length,
    name::TargetName,
    operation::Operation,
    record::Change,
    severity::Severity,
    text::counted,
    time::{Timestamp, millis},
};
use std::time::Duration;

/// `asked_for` by a person, and no check has seen it.
pub(in crate::recovery) fn opened(incident: &Incident, asked_for: bool, now: Timestamp) -> Change {
    let (target, failure) = (&incident.target, &incident.failure);
    let seen = incident.evidence.first();
    let seen = seen.map_or("", |seen| seen.message.as_str());
    let message = match asked_for {
        true => format!("{target} is to be recovered from {failure}: {seen}"),
        false => format!("{target} has {failure}: {seen}"),
    };
    let data = IncidentOpened {
        about: IncidentFacts::of(incident),
        recurrence: incident.recurrence,
        affected: incident.affected.clone(),
        asked_for,
        output: incident.output().map(str::to_owned),
    };
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

/// `calm` is how long it was over.
pub(in crate::recovery) fn reopened(
    incident: &Incident,
    seen: &str,
    calm: Option<Duration>,
    now: Timestamp,
) -> Change {
    let message = format!(
        "{} has {} again, {} after it was over: {seen}",
        incident.target,
        incident.failure,
        match calm {
            Some(calm) => length(calm),
            None => "shortly".to_owned(),
        }
    );
    let data = IncidentReopened {
        about: IncidentFacts::of(incident),
        relapses: incident.relapses,
        attempts: incident.attempts,
    };
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

/// It is worse than the severity that it `was` of.
pub(in crate::recovery) fn worsened(incident: &Incident, was: Severity, now: Timestamp) -> Change {
    let (target, failure, is) = (&incident.target, &incident.failure, incident.severity);
    let message = format!("{failure} of {target} is {is} now, and was {was}");
    let data = IncidentWorsened {
        about: IncidentFacts::of(incident),
        was,
    };
    let kind = EventKind::IncidentWorsened;
    Change::Event(of_incident(incident, kind, is, now, message, data))
}

/// It has lasted for `open`, and should have been over after `rto`.
pub(in crate::recovery) fn rto_exceeded(
    incident: &Incident,
    operation: Option<&OperationId>,
    rto: Duration,
    open: Duration,
    now: Timestamp,
) -> Change {
    let (target, failure) = (&incident.target, &incident.failure);
    let message = format!(
        "{target} is not recovered from {failure} within its recovery time objective of {}",
        length(rto)
    );
    let data = RtoExceeded {
        about: IncidentFacts::of(incident),
        rto_ms: millis(rto),
        open_ms: millis(open),
        attempts: incident.attempts,
    };
    let kind = EventKind::RtoExceeded;
    let mut event = of_incident(incident, kind, incident.severity, now, message, data);
    event.operation = operation.cloned();
    Change::Event(event)
}

/// `by` is the operation that recovered it, `open` for how long it was.
pub(in crate::recovery) fn closed(
    incident: &Incident,
    by: Option<&Operation>,
    how: IncidentEnd,
    open: Duration,
    now: Timestamp,
) -> Change {
    let took = length(open);
    let (target, failure) = (&incident.target, &incident.failure);
    let message = match how {
        IncidentEnd::Recovered => match by.and_then(idle_handler) {
            Some(handler) => {
                format!("{failure} of {target} is over after {took}; {handler} did nothing")
            }
            None => format!("{target} recovered from {failure} after {took}"),
        },
        IncidentEnd::Lasting => {
            let before = match incident.relapses {
                0 => String::new(),
                relapses => format!("; it had come back {}", counted(relapses, "time")),
            };
            format!(
                "{failure} of {target} is over after {took}, and has not come back since{before}"
            )
        }
        IncidentEnd::ByItself if may_have_been_tried(incident) => format!(
            "{failure} of {target} is over after {took}; no attempt to recover it is known to have helped"
        ),
        IncidentEnd::ByItself => {
            format!("{failure} of {target} is over after {took}, and nothing was done about it")
        }
        IncidentEnd::Unseen => {
            format!("no check sees {failure} of {target}: nothing more is done about it")
        }
        IncidentEnd::Removed => {
            format!("{target} is no longer in the config, which lets go of {failure} after {took}")
        }
    };
    let data = IncidentClosed {
        about: IncidentFacts::of(incident),
        open_ms: millis(open),
        relapses: incident.relapses,
        attempts: incident.all_attempts(),
        how,
        stopped: None,
    };
    let kind = EventKind::IncidentClosed;
    let mut event = of_incident(incident, kind, incident.severity, now, message, data);
    event.operation = by.map(|operation| operation.id.clone());
    Change::Event(event)
}

/// Its target is kept stopped, as `stopped` says: `stopped by ann`. It was open for so long.
pub(in crate::recovery) fn kept_stopped(
    incident: &Incident,
    stopped: &str,
    open: Duration,
    now: Timestamp,
) -> Change {
    let (target, failure) = (&incident.target, &incident.failure);
    let message = format!("{failure} of {target} is over: {target} is {stopped}");
    let data = IncidentClosed {
        about: IncidentFacts::of(incident),
        open_ms: millis(open),
        relapses: incident.relapses,
        attempts: incident.attempts,
        how: IncidentEnd::Unseen,
        stopped: Some(stopped.to_owned()),
    };
    let kind = EventKind::IncidentClosed;
    let event = of_incident(incident, kind, incident.severity, now, message, data);
    Change::Event(event)
}

/// Whether it is not certain that nothing was tried. What a person ended may have been.
fn may_have_been_tried(incident: &Incident) -> bool {
    let rounds = incident.attempts > 0 || incident.failures_in_a_row > 0;
    rounds || incident.by_hand || incident.escalated || incident.relapses > 0
}

/// People have to act, and what follows.
pub(in crate::recovery) fn escalated(
    incident: &Incident,
    operation: Option<&Operation>,
    (message, then): (String, AfterEscalation),
    runbook: Vec<String>,
    now: Timestamp,
) -> Change {
    let kind = EventKind::OperationEscalated;
    let tried = operation.filter(|operation| !is_untried(incident, operation));
    let printed = operation.and_then(|operation| operation.output.clone());
    // What it printed during the attempt is in the incident only once that failure is told.
    let is_known = |printed: &String| {
        let mut seen = incident.evidence.iter();
        seen.any(|seen| seen.output.as_ref() == Some(printed))
    };
    let printed = printed.filter(|printed| !is_known(printed));
    let data = OperationEscalated {
        about: IncidentFacts::of(incident),
        then,
        handler: operation.and_then(|operation| operation.handler.clone()),
        handler_version: operation.and_then(|operation| operation.handler_version.clone()),
        output: printed.or_else(|| incident.output().map(str::to_owned)),
        attempts: tried.map_or(0, |operation| operation.attempts),
        error: operation.and_then(|operation| operation.error.clone()),
        runbook,
    };
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

pub(in crate::recovery) fn steady(target: &TargetName, now: Timestamp) -> Change {
    let message = format!("{target} has not failed again and again for a while");
    flapping_is_over(target, now, message)
}

/// It flapped, and was taken out of the config.
pub(in crate::recovery) fn unwatched(target: &TargetName, now: Timestamp) -> Change {
    let message = format!(
        "{target} is no longer in the config, so nothing counts any more how often it fails"
    );
    flapping_is_over(target, now, message)
}

fn flapping_is_over(target: &TargetName, now: Timestamp, message: String) -> Change {
    let event = Event::new(EventKind::CircuitSteady, Severity::Low, now, message);
    Change::Event(event.with_target(target))
}

pub(super) fn of_incident(
    incident: &Incident,
    kind: EventKind,
    severity: Severity,
    now: Timestamp,
    message: String,
    data: impl Into<EventData>,
) -> Event {
    Event::new(kind, severity, now, message)
        .with_target(&incident.target)
        .with_data(data)
}
