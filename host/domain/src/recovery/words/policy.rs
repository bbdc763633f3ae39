//! The events of the gate.

use crate::{
    actor::Actor,
    code::ErrorCode,
    event::{CharterBroken, Event, EventKind, PhaseChanged, PolicyChanged},
    policy::{CharterBreach, Phase, TargetPolicy},
    record::Change,
    recovery::PolicyOrder,
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

/// The charter is not what it was pinned to, or with none that it is again.
pub(in crate::recovery) fn charter(breach: Option<&CharterBreach>, now: Timestamp) -> Change {
    let severity = Severity::Critical;
    let event = match breach {
        Some(breach) => {
            let why = breach.to_string();
            let message = ErrorCode::CharterBroken.mark(why.clone());
            let kind = EventKind::CharterBroken;
            Event::new(kind, severity, now, message).with_data(CharterBroken { why })
        }
        None => {
            let message = "the charter is what the config is pinned to again";
            Event::new(EventKind::CharterWhole, severity, now, message)
        }
    };
    Change::Event(event)
}

/// A person set what holds over the routes of a target; `set` is all that holds now.
pub(in crate::recovery) fn policy_changed(
    order: &PolicyOrder,
    set: TargetPolicy,
    now: Timestamp,
) -> Change {
    let PolicyOrder {
        target, reason, by, ..
    } = order;
    let verb = match set.is_empty() {
        true => "cleared",
        false => "set",
    };
    let why = match reason.trim() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let message = format!("{by} {verb} the policy of {target}{why}");
    let facts = PolicyChanged {
        policy: set,
        by: by.name.clone(),
        note: by.note.clone(),
        reason: reason.clone(),
    };
    let event = Event::new(EventKind::PolicyChanged, Severity::Low, now, message);
    Change::Event(event.with_target(target).with_data(facts))
}
