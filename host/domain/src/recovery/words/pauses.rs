//! The events of pauses.

use super::why;
use crate::{
    actor::Actor,
    event::{Event, EventKind, PausedBy, PausedFor},
    measure,
    name::TargetName,
    pause::TimedPause,
    record::Change,
    severity::Severity,
    time::{Timestamp, millis},
};

/// What is paused: nothing else of a target or of the host is, so checks go on, and alerts too.
fn whose(target: Option<&TargetName>) -> String {
    match target {
        Some(target) => format!("automatic recovery of {target}"),
        None => "automatic recovery of the host".to_owned(),
    }
}

pub(in crate::recovery) fn paused(
    target: Option<&TargetName>,
    paused: bool,
    by: &Actor,
    now: Timestamp,
) -> Change {
    let what = whose(target);
    let (kind, verb) = match paused {
        true => (EventKind::HostPaused, "paused"),
        false => (EventKind::HostResumed, "resumed"),
    };
    let mut event = Event::new(kind, Severity::Low, now, format!("{by} {verb} {what}"));
    event.target = target.cloned();
    let facts = PausedBy {
        by: by.name.clone(),
        note: by.note.clone(),
    };
    Change::Event(event.with_data(facts))
}

pub(in crate::recovery) fn paused_for(
    target: Option<&TargetName>,
    pause: &TimedPause,
    reason: &str,
) -> Change {
    let TimedPause { since, length, by } = pause;
    let (what, why) = (whose(target), why(reason));
    let message = format!("{by} paused {what} for {}{why}", measure::length(*length));
    let mut event = Event::new(EventKind::HostPaused, Severity::Low, *since, message);
    event.target = target.cloned();
    let facts = PausedFor {
        by: by.name.clone(),
        note: by.note.clone(),
        reason: reason.to_owned(),
        length_ms: millis(*length),
    };
    Change::Event(event.with_data(facts))
}

pub(in crate::recovery) fn pause_over(
    target: Option<&TargetName>,
    pause: &TimedPause,
    now: Timestamp,
) -> Change {
    let TimedPause { length, by, .. } = pause;
    let what = whose(target);
    let message = format!(
        "the pause of {what} is over: {by} asked for {}",
        measure::length(*length)
    );
    let mut event = Event::new(EventKind::HostResumed, Severity::Low, now, message);
    event.target = target.cloned();
    let facts = PausedBy {
        by: by.name.clone(),
        note: by.note.clone(),
    };
    Change::Event(event.with_data(facts))
}
