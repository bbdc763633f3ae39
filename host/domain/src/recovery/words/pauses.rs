//! The events of pauses.

use crate::{
    actor::Actor,
    event::{Event, EventKind, PausedBy, PausedFor},
    name::TargetName,
    pause::TimedPause,
    record::Change,
    severity::Severity,
    time::{Timestamp, millis},
};

pub(in crate::recovery) fn paused(
    target: Option<&TargetName>,
    paused: bool,
    by: &Actor,
    now: Timestamp,
) -> Change {
    let what = target.map_or("the host".to_owned(), ToString::to_string);
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
    let what = target.map_or("the host".to_owned(), ToString::to_string);
    let why = match reason {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let message = format!("{by} paused {what} for {length:?}{why}");
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
    let what = target.map_or("the host".to_owned(), ToString::to_string);
    let message = format!("the pause of {what} is over: {by} asked for {length:?}");
    let mut event = Event::new(EventKind::HostResumed, Severity::Low, now, message);
    event.target = target.cloned();
    let facts = PausedBy {
        by: by.name.clone(),
        note: by.note.clone(),
    };
    Change::Event(event.with_data(facts))
}
