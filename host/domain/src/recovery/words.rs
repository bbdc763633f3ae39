//! The events of recovery: their words for people, and their data for programs.
//!
//! Invariant: a sentence is true in every state in which its event is written; `tests` has the table. It speaks of the one
//! failure that it is about, for the target may have others, and a recovery that is due may still wait for its turn.

mod approvals;
mod calls;
mod escalations;
mod incidents;
mod pauses;
mod policy;
#[cfg(test)]
mod tests;

pub(super) use approvals::{approved, awaits};
pub(super) use calls::{diverged, in_doubt, resolved, signalled, suspended};
pub(super) use escalations::{
    acknowledged, did_not_help, forbidden, left_to_people, no_route_fits, only_simulated, overdue,
    round_did_not_help, unacknowledged, unrouted,
};
pub(super) use incidents::{
    closed, escalated, flapping, kept_stopped, opened, reopened, rto_exceeded, steady, unwatched,
    worsened,
};
pub(super) use pauses::{pause_over, paused, paused_for};
pub(super) use policy::{charter, phase_changed, policy_changed};

use crate::{
    actor::Actor,
    event::{
        Event, EventData, EventKind, OperationApproved, OperationAskedFor, OperationCancelled,
        OperationEnded, OperationFacts, OperationResumed, OperationRetrying, OperationScheduled,
        OperationStarted, OperationValidating,
    },
    measure::length,
    name::PluginName,
    operation::{Operation, OperationState},
    record::Change,
    severity::Severity,
    spec::RouteSpec,
    time::{Timestamp, millis},
};
use std::time::Duration;

/// An event about an operation.
pub(super) fn about(
    operation: &Operation,
    kind: EventKind,
    severity: Severity,
    now: Timestamp,
    message: String,
    data: impl Into<EventData>,
) -> Change {
    let event = Event::new(kind, severity, now, message)
        .with_target(&operation.target)
        .with_operation(&operation.id)
        .with_data(data);
    Change::Event(event)
}

pub(super) fn scheduled(operation: &Operation, now: Timestamp) -> Change {
    let message = match operation.due {
        None => moved_words(operation, "is scheduled"),
        Some(due) => moved_words(operation, &format!("is scheduled, not before {due}")),
    };
    let data = OperationScheduled {
        about: OperationFacts::of(operation),
        due: operation.due,
    };
    let kind = EventKind::OperationScheduled;
    about(operation, kind, operation.severity, now, message, data)
}

pub(super) fn asked_for(operation: &Operation, by: &Actor, now: Timestamp) -> Change {
    let what = match operation.dry_run {
        true => "a dry run of the recovery",
        false => "recovery",
    };
    let message = format!(
        "{what} of {} from {} was asked for by {by}",
        operation.target, operation.failure
    );
    let kind = EventKind::OperationScheduled;
    let data = OperationAskedFor {
        about: OperationFacts::of(operation),
        by: by.name.clone(),
        note: by.note.clone(),
    };
    about(operation, kind, operation.severity, now, message, data)
}

/// A person asked to cancel it, and a handler of it is called.
pub(super) fn cancelling(
    operation: &Operation,
    by: &Actor,
    reason: &str,
    now: Timestamp,
) -> Change {
    let message = format!(
        "{by} asked to cancel the {}recovery of {} from {}, which ends with the attempt that runs{}",
        dry_words(operation),
        operation.target,
        operation.failure,
        why(reason)
    );
    let data = OperationApproved {
        about: OperationFacts::of(operation),
        by: by.name.clone(),
        note: by.note.clone(),
        reason: reason.to_owned(),
    };
    let kind = EventKind::OperationCancelling;
    about(operation, kind, Severity::Low, now, message, data)
}

/// With the handler that is called first.
pub(super) fn started(operation: &Operation, route: &RouteSpec, now: Timestamp) -> Change {
    let data = OperationStarted {
        about: OperationFacts::of(operation),
        attempt: operation.attempts,
        handler: route.chain.first().map(|step| step.handler.clone()),
    };
    let message = moved_words(operation, "began");
    let kind = EventKind::OperationStarted;
    about(operation, kind, operation.severity, now, message, data)
}

pub(super) fn resumed(operation: &Operation, now: Timestamp) -> Change {
    let what = "is gone on with: the daemon ended while a handler of it was called";
    let message = moved_words(operation, what);
    let data = OperationResumed {
        about: OperationFacts::of(operation),
        interruptions: operation.interruptions,
    };
    let kind = EventKind::OperationResumed;
    about(operation, kind, operation.severity, now, message, data)
}

pub(super) fn validating(operation: &Operation, now: Timestamp) -> Change {
    let data = OperationValidating {
        about: OperationFacts::of(operation),
        attempt: operation.attempts,
    };
    let message = moved_words(operation, "is validated");
    let kind = EventKind::OperationValidating;
    about(operation, kind, operation.severity, now, message, data)
}

fn moved_words(operation: &Operation, what: &str) -> String {
    let dry = dry_words(operation);
    format!(
        "{dry}recovery of {} from {} {what}",
        operation.target, operation.failure
    )
}

/// An attempt failed, and another follows.
pub(super) fn retrying(
    operation: &Operation,
    error: &str,
    delay: Duration,
    now: Timestamp,
) -> Change {
    let Operation {
        target,
        failure,
        attempts,
        ..
    } = operation;
    let due = match delay.is_zero() {
        true => "at once".to_owned(),
        false => format!("in {}", length(delay)),
    };
    let message = format!(
        "attempt {attempts} to recover {target} from {failure} failed, the next is due {due}: {error}"
    );
    let data = OperationRetrying {
        about: OperationFacts::of(operation),
        attempt: *attempts,
        error: error.to_owned(),
        delay_ms: millis(delay),
    };
    let kind = EventKind::OperationRetrying;
    about(operation, kind, Severity::Medium, now, message, data)
}

/// `is_stopped`: the failure holds, and is left to people.
pub(super) fn cancelled(
    operation: &Operation,
    why: &str,
    is_stopped: bool,
    now: Timestamp,
) -> Change {
    let dry = dry_words(operation);
    let stopped = match is_stopped {
        true => format!(
            "; it is stopped by hand until it is over, or `mainstay resume {}` takes it up",
            operation.target
        ),
        false => String::new(),
    };
    let message = format!(
        "{dry}recovery of {} from {} was cancelled: {why}{stopped}",
        operation.target, operation.failure
    );
    about(
        operation,
        EventKind::OperationCancelled,
        Severity::Low,
        now,
        message,
        OperationCancelled::of(operation),
    )
}

/// Its end. `unproved`: the end is reported only if it lasts. `again`: people were told before that recovery does not
/// help.
pub(super) fn ended(operation: &Operation, unproved: bool, again: bool, now: Timestamp) -> Change {
    let (target, failure) = (&operation.target, &operation.failure);
    let (kind, what, but) = match operation.state {
        OperationState::Succeeded => (EventKind::OperationSucceeded, "succeeded", String::new()),
        OperationState::Partial => {
            let but = format!(", and {target} is not seen to be healthy");
            (EventKind::OperationPartial, "ended", but)
        }
        _ => (EventKind::OperationFailed, "failed", String::new()),
    };
    let dry = dry_words(operation);
    let took = operation
        .recovery_ms
        .map(Duration::from_millis)
        .map_or(String::new(), |took| format!(" after {}", length(took)));
    let error = operation
        .error
        .as_ref()
        .map_or(String::new(), |error| format!(": {error}"));
    let asked = operation
        .cancel_asked
        .as_ref()
        .map_or(String::new(), |asked| {
            format!("; during its last call it was to be {asked}")
        });
    let message = match idle_handler(operation) {
        Some(handler) => {
            format!("{failure} of {target} is over{took}; {handler} did nothing{asked}")
        }
        None => {
            format!("{dry}recovery of {target} from {failure} {what}{took}{but}{error}{asked}")
        }
    };
    let data = OperationEnded::of(operation, unproved, again);
    // A success resolves what was fired with the failure's severity, so it is routed like it.
    about(operation, kind, operation.severity, now, message, data)
}

/// The handler that was called before the checks passed again, where it and all before it did nothing.
fn idle_handler(operation: &Operation) -> Option<&PluginName> {
    let is_recovered = operation.state == OperationState::Succeeded && !operation.dry_run;
    let is_idle = is_recovered && operation.acted_by.is_none() && operation.actions.is_empty();
    operation.handler.as_ref().filter(|_| is_idle)
}

/// What a person gave as a reason, who need not give one.
fn why(reason: &str) -> String {
    match reason.trim() {
        "" => String::new(),
        reason => format!(": {reason}"),
    }
}

fn dry_words(operation: &Operation) -> &'static str {
    match operation.dry_run {
        true => "dry run of the ",
        false => "",
    }
}
