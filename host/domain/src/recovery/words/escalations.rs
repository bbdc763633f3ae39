//! Why people have to act, as `operation.escalated` says it, and the events of an escalation: that an incident lasts, that
//! nobody takes it on, and that somebody does.

use super::{incidents::of_incident, why};
use crate::{
    actor::Actor,
    event::{
        EventKind, IncidentAcknowledged, IncidentFacts, IncidentOverdue, IncidentUnacknowledged,
    },
    id::OperationId,
    incident::Incident,
    measure::length,
    operation::Operation,
    policy::Breach,
    record::Change,
    recovery::CaseKey,
    severity::Severity,
    text::counted,
    time::{Timestamp, millis},
};
use std::time::Duration;

/// An operation ended without success.
pub(in crate::recovery) fn did_not_help(incident: &Incident, operation: &Operation) -> String {
    let (target, failure) = (&operation.target, &operation.failure);
    let why = operation.error.as_ref();
    let why = why.map(|error| format!(": {error}")).unwrap_or_default();
    // It may have been taken from the host before its first attempt.
    let nothing = operation.attempts == 0 && incident.all_attempts() == 0;
    match nothing || is_untried(incident, operation) {
        true => format!("nothing was tried to recover {target} from {failure}{why}"),
        false => format!("recovery of {target} from {failure} did not help{why}"),
    }
}

/// Whether no handler was called, for none that the route names serves.
pub(super) fn is_untried(incident: &Incident, operation: &Operation) -> bool {
    operation.handler.is_none() && incident.missing.is_some()
}

/// It came back after the last attempt of a round, of which each may have helped for a while.
pub(in crate::recovery) fn round_did_not_help(incident: &Incident, attempts: u32) -> String {
    format!(
        "{} to recover {} from {} did not help, or not for long",
        counted(attempts, "attempt"),
        incident.target,
        incident.failure
    )
}

/// Its config says that only a person recovers it.
pub(in crate::recovery) fn left_to_people(key: &CaseKey) -> String {
    let CaseKey { target, failure } = key;
    format!(
        "{failure} of {target} is left to people, for its `restart` is \"never\": `mainstay recover {target} --failure \
         {failure}` recovers it"
    )
}

/// Its route says that what is automatic is only planned.
pub(in crate::recovery) fn only_simulated(key: &CaseKey) -> String {
    let CaseKey { target, failure } = key;
    format!(
        "the route of {failure} of {target} only simulates, and leaves it to people: `mainstay recover {target} --failure \
         {failure}` recovers it"
    )
}

/// The config has nothing that would recover it.
pub(in crate::recovery) fn no_route_fits(key: &CaseKey) -> String {
    format!(
        "no route fits {} of {}: nothing is done about it",
        key.failure, key.target
    )
}

/// The charter forbids its automatic recovery.
pub(in crate::recovery) fn forbidden(key: &CaseKey, breach: &Breach) -> String {
    let CaseKey { target, failure } = key;
    format!("{breach} from {failure}: `mainstay recover {target} --failure {failure}` recovers it")
}

/// What a person can do where the config has nothing that would recover it. Whether it `starts` by a command is up to its
/// config.
pub(in crate::recovery) fn unrouted(key: &CaseKey, severity: Severity, starts: bool) -> String {
    let CaseKey { target, failure } = key;
    let by_hand = match starts {
        true => format!(", or `mainstay restart {target}` by hand"),
        false => String::new(),
    };
    format!(
        "nothing is done about {failure}, which is {severity}, for no route fits: add a [[route]] with failure = \"{failure}\"\
         {by_hand}"
    )
}

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
        "nobody has taken on {failure} of {target}, {} after people were told: `mainstay ack {}`",
        length(told),
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
    let (target, failure, why) = (&incident.target, &incident.failure, why(reason));
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
